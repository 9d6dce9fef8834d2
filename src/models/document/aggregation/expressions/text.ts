/** Strings: `$concat $toLower $toUpper $strcasecmp $split $strLenBytes $strLenCP $replaceOne $replaceAll`. */
import { DocumentError } from '../../errors.js';
import { formatValue, typeName, type Value } from '../../values.js';
import type { CompileOperator } from './expression.js';
import { type Argument, binary, isNullish, named, refusals, unary, variadic } from './operator.js';
import { coerceToText } from './to-text.js';

/** Letters of ASCII only, as MongoDB does. */
function lower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function upper(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

function concat(values: readonly Argument[]): Argument {
  let result = '';
  for (const value of values) {
    if (isNullish(value)) return null;
    if (typeof value !== 'string') {
      throw new DocumentError(16702, `$concat only supports strings, not ${typeName(value)}`);
    }
    result += value;
  }
  return result;
}

function split(text: Argument, separator: Argument): Argument {
  if (isNullish(text) || isNullish(separator)) return null;
  if (typeof text !== 'string') {
    throw new DocumentError(
      40085,
      `$split requires an expression that evaluates to a string as a first argument, found: ${typeName(text)}`,
    );
  }
  if (typeof separator !== 'string') {
    throw new DocumentError(
      40086,
      `$split requires an expression that evaluates to a string as a second argument, found: ${typeName(separator)}`,
    );
  }
  if (separator === '') throw new DocumentError(40087, '$split requires a non-empty separator');
  return text.split(separator);
}

/** Number of code points. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i + 1 < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

function length(measure: (text: string) => number, code: number): CompileOperator {
  return unary((value, name) => {
    if (typeof value === 'string') return measure(value);
    throw new DocumentError(code, `${name} requires a string argument, found: ${typeName(value)}`);
  });
}

const replaceArguments = {
  required: ['input', 'find', 'replacement'] as const,
  ...refusals(51751, 51750, 51749),
  notObject: (name: string, argument: Value) =>
    new DocumentError(51751, `${name} requires an object as an argument, found: ${typeName(argument)}`),
  missing: (name: string, field: string) =>
    new DocumentError(
      field === 'input' ? 51749 : field === 'find' ? 51748 : 51747,
      `${name} requires '${field}' to be specified`,
    ),
};

function replacing(apply: (input: string, find: string, replacement: string) => string): CompileOperator {
  return named({ ...replaceArguments }, ({ input, find, replacement }, _, name) => {
    for (const [field, value, code] of [
      ['input', input, 51746],
      ['find', find, 51745],
      ['replacement', replacement, 51744],
    ] as const) {
      if (!isNullish(value) && typeof value !== 'string') {
        throw new DocumentError(code, `${name} requires that '${field}' be a string, found: ${formatValue(value)}`);
      }
    }
    if (typeof input !== 'string' || typeof find !== 'string' || typeof replacement !== 'string') return null;
    return apply(input, find, replacement);
  });
}

function replaceFirst(input: string, find: string, replacement: string): string {
  const position = input.indexOf(find);
  return position < 0 ? input : input.slice(0, position) + replacement + input.slice(position + find.length);
}

function replaceEach(input: string, find: string, replacement: string): string {
  if (find !== '') return input.split(find).join(replacement);
  // The empty string is found before every character and at the end.
  return `${replacement}${[...input].map((character) => character + replacement).join('')}`;
}

export const text: Readonly<Record<string, CompileOperator>> = {
  $concat: variadic(concat),
  $toLower: unary((value) => lower(coerceToText(value))),
  $toUpper: unary((value) => upper(coerceToText(value))),
  $strcasecmp: binary((left, right) => {
    const [a, b] = [upper(coerceToText(left)), upper(coerceToText(right))];
    return Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }),
  $split: binary(split),
  $strLenBytes: length((value) => Buffer.byteLength(value), 34473),
  $strLenCP: length(codePoints, 34471),
  $replaceOne: replacing(replaceFirst),
  $replaceAll: replacing(replaceEach),
};
