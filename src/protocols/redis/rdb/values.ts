/**
 * Values as RDB files and DUMP payloads hold them, in a form that knows neither RDB's encodings nor our storage: what
 * reading gives and writing takes. Types 0–21 of Redis 7.2 are read; writing chooses the types Redis 7.2 writes.
 */
import { type StreamId, streamId } from '../../../models/key-value/stream-id.js';
import type { RdbReader, RdbWriter } from './bytes.js';
import { RdbError } from './errors.js';
import { readIntset, readListpack, readZiplist, readZipmap, writeIntset, writeListpack } from './packed-lists.js';

export interface StreamValue {
  readonly entries: readonly { readonly id: StreamId; readonly words: readonly Buffer[] }[];
  readonly lastId: StreamId;
  readonly firstId: StreamId;
  readonly maxDeletedId: StreamId;
  readonly entriesAdded: number;
  readonly groups: readonly StreamGroupValue[];
}

export interface StreamGroupValue {
  readonly name: string;
  readonly lastId: StreamId;
  /** -1: unknown. */
  readonly entriesRead: number;
  readonly pending: readonly { readonly id: StreamId; readonly deliveredMs: number; readonly deliveries: number }[];
  readonly consumers: readonly {
    readonly name: string;
    readonly seenMs: number;
    /** 0: never. */
    readonly activeMs: number;
    readonly pending: readonly StreamId[];
  }[];
}

export type RdbValue =
  | { readonly type: 'string'; readonly value: Buffer }
  | { readonly type: 'list'; readonly elements: readonly Buffer[] }
  | { readonly type: 'set'; readonly members: readonly Buffer[] }
  | { readonly type: 'hash'; readonly fields: readonly (readonly [Buffer, Buffer])[] }
  | { readonly type: 'zset'; readonly members: readonly (readonly [Buffer, number])[] }
  | { readonly type: 'stream'; readonly stream: StreamValue };

/** Entries of one stream node, as Redis groups them by default. */
const streamNodeEntries = 100;
const streamNodeBytes = 4096;
/** Bytes of one list node. */
const listNodeBytes = 8192;

export const RdbType = {
  string: 0,
  list: 1,
  set: 2,
  zsetText: 3,
  hash: 4,
  zset: 5,
  module: 6,
  module2: 7,
  zipmap: 9,
  listZiplist: 10,
  setIntset: 11,
  zsetZiplist: 12,
  hashZiplist: 13,
  quicklist: 14,
  stream: 15,
  hashListpack: 16,
  zsetListpack: 17,
  quicklist2: 18,
  stream2: 19,
  setListpack: 20,
  stream3: 21,
} as const;

function pairs<T>(elements: readonly Buffer[], second: (bytes: Buffer) => T): [Buffer, T][] {
  if (elements.length % 2 !== 0) throw new RdbError('a list of pairs has an odd length');
  const list: [Buffer, T][] = [];
  for (let i = 0; i < elements.length; i += 2) {
    list.push([elements[i] ?? Buffer.alloc(0), second(elements[i + 1] ?? Buffer.alloc(0))]);
  }
  return list;
}

function score(bytes: Buffer): number {
  const text = bytes.latin1Slice();
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  const value = Number(text);
  if (text === '' || Number.isNaN(value)) throw new RdbError('a score is no number');
  return value;
}

const same = (bytes: Buffer): Buffer => bytes;

