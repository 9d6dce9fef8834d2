/**
 * Streams: entries by id, consumer groups, pending entries.
 *
 * The main record's payload: collection id, then length (8), last id (16), greatest deleted id (16), entries ever added
 * (8), first id (16), number of groups (4). Under the collection's part prefix lie
 *
 *   e id                       an entry: its fields and values
 *   g group                    last delivered id, entries read, number of pending entries
 *   c group consumer           seen and active times, number of its pending entries
 *   p group id                 a pending entry: delivery time, delivery count, consumer
 *   q group consumer id        the same by consumer; empty
 *
 * so that adding, reading, acknowledging and trimming touch a few records, however long the stream.
 */
import { prefixEnd, readUint48, readUint64, uint32, uint48, uint64 } from '../../encoding/byte-strings.js';

import { EventClass } from './changes.js';
import { type Database, describeCollection } from './database.js';
import { collectionIdBytes, Encoding, type KeyRecord, partPrefix, ValueType } from './record.js';
import { maxStreamId, minStreamId, nextStreamId, type StreamId, seqOf, streamId, uint64Max } from './stream-id.js';

/** `entries_read` of a group that nobody can know. */
export const unknownRead = -1;

export interface StreamHeader {
  readonly collection: string;
  length: number;
  lastId: StreamId;
  maxDeletedId: StreamId;
  entriesAdded: number;
  /** Of the first entry; 0-0 in an empty stream. */
  firstId: StreamId;
  groups: number;
}

export interface StreamEntry {
  readonly id: StreamId;
  /** Fields and values in turn. */
  readonly words: readonly string[];
}

export interface Group {
  readonly name: string;
  lastId: StreamId;
  entriesRead: number;
  pending: number;
  consumers: number;
}

export interface Consumer {
  readonly name: string;
  seenMs: number;
  /** 0: never. */
  activeMs: number;
  pending: number;
}

export interface Pending {
  readonly id: StreamId;
  readonly consumer: string;
  readonly deliveredMs: number;
  readonly deliveries: number;
}

const emptyBytes = Buffer.alloc(0);
const noBytes = (): Buffer => Buffer.from(emptyBytes);

/** One stream inside a transaction; call {@link Stream.save} after changing it. */
export class Stream {
  private readonly prefix: string;

  private constructor(
    private readonly db: Database,
    readonly key: string,
    private record: KeyRecord | undefined,
    readonly header: StreamHeader,
  ) {
    this.prefix = partPrefix(header.collection);
  }

  /** `undefined` when the key is missing; throws `wrong-type`. */
  static open(db: Database, key: string): Stream | undefined {
    const record = db.findType(key, ValueType.stream);
    return record === undefined ? undefined : new Stream(db, key, record, decodeHeader(record));
  }

  /** A new, empty stream that is stored by `save`. */
  static create(db: Database, key: string): Stream {
    return new Stream(db, key, undefined, {
      collection: db.newCollection(),
      length: 0,
      lastId: minStreamId,
      maxDeletedId: minStreamId,
      entriesAdded: 0,
      firstId: minStreamId,
      groups: 0,
    });
  }

  /** Stores the header. */
  save(): void {
    const { header } = this;
    const rest = Buffer.from(
      uint64(header.length) +
        header.lastId +
        header.maxDeletedId +
        uint64(header.entriesAdded) +
        header.firstId +
        uint32(header.groups),
      'latin1',
    );
    const payload = describeCollection(header.collection, rest);
    if (this.record !== undefined) this.db.update(this.record, payload);
    else {
      this.db.replace(this.key, undefined, ValueType.stream, payload, { encoding: Encoding.stream });
      this.record = this.db.findType(this.key, ValueType.stream);
    }
  }

  // --- entries --------------------------------------------------------------------------------------------------------

  /** The id that `*` stands for now; `undefined` when there is none left. */
  automaticId(): StreamId | undefined {
    const now = streamId(this.db.now, 0);
    return now > this.header.lastId ? now : nextStreamId(this.header.lastId);
  }

  /** The id that `ms-*` stands for; `undefined` when there is none left. */
  automaticSeq(ms: bigint): StreamId | undefined {
    const first = streamId(ms, 0n);
    const last = this.header.lastId;
    if (last.slice(0, 8) !== first.slice(0, 8)) return first;
    return seqOf(last) === uint64Max ? undefined : nextStreamId(last);
  }

  /** Adds an entry; `id` must be greater than `lastId`. */
  append(id: StreamId, words: readonly Uint8Array[]): void {
    const { header } = this;
    this.db.tx.put(this.entryKey(id), encodeWords(words));
    if (header.length === 0) header.firstId = id;
    header.lastId = id;
    header.length++;
    header.entriesAdded++;
  }

