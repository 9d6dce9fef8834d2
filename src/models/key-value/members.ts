/**
 * The elements of large hashes and sets: parts keyed by `hash32(name)` and name, so that a walk's cursor is a position
 * in hash order and a random element is one near a random position. The main record's payload is the collection's id and
 * the number of elements (4 bytes).
 */
import { hash32, prefixEnd, uint32 } from '../../encoding/byte-strings.js';
import { type Database, describeCollection } from './database.js';
import { collectionIdBytes, type KeyRecord, partPrefix } from './record.js';

const hashSpace = 2 ** 32;
/** Elements a random bucket holds on average, and at most before the bucket is taken as it is. */
const bucketMean = 8;
const bucketMax = 64;

export function partKey(prefix: string, name: string): string {
  return prefix + uint32(hash32(name)) + name;
}

export function largeCount(record: KeyRecord): number {
  return record.bytes.readUInt32BE(record.payloadOffset + collectionIdBytes);
}

export function largePayload(collectionId: string, count: number): Buffer {
  const rest = Buffer.allocUnsafe(4);
  rest.writeUInt32BE(count);
  return describeCollection(collectionId, rest);
}

/** Names and values in hash order. */
export function* largeEntries(
  db: Database,
  record: KeyRecord,
): Generator<{ readonly name: string; readonly value: Buffer }> {
  const prefix = partPrefix(record.collectionId());
  for (const { key, value } of db.tx.scan({ start: prefix, end: prefixEnd(prefix) })) {
    yield { name: key.slice(prefix.length + 4), value };
  }
}

/** A page of elements from position `cursor` on; elements of one hash stay together. */
export function walkLarge(
  db: Database,
  record: KeyRecord,
  cursor: number,
  count: number,
): { readonly entries: readonly { readonly name: string; readonly value: Buffer }[]; readonly next: number } {
  const prefix = partPrefix(record.collectionId());
  if (cursor >= hashSpace) return { entries: [], next: 0 };
  const entries: { name: string; value: Buffer }[] = [];
  let last = -1;
  for (const { key, value } of db.tx.scan({ start: prefix + uint32(cursor), end: prefixEnd(prefix) })) {
    const name = key.slice(prefix.length + 4);
    const hash = hash32(name);
    if (entries.length >= count && hash !== last) return { entries, next: hash };
    last = hash;
    entries.push({ name, value });
  }
  return { entries, next: 0 };
}

/** One element, every one with the same chance: a random bucket of the hash space, accepted by how full it is. */
export function randomLarge(
  db: Database,
  record: KeyRecord,
): { readonly name: string; readonly value: Buffer } | undefined {
  const prefix = partPrefix(record.collectionId());
  const count = largeCount(record);
  const buckets = Math.max(1, Math.ceil(count / bucketMean));
  const width = hashSpace / buckets;
  for (let tries = 0; tries < 1000; tries++) {
    const bucket = Math.floor(db.tx.random() * buckets);
    const from = Math.floor(bucket * width);
    const to = Math.floor((bucket + 1) * width);
    const end = to >= hashSpace ? prefixEnd(prefix) : prefix + uint32(to);
    const found = [...db.tx.scan({ start: prefix + uint32(from), end }, { limit: bucketMax })];
    const place = Math.floor(db.tx.random() * Math.max(found.length > 4 * bucketMean ? bucketMax : 4 * bucketMean, 1));
    const chosen = found[place];
    if (chosen !== undefined) return { name: chosen.key.slice(prefix.length + 4), value: chosen.value };
  }
  for (const entry of largeEntries(db, record)) return entry;
  return undefined;
}
