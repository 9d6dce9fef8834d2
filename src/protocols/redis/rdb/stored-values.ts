/** Values between the key-value model and RDB: what DUMP, RESTORE, import and export share. */
import type { Database } from '../../../models/key-value/database.js';
import { hashWords, setFields } from '../../../models/key-value/hashes.js';
import { listElements, storeList } from '../../../models/key-value/lists.js';
import { isLarge, type KeyRecord, ValueType } from '../../../models/key-value/record.js';
import { setMembers, storeSet } from '../../../models/key-value/sets.js';
import { maxStreamId, minStreamId } from '../../../models/key-value/stream-id.js';
import { Stream } from '../../../models/key-value/streams.js';
import { storeZset, zsetMembers } from '../../../models/key-value/zsets.js';
import { RdbReader, RdbWriter } from './bytes.js';
import { crc64 } from './crc64.js';
import { RdbError } from './errors.js';
import { type RdbValue, readValue, type StreamValue, writeValue } from './values.js';

/** The version of RDB that Redis 7.2 writes, and the newest one that is read. */
export const rdbVersion = 11;
export const rdbVersionMax = 12;
const footerBytes = 10;

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The whole value of a key. */
export function loadValue(db: Database, record: KeyRecord): RdbValue {
  switch (record.type) {
    case ValueType.string:
      return { type: 'string', value: Buffer.from(record.payload()) };
    case ValueType.list:
      return { type: 'list', elements: listElements(db, record).map(bytesOf) };
    case ValueType.set:
      return { type: 'set', members: setMembers(db, record).map(bytesOf) };
    case ValueType.hash: {
      const words = hashWords(db, record).map(bytesOf);
      const fields: [Buffer, Buffer][] = [];
      for (let i = 0; i < words.length; i += 2)
        fields.push([words[i] ?? Buffer.alloc(0), words[i + 1] ?? Buffer.alloc(0)]);
      return { type: 'hash', fields };
    }
    case ValueType.zset:
      return {
        type: 'zset',
        members: zsetMembers(db, record).map(({ member, score }) => [bytesOf(member), score] as const),
      };
    case ValueType.stream:
      return { type: 'stream', stream: loadStream(db, record.key) };
  }
}

function loadStream(db: Database, key: string): StreamValue {
  const stream = Stream.open(db, key);
  if (stream === undefined) throw new RdbError('the stream is gone');
  const { header } = stream;
  return {
    entries: [...stream.range(minStreamId, maxStreamId)].map(({ id, words }) => ({ id, words: words.map(bytesOf) })),
    lastId: header.lastId,
    firstId: header.firstId,
    maxDeletedId: header.maxDeletedId,
    entriesAdded: header.entriesAdded,
    groups: stream.groups().map((group) => {
      const pending = [...stream.pendingRange(group.name, minStreamId, maxStreamId)];
      return {
        name: group.name,
        lastId: group.lastId,
        entriesRead: group.entriesRead,
        pending: pending.map(({ id, deliveredMs, deliveries }) => ({ id, deliveredMs, deliveries })),
        consumers: stream.consumers(group.name).map(({ name, seenMs, activeMs }) => ({
          name,
          seenMs,
          activeMs,
          pending: pending.filter(({ consumer }) => consumer === name).map(({ id }) => id),
        })),
      };
    }),
  };
}

const text = (bytes: Buffer): string => bytes.latin1Slice();

/** Stores a whole value under a key in place of `old`; `deadline` 0: none. Empty collections store nothing. */
export function storeValue(
  db: Database,
  key: string,
  old: KeyRecord | undefined,
  value: RdbValue,
  deadline: number,
): void {
  switch (value.type) {
    case 'string':
      db.replace(key, old, ValueType.string, value.value, { deadline });
      return;
    case 'list':
      if (value.elements.length > 0) storeList(db, key, old, value.elements.map(text));
      break;
    case 'set':
      if (value.members.length > 0) storeSet(db, key, old, [...new Set(value.members.map(text))]);
      break;
    case 'hash':
      if (old !== undefined) db.remove(old);
      if (value.fields.length > 0) setFields(db, key, undefined, value.fields.flat().map(text));
      break;
    case 'zset':
      if (value.members.length > 0) {
        const unique = new Map(value.members.map(([member, score]) => [text(member), score]));
        storeZset(
          db,
          key,
          old,
          [...unique].map(([member, score]) => ({ member, score })),
        );
      }
      break;
    case 'stream':
      if (old !== undefined) db.remove(old);
      storeStream(db, key, value.stream);
  }
  if (deadline !== 0) {
    const record = db.find(key);
    if (record !== undefined) db.setDeadline(record, deadline);
  }
}

function storeStream(db: Database, key: string, value: StreamValue): void {
  const stream = Stream.create(db, key);
  for (const { id, words } of value.entries) stream.append(id, words);
  const { header } = stream;
  header.lastId = value.lastId;
  header.maxDeletedId = value.maxDeletedId;
  header.entriesAdded = value.entriesAdded;
  for (const group of value.groups) {
    stream.createGroup(group.name, group.lastId, group.entriesRead);
    const stored = stream.group(group.name);
    if (stored === undefined) continue;
    const details = new Map(group.pending.map((pending) => [pending.id, pending]));
    for (const { name, seenMs, activeMs, pending } of group.consumers) {
      const consumer = { name, seenMs, activeMs, pending: 0 };
      stored.consumers++;
      for (const id of pending) {
        const known = details.get(id);
        if (known !== undefined) stream.assign(stored, consumer, { ...known, consumer: name });
      }
      stream.saveConsumer(group.name, consumer);
    }
    stream.saveGroup(stored);
  }
  stream.save();
}

/** The payload of DUMP: value, version, checksum. */
export function dumpValue(db: Database, record: KeyRecord): Buffer {
  const writer = new RdbWriter();
  writeValue(writer, loadValue(db, record), { compact: !isLarge(record.type, record.encoding) });
  return withFooter(writer);
}

export function withFooter(writer: RdbWriter): Buffer {
  writer.raw(Buffer.from([rdbVersion, 0]));
  const payload = writer.take();
  return Buffer.concat([payload, crc64(payload)]);
}

/** Whether version and checksum at the end of a payload are right. */
export function hasValidFooter(payload: Buffer): boolean {
  if (payload.length < footerBytes) return false;
  const body = payload.subarray(0, payload.length - 8);
  if (payload.readUInt16LE(payload.length - footerBytes) > rdbVersionMax) return false;
  const sum = payload.subarray(payload.length - 8);
  return sum.every((byte) => byte === 0) || crc64(body).equals(sum);
}

/** The value of a payload whose footer is valid. Throws {@link RdbError}. */
export function undumpValue(payload: Buffer): RdbValue {
  const reader = new RdbReader(payload.subarray(0, payload.length - footerBytes));
  const value = readValue(reader, reader.byte());
  if (!reader.finished) throw new RdbError('bytes are left over');
  return value;
}