  /** Whether an entry exists. */
  has(id: StreamId): boolean {
    return this.db.tx.get(this.entryKey(id)) !== undefined;
  }

  entry(id: StreamId): StreamEntry | undefined {
    const value = this.db.tx.get(this.entryKey(id));
    return value === undefined ? undefined : { id, words: decodeWords(value) };
  }

  /** Entries from `start` to `end`, both included. */
  *range(start: StreamId, end: StreamId, options: { reverse?: boolean; limit?: number } = {}): Generator<StreamEntry> {
    const from = start < this.header.firstId ? this.header.firstId : start;
    if (this.header.length === 0 || from > end) return;
    const after = nextStreamId(end);
    const range = {
      start: this.entryKey(from),
      end: after === undefined ? prefixEnd(`${this.prefix}e`) : this.entryKey(after),
    };
    for (const { key, value } of this.db.tx.scan(range, options)) {
      yield { id: key.slice(-16), words: decodeWords(value) };
    }
  }

  /** Deletes one entry; false when there is none. */
  remove(id: StreamId): boolean {
    if (!this.has(id)) return false;
    const { header } = this;
    this.db.tx.delete(this.entryKey(id));
    header.length--;
    if (id > header.maxDeletedId) header.maxDeletedId = id;
    if (id === header.firstId) this.findFirst(id);
    return true;
  }

  /**
   * Deletes the oldest entries while `keep` says so, at most `limit` (0: any number); in whole steps of `step` entries
   * when `step` is more than 1 (`~`). Gives how many.
   */
  trim(keep: (id: StreamId, remaining: number) => boolean, step: number, limit: number): number {
    const { header, db } = this;
    const doomed: string[] = [];
    let batch: string[] = [];
    const range = { start: this.entryKey(header.firstId), end: prefixEnd(`${this.prefix}e`) };
    if (header.length === 0) return 0;
    for (const { key } of db.tx.scan(range)) {
      const taken = doomed.length + batch.length;
      if (keep(key.slice(-16), header.length - taken)) break;
      if (limit !== 0 && doomed.length + step > limit) break;
      batch.push(key);
      if (batch.length === step) {
        doomed.push(...batch);
        batch = [];
      }
    }
    if (doomed.length === 0) return 0;
    for (const key of doomed) db.tx.delete(key);
    header.length -= doomed.length;
    this.findFirst((doomed[doomed.length - 1] ?? '').slice(-16));
    return doomed.length;
  }

  first(): StreamEntry | undefined {
    for (const entry of this.range(minStreamId, maxStreamId, { limit: 1 })) return entry;
    return undefined;
  }

  last(): StreamEntry | undefined {
    for (const entry of this.range(minStreamId, maxStreamId, { limit: 1, reverse: true })) return entry;
    return undefined;
  }

  private findFirst(after: StreamId): void {
    const { header } = this;
    if (header.length === 0) {
      header.firstId = minStreamId;
      return;
    }
    const range = { start: this.entryKey(after), end: prefixEnd(`${this.prefix}e`) };
    for (const { key } of this.db.tx.scan(range, { limit: 1 })) header.firstId = key.slice(-16);
  }

  private entryKey(id: StreamId): string {
    return `${this.prefix}e${id}`;
  }

  // --- groups ---------------------------------------------------------------------------------------------------------

  group(name: string): Group | undefined {
    const value = this.db.tx.get(this.groupKey(name));
    return value === undefined ? undefined : decodeGroup(name, value);
  }

  groups(): Group[] {
    const prefix = `${this.prefix}g`;
    const groups: Group[] = [];
    for (const { key, value } of this.db.tx.scan({ start: prefix, end: prefixEnd(prefix) })) {
      groups.push(decodeGroup(key.slice(prefix.length), value));
    }
    return groups;
  }

  /** False when there is one of that name already. */
  createGroup(name: string, lastId: StreamId, entriesRead: number): boolean {
    if (this.group(name) !== undefined) return false;
    this.saveGroup({ name, lastId, entriesRead, pending: 0, consumers: 0 });
    this.header.groups++;
    return true;
  }

  saveGroup(group: Group): void {
    const bytes = Buffer.allocUnsafe(36);
    bytes.latin1Write(group.lastId, 0);
    bytes.writeBigInt64BE(BigInt(group.entriesRead), 16);
    bytes.writeBigInt64BE(BigInt(group.pending), 24);
    bytes.writeUInt32BE(group.consumers, 32);
    this.db.tx.put(this.groupKey(group.name), bytes);
  }

  removeGroup(name: string): boolean {
    if (this.group(name) === undefined) return false;
    const { tx } = this.db;
    tx.delete(this.groupKey(name));
    for (const kind of ['c', 'p', 'q']) {
      const prefix = this.groupPrefix(kind, name);
      tx.deleteRange({ start: prefix, end: prefixEnd(prefix) });
    }
    this.header.groups--;
    return true;
  }

