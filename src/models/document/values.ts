/**
 * Values: BSON in memory, with MongoDB's order, equality and truth. Import BSON types from here.
 */
import { Decimal } from './bson/decimal128.js';
import { Doc } from './bson/document.js';
import { encodeValue } from './bson/encode.js';
import { BsonType } from './bson/raw.js';
import {
  Binary,
  BsonSymbol,
  BsonUndefined,
  bsonTypeOf,
  Code,
  CodeWithScope,
  DateTime,
  DbPointer,
  Double,
  isArrayValue,
  type NumberValue,
  ObjectId,
  Regex,
  Timestamp,
  type Value,
} from './bson/types.js';
import type { Collation } from './collation.js';

export { Decimal } from './bson/decimal128.js';
export { arrayAt, Doc, getPath, valueAt } from './bson/document.js';
export { encodeDocument, encodeValue, valueBytes } from './bson/encode.js';
export { NUMBER_TYPES, nameOfType, typeBit, typeName, typeOfName, typeOfNumber } from './bson/names.js';
export { BsonType } from './bson/raw.js';
export { formatDocument, formatDouble, formatField, formatValue } from './bson/text.js';
export * from './bson/types.js';
export { DOCUMENT_BYTES_MAX, nestingOf, validateDocument } from './bson/validate.js';
export { Collation, parseCollation } from './collation.js';

/**
 * Place of a BSON type in the order of kinds; types of one kind compare with each other by content. The numbers are
 * MongoDB's `canonicalizeBSONType`.
 */
const ORDER = new Int16Array(256);
for (const [type, order] of [
  [BsonType.minKey, -1],
  [BsonType.undefined, 0],
  [BsonType.null, 5],
  [BsonType.int, 10],
  [BsonType.long, 10],
  [BsonType.double, 10],
  [BsonType.decimal, 10],
  [BsonType.string, 15],
  [BsonType.symbol, 15],
  [BsonType.object, 20],
  [BsonType.array, 25],
  [BsonType.binary, 30],
  [BsonType.objectId, 35],
  [BsonType.bool, 40],
  [BsonType.date, 45],
  [BsonType.timestamp, 47],
  [BsonType.regex, 50],
  [BsonType.dbPointer, 55],
  [BsonType.code, 60],
  [BsonType.codeWithScope, 65],
  [BsonType.maxKey, 127],
] as const) {
  ORDER[type] = order;
}

/** See {@link ORDER}. */
export function typeOrder(type: number): number {
  return ORDER[type] ?? 0;
}

/**
 * MongoDB's total order of values: negative, 0 or positive. A missing value (undefined) compares as BSON's undefined,
 * below null; sort and index keys replace missing by null beforehand.
 */
export function compareValues(a: Value | undefined, b: Value | undefined, collation?: Collation): number {
  if (typeof a === 'number' && typeof b === 'number') return compareDoubles(a, b);
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b, collation);
  const typeA = a === undefined ? BsonType.undefined : bsonTypeOf(a);
  const typeB = b === undefined ? BsonType.undefined : bsonTypeOf(b);
  const order = (ORDER[typeA] ?? 0) - (ORDER[typeB] ?? 0);
  if (order !== 0) return order;
  return a === undefined || b === undefined ? 0 : compareSameKind(a, b, collation);
}

export function valuesEqual(a: Value | undefined, b: Value | undefined, collation?: Collation): boolean {
  return a === b || compareValues(a, b, collation) === 0;
}

/** Says whether two values are the same BSON: 1 and 1.0 differ, as do 0.0 and -0.0. */
export function identical(a: Value, b: Value): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b);
  return bsonTypeOf(a) === bsonTypeOf(b) && encodeValue(a).equals(encodeValue(b));
}

function compareDoubles(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  // At least one NaN, which is the lowest number.
  return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : 1;
}

