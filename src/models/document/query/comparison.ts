/**
 * `$eq $gt $gte $lt $lte` against elements of BSON bytes, without decoding where the types allow. A comparison stays
 * within its operand's kind (numbers with numbers, text with text and symbols); null equals undefined and missing;
 * MinKey and MaxKey compare with everything; NaN is equal to NaN and neither less nor greater than anything.
 */

import { valueAt } from '../bson/document.js';
import { BsonType, int32At } from '../bson/raw.js';
import { badValue } from '../errors.js';
import {
  BsonUndefined,
  bsonTypeOf,
  type Collation,
  compareNumbers,
  compareValues,
  DateTime,
  Decimal,
  Double,
  isNumber,
  MaxKey,
  MinKey,
  type NumberValue,
  ObjectId,
  typeOrder,
  type Value,
} from '../values.js';
import { type ElementTest, MISSING } from './path.js';

export type ComparisonOperator = 'eq' | 'gt' | 'gte' | 'lt' | 'lte';

/** Says whether an order (negative, 0, positive) is what the operator asks for. */
function accepts(operator: ComparisonOperator): (order: number) => boolean {
  switch (operator) {
    case 'eq':
      return (order) => order === 0;
    case 'gt':
      return (order) => order > 0;
    case 'gte':
      return (order) => order >= 0;
    case 'lt':
      return (order) => order < 0;
    case 'lte':
      return (order) => order <= 0;
  }
}

export function comparisonTest(operator: ComparisonOperator, operand: Value, collation?: Collation): ElementTest {
  if (operand instanceof BsonUndefined) throw badValue('cannot compare to undefined');
  if (isNumber(operand)) return numberTest(operator, operand);
  if (operator === 'eq') {
    if (typeof operand === 'string' && collation === undefined) return textEquals(operand);
    if (operand instanceof ObjectId) return objectIdEquals(operand);
    if (typeof operand === 'boolean') return boolEquals(operand);
  }
  if (operand === null) return nullTest(operator);
  if (operand instanceof MinKey) return boundTest(operator, BsonType.minKey, 'gt');
  if (operand instanceof MaxKey) return boundTest(operator, BsonType.maxKey, 'lt');
  if (operand instanceof DateTime && operand.exact === undefined) return dateTest(operator, operand);
  const order = typeOrder(bsonTypeOf(operand));
  const accepted = accepts(operator);
  return (bytes, type, offset) =>
    type !== MISSING &&
    typeOrder(type) === order &&
    accepted(compareValues(valueAt(bytes, type, offset), operand, collation));
}

function textEquals(operand: string): ElementTest {
  const text = Buffer.from(operand, 'utf8');
  const { length } = text;
  return (bytes, type, offset) => {
    if (type !== BsonType.string && type !== BsonType.symbol) return false;
    if (int32At(bytes, offset) !== length + 1) return false;
    const start = offset + 4;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== text[i]) return false;
    return true;
  };
}

function objectIdEquals(operand: ObjectId): ElementTest {
  const id = Buffer.from(operand.bytes, 'latin1');
  return (bytes, type, offset) => {
    if (type !== BsonType.objectId) return false;
    // The last bytes, a counter, differ most often.
    for (let i = 11; i >= 0; i--) if (bytes[offset + i] !== id[i]) return false;
    return true;
  };
}

function boolEquals(operand: boolean): ElementTest {
  return (bytes, type, offset) => type === BsonType.bool && (bytes[offset] !== 0) === operand;
}

function nullTest(operator: ComparisonOperator): ElementTest {
  if (operator === 'gt' || operator === 'lt') return () => false;
  return (_, type) => type === BsonType.null || type === BsonType.undefined || type === MISSING;
}

/** MinKey and MaxKey: `beyond` is the operator that every other kind satisfies. */
function boundTest(operator: ComparisonOperator, bound: number, beyond: 'gt' | 'lt'): ElementTest {
  const includesSelf = operator === 'eq' || operator === 'gte' || operator === 'lte';
  const includesOthers = operator === beyond || operator === `${beyond}e`;
  return (_, type) => (type === bound ? includesSelf : includesOthers);
}

function dateTest(operator: ComparisonOperator, operand: DateTime): ElementTest {
  const accepted = accepts(operator);
  const high = Math.floor(operand.ms / 0x1_0000_0000);
  const low = operand.ms - high * 0x1_0000_0000;
  return (bytes, type, offset) =>
    type === BsonType.date && accepted(int32At(bytes, offset + 4) - high || (int32At(bytes, offset) >>> 0) - low);
}

function isNaNValue(value: NumberValue): boolean {
  return value instanceof Decimal ? value.isNaN : typeof value === 'number' && Number.isNaN(value);
}

function numberTest(operator: ComparisonOperator, operand: NumberValue): ElementTest {
  const accepted = accepts(operator);
  if (isNaNValue(operand)) {
    if (operator === 'gt' || operator === 'lt') return () => false;
    return (bytes, type, offset) => {
      if (type !== BsonType.double && type !== BsonType.decimal) return false;
      const value = valueAt(bytes, type, offset);
      return isNumber(value) && isNaNValue(value);
    };
  }
  const exact = (bytes: Buffer, type: number, offset: number): boolean => {
    const value = valueAt(bytes, type, offset);
    if (!isNumber(value) || (operator !== 'eq' && isNaNValue(value))) return false;
    return accepted(compareNumbers(value, operand));
  };
  const number =
    typeof operand === 'number' ? operand : operand instanceof Double ? operand.value : safeNumber(operand);
  if (number === undefined) {
    return (bytes, type, offset) => typeOrder(type) === 10 && exact(bytes, type, offset);
  }
  const compare = numberComparison(operator, number);
  return (bytes, type, offset) => {
    switch (type) {
      case BsonType.int:
        return compare(int32At(bytes, offset));
      case BsonType.double:
        return compare(bytes.readDoubleLE(offset));
      case BsonType.long:
      case BsonType.decimal:
        return exact(bytes, type, offset);
      default:
        return false;
    }
  };
}

/** Comparisons of doubles with a number that is not NaN; NaN satisfies none of them, as it should. */
function numberComparison(operator: ComparisonOperator, operand: number): (value: number) => boolean {
  switch (operator) {
    case 'eq':
      return (value) => value === operand;
    case 'gt':
      return (value) => value > operand;
    case 'gte':
      return (value) => value >= operand;
    case 'lt':
      return (value) => value < operand;
    case 'lte':
      return (value) => value <= operand;
  }
}

function safeNumber(operand: bigint | Decimal): number | undefined {
  if (typeof operand !== 'bigint') return undefined;
  const number = Number(operand);
  return Number.isSafeInteger(number) ? number : undefined;
}
