/** Values as text: what `$toUpper`, `$substr` and the like make of numbers and dates. */

import { formatG } from '../../bson/text.js';
import { DocumentError } from '../../errors.js';
import { BsonSymbol, Code, DateTime, Decimal, Double, isInt32, Timestamp, typeName } from '../../values.js';
import { type Argument, isNullish } from './operator.js';

/** `1.5`, `1e+20`, `NaN`, `Infinity`: as few digits as give the number back. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value < 0 ? '-Infinity' : 'Infinity';
  return Object.is(value, -0) ? '-0' : formatG(value, shortestDigits(value));
}

function shortestDigits(value: number): number {
  const [mantissa = ''] = value.toExponential().split('e');
  return Math.max(15, mantissa.replace(/[-.]/g, '').length);
}

/** ISO 8601 with milliseconds, in UTC. */
export function dateText(date: DateTime): string {
  const { ms } = date;
  if (!Number.isFinite(new Date(ms).getTime())) {
    throw new DocumentError(
      18537,
      `Could not convert date to string: date component was outside the supported range of 0-9999: ${date.bigint}`,
    );
  }
  const text = new Date(ms).toISOString();
  if (/^[+-]/.test(text)) {
    throw new DocumentError(
      18537,
      `Could not convert date to string: date component was outside the supported range of 0-9999: ${text}`,
    );
  }
  return text;
}

/** Null, undefined and missing are ''. Throws 16007 for what has no text. */
export function coerceToText(value: Argument): string {
  if (typeof value === 'string') return value;
  if (isNullish(value)) return '';
  if (typeof value === 'number') return isInt32(value) ? String(value) : doubleText(value);
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Double) return doubleText(value.value);
  if (value instanceof Decimal) return value.toString();
  if (value instanceof DateTime) return dateText(value);
  if (value instanceof BsonSymbol) return value.text;
  if (value instanceof Code) return value.code;
  if (value instanceof Timestamp) return `Timestamp(${value.seconds}, ${value.increment})`;
  throw new DocumentError(16007, `can't convert from BSON type ${typeName(value)} to String`);
}
