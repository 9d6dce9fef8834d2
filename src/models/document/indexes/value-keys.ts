/**
 * BSON values as order-preserving bytes: two values order as MongoDB orders them (missing = null, numbers across types,
 * then by kind), and equal values of different types have equal bytes. Used for record keys and index entries, so what is
 * written here is on disk: never change it.
 *
 * A value is a byte for its kind, then its content, ended so that no key is the beginning of another:
 *
 *     text           UTF-8, with 00 as 01 01 and 01 as 01 02, end 00
 *     number         nine bytes or more, see number-keys
 *     document       for each field: kind, name 00, value; end 00
 *     array          values; end 00
 *     binary         length (4), subtype, bytes
 */
import { uint32 } from '../../../encoding/byte-strings.js';
import { BsonType, int32At, skipValue } from '../bson/raw.js';
import { decimalKey, doubleKey, longKey, NAN_KEY } from './number-keys.js';

/** First byte of a value's key, in MongoDB's order of kinds. */
export const Kind = {
  minKey: 0x0a,
  undefined: 0x0f,
  null: 0x14,
  number: 0x1e,
  string: 0x3c,
  object: 0x46,
  array: 0x50,
  binary: 0x5a,
  objectId: 0x64,
  bool: 0x6e,
  date: 0x78,
  timestamp: 0x82,
  regex: 0x8c,
  dbPointer: 0x96,
  code: 0xa0,
  codeWithScope: 0xaa,
  maxKey: 0xf0,
} as const;

const KIND_OF_TYPE = new Uint8Array(256);
for (const [type, kind] of [
  [BsonType.double, Kind.number],
  [BsonType.string, Kind.string],
  [BsonType.object, Kind.object],
  [BsonType.array, Kind.array],
  [BsonType.binary, Kind.binary],
  [BsonType.undefined, Kind.undefined],
  [BsonType.objectId, Kind.objectId],
  [BsonType.bool, Kind.bool],
  [BsonType.date, Kind.date],
  [BsonType.null, Kind.null],
  [BsonType.regex, Kind.regex],
  [BsonType.dbPointer, Kind.dbPointer],
  [BsonType.code, Kind.code],
  [BsonType.symbol, Kind.string],
  [BsonType.codeWithScope, Kind.codeWithScope],
  [BsonType.int, Kind.number],
  [BsonType.timestamp, Kind.timestamp],
  [BsonType.long, Kind.number],
  [BsonType.decimal, Kind.number],
  [BsonType.minKey, Kind.minKey],
  [BsonType.maxKey, Kind.maxKey],
] as const) {
  KIND_OF_TYPE[type] = kind;
}

/** How strings become bytes: as they are, or as a collation sees them. */
export type TextKey = (text: string) => string;

export const NULL_KEY = String.fromCharCode(Kind.null);
export const UNDEFINED_KEY = String.fromCharCode(Kind.undefined);
export const MIN_KEY = String.fromCharCode(Kind.minKey);
export const MAX_KEY = String.fromCharCode(Kind.maxKey);
const NUMBER = String.fromCharCode(Kind.number);
const STRING = String.fromCharCode(Kind.string);
const OBJECT = String.fromCharCode(Kind.object);
const ARRAY = String.fromCharCode(Kind.array);
const BINARY = String.fromCharCode(Kind.binary);
const OBJECT_ID = String.fromCharCode(Kind.objectId);
const FALSE = String.fromCharCode(Kind.bool, 0);
const TRUE = String.fromCharCode(Kind.bool, 1);
const DATE = String.fromCharCode(Kind.date);
const TIMESTAMP = String.fromCharCode(Kind.timestamp);
const REGEX = String.fromCharCode(Kind.regex);
const DB_POINTER = String.fromCharCode(Kind.dbPointer);
const CODE = String.fromCharCode(Kind.code);
const CODE_WITH_SCOPE = String.fromCharCode(Kind.codeWithScope);

/** Kind of a BSON type, the unit in which comparisons with `$gt` and `$lt` stay. */
export function kindOf(type: number): number {
  return KIND_OF_TYPE[type] ?? 0;
}

