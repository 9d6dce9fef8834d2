/**
 * Sorted sets. Small ones lie packed in order: the score's sortable eight bytes, then the member. Large ones have two
 * parts a member: `m` + hash + member → score (what ZSCORE and ZSCAN read), and `s` + score + member (the order). The
 * payload of a large one is the collection's id and the number of members (4 bytes).
 */
import { hash32, prefixEnd, uint32 } from '../../encoding/byte-strings.js';
import type { Database } from './database.js';
import { largeCount, largePayload } from './members.js';
import { pack, unpack } from './packed.js';
import { Encoding, type KeyRecord, partPrefix, ValueType } from './record.js';

export interface ScoredMember {
  readonly member: string;
  readonly score: number;
}

const scratch = Buffer.alloc(8);

/** Eight bytes whose order is the scores' order; -0 counts as 0. */
export function sortableScore(score: number): string {
  scratch.writeDoubleBE(score === 0 ? 0 : score);
  if ((scratch[0] ?? 0) & 0x80) for (let i = 0; i < 8; i++) scratch[i] = ~(scratch[i] ?? 0);
  else scratch[0] = (scratch[0] ?? 0) | 0x80;
  return scratch.latin1Slice();
}

export function scoreFrom(sortable: string): number {
  scratch.latin1Write(sortable, 0, 8);
  if ((scratch[0] ?? 0) & 0x80) scratch[0] = (scratch[0] ?? 0) & 0x7f;
  else for (let i = 0; i < 8; i++) scratch[i] = ~(scratch[i] ?? 0);
  return scratch.readDoubleBE(0);
}

/** The smallest text of eight bytes that follows `sortable`. */
export function afterScore(sortable: string): string {
  return prefixEnd(sortable.slice(0, 8)).padEnd(8, '\0');
}

export function findZset(db: Database, key: string): KeyRecord | undefined {
  return db.findType(key, ValueType.zset);
}

const isSmall = (record: KeyRecord): boolean => record.encoding === Encoding.zsetListpack;

export function zsetSize(record: KeyRecord | undefined): number {
  if (record === undefined) return 0;
  return isSmall(record) ? unpack(record.bytes, record.payloadOffset).length / 2 : largeCount(record);
}

/** Order keys (score and member) of a small set, ascending. */
function smallKeys(record: KeyRecord): string[] {
  const words = unpack(record.bytes, record.payloadOffset);
  const keys: string[] = [];
  for (let i = 0; i < words.length; i += 2) keys.push((words[i] ?? '') + (words[i + 1] ?? ''));
  return keys;
}

const split = (key: string): ScoredMember => ({ member: key.slice(8), score: scoreFrom(key) });

const memberPart = (prefix: string, member: string): string => `${prefix}m${uint32(hash32(member))}${member}`;

export function scoreOf(db: Database, record: KeyRecord, member: string): number | undefined {
  if (!isSmall(record)) {
    return db.tx.get(memberPart(partPrefix(record.collectionId()), member))?.readDoubleBE(0);
  }
  const words = unpack(record.bytes, record.payloadOffset);
  for (let i = 0; i < words.length; i += 2) if (words[i + 1] === member) return scoreFrom(words[i] ?? '');
  return undefined;
}

/** Members whose order key lies from `start` to `end` (not included), in order or in reverse. */
export function* zsetBetween(
  db: Database,
  record: KeyRecord,
  start: string,
  end: string | undefined,
  reverse = false,
): Generator<ScoredMember> {
  if (isSmall(record)) {
    const keys = smallKeys(record).filter((key) => key >= start && (end === undefined || key < end));
    if (reverse) keys.reverse();
    for (const key of keys) yield split(key);
    return;
  }
  const prefix = `${partPrefix(record.collectionId())}s`;
  const range = { start: prefix + start, end: end === undefined ? prefixEnd(prefix) : prefix + end };
  if (range.start >= range.end) return;
  for (const { key } of db.tx.scan(range, { reverse })) yield split(key.slice(prefix.length));
}

export function zsetMembers(db: Database, record: KeyRecord): ScoredMember[] {
  return [...zsetBetween(db, record, '', undefined)];
}

