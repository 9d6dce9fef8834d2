/** `$bitsAllSet $bitsAnySet $bitsAllClear $bitsAnyClear`: bits of integers (sign-extended without end) and binary data. */

import { valueAt } from '../bson/document.js';
import { BsonType, int32At } from '../bson/raw.js';
import { badValue, failedToParse } from '../errors.js';
import { Binary, formatField, isArrayValue, isNumber, toDouble, toInteger, type Value } from '../values.js';
import { parseInteger } from './integers.js';
import type { ElementTest } from './path.js';

export type BitsOperator = '$bitsAllSet' | '$bitsAnySet' | '$bitsAllClear' | '$bitsAnyClear';

const POSITION_MAX = 2 ** 31 - 1;

/** Positions of the bits that a mask names. Throws codes 2 and 9. */
export function parseBits(operator: BitsOperator, value: Value, path: string): readonly number[] {
  if (isArrayValue(value)) return value.map((position, index) => bitPosition(position, index));
  if (value instanceof Binary) return bitsOfBinary(value.bytes);
  if (isNumber(value)) {
    const mask = parseInteger(operator, value);
    if (mask < 0n) throw failedToParse(`Expected a non-negative number in: ${formatField(operator, value)}`);
    const positions: number[] = [];
    for (let i = 0; i < 64; i++) if ((mask >> BigInt(i)) & 1n) positions.push(i);
    return positions;
  }
  throw badValue(`${path} takes an Array, a number, or a BinData but received: ${formatField(operator, value)}`);
}

function bitPosition(value: Value, index: number): number {
  const shown = formatField(String(index), value);
  if (!isNumber(value)) throw badValue(`Failed to parse bit position. Expected a number in: ${shown}`);
  const number = toDouble(value) ?? Number.NaN;
  if (Number.isNaN(number))
    throw badValue(`Failed to parse bit position. Expected an integer, but found NaN in: ${shown}`);
  if (!Number.isInteger(number)) throw badValue(`Failed to parse bit position. Expected an integer: ${shown}`);
  if (Math.abs(number) > POSITION_MAX)
    throw badValue(`Failed to parse bit position. Cannot represent as a 32-bit integer: ${shown}`);
  if (number < 0) throw badValue(`Failed to parse bit position. Expected a non-negative number in: ${shown}`);
  return number;
}

function bitsOfBinary(bytes: Buffer): number[] {
  const positions: number[] = [];
  for (let i = 0; i < bytes.length * 8; i++) if (((bytes[i >> 3] ?? 0) >> (i & 7)) & 1) positions.push(i);
  return positions;
}

export function bitsTest(operator: BitsOperator, positions: readonly number[]): ElementTest {
  const wanted = operator === '$bitsAllSet' || operator === '$bitsAnySet';
  const all = operator === '$bitsAllSet' || operator === '$bitsAllClear';
  const check = (isSet: (position: number) => boolean): boolean =>
    all
      ? positions.every((position) => isSet(position) === wanted)
      : positions.some((position) => isSet(position) === wanted);
  return (bytes, type, offset) => {
    if (type === BsonType.binary) {
      const size = int32At(bytes, offset) * 8;
      return check(
        (position) => position < size && (((bytes[offset + 5 + (position >> 3)] ?? 0) >> (position & 7)) & 1) === 1,
      );
    }
    if (type !== BsonType.int && type !== BsonType.long && type !== BsonType.double && type !== BsonType.decimal)
      return false;
    const number = toInteger(valueAt(bytes, type, offset));
    if (number === undefined || BigInt.asIntN(64, number) !== number) return false;
    return check((position) => ((number >> BigInt(Math.min(position, 63))) & 1n) === 1n);
  };
}
