/**
 * Documents in a collection: put, replaced and removed together with their index entries, counters and oplog entries.
 * Everything is checked before the first write, so that a refused document leaves no trace in a body that goes on.
 */

import { prefixEnd } from '../../encoding/byte-strings.js';
import type { View } from '../../engine/engine.js';
import { BsonType, findField } from './bson/raw.js';
import type { Collection } from './collection.js';
import { duplicateKeyError } from './duplicate-key.js';
import { DocumentError } from './errors.js';
import type { Index, IndexKeys } from './indexes/index.js';
import { textKeyOf } from './indexes/index.js';
import { valueKey } from './indexes/value-keys.js';
import { indexPrefix, multikeyKey, numberKey, type RecordKey, sequenceKey } from './keys.js';
import type { UpdateLog } from './update/log.js';
import type { WriteScope } from './write-scope.js';

/** The record key of the `_id` of a document (which must have one) in `_id` order. */
export function idKeyOf(collection: Collection, document: Buffer): RecordKey {
  const field = findField(document, 0, '_id');
  return valueKey(document, document[field] ?? BsonType.null, field + 5, textKeyOf(collection.collation));
}

/** The record key of the document whose `_id` has this key, or `undefined`. */
export function recordOfId(view: View, collection: Collection, idKey: string): RecordKey | undefined {
  if (!collection.insertionOrder) return idKey;
  const { idIndex } = collection;
  if (idIndex === undefined) return undefined;
  return view.get(indexPrefix(collection.id, idIndex.id) + idKey)?.latin1Slice();
}

interface PlannedIndex {
  readonly index: Index;
  readonly prefix: string;
  readonly keys: IndexKeys;
}

const NO_KEYS: IndexKeys = { keys: [], multikey: undefined };

/** Unique indexes keep the record key as the entry's value, the others at the end of its key, with its length as value. */
export function entryIsUnique(index: Index): boolean {
  return index.unique || index.isId;
}

export function recordOfEntry(index: Index, key: string, value: Buffer): RecordKey {
  if (entryIsUnique(index)) return value.latin1Slice();
  const length = value.length === 2 ? value.readUInt16BE(0) : value.readUInt32BE(0);
  return key.slice(key.length - length);
}

/** The part of an entry's engine key (without its prefix) that holds the fields. */
export function fieldsOfEntry(index: Index, key: string, value: Buffer, prefixLength: number): string {
  if (entryIsUnique(index)) return key.slice(prefixLength);
  const length = value.length === 2 ? value.readUInt16BE(0) : value.readUInt32BE(0);
  return key.slice(prefixLength, key.length - length);
}

function lengthValue(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length < 0x1_0000 ? 2 : 4);
  if (length < 0x1_0000) bytes.writeUInt16BE(length);
  else bytes.writeUInt32BE(length);
  return bytes;
}

export function putEntry(scope: WriteScope, index: Index, prefix: string, key: string, record: RecordKey): void {
  if (entryIsUnique(index)) scope.tx.put(prefix + key, Buffer.from(record, 'latin1'));
  else scope.tx.put(prefix + key + record, lengthValue(record.length));
}

function deleteEntry(scope: WriteScope, index: Index, prefix: string, key: string, record: RecordKey): void {
  scope.tx.delete(entryIsUnique(index) ? prefix + key : prefix + key + record);
}

/** The keys that a document has in an index, after the partial filter. */
export function keysInIndex(index: Index, document: Buffer): IndexKeys {
  return index.covers(document) ? index.keysOf(document) : NO_KEYS;
}

function plan(collection: Collection, document: Buffer): PlannedIndex[] {
  return collection.secondary.map((index) => ({
    index,
    prefix: indexPrefix(collection.id, index.id),
    keys: keysInIndex(index, document),
  }));
}

/** Throws 11000 when another document than `record` has one of the keys in a unique index. */
export function checkUnique(
  scope: WriteScope,
  collection: Collection,
  index: Index,
  prefix: string,
  keys: readonly string[],
  record: RecordKey,
  document: Buffer,
): void {
  for (const key of keys) {
    const other = entryIsUnique(index)
      ? scope.tx.get(prefix + key)?.latin1Slice()
      : otherRecord(scope, index, prefix + key, record);
    if (other !== undefined && other !== record) throw duplicateKeyError(collection, index, document, key);
  }
}

/** In an index that keeps its entries as if it were not unique (prepareUnique): any other record with the key. */
function otherRecord(scope: WriteScope, index: Index, key: string, record: RecordKey): RecordKey | undefined {
  for (const entry of scope.tx.scan({ start: key, end: prefixEnd(key) })) {
    const found = recordOfEntry(index, entry.key, entry.value);
    if (found !== record && entry.key === key + found) return found;
  }
  return undefined;
}

function rememberArrays(scope: WriteScope, collection: Collection, planned: PlannedIndex): void {
  const { multikey } = planned.keys;
  if (multikey !== undefined) markMultikey(scope, collection, planned.index, multikey);
}

