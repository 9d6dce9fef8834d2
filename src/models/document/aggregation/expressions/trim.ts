/** `$trim $ltrim $rtrim`: by default whitespace and NUL. */
import { DocumentError } from '../../errors.js';
import { formatValue, typeName } from '../../values.js';
import type { CompileOperator } from './expression.js';
import { isNullish, named } from './operator.js';

const WHITESPACE = new Set([
  '\0',
  ' ',
  '\t',
  '\n',
  '\v',
  '\f',
  '\r',
  '\u00a0',
  '\u1680',
  '\u2000',
  '\u2001',
  '\u2002',
  '\u2003',
  '\u2004',
  '\u2005',
  '\u2006',
  '\u2007',
  '\u2008',
  '\u2009',
  '\u200a',
]);

function trimming(left: boolean, right: boolean): CompileOperator {
  return named(
    {
      required: ['input'],
      optional: ['chars'],
      notObject: (name, argument) =>
        new DocumentError(50696, `${name} only supports an object as an argument, found ${typeName(argument)}`),
      unknown: (name, field) => new DocumentError(50694, `${name} found an unknown argument: ${field}`),
      missing: (name) => new DocumentError(50695, `${name} requires an 'input' field`),
    },
    ({ input, chars }, present, name) => {
      if (isNullish(input)) return null;
      if (typeof input !== 'string') {
        throw new DocumentError(
          50699,
          `${name} requires its input to be a string, got ${formatValue(input)} (of type ${typeName(input)}) instead.`,
        );
      }
      if (present('chars') && isNullish(chars)) return null;
      if (chars !== undefined && typeof chars !== 'string') {
        throw new DocumentError(
          50700,
          `${name} requires 'chars' to be a string, got ${chars === null ? 'null' : formatValue(chars)} (of type ${typeName(chars)}) instead.`,
        );
      }
      return trim(input, chars === undefined ? WHITESPACE : new Set(chars), left, right);
    },
  );
}

function trim(text: string, removed: ReadonlySet<string>, left: boolean, right: boolean): string {
  const characters = [...text];
  let start = 0;
  let end = characters.length;
  while (left && start < end && removed.has(characters[start] ?? '')) start++;
  while (right && end > start && removed.has(characters[end - 1] ?? '')) end--;
  return characters.slice(start, end).join('');
}

export const trims: Readonly<Record<string, CompileOperator>> = {
  $trim: trimming(true, true),
  $ltrim: trimming(true, false),
  $rtrim: trimming(false, true),
};
