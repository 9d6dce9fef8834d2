/** Strings: functions over a database. A missing key reads as `undefined`; another type throws `wrong-type`. */
import { EventClass } from './changes.js';
import type { Database } from './database.js';
import { KeyValueError } from './errors.js';
import { Encoding, type KeyRecord, payloadOffsetOf, typeOf, ValueType } from './record.js';

const int64Max = 0x7fff_ffff_ffff_ffffn;
const int64Min = -0x8000_0000_0000_0000n;

/** The stored bytes of a string and where its value begins in them, or `undefined`. */
export function loadString(db: Database, key: string): { readonly bytes: Buffer; readonly start: number } | undefined {
  const bytes = db.load(key);
  if (bytes === undefined) return undefined;
  if (typeOf(bytes) !== ValueType.string) throw new KeyValueError('wrong-type');
  return { bytes, start: payloadOffsetOf(bytes) };
}

/** The record of a string, or `undefined`. */
export function findString(db: Database, key: string): KeyRecord | undefined {
  return db.findType(key, ValueType.string);
}

/** int, embstr or raw, as OBJECT ENCODING reports it. */
export function stringEncodingName(record: KeyRecord): 'int' | 'embstr' | 'raw' {
  if (record.encoding === Encoding.stringRaw) return 'raw';
  const length = record.payloadLength;
  if (length <= 20 && canonicalInteger(record.payload().latin1Slice()) !== undefined) return 'int';
  return length <= 44 ? 'embstr' : 'raw';
}

/** A 64-bit integer in its only canonical form, or `undefined`. */
export function canonicalInteger(text: string): bigint | undefined {
  if (text.length > 20 || !/^(?:0|-?[1-9]\d*)$/.test(text)) return undefined;
  const value = BigInt(text);
  return value <= int64Max && value >= int64Min ? value : undefined;
}

/** Adds to an integer; a missing key counts as 0. Throws `not-an-integer` and `overflow`. */
export function increment(db: Database, key: string, delta: bigint | number): bigint | number {
  const record = db.findType(key, ValueType.string);
  if (record === undefined) {
    db.replace(key, undefined, ValueType.string, Buffer.from(String(delta), 'latin1'));
    db.changed(key, EventClass.string, 'incrby');
    return delta;
  }
  const text = record.bytes.latin1Slice(record.payloadOffset);
  let sum: bigint | number;
  if (typeof delta === 'number' && text.length < 16 && /^(?:0|-?[1-9]\d*)$/.test(text)) sum = Number(text) + delta;
  else {
    const value = canonicalInteger(text);
    if (value === undefined) throw new KeyValueError('not-an-integer');
    sum = value + BigInt(delta);
    if (sum > int64Max || sum < int64Min) throw new KeyValueError('overflow');
  }
  db.update(record, Buffer.from(String(sum), 'latin1'), Encoding.stringNatural);
  db.changed(key, EventClass.string, 'incrby');
  return sum;
}

/** Appends to a string, or makes it. Gives the new length. */
export function append(db: Database, key: string, bytes: Uint8Array, lengthMax: number): number {
  const record = findString(db, key);
  if (record === undefined) {
    db.replace(key, undefined, ValueType.string, bytes);
    db.changed(key, EventClass.string, 'append');
    return bytes.length;
  }
  const length = record.payloadLength + bytes.length;
  if (length > lengthMax) throw new KeyValueError('value-too-large');
  editRaw(db, record, record.payloadLength, 0, bytes);
  db.changed(key, EventClass.string, 'append');
  return length;
}

/** Changes bytes in place; the string is raw from then on. */
export function editRaw(db: Database, record: KeyRecord, offset: number, removed: number, inserted: Uint8Array): void {
  if (record.encoding === Encoding.stringRaw) {
    db.edit(record, offset, removed, inserted);
    return;
  }
  const old = record.payload();
  const payload = Buffer.concat([old.subarray(0, offset), inserted, old.subarray(offset + removed)]);
  db.update(record, payload, Encoding.stringRaw);
}

/** Overwrites bytes from `offset` on, zeros before it where there are none. Gives the new length. */
export function setRange(db: Database, key: string, offset: number, bytes: Uint8Array, lengthMax: number): number {
  const record = findString(db, key);
  const length = record?.payloadLength ?? 0;
  if (bytes.length === 0) return length;
  if (offset + bytes.length > lengthMax) throw new KeyValueError('value-too-large');
  if (record === undefined) {
    const payload = Buffer.alloc(offset + bytes.length);
    payload.set(bytes, offset);
    db.replace(key, undefined, ValueType.string, payload, { encoding: Encoding.stringRaw });
  } else if (offset > length) {
    const padded = Buffer.alloc(offset - length + bytes.length);
    padded.set(bytes, offset - length);
    editRaw(db, record, length, 0, padded);
  } else editRaw(db, record, offset, Math.min(bytes.length, length - offset), Buffer.from(bytes));
  db.changed(key, EventClass.string, 'setrange');
  return Math.max(length, offset + bytes.length);
}
