/** What can be done with a key of any type: renaming, copying, choosing one at random, walking all of them. */
import { prefixEnd } from '../../encoding/byte-strings.js';
import type { Database } from './database.js';
import {
  collectionIdBytes,
  isLarge,
  KeyRecord,
  keyHash,
  partPrefix,
  recordKeyPrefixBytes,
  typeOf,
  type ValueType,
} from './record.js';

const hashSpace = 2 ** 32;

/** Copies a value under another key or into another database: its parts too, when it is large. */
export function copyKey(
  from: KeyRecord,
  source: Database,
  target: Database,
  key: string,
  replaced: KeyRecord | undefined,
): void {
  if (!isLarge(from.type, from.encoding)) {
    target.attach(key, replaced, from);
    return;
  }
  const id = target.newCollection();
  const oldPrefix = partPrefix(from.collectionId());
  const newPrefix = partPrefix(id);
  const parts = [...source.tx.scan({ start: oldPrefix, end: prefixEnd(oldPrefix) })];
  for (const part of parts) source.tx.put(newPrefix + part.key.slice(oldPrefix.length), Buffer.from(part.value));
  const bytes = Buffer.from(from.bytes);
  bytes.latin1Write(id, from.payloadOffset, collectionIdBytes);
  target.attach(key, replaced, new KeyRecord(from.key, from.engineKey, bytes));
}

export interface WalkedKey {
  readonly key: string;
  readonly type: ValueType;
}

/**
 * A page of keys in hash order from position `cursor` on; `next` is the position of the next page, 0 after the last. Keys
 * with the same hash are never divided between pages, so that a walk meets every key that stays throughout.
 */
export function walkKeys(
  db: Database,
  cursor: number,
  count: number,
): { readonly keys: readonly WalkedKey[]; readonly next: number } {
  const { start: prefix, end } = db.range();
  if (cursor >= hashSpace) return { keys: [], next: 0 };
  const start = prefix + hashText(cursor);
  const keys: WalkedKey[] = [];
  let lastHash = -1;
  for (const { key: engineKey, value } of db.tx.scan({ start, end })) {
    const key = engineKey.slice(recordKeyPrefixBytes);
    const hash = keyHash(key);
    if (keys.length >= count && hash !== lastHash)
      return { keys: keys.filter(({ key: k }) => alive(db, k)), next: hash };
    lastHash = hash;
    keys.push({ key, type: typeOf(value) });
  }
  return { keys: keys.filter(({ key }) => alive(db, key)), next: 0 };
}

function alive(db: Database, key: string): boolean {
  const { noTouch } = db;
  db.noTouch = true;
  const there = db.exists(key);
  db.noTouch = noTouch;
  return there;
}

function hashText(hash: number): string {
  return String.fromCharCode((hash >>> 24) & 255, (hash >>> 16) & 255, (hash >>> 8) & 255, hash & 255);
}

/** Every key that has not expired. */
export function* allKeys(db: Database): Generator<string> {
  for (const { key: engineKey, value } of db.tx.scan(db.range())) {
    const key = engineKey.slice(recordKeyPrefixBytes);
    const record = new KeyRecord(key, engineKey, value);
    if (record.deadline === 0 || record.deadline > db.now) yield key;
  }
}

/** Places looked at before a random key is taken from the start: a database of expired keys must not hold us up. */
const randomTriesMax = 64;
/** Keys looked at around a random place. */
const neighbours = 16;

/**
 * A random key: one of the few that follow a random position in hash order, accepted with the same chance wherever the
 * keys lie thick or thin.
 */
export function randomKey(db: Database): string | undefined {
  const { start: prefix, end } = db.range();
  for (let tries = 0; tries < randomTriesMax; tries++) {
    const position = Math.floor(db.tx.random() * hashSpace);
    let found = [...db.tx.scan({ start: prefix + hashText(position), end }, { limit: neighbours })];
    if (found.length === 0) found = [...db.tx.scan({ start: prefix, end }, { limit: neighbours })];
    if (found.length === 0) return undefined;
    const chosen = found[Math.floor(db.tx.random() * found.length)];
    const key = chosen?.key.slice(recordKeyPrefixBytes);
    if (key !== undefined && alive(db, key)) return key;
  }
  for (const key of allKeys(db)) return key;
  return undefined;
}