/** Members by rank, `start` to `end` (both included; negative ones from the end). */
export function zsetRange(
  db: Database,
  record: KeyRecord,
  start: number,
  end: number,
  reverse: boolean,
): ScoredMember[] {
  const size = zsetSize(record);
  const from = start < 0 ? Math.max(0, size + start) : start;
  const to = Math.min(end < 0 ? size + end : end, size - 1);
  if (from > to || from >= size) return [];
  const found: ScoredMember[] = [];
  // From whichever end is nearer.
  const turn = size - 1 - to < from;
  const skip = turn ? size - 1 - to : from;
  let rank = 0;
  for (const entry of zsetBetween(db, record, '', undefined, turn ? !reverse : reverse)) {
    if (rank >= skip) found.push(entry);
    rank++;
    if (found.length === to - from + 1) break;
  }
  return turn ? found.reverse() : found;
}

/** The position of a member, or `undefined`. */
export function rankOf(
  db: Database,
  record: KeyRecord,
  member: string,
  reverse: boolean,
): { readonly rank: number; readonly score: number } | undefined {
  const score = scoreOf(db, record, member);
  if (score === undefined) return undefined;
  const own = sortableScore(score) + member;
  let rank = 0;
  if (reverse) for (const _ of zsetBetween(db, record, `${own}\0`, undefined)) rank++;
  else for (const _ of zsetBetween(db, record, '', own)) rank++;
  return { rank, score };
}

/** Stores a whole sorted set in place of `old`; `members` are distinct and not empty. */
export function storeZset(
  db: Database,
  key: string,
  old: KeyRecord | undefined,
  members: readonly ScoredMember[],
): void {
  if (fitsSmall(db, members.length, members)) {
    db.replace(key, old, ValueType.zset, packSmall(members));
    return;
  }
  const id = db.newCollection();
  putAll(db, id, members);
  db.replace(key, old, ValueType.zset, largePayload(id, members.length), { encoding: Encoding.zsetSkiplist });
}

function fitsSmall(db: Database, count: number, members: Iterable<ScoredMember>): boolean {
  const { zsetEntries, zsetValueBytes } = db.store.thresholds;
  if (count > zsetEntries) return false;
  for (const { member } of members) if (member.length > zsetValueBytes) return false;
  return true;
}

function packSmall(members: Iterable<ScoredMember>): Buffer {
  const keys = [...members].map(({ member, score }) => sortableScore(score) + member).sort();
  return pack(keys.flatMap((key) => [key.slice(0, 8), key.slice(8)]));
}

function putAll(db: Database, id: string, members: Iterable<ScoredMember>): void {
  const prefix = partPrefix(id);
  for (const { member, score } of members) putOne(db, prefix, member, score);
}

function putOne(db: Database, prefix: string, member: string, score: number): void {
  const value = Buffer.allocUnsafe(8);
  value.writeDoubleBE(score);
  db.tx.put(memberPart(prefix, member), value);
  db.tx.put(`${prefix}s${sortableScore(score)}${member}`, Buffer.alloc(0));
}

/** What happens to a member: a new score, or `undefined` to leave it as it is. */
export type Decide = (member: string, old: number | undefined, wanted: number) => number | undefined;

export interface Changed {
  readonly added: number;
  readonly updated: number;
  /** The score of each pair after the change; `undefined` where it was refused. */
  readonly scores: readonly (number | undefined)[];
}

