/**
 * Lists. Small ones lie packed in the payload. Large ones keep an element a part, keyed by its position (8 bytes); the
 * payload is the collection's id, the position of the first element (8 bytes) and the number of elements (8 bytes).
 * Positions are dense, so that an index is a position, and pushes and pops at either end touch one part.
 */
import { readUint64, uint64 } from '../../encoding/byte-strings.js';
import { type Database, describeCollection } from './database.js';
import { pack, packedSize, unpack } from './packed.js';
import { collectionIdBytes, Encoding, type KeyRecord, partPrefix, ValueType } from './record.js';
import { listFits } from './thresholds.js';

/** Where the first element of a new large list lies: the middle of the positions. */
const middle = 2 ** 52;

export function findList(db: Database, key: string): KeyRecord | undefined {
  return db.findType(key, ValueType.list);
}

interface Large {
  readonly id: string;
  readonly prefix: string;
  head: number;
  count: number;
}

const isSmall = (record: KeyRecord): boolean => record.encoding === Encoding.listListpack;

function large(record: KeyRecord): Large {
  const id = record.collectionId();
  const text = record.bytes.latin1Slice(
    record.payloadOffset + collectionIdBytes,
    record.payloadOffset + collectionIdBytes + 16,
  );
  return { id, prefix: partPrefix(id), head: readUint64(text, 0), count: readUint64(text, 8) };
}

function largePayload({ id, head, count }: Large): Buffer {
  return describeCollection(id, Buffer.from(uint64(head) + uint64(count), 'latin1'));
}

const bytesOf = (element: string): Buffer => Buffer.from(element, 'latin1');

export function listLength(record: KeyRecord | undefined): number {
  if (record === undefined) return 0;
  return isSmall(record) ? unpack(record.bytes, record.payloadOffset).length : large(record).count;
}

/** Elements `start` to `end` (both included, not negative). */
export function listRange(db: Database, record: KeyRecord, start: number, end: number): string[] {
  if (isSmall(record)) return unpack(record.bytes, record.payloadOffset).slice(start, end + 1);
  const list = large(record);
  const last = Math.min(end, list.count - 1);
  if (start > last) return [];
  const range = { start: list.prefix + uint64(list.head + start), end: list.prefix + uint64(list.head + last + 1) };
  const elements: string[] = [];
  for (const { value } of db.tx.scan(range)) elements.push(value.latin1Slice());
  return elements;
}

export function listElements(db: Database, record: KeyRecord): string[] {
  return listRange(db, record, 0, Number.MAX_SAFE_INTEGER);
}

/** The element at an index, negative ones from the end. */
export function elementAt(db: Database, record: KeyRecord, index: number): string | undefined {
  const count = listLength(record);
  const place = index < 0 ? count + index : index;
  if (place < 0 || place >= count) return undefined;
  if (isSmall(record)) return unpack(record.bytes, record.payloadOffset)[place];
  const list = large(record);
  return db.tx.get(list.prefix + uint64(list.head + place))?.latin1Slice();
}

/** Stores a whole list in place of `old`; `elements` are not empty. */
export function storeList(db: Database, key: string, old: KeyRecord | undefined, elements: readonly string[]): void {
  if (listFits(db.store.thresholds, elements.length, packedSize(elements))) {
    db.replace(key, old, ValueType.list, pack(elements));
    return;
  }
  const list = spread(db, elements);
  db.replace(key, old, ValueType.list, largePayload(list), { encoding: Encoding.listQuicklist });
}

function spread(db: Database, elements: readonly string[]): Large {
  const id = db.newCollection();
  const list: Large = { id, prefix: partPrefix(id), head: middle, count: elements.length };
  elements.forEach((element, i) => {
    db.tx.put(list.prefix + uint64(list.head + i), bytesOf(element));
  });
  return list;
}

/** Puts changed elements back, keeping deadline and flags; the list must not be empty. */
function restore(db: Database, record: KeyRecord, elements: readonly string[]): void {
  const small = listFits(db.store.thresholds, elements.length, packedSize(elements));
  if (!isSmall(record)) db.discardCollection(record.collectionId());
  if (small) db.update(record, pack(elements), Encoding.listListpack);
  else db.update(record, largePayload(spread(db, elements)), Encoding.listQuicklist);
}

/** Pushes elements one after the other; makes the list when `record` is undefined. Gives the new length. */
export function push(
  db: Database,
  key: string,
  record: KeyRecord | undefined,
  elements: readonly string[],
  left: boolean,
): number {
  if (record === undefined) {
    storeList(db, key, undefined, left ? [...elements].reverse() : elements);
    return elements.length;
  }
  if (isSmall(record)) {
    const known = unpack(record.bytes, record.payloadOffset);
    if (left) for (const element of elements) known.unshift(element);
    else known.push(...elements);
    restore(db, record, known);
    return known.length;
  }
  const list = large(record);
  for (const element of elements) {
    if (left) db.tx.put(list.prefix + uint64(--list.head), bytesOf(element));
    else db.tx.put(list.prefix + uint64(list.head + list.count), bytesOf(element));
    list.count++;
  }
  db.update(record, largePayload(list));
  return list.count;
}