  /** How many entries a reader at `id` has seen since the stream began, or {@link unknownRead}. */
  readUpTo(id: StreamId): number {
    const { header } = this;
    if (header.entriesAdded === 0) return 0;
    if (header.length === 0 && id <= header.lastId) return header.entriesAdded;
    if (id === header.lastId) return header.entriesAdded;
    if (id > header.lastId) return unknownRead;
    if (header.maxDeletedId === minStreamId || header.maxDeletedId < header.firstId) {
      if (id < header.firstId) return header.entriesAdded - header.length;
      if (id === header.firstId) return header.entriesAdded - header.length + 1;
    }
    return unknownRead;
  }

  /** Whether an entry after `from` (included) may have been deleted. */
  hasTombstones(from: StreamId): boolean {
    const { header } = this;
    if (header.length === 0 || header.maxDeletedId === minStreamId) return false;
    if (header.firstId > header.maxDeletedId) return false;
    return from <= header.maxDeletedId;
  }

  /** Entries the group has not read yet; `undefined` when that cannot be known. */
  lag(group: Group): number | undefined {
    const { header } = this;
    if (header.entriesAdded === 0) return 0;
    if (group.entriesRead !== unknownRead && !this.hasTombstones(group.lastId))
      return header.entriesAdded - group.entriesRead;
    const read = this.readUpTo(group.lastId);
    return read === unknownRead ? undefined : header.entriesAdded - read;
  }

  /** Moves a group's last delivered id to an entry it is being given. */
  advance(group: Group, id: StreamId): void {
    if (id <= group.lastId) return;
    if (group.entriesRead !== unknownRead && !this.hasTombstones(id)) group.entriesRead++;
    else if (this.header.entriesAdded > 0) group.entriesRead = this.readUpTo(id);
    group.lastId = id;
  }

  // --- consumers ------------------------------------------------------------------------------------------------------

  consumer(group: string, name: string): Consumer | undefined {
    const value = this.db.tx.get(this.consumerKey(group, name));
    return value === undefined ? undefined : decodeConsumer(name, value);
  }

  consumers(group: string): Consumer[] {
    const prefix = this.groupPrefix('c', group);
    const consumers: Consumer[] = [];
    for (const { key, value } of this.db.tx.scan({ start: prefix, end: prefixEnd(prefix) })) {
      consumers.push(decodeConsumer(key.slice(prefix.length), value));
    }
    return consumers;
  }

  /** The consumer, made when it is missing (announced, as Redis does); its seen time is now. */
  openConsumer(group: Group, name: string): Consumer {
    const known = this.consumer(group.name, name);
    if (known !== undefined) {
      known.seenMs = this.db.now;
      return known;
    }
    group.consumers++;
    this.db.changed(this.key, EventClass.stream, 'xgroup-createconsumer');
    return { name, seenMs: this.db.now, activeMs: 0, pending: 0 };
  }

  saveConsumer(group: string, consumer: Consumer): void {
    const text = uint48(consumer.seenMs) + uint48(consumer.activeMs) + uint32(consumer.pending);
    this.db.tx.put(this.consumerKey(group, consumer.name), Buffer.from(text, 'latin1'));
  }

  /** Removes a consumer and its pending entries; gives how many there were. */
  removeConsumer(group: Group, name: string): number {
    const consumer = this.consumer(group.name, name);
    if (consumer === undefined) return 0;
    const { tx } = this.db;
    const prefix = this.consumerPendingPrefix(group.name, name);
    for (const { key } of [...tx.scan({ start: prefix, end: prefixEnd(prefix) })]) {
      tx.delete(key);
      tx.delete(this.pendingKey(group.name, key.slice(-16)));
    }
    tx.delete(this.consumerKey(group.name, name));
    group.pending -= consumer.pending;
    group.consumers--;
    return consumer.pending;
  }

  // --- pending entries ------------------------------------------------------------------------------------------------

  pending(group: string, id: StreamId): Pending | undefined {
    const value = this.db.tx.get(this.pendingKey(group, id));
    return value === undefined ? undefined : decodePending(id, value);
  }

  /** Pending entries of a group in id order, from `start` to `end`, both included. */
  *pendingRange(group: string, start: StreamId, end: StreamId): Generator<Pending> {
    const after = nextStreamId(end);
    const prefix = this.groupPrefix('p', group);
    const range = { start: prefix + start, end: after === undefined ? prefixEnd(prefix) : prefix + after };
    for (const { key, value } of this.db.tx.scan(range)) yield decodePending(key.slice(-16), value);
  }