/** Adds members or changes their scores as `decide` says; makes the set when `record` is undefined. */
export function changeScores(
  db: Database,
  key: string,
  record: KeyRecord | undefined,
  pairs: readonly ScoredMember[],
  decide: Decide,
): Changed {
  let added = 0;
  let updated = 0;
  const scores: (number | undefined)[] = [];
  if (record !== undefined && !isSmall(record)) {
    const id = record.collectionId();
    const prefix = partPrefix(id);
    for (const { member, score: wanted } of pairs) {
      const old = db.tx.get(memberPart(prefix, member))?.readDoubleBE(0);
      const score = decide(member, old, wanted);
      scores.push(score);
      if (score === undefined || score === old) continue;
      if (old === undefined) added++;
      else {
        updated++;
        db.tx.delete(`${prefix}s${sortableScore(old)}${member}`);
      }
      putOne(db, prefix, member, score);
    }
    if (added + updated > 0) db.update(record, largePayload(id, largeCount(record) + added));
    return { added, updated, scores };
  }
  const known = new Map<string, number>();
  if (record !== undefined) for (const { member, score } of zsetMembers(db, record)) known.set(member, score);
  for (const { member, score: wanted } of pairs) {
    const old = known.get(member);
    const score = decide(member, old, wanted);
    scores.push(score);
    if (score === undefined || score === old) continue;
    if (old === undefined) added++;
    else updated++;
    known.set(member, score);
  }
  if (added + updated > 0) {
    const members = [...known].map(([member, score]) => ({ member, score }));
    if (record === undefined) storeZset(db, key, undefined, members);
    else if (fitsSmall(db, members.length, members)) db.update(record, packSmall(members));
    else {
      const id = db.newCollection();
      putAll(db, id, members);
      db.update(record, largePayload(id, members.length), Encoding.zsetSkiplist);
    }
  }
  return { added, updated, scores };
}

/** Removes members, the set with its last one; announces nothing. */
export function removeScored(
  db: Database,
  record: KeyRecord,
  members: readonly string[],
): { readonly removed: number; readonly emptied: boolean } {
  let removed = 0;
  let left: number;
  if (isSmall(record)) {
    const gone = new Set(members);
    const all = zsetMembers(db, record);
    const kept = all.filter(({ member }) => !gone.has(member));
    removed = all.length - kept.length;
    left = kept.length;
    if (removed > 0 && left > 0) db.update(record, packSmall(kept));
  } else {
    const id = record.collectionId();
    const prefix = partPrefix(id);
    for (const member of members) {
      const part = memberPart(prefix, member);
      const score = db.tx.get(part)?.readDoubleBE(0);
      if (score === undefined) continue;
      db.tx.delete(part);
      db.tx.delete(`${prefix}s${sortableScore(score)}${member}`);
      removed++;
    }
    left = largeCount(record) - removed;
    if (removed > 0 && left > 0) db.update(record, largePayload(id, left));
  }
  if (left === 0) db.remove(record);
  return { removed, emptied: left === 0 };
}

/** A page of a large set's members in hash order. */
export function walkZset(
  db: Database,
  record: KeyRecord,
  cursor: number,
  count: number,
): { readonly entries: readonly ScoredMember[]; readonly next: number } {
  const prefix = `${partPrefix(record.collectionId())}m`;
  const entries: ScoredMember[] = [];
  if (cursor >= 2 ** 32) return { entries, next: 0 };
  let last = -1;
  for (const { key, value } of db.tx.scan({ start: prefix + uint32(cursor), end: prefixEnd(prefix) })) {
    const member = key.slice(prefix.length + 4);
    const hash = hash32(member);
    if (entries.length >= count && hash !== last) return { entries, next: hash };
    last = hash;
    entries.push({ member, score: value.readDoubleBE(0) });
  }
  return { entries, next: 0 };
}

const bucketMean = 8;

/** A random member of a set that is not empty, every one with the same chance. */
export function randomScored(db: Database, record: KeyRecord): ScoredMember {
  if (isSmall(record)) {
    const all = zsetMembers(db, record);
    return all[Math.floor(db.tx.random() * all.length)] ?? { member: '', score: 0 };
  }
  const prefix = `${partPrefix(record.collectionId())}m`;
  const buckets = Math.max(1, Math.ceil(largeCount(record) / bucketMean));
  const width = 2 ** 32 / buckets;
  for (let tries = 0; tries < 1000; tries++) {
    const bucket = Math.floor(db.tx.random() * buckets);
    const to = Math.floor((bucket + 1) * width);
    const end = to >= 2 ** 32 ? prefixEnd(prefix) : prefix + uint32(to);
    const found = [...db.tx.scan({ start: prefix + uint32(Math.floor(bucket * width)), end }, { limit: 64 })];
    const chosen = found[Math.floor(db.tx.random() * Math.max(4 * bucketMean, found.length))];
    if (chosen !== undefined)
      return { member: chosen.key.slice(prefix.length + 4), score: chosen.value.readDoubleBE(0) };
  }
  return zsetMembers(db, record)[0] ?? { member: '', score: 0 };
}
