/** XGROUP, XACK, XPENDING, XCLAIM, XAUTOCLAIM, XINFO: consumer groups and what is pending in them. */
import { EventClass } from '../../../models/key-value/changes.js';
import {
  formatStreamId,
  maxStreamId,
  minStreamId,
  nextStreamId,
  type StreamId,
} from '../../../models/key-value/stream-id.js';
import { type Group, type Pending, Stream, type StreamEntry, unknownRead } from '../../../models/key-value/streams.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { help } from '../help.js';
import { parseIntegerText } from '../numbers.js';
import type { ReplyWriter } from '../reply.js';
import { readEnd, readId, readStart, writeEntries, writeEntry } from './streams.js';

/** XAUTOCLAIM looks at no more than this many pending entries for each one it may claim. */
const autoclaimAttempts = 10;
const autoclaimCountDefault = 100;

function noGroup(key: string, group: string): RedisError {
  return new RedisError(`NOGROUP No such key '${key}' or consumer group '${group}'`);
}

function entriesReadOption(c: CommandContext, index: number): number {
  const value = c.request.integer(index);
  if (value < 0 && value !== unknownRead) throw new RedisError('ERR value for ENTRIESREAD must be positive or -1');
  return value;
}

/** The stream of an XGROUP subcommand; it must exist. */
function requireStream(c: CommandContext): Stream {
  const stream = Stream.open(c.db, c.request.text(2));
  if (stream === undefined) {
    throw new RedisError(
      'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.',
    );
  }
  return stream;
}

function requireGroup(c: CommandContext, stream: Stream): Group {
  const name = c.request.text(3);
  const group = stream.group(name);
  if (group === undefined) {
    throw new RedisError(`NOGROUP No such consumer group '${name}' for key name '${c.request.text(2)}'`);
  }
  return group;
}

function create(c: CommandContext): void {
  const { request, db } = c;
  let mkStream = false;
  let entriesRead = unknownRead;
  for (let i = 5; i < request.count; i++) {
    if (request.is(i, 'mkstream')) mkStream = true;
    else if (request.is(i, 'entriesread') && i + 1 < request.count) entriesRead = entriesReadOption(c, ++i);
    else {
      throw new RedisError(
        `ERR unknown subcommand or wrong number of arguments for '${request.text(1)}'. Try XGROUP HELP.`,
      );
    }
  }
  const key = request.text(2);
  const idText = request.text(4);
  const id = idText === '$' ? undefined : readId(idText, 0n, false);
  const stream = mkStream ? (Stream.open(db, key) ?? Stream.create(db, key)) : requireStream(c);
  if (!stream.createGroup(request.text(3), id ?? stream.header.lastId, entriesRead)) {
    throw new RedisError('BUSYGROUP Consumer Group name already exists');
  }
  stream.save();
  db.changed(key, EventClass.stream, 'xgroup-create');
  c.reply.ok();
}

function setId(c: CommandContext): void {
  const { request, db } = c;
  let entriesRead = unknownRead;
  for (let i = 5; i < request.count; i++) {
    if (request.is(i, 'entriesread') && i + 1 < request.count) entriesRead = entriesReadOption(c, ++i);
    else {
      throw new RedisError(
        `ERR unknown subcommand or wrong number of arguments for '${request.text(1)}'. Try XGROUP HELP.`,
      );
    }
  }
  const stream = requireStream(c);
  const group = requireGroup(c, stream);
  const idText = request.text(4);
  group.lastId = idText === '$' ? stream.header.lastId : readId(idText, 0n, false);
  group.entriesRead = entriesRead;
  stream.saveGroup(group);
  stream.save();
  db.changed(request.text(2), EventClass.stream, 'xgroup-setid');
  c.reply.ok();
}

function destroy(c: CommandContext): void {
  const stream = requireStream(c);
  if (!stream.removeGroup(c.request.text(3))) {
    c.reply.integer(0);
    return;
  }
  stream.save();
  c.db.changed(c.request.text(2), EventClass.stream, 'xgroup-destroy');
  c.reply.integer(1);
}

function createConsumer(c: CommandContext): void {
  const stream = requireStream(c);
  const group = requireGroup(c, stream);
  const name = c.request.text(4);
  if (stream.consumer(group.name, name) !== undefined) {
    c.reply.integer(0);
    return;
  }
  stream.saveConsumer(group.name, stream.openConsumer(group, name));
  stream.saveGroup(group);
  stream.save();
  c.reply.integer(1);
}