/** Numbers of any type, exactly. */
export function compareNumbers(a: NumberValue, b: NumberValue): number {
  const left = a instanceof Double ? a.value : a;
  const right = b instanceof Double ? b.value : b;
  if (typeof left === 'number') {
    if (typeof right === 'number') return compareDoubles(left, right);
    if (typeof right === 'bigint') return 0 - compareBigInt(right, left);
    return 0 - right.compareNumber(left);
  }
  if (typeof left === 'bigint') {
    if (typeof right === 'number') return compareBigInt(left, right);
    if (typeof right === 'bigint') return left < right ? -1 : left > right ? 1 : 0;
    return 0 - right.compareBigInt(left);
  }
  if (typeof right === 'number') return left.compareNumber(right);
  return typeof right === 'bigint' ? left.compareBigInt(right) : left.compare(right);
}

function compareBigInt(a: bigint, b: number): number {
  // JavaScript compares the two exactly; NaN is below every number here.
  return Number.isNaN(b) || a > b ? 1 : a < b ? -1 : 0;
}

/** By UTF-8 bytes, which is by code points; or by collation. */
export function compareText(a: string, b: string, collation?: Collation): number {
  if (collation !== undefined) return collation.compare(a, b);
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    // UTF-16 orders surrogates (characters beyond U+FFFF) below U+E000 to U+FFFF; UTF-8 does not.
    const high = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x1_0000 : unit);
    return high(left) - high(right);
  }
  return a.length - b.length;
}

function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareSameKind(a: Value, b: Value, collation: Collation | undefined): number {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  if (a instanceof Doc && b instanceof Doc) return compareDocuments(a, b, collation);
  if (isArrayValue(a) && isArrayValue(b)) return compareArrays(a, b, collation);
  if (a instanceof ObjectId && b instanceof ObjectId) return compareBytes(a.bytes, b.bytes);
  if (a instanceof DateTime && b instanceof DateTime) return compareDates(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Timestamp && b instanceof Timestamp) return a.seconds - b.seconds || a.increment - b.increment;
  if (a instanceof Binary && b instanceof Binary) {
    return a.bytes.length - b.bytes.length || a.subtype - b.subtype || Buffer.compare(a.bytes, b.bytes);
  }
  const left = textOf(a);
  const right = textOf(b);
  if (left !== undefined && right !== undefined) return compareText(left, right, collation);
  if (a instanceof Regex && b instanceof Regex)
    return compareText(a.pattern, b.pattern) || compareText(a.flags, b.flags);
  if (a instanceof Code && b instanceof Code) return compareText(a.code, b.code);
  if (a instanceof CodeWithScope && b instanceof CodeWithScope) {
    return compareText(a.code, b.code) || compareDocuments(a.scope, b.scope, undefined);
  }
  if (a instanceof DbPointer && b instanceof DbPointer) {
    return (
      a.namespace.length - b.namespace.length ||
      compareText(a.namespace, b.namespace) ||
      compareBytes(a.id.bytes, b.id.bytes)
    );
  }
  return 0;
}

function compareDates(a: DateTime, b: DateTime): number {
  if (a.exact === undefined && b.exact === undefined) return a.ms - b.ms;
  return a.bigint < b.bigint ? -1 : a.bigint > b.bigint ? 1 : 0;
}

function textOf(value: Value): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof BsonSymbol ? value.text : undefined;
}

/** Field by field: kind of the values, then names, then the values; a document that ends first is less. */
export function compareDocuments(a: Doc, b: Doc, collation?: Collation): number {
  const size = Math.min(a.size, b.size);
  for (let i = 0; i < size; i++) {
    const left = a.at(i);
    const right = b.at(i);
    if (left === undefined || right === undefined) break;
    const order =
      (ORDER[bsonTypeOf(left)] ?? 0) - (ORDER[bsonTypeOf(right)] ?? 0) ||
      compareText(a.nameAt(i) ?? '', b.nameAt(i) ?? '') ||
      compareValues(left, right, collation);
    if (order !== 0) return order;
  }
  return a.size - b.size;
}