  /** The same for one consumer. */
  *consumerPendingRange(group: string, consumer: string, start: StreamId, end: StreamId): Generator<Pending> {
    const after = nextStreamId(end);
    const prefix = this.consumerPendingPrefix(group, consumer);
    const range = { start: prefix + start, end: after === undefined ? prefixEnd(prefix) : prefix + after };
    for (const { key } of this.db.tx.scan(range)) {
      const pending = this.pending(group, key.slice(-16));
      if (pending !== undefined) yield pending;
    }
  }

  lastPendingId(group: string): StreamId | undefined {
    const prefix = this.groupPrefix('p', group);
    for (const { key } of this.db.tx.scan({ start: prefix, end: prefixEnd(prefix) }, { reverse: true, limit: 1 })) {
      return key.slice(-16);
    }
    return undefined;
  }

  /**
   * Makes an entry pending for a consumer, taking it from whoever has it; keeps the counts of `group` and `consumer`
   * right, and those of the former owner, which is saved.
   */
  assign(group: Group, consumer: Consumer, pending: Pending): void {
    const { tx } = this.db;
    const before = this.pending(group.name, pending.id);
    if (before === undefined) group.pending++;
    else if (before.consumer !== consumer.name) this.takeFrom(group, before);
    if (before?.consumer !== consumer.name) {
      consumer.pending++;
      tx.put(this.consumerPendingPrefix(group.name, consumer.name) + pending.id, noBytes());
    }
    const text = uint48(pending.deliveredMs) + uint32(pending.deliveries) + consumer.name;
    tx.put(this.pendingKey(group.name, pending.id), Buffer.from(text, 'latin1'));
  }

  /** Removes a pending entry; `consumer` is the owner when the caller holds it (and saves it). */
  acknowledge(group: Group, id: StreamId, consumer?: Consumer): boolean {
    const pending = this.pending(group.name, id);
    if (pending === undefined) return false;
    if (consumer?.name === pending.consumer) {
      consumer.pending--;
      this.db.tx.delete(this.consumerPendingPrefix(group.name, consumer.name) + id);
    } else this.takeFrom(group, pending);
    this.db.tx.delete(this.pendingKey(group.name, id));
    group.pending--;
    return true;
  }

  private takeFrom(group: Group, pending: Pending): void {
    this.db.tx.delete(this.consumerPendingPrefix(group.name, pending.consumer) + pending.id);
    const owner = this.consumer(group.name, pending.consumer);
    if (owner === undefined) return;
    owner.pending--;
    this.saveConsumer(group.name, owner);
  }

  private groupKey(group: string): string {
    return `${this.prefix}g${group}`;
  }

  private groupPrefix(kind: string, group: string): string {
    return this.prefix + kind + uint32(group.length) + group;
  }

  private consumerKey(group: string, consumer: string): string {
    return this.groupPrefix('c', group) + consumer;
  }

  private pendingKey(group: string, id: StreamId): string {
    return this.groupPrefix('p', group) + id;
  }

  private consumerPendingPrefix(group: string, consumer: string): string {
    return this.groupPrefix('q', group) + uint32(consumer.length) + consumer;
  }
}

function decodeHeader(record: KeyRecord): StreamHeader {
  const text = record.bytes.latin1Slice(record.payloadOffset);
  const at = collectionIdBytes;
  return {
    collection: text.slice(0, at),
    length: readUint64(text, at),
    lastId: text.slice(at + 8, at + 24),
    maxDeletedId: text.slice(at + 24, at + 40),
    entriesAdded: readUint64(text, at + 40),
    firstId: text.slice(at + 48, at + 64),
    groups: record.bytes.readUInt32BE(record.payloadOffset + at + 64),
  };
}

function decodeGroup(name: string, value: Buffer): Group {
  return {
    name,
    lastId: value.latin1Slice(0, 16),
    entriesRead: Number(value.readBigInt64BE(16)),
    pending: Number(value.readBigInt64BE(24)),
    consumers: value.readUInt32BE(32),
  };
}

function decodeConsumer(name: string, value: Buffer): Consumer {
  const text = value.latin1Slice(0, 12);
  return { name, seenMs: readUint48(text, 0), activeMs: readUint48(text, 6), pending: value.readUInt32BE(12) };
}

function decodePending(id: StreamId, value: Buffer): Pending {
  const text = value.latin1Slice();
  return { id, deliveredMs: readUint48(text, 0), deliveries: value.readUInt32BE(6), consumer: text.slice(10) };
}

/** Words as length (4 bytes) and bytes, one after the other. */
function encodeWords(words: readonly Uint8Array[]): Buffer {
  let size = 0;
  for (const word of words) size += 4 + word.length;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const word of words) {
    bytes.writeUInt32LE(word.length, at);
    bytes.set(word, at + 4);
    at += 4 + word.length;
  }
  return bytes;
}

function decodeWords(bytes: Buffer): string[] {
  const words: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32LE(at);
    words.push(bytes.latin1Slice(at + 4, end));
    at = end;
  }
  return words;
}