/** A large list with few elements left is packed again, as Redis does below half of a listpack. */
const shrinkElements = 64;

/** Pops up to `count` elements from one end; the key goes with the last one. */
export function pop(db: Database, record: KeyRecord, count: number, left: boolean): string[] {
  if (isSmall(record)) {
    const known = unpack(record.bytes, record.payloadOffset);
    const taken = left ? known.splice(0, count) : known.splice(Math.max(0, known.length - count), count).reverse();
    if (known.length === 0) db.remove(record);
    else db.update(record, pack(known));
    return taken;
  }
  const list = large(record);
  const taken: string[] = [];
  while (taken.length < count && list.count > 0) {
    const part = list.prefix + uint64(left ? list.head : list.head + list.count - 1);
    taken.push(db.tx.get(part)?.latin1Slice() ?? '');
    db.tx.delete(part);
    if (left) list.head++;
    list.count--;
  }
  settle(db, record, list);
  return taken;
}

/** Stores what has become of a large list after elements left it. */
function settle(db: Database, record: KeyRecord, list: Large): void {
  if (list.count === 0) {
    db.remove(record);
    return;
  }
  if (list.count <= shrinkElements) {
    const range = { start: list.prefix + uint64(list.head), end: list.prefix + uint64(list.head + list.count) };
    const elements: string[] = [];
    for (const { value } of db.tx.scan(range)) elements.push(value.latin1Slice());
    if (listFits(db.store.thresholds, 2 * elements.length, 2 * packedSize(elements))) {
      db.discardCollection(list.id);
      db.update(record, pack(elements), Encoding.listListpack);
      return;
    }
  }
  db.update(record, largePayload(list));
}

/** Overwrites the element at an index that exists. */
export function setElement(db: Database, record: KeyRecord, index: number, element: string): void {
  if (isSmall(record)) {
    const known = unpack(record.bytes, record.payloadOffset);
    known[index] = element;
    restore(db, record, known);
    return;
  }
  const list = large(record);
  db.tx.put(list.prefix + uint64(list.head + index), bytesOf(element));
  db.update(record, largePayload(list));
}

/** Inserts an element before the one at `index`, moving the shorter side. */
export function insertAt(db: Database, record: KeyRecord, index: number, element: string): void {
  if (isSmall(record)) {
    const known = unpack(record.bytes, record.payloadOffset);
    known.splice(index, 0, element);
    restore(db, record, known);
    return;
  }
  const list = large(record);
  const at = (i: number): string => list.prefix + uint64(list.head + i);
  if (index < list.count / 2) {
    for (let i = 0; i < index; i++) db.tx.put(at(i - 1), Buffer.from(db.tx.get(at(i)) ?? Buffer.alloc(0)));
    list.head--;
    list.count++;
    db.tx.put(at(index), bytesOf(element));
  } else {
    for (let i = list.count - 1; i >= index; i--)
      db.tx.put(at(i + 1), Buffer.from(db.tx.get(at(i)) ?? Buffer.alloc(0)));
    db.tx.put(at(index), bytesOf(element));
    list.count++;
  }
  db.update(record, largePayload(list));
}

/** Keeps elements `start` to `end` only (both included, not negative). */
export function trimTo(db: Database, record: KeyRecord, start: number, end: number): void {
  if (isSmall(record)) {
    const kept = unpack(record.bytes, record.payloadOffset).slice(start, end + 1);
    if (kept.length === 0) db.remove(record);
    else db.update(record, pack(kept));
    return;
  }
  const list = large(record);
  const last = Math.min(end, list.count - 1);
  if (start > last) {
    db.remove(record);
    return;
  }
  for (let i = 0; i < start; i++) db.tx.delete(list.prefix + uint64(list.head + i));
  for (let i = last + 1; i < list.count; i++) db.tx.delete(list.prefix + uint64(list.head + i));
  settle(db, record, { ...list, head: list.head + start, count: last - start + 1 });
}

/** Removes up to |count| elements equal to `element` (0: all), from the tail when `count` is negative. */
export function removeEqual(db: Database, record: KeyRecord, count: number, element: string): number {
  const elements = listElements(db, record);
  const limit = count === 0 ? elements.length : Math.abs(count);
  const kept: string[] = [];
  let removed = 0;
  const consider = (value: string): void => {
    if (value === element && removed < limit) removed++;
    else kept.push(value);
  };
  if (count < 0) {
    for (let i = elements.length - 1; i >= 0; i--) consider(elements[i] ?? '');
    kept.reverse();
  } else for (const value of elements) consider(value);
  if (removed === 0) return 0;
  if (kept.length === 0) db.remove(record);
  else restore(db, record, kept);
  return removed;
}