function compareArrays(a: readonly Value[], b: readonly Value[], collation: Collation | undefined): number {
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i++) {
    const left = a[i];
    const right = b[i];
    if (left === undefined || right === undefined) break;
    const order = compareValues(left, right, collation);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** A key for `Map` and `Set`: equal exactly when the values compare equal (missing equals undefined). */
export function equalityKey(value: Value | undefined, collation?: Collation): string | number {
  switch (typeof value) {
    case 'number':
      return value === 0 ? 0 : value;
    case 'string':
      return collation === undefined ? `s${value}` : `s${collation.key(value)}`;
    case 'bigint':
      return bigintKey(value);
    case 'boolean':
      return value ? 'T' : 'F';
    case 'undefined':
      return 'u';
    default:
      return value === null ? 'n' : objectKey(value, collation);
  }
}

function bigintKey(value: bigint): string | number {
  const number = Number(value);
  return BigInt(number) === value ? number : `l${value}`;
}

function decimalKey(value: Decimal): string | number {
  if (!value.isFinite) return value.toNumber();
  const whole = value.isInteger ? value.toBigInt() : undefined;
  if (whole !== undefined) return bigintKey(whole);
  const number = value.toNumber();
  if (value.compareNumber(number) === 0) return number === 0 ? 0 : number;
  const { negative, coefficient, exponent } = value.normalize();
  return `d${negative ? '-' : ''}${coefficient}e${exponent}`;
}

/** A part of a larger key: its length in front, so that parts cannot run into each other. */
function part(key: string | number): string {
  const text = typeof key === 'number' ? `#${key}` : key;
  return `${text.length}:${text}`;
}

function objectKey(
  value: Exclude<Value, number | string | boolean | bigint | null>,
  collation?: Collation,
): string | number {
  if (value instanceof Double) return value.value;
  if (value instanceof ObjectId) return `o${value.bytes}`;
  if (value instanceof DateTime) return `D${value.bigint}`;
  if (value instanceof Decimal) return decimalKey(value);
  if (value instanceof Doc) {
    let key = '{';
    for (const [name, field] of value) key += part(name) + part(equalityKey(field, collation));
    return key;
  }
  if (isArrayValue(value)) {
    let key = '[';
    for (const element of value) key += part(equalityKey(element, collation));
    return key;
  }
  if (value instanceof BsonUndefined) return 'u';
  if (value instanceof Timestamp) return `t${value.seconds},${value.increment}`;
  if (value instanceof Binary) return `b${value.subtype},${value.bytes.latin1Slice()}`;
  if (value instanceof Regex) return `r${value.pattern}\0${value.flags}`;
  if (value instanceof BsonSymbol) return equalityKey(value.text, collation);
  if (value instanceof Code) return `c${value.code}`;
  if (value instanceof CodeWithScope) return `w${part(value.code)}${equalityKey(value.scope)}`;
  if (value instanceof DbPointer) return `p${value.namespace}\0${value.id.bytes}`;
  return value.bsonType === BsonType.minKey ? '-' : '+';
}

export function isNumber(value: Value | undefined): value is NumberValue {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof Double || value instanceof Decimal;
}

/** The nearest double of any number; undefined for other values. */
export function toDouble(value: Value | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Double) return value.value;
  return value instanceof Decimal ? value.toNumber() : undefined;
}

/** The integer that a number of any type equals; undefined for fractions, NaN, infinities and other values. */
export function toInteger(value: Value | undefined): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (value instanceof Decimal) return value.isInteger ? value.toBigInt() : undefined;
  const number = toDouble(value);
  return number !== undefined && Number.isInteger(number) ? BigInt(number) : undefined;
}

export const INT64_MIN = -(2n ** 63n);
export const INT64_MAX = 2n ** 63n - 1n;

/** What `if` in expressions thinks of a value: false, null, undefined, missing and zeros are false; NaN is true. */
export function isTrue(value: Value | undefined): boolean {
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'number':
      return value !== 0;
    case 'bigint':
      return value !== 0n;
    case 'undefined':
      return false;
    case 'string':
      return true;
    default:
      if (value === null || value instanceof BsonUndefined) return false;
      if (value instanceof Double) return value.value !== 0;
      return !(value instanceof Decimal && value.isZero);
  }
}
