/** Parts of strings by bytes of UTF-8 or by code points: `$substr $substrBytes $substrCP $indexOfBytes $indexOfCP`. */
import { DocumentError } from '../../errors.js';
import { isNumber, toDouble, typeName } from '../../values.js';
import type { CompileOperator } from './expression.js';
import { int32Of } from './numbers.js';
import { type Argument, isNullish, variadic } from './operator.js';
import { codePoints } from './text.js';
import { coerceToText } from './to-text.js';

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

function substrBytes([value, start, length]: readonly Argument[], name: string): Argument {
  const bytes = Buffer.from(coerceToText(value));
  if (!isNumber(start)) {
    throw new DocumentError(16034, `${name}:  starting index must be a numeric type (is BSON type ${typeName(start)})`);
  }
  if (!isNumber(length)) {
    throw new DocumentError(16035, `${name}:  length must be a numeric type (is BSON type ${typeName(length)})`);
  }
  const from = Math.trunc(toDouble(start) ?? 0);
  const count = Math.trunc(toDouble(length) ?? 0);
  if (from < 0) throw new DocumentError(50752, `${name}:  starting index must be non-negative (got: ${from})`);
  if (from >= bytes.length) return '';
  // A negative length means the rest.
  const to = count < 0 ? bytes.length : Math.min(bytes.length, from + count);
  if (isContinuation(bytes[from])) {
    throw new DocumentError(28656, `${name}:  Invalid range, starting index is a UTF-8 continuation byte.`);
  }
  if (isContinuation(bytes[to])) {
    throw new DocumentError(28657, `${name}:  Invalid range, ending index is in the middle of a UTF-8 character.`);
  }
  return bytes.toString('utf8', from, to);
}

function substrCP([value, start, length]: readonly Argument[], name: string): Argument {
  const characters = [...coerceToText(value)];
  if (!isNumber(start)) {
    throw new DocumentError(34450, `${name}: starting index must be a numeric type (is BSON type ${typeName(start)})`);
  }
  const from = int32Of(start);
  if (from === undefined) {
    throw new DocumentError(
      34451,
      `${name}: starting index cannot be represented as a 32-bit integral value: ${toDouble(start)}`,
    );
  }
  if (!isNumber(length)) {
    throw new DocumentError(34452, `${name}: length must be a numeric type (is BSON type ${typeName(length)})`);
  }
  const count = int32Of(length);
  if (count === undefined) {
    throw new DocumentError(
      34453,
      `${name}: length cannot be represented as a 32-bit integral value: ${toDouble(length)}`,
    );
  }
  if (count < 0) throw new DocumentError(34454, `${name}: length must be a nonnegative integer.`);
  if (from < 0) throw new DocumentError(34455, `${name}: the starting index must be nonnegative integer.`);
  return characters.slice(from, from + count).join('');
}

/** `[text, token, start, end]` in the units of `measure`. */
function indexOf(bytes: boolean): (values: readonly Argument[], name: string) => Argument {
  return (values, name) => {
    const [value, token] = values;
    if (isNullish(value)) return null;
    if (typeof value !== 'string') {
      throw new DocumentError(
        bytes ? 40091 : 40093,
        `${name} requires a string as the first argument, found: ${typeName(value)}`,
      );
    }
    if (typeof token !== 'string') {
      throw new DocumentError(
        bytes ? 40092 : 40094,
        `${name} requires a string as the second argument, found: ${typeName(token)}`,
      );
    }
    const from = position(values, 2, name) ?? 0;
    const to = position(values, 3, name) ?? Number.POSITIVE_INFINITY;
    return bytes ? indexOfBytes(value, token, from, to) : indexOfCodePoints(value, token, from, to);
  };
}

function position(values: readonly Argument[], index: number, name: string): number | undefined {
  if (values.length <= index) return undefined;
  const number = int32Of(values[index]);
  const which = index === 2 ? 'starting' : 'ending';
  if (number === undefined) {
    throw new DocumentError(
      40096,
      `${name} requires an integral ${which} index, found a value of type: ${typeName(values[index])}, with value: "${String(values[index])}"`,
    );
  }
  if (number < 0) {
    throw new DocumentError(40097, `${name} requires a nonnegative ${which} index, found: ${number}`);
  }
  return number;
}

function indexOfBytes(value: string, token: string, from: number, to: number): number {
  const bytes = Buffer.from(value);
  const end = Math.min(to, bytes.length);
  if (from > bytes.length || from > end) return -1;
  return bytes.subarray(0, end).indexOf(Buffer.from(token), from);
}

function indexOfCodePoints(value: string, token: string, from: number, to: number): number {
  const characters = [...value];
  const end = Math.min(to, characters.length);
  if (from > characters.length || from > end) return -1;
  const before = characters.slice(0, from).join('');
  const within = characters.slice(from, end).join('');
  const found = within.indexOf(token);
  return found < 0 ? -1 : codePoints(before) + codePoints(within.slice(0, found));
}

export const substrings: Readonly<Record<string, CompileOperator>> = {
  $substr: variadic(substrBytes, 3, 3),
  $substrBytes: variadic(substrBytes, 3, 3),
  $substrCP: variadic(substrCP, 3, 3),
  $indexOfBytes: variadic(indexOf(true), 2, 4),
  $indexOfCP: variadic(indexOf(false), 2, 4),
};