/** Reads a value of RDB type `type`. */
export function readValue(reader: RdbReader, type: number): RdbValue {
  const repeat = <T>(read: () => T): T[] => Array.from({ length: reader.length() }, read);
  switch (type) {
    case RdbType.string:
      return { type: 'string', value: reader.string() };
    case RdbType.list:
      return { type: 'list', elements: repeat(() => reader.string()) };
    case RdbType.set:
      return { type: 'set', members: repeat(() => reader.string()) };
    case RdbType.zsetText:
      return { type: 'zset', members: repeat(() => [reader.string(), reader.textDouble()] as const) };
    case RdbType.zset:
      return { type: 'zset', members: repeat(() => [reader.string(), reader.double()] as const) };
    case RdbType.hash:
      return { type: 'hash', fields: repeat(() => [reader.string(), reader.string()] as const) };
    case RdbType.zipmap:
      return { type: 'hash', fields: pairs(readZipmap(reader.string()), same) };
    case RdbType.listZiplist:
      return { type: 'list', elements: readZiplist(reader.string()) };
    case RdbType.setIntset:
      return { type: 'set', members: readIntset(reader.string()).map((member) => Buffer.from(String(member))) };
    case RdbType.zsetZiplist:
      return { type: 'zset', members: pairs(readZiplist(reader.string()), score) };
    case RdbType.hashZiplist:
      return { type: 'hash', fields: pairs(readZiplist(reader.string()), same) };
    case RdbType.quicklist:
      return { type: 'list', elements: repeat(() => readZiplist(reader.string())).flat() };
    case RdbType.quicklist2:
      return { type: 'list', elements: repeat(() => quicklistNode(reader)).flat() };
    case RdbType.hashListpack:
      return { type: 'hash', fields: pairs(readListpack(reader.string()), same) };
    case RdbType.zsetListpack:
      return { type: 'zset', members: pairs(readListpack(reader.string()), score) };
    case RdbType.setListpack:
      return { type: 'set', members: readListpack(reader.string()) };
    case RdbType.stream:
    case RdbType.stream2:
    case RdbType.stream3:
      return { type: 'stream', stream: readStream(reader, type) };
    case RdbType.module:
    case RdbType.module2:
      throw new RdbError('values of modules are not supported');
    default:
      throw new RdbError(`values of type ${type} are not known`);
  }
}

function quicklistNode(reader: RdbReader): Buffer[] {
  const container = reader.length();
  const bytes = reader.string();
  if (container === 1) return [bytes];
  if (container === 2) return readListpack(bytes);
  throw new RdbError('a list node has an unknown container');
}

const readId = (bytes: Buffer): StreamId => bytes.latin1Slice(0, 16);

function readStream(reader: RdbReader, type: number): StreamValue {
  const entries: { id: StreamId; words: Buffer[] }[] = [];
  const nodes = reader.length();
  for (let i = 0; i < nodes; i++) {
    const master = reader.string();
    if (master.length !== 16) throw new RdbError('a stream node has no id');
    readStreamNode(master, readListpack(reader.string()), entries);
  }
  const length = reader.length();
  if (length !== entries.length) throw new RdbError('a stream has the wrong length');
  const readTwo = (): StreamId => streamId(reader.length(), reader.length());
  const lastId = readTwo();
  let firstId = entries[0]?.id ?? streamId(0, 0);
  let maxDeletedId = streamId(0, 0);
  let entriesAdded = length;
  if (type !== RdbType.stream) {
    firstId = readTwo();
    maxDeletedId = readTwo();
    entriesAdded = reader.length();
  }
  const groups: StreamGroupValue[] = [];
  const groupCount = reader.length();
  for (let g = 0; g < groupCount; g++) groups.push(readGroup(reader, type, readTwo));
  return { entries, lastId, firstId, maxDeletedId, entriesAdded, groups };
}

function readGroup(reader: RdbReader, type: number, readTwo: () => StreamId): StreamGroupValue {
  const name = reader.text();
  const lastId = readTwo();
  const entriesRead = type === RdbType.stream ? -1 : readSignedLength(reader);
  const pending: { id: StreamId; deliveredMs: number; deliveries: number }[] = [];
  const pendingCount = reader.length();
  for (let i = 0; i < pendingCount; i++) {
    const id = readId(reader.take(16));
    pending.push({ id, deliveredMs: reader.milliseconds(), deliveries: reader.length() });
  }
  const consumers: { name: string; seenMs: number; activeMs: number; pending: StreamId[] }[] = [];
  const consumerCount = reader.length();
  for (let i = 0; i < consumerCount; i++) {
    const consumer = reader.text();
    const seenMs = Math.max(0, reader.milliseconds());
    const activeMs = type === RdbType.stream3 ? Math.max(0, reader.milliseconds()) : seenMs;
    const own: StreamId[] = [];
    const count = reader.length();
    for (let k = 0; k < count; k++) own.push(readId(reader.take(16)));
    consumers.push({ name: consumer, seenMs, activeMs, pending: own });
  }
  return { name, lastId, entriesRead, pending, consumers };
}

/** `entries_read` is written as an unsigned length, -1 as 2^64-1. */
function readSignedLength(reader: RdbReader): number {
  const marker = reader.bytes[reader.at];
  if (marker === 0x81) {
    const value = reader.bytes.readBigUInt64BE(reader.at + 1);
    if (value === 0xffff_ffff_ffff_ffffn) {
      reader.take(9);
      return -1;
    }
  }
  return reader.length();
}

