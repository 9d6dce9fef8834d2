/** Names and numbers of BSON types, as `$type`, `bsonType` and messages spell them. */
import { BsonType } from './raw.js';
import { bsonTypeOf, type Value } from './types.js';

const NAMES: ReadonlyMap<number, string> = new Map([
  [BsonType.double, 'double'],
  [BsonType.string, 'string'],
  [BsonType.object, 'object'],
  [BsonType.array, 'array'],
  [BsonType.binary, 'binData'],
  [BsonType.undefined, 'undefined'],
  [BsonType.objectId, 'objectId'],
  [BsonType.bool, 'bool'],
  [BsonType.date, 'date'],
  [BsonType.null, 'null'],
  [BsonType.regex, 'regex'],
  [BsonType.dbPointer, 'dbPointer'],
  [BsonType.code, 'javascript'],
  [BsonType.symbol, 'symbol'],
  [BsonType.codeWithScope, 'javascriptWithScope'],
  [BsonType.int, 'int'],
  [BsonType.timestamp, 'timestamp'],
  [BsonType.long, 'long'],
  [BsonType.decimal, 'decimal'],
  [BsonType.minKey, 'minKey'],
  [BsonType.maxKey, 'maxKey'],
]);

const TYPES: ReadonlyMap<string, number> = new Map([...NAMES].map(([type, name]) => [name, type]));

/** `int`, `binData`, ...; a missing value is `missing`. */
export function typeName(value: Value | undefined): string {
  return value === undefined ? 'missing' : nameOfType(bsonTypeOf(value));
}

export function nameOfType(type: number): string {
  return NAMES.get(type) ?? 'missing';
}

/** BSON type of an alias; undefined for unknown ones, and for `number`, which means four types. */
export function typeOfName(name: string): number | undefined {
  return TYPES.get(name);
}

/** BSON type of a number as `$type` takes it: -1 is MinKey. */
export function typeOfNumber(number: number): number | undefined {
  if (number === -1) return BsonType.minKey;
  return number !== BsonType.minKey && NAMES.has(number) ? number : undefined;
}

/** Bit of each type in a set of types. */
const BITS: ReadonlyMap<number, number> = new Map([...NAMES.keys()].map((type, index) => [type, 1 << index]));

/** A set of BSON types in one number. */
export function typeBit(type: number): number {
  return BITS.get(type) ?? 0;
}

export const NUMBER_TYPES: readonly number[] = [BsonType.int, BsonType.long, BsonType.double, BsonType.decimal];