function delConsumer(c: CommandContext): void {
  const stream = requireStream(c);
  const group = requireGroup(c, stream);
  const name = c.request.text(4);
  if (stream.consumer(group.name, name) === undefined) {
    c.reply.integer(0);
    return;
  }
  const pending = stream.removeConsumer(group, name);
  stream.saveGroup(group);
  stream.save();
  c.db.changed(c.request.text(2), EventClass.stream, 'xgroup-delconsumer');
  c.reply.integer(pending);
}

function xack(c: CommandContext): void {
  const { request } = c;
  const stream = Stream.open(c.db, request.text(1));
  const group = stream?.group(request.text(2));
  const ids = request.texts(3).map((text) => readId(text, 0n, false));
  let acknowledged = 0;
  if (stream !== undefined && group !== undefined) {
    for (const id of ids) if (stream.acknowledge(group, id)) acknowledged++;
    if (acknowledged > 0) {
      stream.saveGroup(group);
      stream.save();
    }
  }
  c.reply.integer(acknowledged);
}

// --- XPENDING ---------------------------------------------------------------------------------------------------------

function xpending(c: CommandContext): void {
  const { request, reply, db } = c;
  const key = request.text(1);
  const name = request.text(2);
  let i = 3;
  let minIdle = 0;
  const extended = request.count > 3;
  if (extended) {
    if (request.is(3, 'idle')) {
      if (request.count < 8) throw syntaxError();
      minIdle = request.integer(4);
      i = 5;
    }
    if (request.count < i + 3 || request.count > i + 4) throw syntaxError();
  }
  const count = extended ? Math.max(0, request.integer(i + 2)) : 0;
  const start = extended ? readStart(request.text(i)) : minStreamId;
  const end = extended ? readEnd(request.text(i + 1)) : maxStreamId;
  const stream = Stream.open(db, key);
  const group = stream?.group(name);
  if (stream === undefined || group === undefined) throw noGroup(key, name);
  if (!extended) {
    writePendingSummary(reply, stream, group);
    return;
  }
  const consumer = request.count === i + 4 ? request.text(i + 3) : undefined;
  const source =
    consumer === undefined
      ? stream.pendingRange(name, start, end)
      : stream.consumerPendingRange(name, consumer, start, end);
  const rows: Pending[] = [];
  if (count > 0) {
    for (const pending of source) {
      if (db.now - pending.deliveredMs < minIdle) continue;
      rows.push(pending);
      if (rows.length === count) break;
    }
  }
  reply.array(rows.length);
  for (const row of rows) {
    reply.array(4);
    reply.bulkText(formatStreamId(row.id));
    reply.bulkText(row.consumer);
    reply.integer(Math.max(0, db.now - row.deliveredMs));
    reply.integer(row.deliveries);
  }
}

function writePendingSummary(reply: ReplyWriter, stream: Stream, group: Group): void {
  reply.array(4);
  reply.integer(group.pending);
  if (group.pending === 0) {
    reply.null();
    reply.null();
    reply.nullArray();
    return;
  }
  for (const { id } of stream.pendingRange(group.name, minStreamId, maxStreamId)) {
    reply.bulkText(formatStreamId(id));
    break;
  }
  reply.bulkText(formatStreamId(stream.lastPendingId(group.name) ?? minStreamId));
  const owners = stream.consumers(group.name).filter(({ pending }) => pending > 0);
  reply.array(owners.length);
  for (const { name, pending } of owners) {
    reply.array(2);
    reply.bulkText(name);
    reply.bulkText(String(pending));
  }
}

// --- XCLAIM and XAUTOCLAIM --------------------------------------------------------------------------------------------

function minIdleOf(c: CommandContext, index: number, command: string): number {
  const parsed = parseIntegerText(c.request.text(index));
  if (parsed === undefined) throw new RedisError(`ERR Invalid min-idle-time argument for ${command}`);
  return Math.max(0, Number(parsed));
}

interface ClaimOptions {
  deliveredMs: number;
  retryCount: number | undefined;
  force: boolean;
  justId: boolean;
  lastId: StreamId | undefined;
}

