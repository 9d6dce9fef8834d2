/** Hashes. A missing key reads as an empty hash; callers check the type when they look the record up. */
import { EventClass } from './changes.js';
import type { Database } from './database.js';
import { largeCount, largeEntries, largePayload, partKey } from './members.js';
import { pack, unpack } from './packed.js';
import { Encoding, type KeyRecord, partPrefix, ValueType } from './record.js';

export function findHash(db: Database, key: string): KeyRecord | undefined {
  return db.findType(key, ValueType.hash);
}

const isSmall = (record: KeyRecord): boolean => record.encoding === Encoding.hashListpack;

export function hashLength(record: KeyRecord | undefined): number {
  if (record === undefined) return 0;
  return isSmall(record) ? unpack(record.bytes, record.payloadOffset).length / 2 : largeCount(record);
}

export function getField(db: Database, record: KeyRecord, field: string): string | undefined {
  if (!isSmall(record)) return db.tx.get(partKey(partPrefix(record.collectionId()), field))?.latin1Slice();
  const words = unpack(record.bytes, record.payloadOffset);
  for (let i = 0; i < words.length; i += 2) if (words[i] === field) return words[i + 1];
  return undefined;
}

/** Fields and values in turn: in insertion order while small, else in hash order. */
export function hashWords(db: Database, record: KeyRecord): string[] {
  if (isSmall(record)) return unpack(record.bytes, record.payloadOffset);
  const words: string[] = [];
  for (const { name, value } of largeEntries(db, record)) words.push(name, value.latin1Slice());
  return words;
}

/** Sets fields (field and value in turn); makes the hash when `record` is undefined. Gives how many are new. */
export function setFields(db: Database, key: string, record: KeyRecord | undefined, pairs: readonly string[]): number {
  if (record !== undefined && !isSmall(record)) return setLarge(db, record, pairs);
  const words = record === undefined ? [] : unpack(record.bytes, record.payloadOffset);
  const places = new Map<string, number>();
  for (let i = 0; i < words.length; i += 2) places.set(words[i] ?? '', i);
  let added = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    const field = pairs[i] ?? '';
    const value = pairs[i + 1] ?? '';
    const place = places.get(field);
    if (place !== undefined) words[place + 1] = value;
    else {
      places.set(field, words.length);
      words.push(field, value);
      added++;
    }
  }
  const { hashEntries, hashValueBytes } = db.store.thresholds;
  const small = words.length / 2 <= hashEntries && words.every((word) => word.length <= hashValueBytes);
  if (small) {
    const payload = pack(words);
    if (record === undefined) db.replace(key, undefined, ValueType.hash, payload);
    else db.update(record, payload);
  } else {
    const id = db.newCollection();
    const prefix = partPrefix(id);
    for (let i = 0; i < words.length; i += 2) {
      db.tx.put(partKey(prefix, words[i] ?? ''), Buffer.from(words[i + 1] ?? '', 'latin1'));
    }
    const payload = largePayload(id, words.length / 2);
    if (record === undefined) db.replace(key, undefined, ValueType.hash, payload, { encoding: Encoding.hashHashtable });
    else db.update(record, payload, Encoding.hashHashtable);
  }
  return added;
}

function setLarge(db: Database, record: KeyRecord, pairs: readonly string[]): number {
  const id = record.collectionId();
  const prefix = partPrefix(id);
  const count = largeCount(record);
  let added = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    const part = partKey(prefix, pairs[i] ?? '');
    if (db.tx.get(part) === undefined) added++;
    db.tx.put(part, Buffer.from(pairs[i + 1] ?? '', 'latin1'));
  }
  db.update(record, largePayload(id, count + added));
  return added;
}

/** Deletes fields, the hash with its last one (announced). Gives how many there were. */
export function deleteFields(db: Database, record: KeyRecord, fields: readonly string[]): number {
  let deleted = 0;
  let left: number;
  if (isSmall(record)) {
    const words = unpack(record.bytes, record.payloadOffset);
    for (const field of fields) {
      for (let i = 0; i < words.length; i += 2) {
        if (words[i] !== field) continue;
        words.splice(i, 2);
        deleted++;
        break;
      }
    }
    left = words.length / 2;
    if (deleted > 0 && left > 0) db.update(record, pack(words));
  } else {
    const id = record.collectionId();
    const prefix = partPrefix(id);
    const count = largeCount(record);
    for (const field of fields) {
      const part = partKey(prefix, field);
      if (db.tx.get(part) === undefined) continue;
      db.tx.delete(part);
      deleted++;
    }
    left = count - deleted;
    if (deleted > 0 && left > 0) db.update(record, largePayload(id, left));
  }
  if (deleted > 0) {
    db.changed(record.key, EventClass.hash, 'hdel');
    if (left === 0) {
      db.remove(record);
      db.changed(record.key, EventClass.generic, 'del');
    }
  }
  return deleted;
}
