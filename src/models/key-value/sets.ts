/** Sets: intset (sorted integers), listpack (insertion order), hashtable (parts). A missing key reads as an empty set. */
import { EventClass } from './changes.js';
import type { Database } from './database.js';
import { largeCount, largeEntries, largePayload, partKey, randomLarge } from './members.js';
import { pack, unpack } from './packed.js';
import { Encoding, type KeyRecord, partPrefix, ValueType } from './record.js';
import { canonicalInteger } from './strings.js';

export function findSet(db: Database, key: string): KeyRecord | undefined {
  return db.findType(key, ValueType.set);
}

const isLarge = (record: KeyRecord): boolean => record.encoding === Encoding.setHashtable;
const empty = (): Buffer => Buffer.alloc(0);

export function setSize(record: KeyRecord | undefined): number {
  if (record === undefined) return 0;
  return isLarge(record) ? largeCount(record) : unpack(record.bytes, record.payloadOffset).length;
}

export function setMembers(db: Database, record: KeyRecord): string[] {
  if (!isLarge(record)) return unpack(record.bytes, record.payloadOffset);
  const members: string[] = [];
  for (const { name } of largeEntries(db, record)) members.push(name);
  return members;
}

export function isMember(db: Database, record: KeyRecord, member: string): boolean {
  if (isLarge(record)) return db.tx.get(partKey(partPrefix(record.collectionId()), member)) !== undefined;
  return unpack(record.bytes, record.payloadOffset).includes(member);
}

function compareIntegers(a: string, b: string): number {
  const left = BigInt(a);
  const right = BigInt(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The encoding that `members` may have, no smaller than `least`. */
function encodingFor(db: Database, members: readonly string[], least: number): number {
  const { setIntsetEntries, setListpackEntries, setListpackValueBytes } = db.store.thresholds;
  const integers = least === Encoding.setIntset && members.every((member) => canonicalInteger(member) !== undefined);
  if (integers && members.length <= setIntsetEntries) return Encoding.setIntset;
  const fits =
    members.length <= setListpackEntries && members.every((member) => member.length <= setListpackValueBytes);
  return fits && least !== Encoding.setHashtable && !integers
    ? Encoding.setListpack
    : fits && integers
      ? Encoding.setListpack
      : Encoding.setHashtable;
}

/** Stores a whole set under a key in place of `old`; `members` are distinct and not empty. */
export function storeSet(
  db: Database,
  key: string,
  old: KeyRecord | undefined,
  members: readonly string[],
  keepDeadline = false,
): void {
  const encoding = encodingFor(db, members, Encoding.setIntset);
  const options = { encoding, deadline: keepDeadline ? (old?.deadline ?? 0) : 0 };
  if (encoding === Encoding.setHashtable) {
    const id = db.newCollection();
    const prefix = partPrefix(id);
    for (const member of members) db.tx.put(partKey(prefix, member), empty());
    db.replace(key, old, ValueType.set, largePayload(id, members.length), options);
  } else {
    const sorted = encoding === Encoding.setIntset ? [...members].sort(compareIntegers) : members;
    db.replace(key, old, ValueType.set, pack(sorted), options);
  }
}

/** Adds members; makes the set when `record` is undefined. Gives how many are new. */
export function addMembers(
  db: Database,
  key: string,
  record: KeyRecord | undefined,
  members: readonly string[],
): number {
  if (record !== undefined && isLarge(record)) {
    const id = record.collectionId();
    const prefix = partPrefix(id);
    const count = largeCount(record);
    let added = 0;
    for (const member of members) {
      const part = partKey(prefix, member);
      if (db.tx.get(part) !== undefined) continue;
      db.tx.put(part, empty());
      added++;
    }
    if (added > 0) db.update(record, largePayload(id, count + added));
    return added;
  }
  const known = record === undefined ? [] : unpack(record.bytes, record.payloadOffset);
  const all = new Set(known);
  for (const member of members) all.add(member);
  const added = all.size - known.length;
  if (added === 0) return 0;
  const list = [...all];
  if (record === undefined) {
    storeSet(db, key, undefined, list);
    return added;
  }
  const encoding = encodingFor(db, list, record.encoding);
  if (encoding === Encoding.setHashtable) {
    const id = db.newCollection();
    const prefix = partPrefix(id);
    for (const member of list) db.tx.put(partKey(prefix, member), empty());
    db.update(record, largePayload(id, list.length), encoding);
  } else {
    if (encoding === Encoding.setIntset) list.sort(compareIntegers);
    db.update(record, pack(list), encoding);
  }
  return added;
}

/** Removes members, the set with its last one; announces nothing. Gives how many there were, and whether any is left. */
export function removeMembers(
  db: Database,
  record: KeyRecord,
  members: readonly string[],
): { readonly removed: number; readonly emptied: boolean } {
  let removed = 0;
  let left: number;
  if (isLarge(record)) {
    const id = record.collectionId();
    const prefix = partPrefix(id);
    const count = largeCount(record);
    for (const member of members) {
      const part = partKey(prefix, member);
      if (db.tx.get(part) === undefined) continue;
      db.tx.delete(part);
      removed++;
    }
    left = count - removed;
    if (removed > 0 && left > 0) db.update(record, largePayload(id, left));
  } else {
    const list = unpack(record.bytes, record.payloadOffset);
    const gone = new Set(members);
    const kept = list.filter((member) => !gone.has(member));
    removed = list.length - kept.length;
    left = kept.length;
    if (removed > 0 && left > 0) db.update(record, pack(kept));
  }
  if (left === 0) db.remove(record);
  return { removed, emptied: left === 0 };
}

/** A random member of a set that is not empty. */
export function randomMember(db: Database, record: KeyRecord): string {
  if (isLarge(record)) return randomLarge(db, record)?.name ?? '';
  const members = unpack(record.bytes, record.payloadOffset);
  return members[Math.floor(db.tx.random() * members.length)] ?? '';
}

/** `count` distinct random members (all of them when there are fewer). */
export function randomMembers(db: Database, record: KeyRecord, count: number): string[] {
  const size = setSize(record);
  if (isLarge(record) && count * 3 < size) {
    const chosen = new Set<string>();
    while (chosen.size < count) chosen.add(randomMember(db, record));
    return [...chosen];
  }
  const members = setMembers(db, record);
  const wanted = Math.min(count, members.length);
  for (let i = 0; i < wanted; i++) {
    const j = i + Math.floor(db.tx.random() * (members.length - i));
    const swapped = members[i] ?? '';
    members[i] = members[j] ?? '';
    members[j] = swapped;
  }
  return members.slice(0, wanted);
}

/** Announces what removing members did. */
export function announceRemoval(db: Database, key: string, event: string, emptied: boolean): void {
  db.changed(key, EventClass.set, event);
  if (emptied) db.changed(key, EventClass.generic, 'del');
}