function parseClaim(c: CommandContext, from: number): ClaimOptions {
  const { request, db } = c;
  const options: ClaimOptions = {
    deliveredMs: db.now,
    retryCount: undefined,
    force: false,
    justId: false,
    lastId: undefined,
  };
  for (let i = from; i < request.count; i++) {
    const more = request.count - 1 - i;
    const option = request.lower(i);
    if (option === 'force') options.force = true;
    else if (option === 'justid') options.justId = true;
    else if (option === 'idle' && more >= 1) {
      const idle = parseIntegerText(request.text(++i));
      if (idle === undefined) throw new RedisError('ERR Invalid IDLE option argument for XCLAIM');
      options.deliveredMs = db.now - Number(idle);
    } else if (option === 'time' && more >= 1) {
      const time = parseIntegerText(request.text(++i));
      if (time === undefined) throw new RedisError('ERR Invalid TIME option argument for XCLAIM');
      options.deliveredMs = Number(time);
    } else if (option === 'retrycount' && more >= 1) {
      const count = parseIntegerText(request.text(++i));
      if (count === undefined) throw new RedisError('ERR Invalid RETRYCOUNT option argument for XCLAIM');
      options.retryCount = Number(count);
    } else if (option === 'lastid' && more >= 1) options.lastId = readId(request.text(++i), 0n, false);
    else throw new RedisError(`ERR Unrecognized XCLAIM option '${request.text(i)}'`);
  }
  // A time in the future would make the entry idle for a negative time.
  if (options.deliveredMs < 0 || options.deliveredMs > db.now) options.deliveredMs = db.now;
  return options;
}

function xclaim(c: CommandContext): void {
  const { request, db, reply } = c;
  const key = request.text(1);
  const stream = Stream.open(db, key);
  const group = stream?.group(request.text(2));
  const minIdle = minIdleOf(c, 4, 'XCLAIM');
  if (stream === undefined || group === undefined) throw noGroup(key, request.text(2));
  const ids: StreamId[] = [];
  let i = 5;
  for (; i < request.count; i++) {
    const text = request.text(i);
    if (!/^\d/.test(text)) break;
    ids.push(readId(text, 0n, false));
  }
  if (i === 5) readId(request.text(5), 0n, false);
  const options = parseClaim(c, i);
  if (options.lastId !== undefined && options.lastId > group.lastId) group.lastId = options.lastId;
  const consumer = stream.openConsumer(group, request.text(3));
  const claimed: (StreamEntry | StreamId)[] = [];
  for (const id of ids) {
    const pending = stream.pending(group.name, id);
    const entry = stream.entry(id);
    if (entry === undefined) {
      // Deleted since it was delivered: nobody can process it any more.
      if (pending !== undefined) stream.acknowledge(group, id, consumer);
      continue;
    }
    if (pending === undefined && !options.force) continue;
    if (pending !== undefined && minIdle > 0 && db.now - pending.deliveredMs < minIdle) continue;
    const deliveries = options.retryCount ?? (pending?.deliveries ?? 0) + (options.justId ? 0 : 1);
    stream.assign(group, consumer, { id, consumer: consumer.name, deliveredMs: options.deliveredMs, deliveries });
    consumer.activeMs = db.now;
    claimed.push(options.justId ? id : entry);
  }
  stream.saveConsumer(group.name, consumer);
  stream.saveGroup(group);
  stream.save();
  writeClaimed(reply, claimed);
}

function writeClaimed(reply: ReplyWriter, claimed: readonly (StreamEntry | StreamId)[]): void {
  reply.array(claimed.length);
  for (const item of claimed) {
    if (typeof item === 'string') reply.bulkText(formatStreamId(item));
    else writeEntry(reply, item);
  }
}