const scratch = Buffer.alloc(8);

function signedLongBytes(bytes: Buffer, offset: number): string {
  for (let i = 0; i < 8; i++) scratch[i] = bytes[offset + 7 - i] ?? 0;
  scratch[0] = (scratch[0] ?? 0) ^ 0x80;
  return scratch.latin1Slice(0, 8);
}

function reversed(bytes: Buffer, offset: number): string {
  for (let i = 0; i < 8; i++) scratch[i] = bytes[offset + 7 - i] ?? 0;
  return scratch.latin1Slice(0, 8);
}

/** Bytes that end with the first zero, so that none is the beginning of another. */
function terminated(text: string): string {
  return `${ESCAPED.test(text) ? text.replace(/[\0\x01]/g, (character) => (character === '\0' ? '\x01\x01' : '\x01\x02')) : text}\0`;
}

const ESCAPED = /[\0\x01]/;

/** The key of a string given as UTF-8 in a byte string, or as whatever a collation made of it. */
export function textValueKey(text: string): string {
  return STRING + terminated(text);
}

export function numberValueKey(value: number): string {
  return NUMBER + doubleKey(value);
}

/** The key of the value of BSON type `type` whose content begins at `offset`. */
export function valueKey(bytes: Buffer, type: number, offset: number, textKey?: TextKey): string {
  switch (type) {
    case BsonType.objectId:
      return OBJECT_ID + bytes.latin1Slice(offset, offset + 12);
    case BsonType.int:
      return NUMBER + doubleKey(int32At(bytes, offset));
    case BsonType.string:
    case BsonType.symbol:
      return STRING + textAt(bytes, offset, textKey);
    case BsonType.double:
      return NUMBER + doubleKey(bytes.readDoubleLE(offset));
    case BsonType.long:
      return NUMBER + longKey(bytes.readBigInt64LE(offset));
    case BsonType.decimal:
      return NUMBER + decimalAt(bytes, offset);
    case BsonType.bool:
      return bytes[offset] === 0 ? FALSE : TRUE;
    case BsonType.date:
      return DATE + signedLongBytes(bytes, offset);
    case BsonType.null:
      return NULL_KEY;
    case BsonType.undefined:
      return UNDEFINED_KEY;
    case BsonType.timestamp:
      return TIMESTAMP + reversed(bytes, offset);
    case BsonType.object:
      return OBJECT + documentKey(bytes, offset, textKey);
    case BsonType.array:
      return ARRAY + arrayKey(bytes, offset, textKey);
    case BsonType.binary:
      return binaryKey(bytes, offset);
    case BsonType.minKey:
      return MIN_KEY;
    case BsonType.maxKey:
      return MAX_KEY;
    case BsonType.regex: {
      const flags = bytes.indexOf(0, offset) + 1;
      return `${REGEX}${bytes.latin1Slice(offset, flags)}${bytes.latin1Slice(flags, bytes.indexOf(0, flags) + 1)}`;
    }
    case BsonType.dbPointer: {
      const length = int32At(bytes, offset);
      // Shorter namespaces first, as MongoDB orders them.
      return DB_POINTER + uint32(length) + bytes.latin1Slice(offset + 4, offset + 16 + length);
    }
    case BsonType.code:
      return CODE + textAt(bytes, offset);
    case BsonType.codeWithScope: {
      const length = int32At(bytes, offset + 4);
      return CODE_WITH_SCOPE + textAt(bytes, offset + 4) + documentKey(bytes, offset + 8 + length, undefined);
    }
    default:
      throw new RangeError(`BSON type ${type}`);
  }
}

function textAt(bytes: Buffer, offset: number, textKey?: TextKey): string {
  const end = offset + 3 + int32At(bytes, offset);
  return terminated(
    textKey === undefined ? bytes.latin1Slice(offset + 4, end) : textKey(bytes.utf8Slice(offset + 4, end)),
  );
}

function binaryKey(bytes: Buffer, offset: number): string {
  const length = int32At(bytes, offset);
  return BINARY + uint32(length) + bytes.latin1Slice(offset + 4, offset + 5 + length);
}