/** Notes which parts of an index' paths have been arrays; queries ask for it before they trust bounds. */
export function markMultikey(scope: WriteScope, collection: Collection, index: Index, seen: readonly number[]): void {
  const key = multikeyKey(collection.id, index.id);
  const known = scope.tx.get(key);
  const bytes = known === undefined ? Buffer.alloc(seen.length * 4) : Buffer.from(known);
  let changed = known === undefined;
  for (let i = 0; i < seen.length; i++) {
    const before = bytes.readUInt32BE(i * 4);
    const after = (before | (seen[i] ?? 0)) >>> 0;
    if (after !== before) changed = true;
    bytes.writeUInt32BE(after, i * 4);
  }
  if (changed) scope.tx.put(key, bytes);
}

/** Which parts of the index' paths have been arrays, one set of bits a field; `undefined`: none. */
export function multikeyOf(view: View, collection: Collection, index: Index): number[] | undefined {
  const bytes = view.get(multikeyKey(collection.id, index.id));
  if (bytes === undefined) return undefined;
  return index.parts.map((_, i) => bytes.readUInt32BE(i * 4));
}

/**
 * Adds a document that has an `_id` and has passed the validator. Throws 11000 when a unique index (or `_id`) has its key
 * already. Answers the new record's key.
 */
export function insertRecord(scope: WriteScope, collection: Collection, document: Buffer): RecordKey {
  const { tx } = scope;
  const record = collection.insertionOrder ? nextNumber(scope, collection) : idKeyOf(collection, document);
  const key = collection.documentKey(record);
  scope.claim(collection.insertionOrder ? `${collection.prefix}${idKeyOf(collection, document)}` : key);
  if (!collection.insertionOrder && tx.get(key) !== undefined) {
    throw duplicateKeyError(collection, collection.idIndex, document, record);
  }
  const planned = plan(collection, document);
  for (const { index, prefix, keys } of planned) {
    if (index.enforcesUnique || index.isId) checkUnique(scope, collection, index, prefix, keys.keys, record, document);
  }
  tx.put(key, document);
  for (const entry of planned) {
    for (const indexKey of entry.keys.keys) putEntry(scope, entry.index, entry.prefix, indexKey, record);
    rememberArrays(scope, collection, entry);
  }
  if (collection.insertionOrder) advanceNumber(scope, collection, record);
  scope.count(collection, 1, document.length);
  if (scope.logged) scope.log({ operation: 'i', collection, document });
  return record;
}

function nextNumber(scope: WriteScope, collection: Collection): RecordKey {
  const last = scope.tx.get(sequenceKey(collection.id));
  return numberKey((last === undefined ? 0 : Number(last.readBigUInt64BE(0))) + 1);
}

function advanceNumber(scope: WriteScope, collection: Collection, record: RecordKey): void {
  scope.tx.put(sequenceKey(collection.id), Buffer.from(record.slice(1), 'latin1'));
}

/**
 * Puts `after` in place of `before`, which has the same `_id`; `log` says which fields changed, for those who follow. Throws 11000 as {@link insertRecord} does. Answers false,
 * having done nothing, when the bytes are the same.
 */
export function replaceRecord(
  scope: WriteScope,
  collection: Collection,
  record: RecordKey,
  before: Buffer,
  after: Buffer,
  log: UpdateLog | undefined,
): boolean {
  if (before.equals(after)) return false;
  const key = collection.documentKey(record);
  scope.claim(key);
  // The engine's buffer may not outlive the write of its key.
  const old = Buffer.from(before);
  const planned = plan(collection, after).map((entry) => {
    const oldKeys = new Set(keysInIndex(entry.index, old).keys);
    const added = entry.keys.keys.filter((indexKey) => !oldKeys.delete(indexKey));
    if (entry.index.enforcesUnique) {
      checkUnique(scope, collection, entry.index, entry.prefix, added, record, after);
    }
    return { ...entry, added, removed: [...oldKeys] };
  });
  scope.tx.put(key, after);
  for (const entry of planned) {
    for (const indexKey of entry.removed) deleteEntry(scope, entry.index, entry.prefix, indexKey, record);
    for (const indexKey of entry.added) putEntry(scope, entry.index, entry.prefix, indexKey, record);
    if (entry.added.length > 0) rememberArrays(scope, collection, entry);
  }
  scope.count(collection, 0, after.length - old.length);
  if (scope.logged) scope.log({ operation: 'u', collection, before: old, document: after, log });
  return true;
}

export function removeRecord(
  scope: WriteScope,
  collection: Collection,
  record: RecordKey,
  before: Buffer,
  silent = false,
): void {
  const key = collection.documentKey(record);
  scope.claim(key);
  const old = Buffer.from(before);
  scope.tx.delete(key);
  for (const { index, prefix, keys } of plan(collection, old)) {
    for (const indexKey of keys.keys) deleteEntry(scope, index, prefix, indexKey, record);
  }
  scope.count(collection, -1, -old.length);
  if (scope.logged && !silent) scope.log({ operation: 'd', collection, document: old });
}

/** A document's size and `_id` as they must be before it is stored. Throws code 2 and 53. */
export function checkIdValue(type: number): void {
  if (type === BsonType.array) throw new DocumentError(53, "The '_id' value cannot be of type array");
  if (type === BsonType.regex) throw new DocumentError(53, "The '_id' value cannot be of type regex");
  if (type === BsonType.undefined) throw new DocumentError(53, "The '_id' value cannot be of type undefined");
}
