/** Scalars of commands and options: numbers of any type and "safe" bools. */
import { Decimal } from './bson/decimal128.js';
import { Double, type Value } from './bson/types.js';

/** The number as a double, or `undefined` when the value is none. */
export function numberOf(value: Value | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Double) return value.value;
  if (value instanceof Decimal) return Number(value.toString());
  return undefined;
}

/** A bool, or a number that counts as one. */
export function truthOf(value: Value | undefined): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const number = numberOf(value);
  return number === undefined ? undefined : number !== 0;
}
