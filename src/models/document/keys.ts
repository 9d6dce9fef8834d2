/**
 * Where the document model keeps its records in the engine. Every key begins with `d`; the second byte says what it is:
 *
 *     d c database \0 collection      catalog record of a collection or view
 *     d r id key                      a document: collection id, then its record key
 *     d i id index keys [key]         an index entry: keys of the fields, then (unless unique) the record key
 *     d k id index                    which parts of an index have seen arrays
 *     d n id c|s                      counters: documents and their bytes
 *     d q id                          last record number of a collection in insertion order
 *     d o timestamp                   the oplog: what changed, in commit order
 *     d t session                     the last retryable writes of a session
 *     d s name                        settings, and the last collection id
 *     d g id                          a dropped collection (or index) whose records are still to be removed
 *
 * Kept free for the other document protocols: `d v id key` (revision trees), `d l id sequence` (changes feeds),
 * `d b id key` (siblings and metadata), `d a digest` (attachments).
 *
 * A record key is the order-preserving form of `_id`, so that documents lie in `_id` order and a lookup by `_id` is one
 * read. Capped collections keep insertion order: their record key is a number, and `_id` an index like any other.
 */
import { prefixEnd, uint32, uint64 } from '../../encoding/byte-strings.js';
import type { Key, Range } from '../../engine/engine.js';

/** A collection's short number: 1 to 2^32-1, never reused. */
export type CollectionId = number;
/** Order-preserving bytes that name a document within its collection. */
export type RecordKey = string;

export const CATALOG_PREFIX = 'dc';
export const OPLOG_PREFIX = 'do';
export const GARBAGE_PREFIX = 'dg';
export const RETRY_PREFIX = 'dt';

/** Bytes in front of the record key in a document's engine key. */
export const RECORD_PREFIX_BYTES = 6;
/** Bytes in front of the fields' keys in an index entry's engine key. */
export const INDEX_PREFIX_BYTES = 8;

export function utf8Key(text: string): string {
  return Buffer.from(text, 'utf8').latin1Slice();
}

export function catalogKey(database: string, collection: string): Key {
  return `${CATALOG_PREFIX}${utf8Key(database)}\0${utf8Key(collection)}`;
}

export function catalogRange(database?: string): Range {
  return rangeOf(database === undefined ? CATALOG_PREFIX : `${CATALOG_PREFIX}${utf8Key(database)}\0`);
}

export function recordPrefix(id: CollectionId): Key {
  return `dr${uint32(id)}`;
}

export function indexPrefix(id: CollectionId, index: number): Key {
  return `di${uint32(id)}${String.fromCharCode(index >>> 8, index & 255)}`;
}

export function indexesRange(id: CollectionId): Range {
  return rangeOf(`di${uint32(id)}`);
}

export function multikeyKey(id: CollectionId, index: number): Key {
  return `dk${uint32(id)}${String.fromCharCode(index >>> 8, index & 255)}`;
}

export function countKey(id: CollectionId): Key {
  return `dn${uint32(id)}c`;
}

export function sizeKey(id: CollectionId): Key {
  return `dn${uint32(id)}s`;
}

export function sequenceKey(id: CollectionId): Key {
  return `dq${uint32(id)}`;
}

export function settingKey(name: string): Key {
  return `ds${name}`;
}

export function garbageKey(id: CollectionId, index?: number): Key {
  return `${GARBAGE_PREFIX}${uint32(id)}${index === undefined ? '' : String.fromCharCode(index >>> 8, index & 255)}`;
}

/** `session` is the session's id as bytes. */
export function retryKey(session: string): Key {
  return `${RETRY_PREFIX}${session}`;
}

export function oplogKey(seconds: number, increment: number): Key {
  return `${OPLOG_PREFIX}${uint32(seconds)}${uint32(increment)}`;
}

/** A record number as a record key; begins as a number's value key does, so that it may follow any index key. */
export function numberKey(number: number): RecordKey {
  return `\x1e${uint64(number)}`;
}

/** Every key that begins with `prefix`. */
export function rangeOf(prefix: Key): Range {
  return { start: prefix, end: prefixEnd(prefix) };
}