const int = (bytes: Buffer | undefined): number => {
  const value = Number(bytes?.latin1Slice());
  if (!Number.isInteger(value)) throw new RdbError('a stream node is damaged');
  return value;
};

function readStreamNode(master: Buffer, list: readonly Buffer[], entries: { id: StreamId; words: Buffer[] }[]): void {
  const masterMs = master.readBigUInt64BE(0);
  const masterSeq = master.readBigUInt64BE(8);
  const count = int(list[0]);
  const deleted = int(list[1]);
  const fieldCount = int(list[2]);
  const masterFields = list.slice(3, 3 + fieldCount);
  let at = 4 + fieldCount; // past the terminating zero
  for (let i = 0; i < count + deleted; i++) {
    const flags = int(list[at++]);
    const ms = masterMs + BigInt(list[at++]?.latin1Slice() ?? '0');
    const seq = masterSeq + BigInt(list[at++]?.latin1Slice() ?? '0');
    const words: Buffer[] = [];
    if ((flags & 2) !== 0) {
      for (const field of masterFields) words.push(field, list[at++] ?? Buffer.alloc(0));
    } else {
      const fields = int(list[at++]);
      for (let k = 0; k < 2 * fields; k++) words.push(list[at++] ?? Buffer.alloc(0));
    }
    at++; // the count of listpack elements of this entry
    if (at > list.length) throw new RdbError('a stream node is damaged');
    if ((flags & 1) === 0) entries.push({ id: streamId(ms, seq), words });
  }
}

// --- writing ----------------------------------------------------------------------------------------------------------

/** How a value is written: in the compact form of Redis' small encodings or not. */
export interface WriteOptions {
  /** The value is small: listpack or intset. */
  readonly compact: boolean;
}

/** Writes type and value. */
export function writeValue(writer: RdbWriter, value: RdbValue, options: WriteOptions): void {
  switch (value.type) {
    case 'string':
      writer.byte(RdbType.string);
      writer.string(value.value);
      return;
    case 'list':
      writeList(writer, value.elements);
      return;
    case 'set':
      writeSet(writer, value.members, options.compact);
      return;
    case 'hash':
      if (options.compact) {
        writer.byte(RdbType.hashListpack);
        writer.string(writeListpack(value.fields.flat()));
        return;
      }
      writer.byte(RdbType.hash);
      writer.length(value.fields.length);
      for (const [field, content] of value.fields) {
        writer.string(field);
        writer.string(content);
      }
      return;
    case 'zset':
      writeZset(writer, value.members, options.compact);
      return;
    case 'stream':
      writer.byte(RdbType.stream3);
      writeStream(writer, value.stream);
  }
}

function writeList(writer: RdbWriter, elements: readonly Buffer[]): void {
  const nodes: Buffer[][] = [];
  let node: Buffer[] = [];
  let size = 0;
  for (const element of elements) {
    if (node.length > 0 && size + element.length > listNodeBytes) {
      nodes.push(node);
      node = [];
      size = 0;
    }
    node.push(element);
    size += element.length + 11;
  }
  if (node.length > 0) nodes.push(node);
  writer.byte(RdbType.quicklist2);
  writer.length(nodes.length);
  for (const list of nodes) {
    writer.length(2);
    writer.string(writeListpack(list));
  }
}

function writeSet(writer: RdbWriter, members: readonly Buffer[], compact: boolean): void {
  const integers = compact ? members.map((member) => integerOf(member)) : [];
  if (compact && integers.every((member) => member !== undefined)) {
    writer.byte(RdbType.setIntset);
    writer.string(writeIntset((integers as bigint[]).sort((a, b) => (a < b ? -1 : 1))));
  } else if (compact) {
    writer.byte(RdbType.setListpack);
    writer.string(writeListpack(members));
  } else {
    writer.byte(RdbType.set);
    writer.length(members.length);
    for (const member of members) writer.string(member);
  }
}

