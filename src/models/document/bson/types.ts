/**
 * BSON values in memory. Every BSON type has exactly one form, so that a value decoded and encoded again is the same:
 *
 *     int32        number that is an integer within 32 bits, and not -0
 *     double       any other number; a {@link Double} when its number would read as int32
 *     int64        bigint
 *     decimal128   {@link Decimal}
 *     string, bool, null, array   as in JavaScript
 *     document     {@link Doc} (document.ts)
 *     undefined    {@link UNDEFINED}; JavaScript's undefined means that there is no value
 *
 * and a class here for each of the others. Values are immutable: nobody changes an array or an object in place after
 * handing it on.
 */
import { randomBytes } from 'node:crypto';
import type { Decimal } from './decimal128.js';
import type { Doc } from './document.js';
import { BsonType } from './raw.js';

/** A double whose number would be read as int32: 1.0, but not 1.5 and not 2^31. Make it with {@link double}. */
export class Double {
  readonly bsonType = BsonType.double;
  constructor(readonly value: number) {}
}

export class ObjectId {
  readonly bsonType = BsonType.objectId;
  /** `bytes` is a byte string of length 12. */
  constructor(readonly bytes: string) {}

  static fromHex(hex: string): ObjectId {
    return new ObjectId(Buffer.from(hex, 'hex').latin1Slice());
  }

  /** A new id: seconds, five random bytes of this process, a counter. */
  static generate(seconds = Math.floor(Date.now() / 1000)): ObjectId {
    generated = (generated + 1) & 0xff_ffff;
    return new ObjectId(
      String.fromCharCode((seconds >>> 24) & 255, (seconds >>> 16) & 255, (seconds >>> 8) & 255, seconds & 255) +
        PROCESS_UNIQUE +
        String.fromCharCode(generated >>> 16, (generated >>> 8) & 255, generated & 255),
    );
  }

  toHex(): string {
    return Buffer.from(this.bytes, 'latin1').toString('hex');
  }

  /** Seconds since 1970 at which the id was made. */
  get seconds(): number {
    return Buffer.from(this.bytes, 'latin1').readUInt32BE(0);
  }
}

const PROCESS_UNIQUE = randomBytes(5).latin1Slice();
let generated = randomBytes(3).readUIntBE(0, 3);

/** UTC milliseconds since 1970. */
export class DateTime {
  readonly bsonType = BsonType.date;
  /** `exact` is given when `ms` cannot hold the value: beyond ±2^53. */
  constructor(
    readonly ms: number,
    readonly exact?: bigint,
  ) {}

  static fromBigInt(ms: bigint): DateTime {
    const number = Number(ms);
    return Number.isSafeInteger(number) ? new DateTime(number) : new DateTime(number, ms);
  }

  get bigint(): bigint {
    return this.exact ?? BigInt(this.ms);
  }

  /** Invalid beyond the year 275760. */
  toDate(): Date {
    return new Date(this.ms);
  }
}

/** Replication's time: seconds and a counter within the second, both uint32. */
export class Timestamp {
  readonly bsonType = BsonType.timestamp;
  constructor(
    readonly seconds: number,
    readonly increment: number,
  ) {}
}

export class Binary {
  readonly bsonType = BsonType.binary;
  constructor(
    readonly bytes: Buffer,
    readonly subtype = 0,
  ) {}
}

/** `flags` in the order they were sent. */
export class Regex {
  readonly bsonType = BsonType.regex;
  constructor(
    readonly pattern: string,
    readonly flags = '',
  ) {}
}

export class DbPointer {
  readonly bsonType = BsonType.dbPointer;
  constructor(
    readonly namespace: string,
    readonly id: ObjectId,
  ) {}
}

export class Code {
  readonly bsonType = BsonType.code;
  constructor(readonly code: string) {}
}

export class CodeWithScope {
  readonly bsonType = BsonType.codeWithScope;
  constructor(
    readonly code: string,
    readonly scope: Doc,
  ) {}
}

export class BsonSymbol {
  readonly bsonType = BsonType.symbol;
  constructor(readonly text: string) {}
}

export class MinKey {
  readonly bsonType = BsonType.minKey;
}

export class MaxKey {
  readonly bsonType = BsonType.maxKey;
}

export class BsonUndefined {
  readonly bsonType = BsonType.undefined;
}

export const MIN_KEY = new MinKey();
export const MAX_KEY = new MaxKey();
/** BSON's deprecated type 6; not the absence of a value. */
export const UNDEFINED = new BsonUndefined();

export type ArrayValue = readonly Value[];

export type NumberValue = number | Double | bigint | Decimal;

export type Value =
  | NumberValue
  | string
  | boolean
  | null
  | ArrayValue
  | Doc
  | ObjectId
  | DateTime
  | Timestamp
  | Binary
  | Regex
  | DbPointer
  | Code
  | CodeWithScope
  | BsonSymbol
  | MinKey
  | MaxKey
  | BsonUndefined;

/** Says whether a number stands for an int32 rather than a double. */
export function isInt32(value: number): boolean {
  return (value | 0) === value && (value !== 0 || 1 / value > 0);
}

/** The value of BSON type double that equals `number`. */
export function double(number: number): number | Double {
  return isInt32(number) ? new Double(number) : number;
}

/** Type of a value as BSON encodes it. */
export function bsonTypeOf(value: Value): number {
  switch (typeof value) {
    case 'number':
      return isInt32(value) ? BsonType.int : BsonType.double;
    case 'string':
      return BsonType.string;
    case 'bigint':
      return BsonType.long;
    case 'boolean':
      return BsonType.bool;
    default:
      if (value === null) return BsonType.null;
      return isArrayValue(value) ? BsonType.array : value.bsonType;
  }
}

export function isArrayValue(value: Value | undefined): value is ArrayValue {
  return Array.isArray(value);
}