function xautoclaim(c: CommandContext): void {
  const { request, db, reply } = c;
  const minIdle = minIdleOf(c, 4, 'XAUTOCLAIM');
  const start = readStart(request.text(5));
  let count = autoclaimCountDefault;
  let justId = false;
  for (let i = 6; i < request.count; i++) {
    if (request.is(i, 'count') && i + 1 < request.count) {
      count = request.integer(++i);
      if (count < 1) throw new RedisError('ERR COUNT must be > 0');
    } else if (request.is(i, 'justid')) justId = true;
    else throw syntaxError();
  }
  const key = request.text(1);
  const stream = Stream.open(db, key);
  const group = stream?.group(request.text(2));
  if (stream === undefined || group === undefined) throw noGroup(key, request.text(2));
  const consumer = stream.openConsumer(group, request.text(3));
  const claimed: (StreamEntry | StreamId)[] = [];
  const deleted: StreamId[] = [];
  const looked: Pending[] = [];
  let next = minStreamId;
  for (const pending of stream.pendingRange(group.name, start, maxStreamId)) {
    if (looked.length === count * autoclaimAttempts) {
      next = pending.id;
      break;
    }
    looked.push(pending);
  }
  for (const [i, pending] of looked.entries()) {
    if (claimed.length + deleted.length === count) {
      next = pending.id;
      break;
    }
    const entry = stream.entry(pending.id);
    if (entry === undefined) {
      stream.acknowledge(group, pending.id, consumer);
      deleted.push(pending.id);
    } else if (minIdle === 0 || db.now - pending.deliveredMs >= minIdle) {
      const deliveries = pending.deliveries + (justId ? 0 : 1);
      stream.assign(group, consumer, { id: pending.id, consumer: consumer.name, deliveredMs: db.now, deliveries });
      consumer.activeMs = db.now;
      claimed.push(justId ? pending.id : entry);
    }
    if (claimed.length + deleted.length === count && i === looked.length - 1 && next === minStreamId) {
      next = followingPending(stream, group, pending.id);
    }
  }
  stream.saveConsumer(group.name, consumer);
  stream.saveGroup(group);
  stream.save();
  reply.array(3);
  reply.bulkText(formatStreamId(next));
  writeClaimed(reply, claimed);
  reply.array(deleted.length);
  for (const id of deleted) reply.bulkText(formatStreamId(id));
}

function followingPending(stream: Stream, group: Group, id: StreamId): StreamId {
  const after = nextStreamId(id);
  if (after === undefined) return minStreamId;
  for (const pending of stream.pendingRange(group.name, after, maxStreamId)) return pending.id;
  return minStreamId;
}

// --- XINFO ------------------------------------------------------------------------------------------------------------

function infoStream(c: CommandContext): void {
  const { request, reply, db } = c;
  let full = false;
  let count = 10;
  if (request.count > 3) {
    if (!request.is(3, 'full') || (request.count !== 4 && request.count !== 6)) throw syntaxError();
    full = true;
    if (request.count === 6) {
      if (!request.is(4, 'count')) throw syntaxError();
      const given = request.integer(5);
      count = given < 0 ? 10 : given;
    }
  }
  const stream = Stream.open(db, request.text(2));
  if (stream === undefined) throw new RedisError('ERR no such key');
  const { header } = stream;
  const nodes = Math.max(
    1,
    Math.ceil(header.length / Math.max(1, c.server.settings.number('stream-node-max-entries'))),
  );
  reply.map(full ? 9 : 10);
  const integerField = (name: string, value: number): void => {
    reply.bulkText(name);
    reply.integer(value);
  };
  const textField = (name: string, value: string): void => {
    reply.bulkText(name);
    reply.bulkText(value);
  };
  integerField('length', header.length);
  integerField('radix-tree-keys', header.length === 0 ? 0 : nodes);
  integerField('radix-tree-nodes', header.length === 0 ? 1 : nodes + 1);
  textField('last-generated-id', formatStreamId(header.lastId));
  textField('max-deleted-entry-id', formatStreamId(header.maxDeletedId));
  integerField('entries-added', header.entriesAdded);
  textField('recorded-first-entry-id', formatStreamId(header.firstId));
  if (!full) {
    integerField('groups', header.groups);
    for (const [name, entry] of [
      ['first-entry', stream.first()],
      ['last-entry', stream.last()],
    ] as const) {
      reply.bulkText(name);
      if (entry === undefined) reply.null();
      else writeEntry(reply, entry);
    }
    return;
  }
  reply.bulkText('entries');
  writeEntries(reply, [...stream.range(minStreamId, maxStreamId, count === 0 ? {} : { limit: count })]);
  reply.bulkText('groups');
  const groups = stream.groups();
  reply.array(groups.length);
  for (const group of groups) writeFullGroup(reply, stream, group, count);
}

function take<T>(source: Iterable<T>, count: number): T[] {
  const taken: T[] = [];
  for (const item of source) {
    taken.push(item);
    if (count !== 0 && taken.length === count) break;
  }
  return taken;
}

