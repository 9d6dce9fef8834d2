/** Integers among the arguments of operators: any number type that is whole and fits 64 bits. */
import { failedToParse } from '../errors.js';
import { Decimal, formatField, INT64_MAX, INT64_MIN, isNumber, toDouble, toInteger, type Value } from '../values.js';

/** Throws code 9 naming the field `name`. */
export function parseInteger(name: string, value: Value): bigint {
  const shown = formatField(name, value);
  if (!isNumber(value)) throw failedToParse(`Expected a number in: ${shown}`);
  const double = toDouble(value) ?? Number.NaN;
  if (!(value instanceof Decimal) && Number.isNaN(double)) {
    throw failedToParse(`Expected an integer, but found NaN in: ${shown}`);
  }
  const integer = toInteger(value);
  const tooLarge = integer === undefined ? !Number.isFinite(double) : integer > INT64_MAX || integer < INT64_MIN;
  if (tooLarge || (integer === undefined && value instanceof Decimal)) {
    throw failedToParse(`Cannot represent as a 64-bit integer: ${shown}`);
  }
  if (integer === undefined) throw failedToParse(`Expected an integer: ${shown}`);
  return integer;
}

export function parseNonNegativeInteger(name: string, value: Value): bigint {
  const integer = parseInteger(name, value);
  if (integer < 0n) throw failedToParse(`Expected a non-negative number in: ${formatField(name, value)}`);
  return integer;
}