function documentKey(bytes: Buffer, offset: number, textKey: TextKey | undefined): string {
  const end = offset + int32At(bytes, offset) - 1;
  let key = '';
  let position = offset + 4;
  while (position < end) {
    const type = bytes[position] ?? 0;
    const value = bytes.indexOf(0, position + 1) + 1;
    key +=
      String.fromCharCode(kindOf(type)) +
      bytes.latin1Slice(position + 1, value) +
      valueKey(bytes, type, value, textKey);
    position = skipValue(bytes, type, value);
  }
  return `${key}\0`;
}

function arrayKey(bytes: Buffer, offset: number, textKey: TextKey | undefined): string {
  const end = offset + int32At(bytes, offset) - 1;
  let key = '';
  let position = offset + 4;
  while (position < end) {
    const type = bytes[position] ?? 0;
    const value = bytes.indexOf(0, position + 1) + 1;
    key += valueKey(bytes, type, value, textKey);
    position = skipValue(bytes, type, value);
  }
  return `${key}\0`;
}

/** Decimal128: a sign bit, 14 bits of exponent (bias 6176) and 113 of digits, or a special value. */
function decimalAt(bytes: Buffer, offset: number): string {
  const low = bytes.readBigUInt64LE(offset);
  const high = bytes.readBigUInt64LE(offset + 8);
  const negative = high >> 63n === 1n;
  const combination = Number((high >> 58n) & 0x1fn);
  if (combination === 0x1f) return NAN_KEY;
  if (combination === 0x1e) return doubleKey(negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
  // With both top bits set the digits would exceed 34 and count as zero.
  if (combination >= 0x18) return doubleKey(0);
  const exponent = Number((high >> 49n) & 0x3fffn) - 6176;
  const digits = ((high & 0x1_ffff_ffff_ffffn) << 64n) | low;
  return digits > 9_999_999_999_999_999_999_999_999_999_999_999n
    ? doubleKey(0)
    : decimalKey(negative, digits, exponent);
}

/** Position just past the value key that begins at `position`; `descending` keys are inverted. */
export function skipValueKey(key: string, position: number, descending: boolean): number {
  const flip = descending ? 0xff : 0;
  const at = (offset: number): number => key.charCodeAt(offset) ^ flip;
  let next = position + 1;
  switch (at(position)) {
    case Kind.number: {
      next += 8;
      // 0x00 and 0xff are exact magnitudes; the others continue with an exponent and digits up to a (inverted) zero.
      const mark = at(next++);
      if (mark === 0x00 || mark === 0xff) return next;
      const end = mark === 0x01 ? 0x00 : 0xff;
      next += 3;
      while (at(next) !== end) next++;
      return next + 1;
    }
    case Kind.string:
    case Kind.code:
      return skipText(at, next);
    case Kind.objectId:
      return next + 12;
    case Kind.bool:
      return next + 1;
    case Kind.date:
    case Kind.timestamp:
      return next + 8;
    case Kind.binary:
      return next + 5 + (at(next) * 0x1000000 + (at(next + 1) << 16) + (at(next + 2) << 8) + at(next + 3));
    case Kind.object:
      return skipDocument(key, at, next, descending);
    case Kind.array:
      while (at(next) !== 0) next = skipValueKey(key, next, descending);
      return next + 1;
    case Kind.regex:
      while (at(next) !== 0) next++;
      next++;
      while (at(next) !== 0) next++;
      return next + 1;
    case Kind.dbPointer:
      return next + 16 + (at(next) * 0x1000000 + (at(next + 1) << 16) + (at(next + 2) << 8) + at(next + 3));
    case Kind.codeWithScope:
      return skipDocument(key, at, skipText(at, next), descending);
    default:
      return next;
  }
}

function skipText(at: (offset: number) => number, from: number): number {
  let next = from;
  while (at(next) !== 0) next++;
  return next + 1;
}

function skipDocument(key: string, at: (offset: number) => number, from: number, descending: boolean): number {
  let next = from;
  while (at(next) !== 0) {
    next++;
    while (at(next) !== 0) next++;
    next = skipValueKey(key, next + 1, descending);
  }
  return next + 1;
}