function writeFullGroup(reply: ReplyWriter, stream: Stream, group: Group, count: number): void {
  reply.map(7);
  writeGroupHead(reply, stream, group, () => {
    reply.bulkText('pel-count');
    reply.integer(group.pending);
    const pending = take(stream.pendingRange(group.name, minStreamId, maxStreamId), count);
    reply.bulkText('pending');
    reply.array(pending.length);
    for (const row of pending) {
      reply.array(4);
      reply.bulkText(formatStreamId(row.id));
      reply.bulkText(row.consumer);
      reply.integer(row.deliveredMs);
      reply.integer(row.deliveries);
    }
  });
  const consumers = stream.consumers(group.name);
  reply.bulkText('consumers');
  reply.array(consumers.length);
  for (const consumer of consumers) {
    reply.map(5);
    reply.bulkText('name');
    reply.bulkText(consumer.name);
    reply.bulkText('seen-time');
    reply.integer(consumer.seenMs);
    reply.bulkText('active-time');
    reply.integer(consumer.activeMs === 0 ? -1 : consumer.activeMs);
    reply.bulkText('pel-count');
    reply.integer(consumer.pending);
    reply.bulkText('pending');
    const rows = take(stream.consumerPendingRange(group.name, consumer.name, minStreamId, maxStreamId), count);
    reply.array(rows.length);
    for (const row of rows) {
      reply.array(3);
      reply.bulkText(formatStreamId(row.id));
      reply.integer(row.deliveredMs);
      reply.integer(row.deliveries);
    }
  }
}

/** name … lag of a group, with what XINFO STREAM FULL says after it. */
function writeGroupHead(reply: ReplyWriter, stream: Stream, group: Group, rest: () => void): void {
  reply.bulkText('name');
  reply.bulkText(group.name);
  reply.bulkText('last-delivered-id');
  reply.bulkText(formatStreamId(group.lastId));
  writeProgress(reply, stream, group);
  rest();
}

function writeProgress(reply: ReplyWriter, stream: Stream, group: Group): void {
  reply.bulkText('entries-read');
  if (group.entriesRead === unknownRead) reply.null();
  else reply.integer(group.entriesRead);
  reply.bulkText('lag');
  const lag = stream.lag(group);
  if (lag === undefined) reply.null();
  else reply.integer(lag);
}

function infoGroups(c: CommandContext): void {
  const { reply } = c;
  const stream = Stream.open(c.db, c.request.text(2));
  if (stream === undefined) throw new RedisError('ERR no such key');
  const groups = stream.groups();
  reply.array(groups.length);
  for (const group of groups) {
    reply.map(6);
    reply.bulkText('name');
    reply.bulkText(group.name);
    reply.bulkText('consumers');
    reply.integer(group.consumers);
    reply.bulkText('pending');
    reply.integer(group.pending);
    reply.bulkText('last-delivered-id');
    reply.bulkText(formatStreamId(group.lastId));
    writeProgress(reply, stream, group);
  }
}

function infoConsumers(c: CommandContext): void {
  const { reply, db } = c;
  const stream = Stream.open(db, c.request.text(2));
  if (stream === undefined) throw new RedisError('ERR no such key');
  const group = requireGroup(c, stream);
  const consumers = stream.consumers(group.name);
  reply.array(consumers.length);
  for (const consumer of consumers) {
    reply.map(4);
    reply.bulkText('name');
    reply.bulkText(consumer.name);
    reply.bulkText('pending');
    reply.integer(consumer.pending);
    reply.bulkText('idle');
    reply.integer(Math.max(0, db.now - consumer.seenMs));
    reply.bulkText('inactive');
    reply.integer(consumer.activeMs === 0 ? -1 : Math.max(0, db.now - consumer.activeMs));
  }
}

export const streamGroupCommands: Commands = {
  'xgroup|create': create,
  'xgroup|setid': setId,
  'xgroup|destroy': destroy,
  'xgroup|createconsumer': createConsumer,
  'xgroup|delconsumer': delConsumer,
  'xgroup|help': help('xgroup'),
  xack,
  xpending,
  xclaim,
  xautoclaim,
  'xinfo|stream': infoStream,
  'xinfo|groups': infoGroups,
  'xinfo|consumers': infoConsumers,
  'xinfo|help': help('xinfo'),
};
