/**
 * Memcached's view of the key-value model: a string with client flags and a CAS id, which is the record's version. Every
 * operation works on keys of any type and says so when one holds something else than a string: a cache client must not
 * wipe a list.
 */
import { EventClass } from './changes.js';
import type { Database } from './database.js';
import { type KeyRecord, ValueType } from './record.js';

export interface Item {
  readonly key: string;
  /** The record's bytes; the value begins at `start`. Valid until the body ends. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly flags: number;
  readonly cas: number;
  /** Milliseconds since 1970; 0: never. */
  readonly deadline: number;
}

export type StoreMode = 'set' | 'add' | 'replace' | 'append' | 'prepend';
export type StoreOutcome = 'stored' | 'not-stored' | 'exists' | 'not-found' | 'wrong-type';

export interface StoreRequest {
  readonly mode: StoreMode;
  readonly key: string;
  readonly value: Uint8Array;
  readonly flags: number;
  /** 0: never; a time that has passed: stored and gone at once. */
  readonly deadline: number;
  /** Store only while the item has this CAS id. */
  readonly cas?: number;
}

function itemOf(record: KeyRecord): Item {
  return {
    key: record.key,
    bytes: record.bytes,
    start: record.payloadOffset,
    flags: record.itemFlags,
    cas: record.version,
    deadline: record.deadline,
  };
}

/** `undefined` when the key is missing or holds another type. */
export function getItem(db: Database, key: string): Item | undefined {
  const record = db.find(key);
  return record === undefined || record.type !== ValueType.string ? undefined : itemOf(record);
}

/** Stores a value as `mode` says; the outcome's CAS id is the transaction's version. */
export function storeItem(db: Database, request: StoreRequest): StoreOutcome {
  const { key, mode, cas } = request;
  const old = db.find(key);
  if (old !== undefined && old.type !== ValueType.string) return mode === 'add' ? 'not-stored' : 'wrong-type';
  if (cas !== undefined) {
    if (old === undefined) return 'not-found';
    if (old.version !== cas) return 'exists';
  }
  if (mode === 'add' ? old !== undefined : mode !== 'set' && old === undefined) return 'not-stored';
  if (old !== undefined && (mode === 'append' || mode === 'prepend')) {
    db.edit(old, mode === 'append' ? old.payloadLength : 0, 0, request.value);
    db.changed(key, EventClass.string, 'append');
    return 'stored';
  }
  if (request.deadline !== 0 && request.deadline <= db.now) {
    if (old !== undefined) {
      db.remove(old);
      db.changed(key, EventClass.generic, 'del');
    }
    return 'stored';
  }
  db.replace(key, old, ValueType.string, request.value, { deadline: request.deadline, itemFlags: request.flags });
  db.changed(key, EventClass.string, 'set');
  if (request.deadline !== 0) db.changed(key, EventClass.generic, 'expire');
  return 'stored';
}

/** Deletes a key of any type. */
export function deleteItem(db: Database, key: string, cas?: number): 'deleted' | 'not-found' | 'exists' {
  const record = db.find(key);
  if (record === undefined) return 'not-found';
  if (cas !== undefined && record.version !== cas) return 'exists';
  db.remove(record);
  db.changed(key, EventClass.generic, 'del');
  return 'deleted';
}

/** Gives an item another deadline; a passed one removes it. */
export function touchItem(db: Database, key: string, deadline: number): 'touched' | 'not-found' | 'wrong-type' {
  const record = db.find(key);
  if (record === undefined) return 'not-found';
  if (record.type !== ValueType.string) return 'wrong-type';
  setDeadline(db, record, deadline);
  return 'touched';
}

function setDeadline(db: Database, record: KeyRecord, deadline: number): void {
  if (deadline !== 0 && deadline <= db.now) {
    db.remove(record);
    db.changed(record.key, EventClass.generic, 'del');
  } else if (deadline !== record.deadline) {
    db.setDeadline(record, deadline);
    db.changed(record.key, EventClass.generic, deadline === 0 ? 'persist' : 'expire');
  }
}

export type DeltaOutcome =
  | { readonly outcome: 'not-found' | 'wrong-type' | 'not-a-number' | 'exists' }
  | { readonly outcome: 'changed'; readonly value: bigint };

const uint64 = 1n << 64n;

/**
 * Adds to (wraps at 2^64) or subtracts from (stops at 0) a decimal number. The stored text never shrinks: it is padded
 * with blanks on the right, as memcached does.
 */
export function addToItem(db: Database, key: string, delta: bigint, subtract: boolean, cas?: number): DeltaOutcome {
  const record = db.find(key);
  if (record === undefined) return { outcome: 'not-found' };
  if (record.type !== ValueType.string) return { outcome: 'wrong-type' };
  if (cas !== undefined && record.version !== cas) return { outcome: 'exists' };
  const text = record.bytes.latin1Slice(record.payloadOffset);
  const number = parseCounter(text);
  if (number === undefined) return { outcome: 'not-a-number' };
  const value = subtract ? (delta > number ? 0n : number - delta) : (number + delta) % uint64;
  db.update(record, Buffer.from(value.toString().padEnd(text.length, ' '), 'latin1'));
  db.changed(key, EventClass.string, 'incrby');
  return { outcome: 'changed', value };
}

/** A decimal number below 2^64, blanks and zeros around it allowed. */
function parseCounter(text: string): bigint | undefined {
  if (text.length > 20 || !/^\s*\d+\s*$/.test(text)) return undefined;
  const value = BigInt(text.trim());
  return value < uint64 ? value : undefined;
}

/** What marks an item whose value is known to be out of date (meta commands); kept in memory. */
export interface StaleMark {
  stale: boolean;
  /** Somebody has been told to refresh it. */
  won: boolean;
}
