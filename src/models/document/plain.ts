/** Documents written in code: plain records turned into {@link Doc}s. */

import { Doc } from './bson/document.js';
import { DateTime, Double, Timestamp, type Value } from './bson/types.js';
import type { Timestamp as ClockTime } from './clock.js';

export type Plain = Value | undefined | Date | Buffer | readonly Plain[] | { readonly [name: string]: Plain };
export type PlainRecord = { readonly [name: string]: Plain };

/**
 * Fields in the order they are written; `undefined` ones are left out. Whole numbers of 32 bits are int, bigint is long,
 * a Date a date, a Buffer a BSON document that is there already.
 */
export function plainDocument(record: PlainRecord): Doc {
  const document = new Doc();
  for (const name of Object.keys(record)) {
    const value = plainValue(record[name]);
    if (value !== undefined) document.append(name, value);
  }
  return document;
}

export function plainValue(value: Plain): Value | undefined {
  if (value === undefined || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((element: Plain) => plainValue(element) ?? null);
  if (Buffer.isBuffer(value)) return Doc.fromBytes(value);
  if (value instanceof Date) return new DateTime(value.getTime());
  if ('bsonType' in value) return value as Value;
  return plainDocument(value as PlainRecord);
}

/** A BSON timestamp. */
export function timestampValue(time: ClockTime): Timestamp {
  return new Timestamp(time.seconds, time.increment);
}

/** A double, whole or not. */
export function doubleValue(value: number): Value {
  return Number.isInteger(value) && !Object.is(value, -0) && (value | 0) === value ? new Double(value) : value;
}