function integerOf(bytes: Buffer): bigint | undefined {
  const text = bytes.latin1Slice();
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function scoreText(value: number): Buffer {
  if (value === Number.POSITIVE_INFINITY) return Buffer.from('inf');
  if (value === Number.NEGATIVE_INFINITY) return Buffer.from('-inf');
  return Buffer.from(String(value));
}

function writeZset(writer: RdbWriter, members: readonly (readonly [Buffer, number])[], compact: boolean): void {
  if (compact) {
    writer.byte(RdbType.zsetListpack);
    writer.string(writeListpack(members.flatMap(([member, value]) => [member, scoreText(value)])));
    return;
  }
  writer.byte(RdbType.zset);
  writer.length(members.length);
  for (const [member, value] of members) {
    writer.string(member);
    writer.double(value);
  }
}

const idBytes = (id: StreamId): Buffer => Buffer.from(id, 'latin1');

function writeTwo(writer: RdbWriter, id: StreamId): void {
  const bytes = idBytes(id);
  for (const offset of [0, 8]) writeLength64(writer, bytes.readBigUInt64BE(offset));
}

function writeLength64(writer: RdbWriter, value: bigint): void {
  if (value <= 0xffffffffn) {
    writer.length(Number(value));
    return;
  }
  const bytes = Buffer.alloc(9);
  bytes[0] = 0x81;
  bytes.writeBigUInt64BE(value, 1);
  writer.raw(bytes);
}

function writeStream(writer: RdbWriter, stream: StreamValue): void {
  const nodes = streamNodes(stream.entries);
  writer.length(nodes.length);
  for (const node of nodes) {
    writer.string(idBytes(node[0]?.id ?? streamId(0, 0)));
    writer.string(streamNode(node));
  }
  writer.length(stream.entries.length);
  writeTwo(writer, stream.lastId);
  writeTwo(writer, stream.firstId);
  writeTwo(writer, stream.maxDeletedId);
  writer.length(stream.entriesAdded);
  writer.length(stream.groups.length);
  for (const group of stream.groups) {
    writer.text(group.name);
    writeTwo(writer, group.lastId);
    writeLength64(writer, BigInt.asUintN(64, BigInt(group.entriesRead)));
    writer.length(group.pending.length);
    for (const { id, deliveredMs, deliveries } of group.pending) {
      writer.raw(idBytes(id));
      writer.milliseconds(deliveredMs);
      writer.length(deliveries);
    }
    writer.length(group.consumers.length);
    for (const consumer of group.consumers) {
      writer.text(consumer.name);
      writer.milliseconds(consumer.seenMs);
      writer.milliseconds(consumer.activeMs === 0 ? -1 : consumer.activeMs);
      writer.length(consumer.pending.length);
      for (const id of consumer.pending) writer.raw(idBytes(id));
    }
  }
}

type StreamEntries = StreamValue['entries'];

function streamNodes(entries: StreamEntries): StreamEntries[] {
  const nodes: StreamEntries[number][][] = [];
  let node: StreamEntries[number][] = [];
  let size = 0;
  for (const entry of entries) {
    const bytes = entry.words.reduce((sum, word) => sum + word.length, 0);
    if (node.length > 0 && (node.length === streamNodeEntries || size + bytes > streamNodeBytes)) {
      nodes.push(node);
      node = [];
      size = 0;
    }
    node.push(entry);
    size += bytes;
  }
  if (node.length > 0) nodes.push(node);
  return nodes;
}

/** A node's listpack: a master entry with the first entry's fields, then the entries as differences to it. */
function streamNode(node: StreamEntries): Buffer {
  const text = (value: number | bigint): Buffer => Buffer.from(String(value));
  const master = node[0];
  const masterId = idBytes(master?.id ?? streamId(0, 0));
  const fields = (master?.words ?? []).filter((_, i) => i % 2 === 0);
  const list: Buffer[] = [text(node.length), text(0), text(fields.length), ...fields, text(0)];
  for (const { id, words } of node) {
    const bytes = idBytes(id);
    const own = words.filter((_, i) => i % 2 === 0);
    const alike = own.length === fields.length && own.every((field, i) => fields[i]?.equals(field));
    list.push(text(alike ? 2 : 0));
    list.push(text(bytes.readBigUInt64BE(0) - masterId.readBigUInt64BE(0)));
    list.push(text(bytes.readBigUInt64BE(8) - masterId.readBigUInt64BE(8)));
    if (alike) {
      list.push(...words.filter((_, i) => i % 2 === 1));
      list.push(text(own.length + 3));
    } else {
      list.push(text(own.length), ...words);
      list.push(text(2 * own.length + 4));
    }
  }
  return writeListpack(list);
}
