/** XADD, XRANGE, XREAD, XDEL, XTRIM, XSETID: entries of streams. Groups are in stream-groups.ts. */
import { EventClass } from '../../../models/key-value/changes.js';
import {
  formatStreamId,
  maxStreamId,
  minStreamId,
  nextStreamId,
  parseStreamId,
  previousStreamId,
  type StreamId,
  streamId,
  uint64Max,
} from '../../../models/key-value/stream-id.js';
import { Stream, type StreamEntry } from '../../../models/key-value/streams.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { parseIntegerText } from '../numbers.js';
import type { ReplyWriter } from '../reply.js';

/** A `~` trim without LIMIT looks at this many nodes at most. */
const approximateNodes = 100;
const approximateLimitMax = 1_000_000;
const approximateLimitDefault = 10_000;

const invalidId = (): RedisError => new RedisError('ERR Invalid stream ID specified as stream command argument');

/** An id; `-` and `+` only where `special` allows them. Throws `Invalid stream ID …`. */
export function readId(text: string, missingSeq: bigint, special = true): StreamId {
  if (special && text === '-') return minStreamId;
  if (special && text === '+') return maxStreamId;
  const parsed = text.length > 127 ? undefined : parseStreamId(text, missingSeq);
  if (parsed?.seq === undefined) throw invalidId();
  return streamId(parsed.ms, parsed.seq);
}

/** The bound of a range: `(id` excludes it. */
function readBound(text: string, missingSeq: bigint, side: 'start' | 'end'): StreamId {
  if (!text.startsWith('(')) return readId(text, missingSeq);
  const id = readId(text.slice(1), missingSeq, false);
  const moved = side === 'start' ? nextStreamId(id) : previousStreamId(id);
  if (moved === undefined) throw new RedisError(`ERR invalid ${side} ID for the interval`);
  return moved;
}

export const readStart = (text: string): StreamId => readBound(text, 0n, 'start');
export const readEnd = (text: string): StreamId => readBound(text, uint64Max, 'end');

export function writeEntry(reply: ReplyWriter, entry: StreamEntry): void {
  reply.array(2);
  reply.bulkText(formatStreamId(entry.id));
  reply.array(entry.words.length);
  for (const word of entry.words) reply.bulkText(word);
}

export function writeEntries(reply: ReplyWriter, entries: readonly StreamEntry[]): void {
  reply.array(entries.length);
  for (const entry of entries) writeEntry(reply, entry);
}

function integerOption(c: CommandContext, index: number): number {
  return c.request.integer(index);
}

// --- trimming ---------------------------------------------------------------------------------------------------------

interface Trimming {
  readonly strategy: 'maxlen' | 'minid';
  readonly approximate: boolean;
  readonly maxLength: number;
  readonly minId: StreamId;
  /** `undefined`: not given. */
  limit: number | undefined;
}

interface TrimArguments {
  trimming: Trimming | undefined;
  noMkStream: boolean;
  /** The first word that is no option. */
  next: number;
}

function parseTrimming(c: CommandContext, forAdd: boolean): TrimArguments {
  const { request } = c;
  let trimming: Trimming | undefined;
  let limit: number | undefined;
  let noMkStream = false;
  let i = 2;
  for (; i < request.count; i++) {
    const option = request.lower(i);
    const more = request.count - 1 - i;
    if (forAdd && request.text(i) === '*') break;
    if ((option === 'maxlen' || option === 'minid') && more >= 1) {
      if (trimming !== undefined) {
        throw new RedisError('ERR syntax error, MAXLEN and MINID options at the same time are not compatible');
      }
      let approximate = false;
      const sign = request.text(i + 1);
      if (more >= 2 && (sign === '~' || sign === '=')) {
        approximate = sign === '~';
        i++;
      }
      i++;
      let maxLength = 0;
      let minId = minStreamId;
      if (option === 'maxlen') {
        maxLength = integerOption(c, i);
        if (maxLength < 0) throw new RedisError('ERR The MAXLEN argument must be >= 0.');
      } else minId = readId(request.text(i), 0n);
      trimming = { strategy: option, approximate, maxLength, minId, limit: undefined };
    } else if (option === 'limit' && more >= 1) {
      limit = integerOption(c, ++i);
      if (limit < 0) throw new RedisError('ERR The LIMIT argument must be >= 0.');
    } else if (forAdd && option === 'nomkstream') noMkStream = true;
    else if (forAdd) {
      readAddId(request.text(i));
      break;
    } else throw syntaxError();
  }
  if (limit !== undefined && trimming === undefined) {
    throw new RedisError('ERR syntax error, LIMIT cannot be used without specifying a trimming strategy');
  }
  if (!forAdd && trimming === undefined) {
    throw new RedisError('ERR syntax error, XTRIM must be called with a trimming strategy');
  }
  if (trimming !== undefined) {
    if (limit !== undefined && !trimming.approximate) {
      throw new RedisError('ERR syntax error, LIMIT cannot be used without the special ~ option');
    }
    trimming.limit = limit;
  }
  return { trimming, noMkStream, next: i };
}

function trim(c: CommandContext, stream: Stream, trimming: Trimming): number {
  const nodeEntries = c.server.settings.number('stream-node-max-entries');
  let limit = 0;
  let step = 1;
  if (trimming.approximate) {
    step = nodeEntries > 0 ? nodeEntries : approximateNodes;
    const byNodes = approximateNodes * nodeEntries;
    limit = trimming.limit ?? Math.min(approximateLimitMax, byNodes > 0 ? byNodes : approximateLimitDefault);
  }
  const { maxLength, minId } = trimming;
  if (trimming.strategy === 'minid') return stream.trim((id) => id >= minId, step, limit);
  if (stream.header.length - maxLength < step) return 0;
  return stream.trim((_id, remaining) => remaining <= maxLength, step, limit);
}

/** The id of XADD: complete, or `ms-*`. Throws `Invalid stream ID …`. */
function readAddId(text: string): { ms: bigint; seq: bigint | undefined } {
  const parsed = text.length > 127 ? undefined : parseStreamId(text, 0n);
  if (parsed === undefined) throw invalidId();
  return parsed;
}

function xadd(c: CommandContext): void {
  const { request, db, reply } = c;
  const { trimming, noMkStream, next } = parseTrimming(c, true);
  const idText = next < request.count ? request.text(next) : '*';
  const parsed = idText === '*' ? undefined : readAddId(idText);
  const words = request.count - next - 1;
  if (words < 2 || words % 2 !== 0) throw new RedisError("ERR wrong number of arguments for 'xadd' command");
  if (parsed?.ms === 0n && parsed.seq === 0n) {
    throw new RedisError('ERR The ID specified in XADD must be greater than 0-0');
  }
  const key = request.text(1);
  const known = Stream.open(db, key);
  if (known === undefined && noMkStream) {
    reply.null();
    return;
  }
  if (known?.header.lastId === maxStreamId) {
    throw new RedisError('ERR The stream has exhausted the last possible ID, unable to add more items');
  }
  const stream = known ?? Stream.create(db, key);
  let id: StreamId | undefined;
  if (parsed === undefined) id = stream.automaticId();
  else id = parsed.seq === undefined ? stream.automaticSeq(parsed.ms) : streamId(parsed.ms, parsed.seq);
  if (id === undefined || id <= stream.header.lastId) {
    throw new RedisError('ERR The ID specified in XADD is equal or smaller than the target stream top item');
  }
  const views: Buffer[] = [];
  for (let i = next + 1; i < request.count; i++) views.push(request.view(i));
  stream.append(id, views);
  db.changed(key, EventClass.stream, 'xadd');
  if (trimming !== undefined && trim(c, stream, trimming) > 0) db.changed(key, EventClass.stream, 'xtrim');
  stream.save();
  reply.bulkText(formatStreamId(id));
}

function xtrim(c: CommandContext): void {
  const { trimming } = parseTrimming(c, false);
  const key = c.request.text(1);
  const stream = Stream.open(c.db, key);
  if (stream === undefined || trimming === undefined) {
    c.reply.integer(0);
    return;
  }
  const trimmed = trim(c, stream, trimming);
  if (trimmed > 0) {
    stream.save();
    c.db.changed(key, EventClass.stream, 'xtrim');
  }
  c.reply.integer(trimmed);
}

function xlen(c: CommandContext): void {
  c.reply.integer(Stream.open(c.db, c.request.text(1))?.header.length ?? 0);
}

function xrange(reverse: boolean) {
  return (c: CommandContext): void => {
    const { request, reply } = c;
    const start = readStart(request.text(reverse ? 3 : 2));
    const end = readEnd(request.text(reverse ? 2 : 3));
    let count: number | undefined;
    for (let i = 4; i < request.count; i++) {
      if (!request.is(i, 'count') || i + 1 >= request.count) throw syntaxError();
      count = Math.max(0, integerOption(c, ++i));
    }
    const stream = Stream.open(c.db, request.text(1));
    if (stream === undefined) reply.array(0);
    else if (count === 0) reply.nullArray();
    else
      writeEntries(reply, [...stream.range(start, end, { reverse, ...(count === undefined ? {} : { limit: count }) })]);
  };
}

function xdel(c: CommandContext): void {
  const ids = c.request.texts(2).map((text) => readId(text, 0n, false));
  const key = c.request.text(1);
  const stream = Stream.open(c.db, key);
  let deleted = 0;
  for (const id of ids) if (stream?.remove(id) === true) deleted++;
  if (deleted > 0) {
    stream?.save();
    c.db.changed(key, EventClass.stream, 'xdel');
  }
  c.reply.integer(deleted);
}

function xsetid(c: CommandContext): void {
  const { request, db } = c;
  const id = readId(request.text(2), 0n, false);
  let entriesAdded: number | undefined;
  let maxDeletedId: StreamId | undefined;
  for (let i = 3; i < request.count; i++) {
    const more = request.count - 1 - i;
    if (request.is(i, 'entriesadded') && more >= 1) {
      entriesAdded = integerOption(c, ++i);
      if (entriesAdded < 0) throw new RedisError('ERR entries_added must be positive');
    } else if (request.is(i, 'maxdeletedid') && more >= 1) {
      maxDeletedId = readId(request.text(++i), 0n, false);
      if (id < maxDeletedId) {
        throw new RedisError('ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id');
      }
    } else throw syntaxError();
  }
  const key = request.text(1);
  const stream = Stream.open(db, key);
  if (stream === undefined) throw new RedisError('ERR no such key');
  const { header } = stream;
  const last = stream.last();
  if (last !== undefined && id < last.id) {
    throw new RedisError('ERR The ID specified in XSETID is smaller than the target stream top item');
  }
  if (entriesAdded !== undefined && header.length > entriesAdded) {
    throw new RedisError('ERR The entries_added specified in XSETID is smaller than the target stream length');
  }
  header.lastId = id;
  if (entriesAdded !== undefined) header.entriesAdded = entriesAdded;
  if (maxDeletedId !== undefined && maxDeletedId !== minStreamId) header.maxDeletedId = maxDeletedId;
  stream.save();
  db.changed(key, EventClass.stream, 'xsetid');
  c.reply.ok();
}

// --- XREAD and XREADGROUP ---------------------------------------------------------------------------------------------

interface ReadArguments {
  readonly count: number;
  readonly blockMs: number | undefined;
  readonly noAck: boolean;
  readonly group: { readonly name: string; readonly consumer: string } | undefined;
  readonly keys: readonly string[];
  readonly ids: readonly string[];
}

function parseRead(c: CommandContext, command: 'xread' | 'xreadgroup'): ReadArguments {
  const { request } = c;
  let count = 0;
  let blockMs: number | undefined;
  let noAck = false;
  let group: ReadArguments['group'];
  let first = 0;
  for (let i = 1; i < request.count && first === 0; i++) {
    const more = request.count - 1 - i;
    if (request.is(i, 'block') && more >= 1) {
      const parsed = parseIntegerText(request.text(++i));
      if (parsed === undefined) throw new RedisError('ERR timeout is not an integer or out of range');
      if (parsed < 0) throw new RedisError('ERR timeout is negative');
      blockMs = Number(parsed);
    } else if (request.is(i, 'count') && more >= 1) count = Math.max(0, integerOption(c, ++i));
    else if (request.is(i, 'streams') && more >= 1) first = i + 1;
    else if (request.is(i, 'group') && more >= 2) {
      if (command === 'xread') {
        throw new RedisError('ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.');
      }
      group = { name: request.text(i + 1), consumer: request.text(i + 2) };
      i += 2;
    } else if (request.is(i, 'noack')) {
      if (command === 'xread') {
        throw new RedisError('ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.');
      }
      noAck = true;
    } else throw syntaxError();
  }
  if (first === 0) throw syntaxError();
  const streams = request.count - first;
  if (streams % 2 !== 0) {
    const symbol = command === 'xread' ? "ID or '$'" : "ID or '>'";
    throw new RedisError(
      command === 'xread'
        ? `ERR Unbalanced 'xread' list of streams: for each stream key an ${symbol} must be specified.`
        : `ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ${symbol} must be specified.`,
    );
  }
  if (command === 'xreadgroup' && group === undefined) throw new RedisError('ERR Missing GROUP option for XREADGROUP');
  const half = streams / 2;
  return { count, blockMs, noAck, group, keys: request.texts(first, first + half), ids: request.texts(first + half) };
}

/** Writes `[stream, entries]` of every stream that has some: a map in RESP3. */
function writeStreams(reply: ReplyWriter, found: readonly (readonly [string, () => void])[]): void {
  reply.protocol === 3 ? reply.map(found.length) : reply.array(found.length);
  for (const [key, write] of found) {
    if (reply.protocol === 2) reply.array(2);
    reply.bulkText(key);
    write();
  }
}

function xread(c: CommandContext): void {
  const args = parseRead(c, 'xread');
  const resumed = c.resumed as readonly StreamId[] | undefined;
  if (args.ids.includes('>')) {
    throw new RedisError(
      'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
    );
  }
  const after = args.ids.map((text) => (text === '$' ? undefined : readId(text, 0n, false)));
  const from: StreamId[] = [];
  const found: [string, () => void][] = [];
  args.keys.forEach((key, i) => {
    const stream = Stream.open(c.db, key);
    const id = resumed?.[i] ?? after[i] ?? stream?.header.lastId ?? minStreamId;
    from.push(id);
    const start = nextStreamId(id);
    if (stream === undefined || start === undefined || stream.header.lastId <= id) return;
    const entries = [...stream.range(start, maxStreamId, args.count === 0 ? {} : { limit: args.count })];
    if (entries.length > 0) found.push([key, () => writeEntries(c.reply, entries)]);
  });
  if (found.length > 0) writeStreams(c.reply, found);
  else if (args.blockMs !== undefined && c.canBlock) {
    c.block({ keys: args.keys, timeoutMs: args.blockMs, onTimeout: (reply) => reply.nullArray(), state: from });
  } else c.reply.nullArray();
}

function xreadgroup(c: CommandContext): void {
  const args = parseRead(c, 'xreadgroup');
  const { name: groupName, consumer: consumerName } = args.group ?? { name: '', consumer: '' };
  const { db, reply } = c;
  const plan = args.keys.map((key, i) => {
    const text = args.ids[i] ?? '';
    if (text === '$') {
      throw new RedisError(
        'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.',
      );
    }
    const after = text === '>' ? undefined : readId(text, 0n, false);
    const stream = Stream.open(db, key);
    const group = stream?.group(groupName);
    if (stream === undefined || group === undefined) {
      throw new RedisError(
        `NOGROUP No such key '${key}' or consumer group '${groupName}' in XREADGROUP with GROUP option`,
      );
    }
    return { key, stream, group, after };
  });
  const found: [string, () => void][] = [];
  for (const { key, stream, group, after } of plan) {
    const consumer = stream.openConsumer(group, consumerName);
    if (after === undefined) {
      const start = nextStreamId(group.lastId) ?? maxStreamId;
      const entries = [...stream.range(start, maxStreamId, args.count === 0 ? {} : { limit: args.count })];
      consumer.activeMs = db.now;
      for (const { id } of entries) {
        stream.advance(group, id);
        if (!args.noAck) {
          stream.assign(group, consumer, { id, consumer: consumerName, deliveredMs: db.now, deliveries: 1 });
        }
      }
      if (entries.length > 0) found.push([key, () => writeEntries(reply, entries)]);
    } else {
      const history = historyOf(stream, group.name, consumerName, after, args.count);
      for (const { pending, entry } of history) {
        if (entry === undefined) continue;
        stream.assign(group, consumer, { ...pending, deliveredMs: db.now, deliveries: pending.deliveries + 1 });
      }
      found.push([key, () => writeHistory(reply, history)]);
    }
    stream.saveConsumer(group.name, consumer);
    stream.saveGroup(group);
    stream.save();
  }
  if (found.length > 0) writeStreams(reply, found);
  else if (args.blockMs !== undefined && c.canBlock) {
    c.block({ keys: args.keys, timeoutMs: args.blockMs, onTimeout: (r) => r.nullArray() });
  } else reply.nullArray();
}

function historyOf(stream: Stream, group: string, consumer: string, after: StreamId, count: number) {
  const start = nextStreamId(after);
  const history: { pending: ReturnType<Stream['pending']> & object; entry: StreamEntry | undefined }[] = [];
  if (start === undefined) return history;
  for (const pending of stream.consumerPendingRange(group, consumer, start, maxStreamId)) {
    history.push({ pending, entry: stream.entry(pending.id) });
    if (count !== 0 && history.length === count) break;
  }
  return history;
}

function writeHistory(reply: ReplyWriter, history: ReturnType<typeof historyOf>): void {
  reply.array(history.length);
  for (const { pending, entry } of history) {
    if (entry !== undefined) writeEntry(reply, entry);
    else {
      reply.array(2);
      reply.bulkText(formatStreamId(pending.id));
      reply.nullArray();
    }
  }
}

export const streamCommands: Commands = {
  xadd,
  xtrim,
  xlen,
  xrange: xrange(false),
  xrevrange: xrange(true),
  xdel,
  xsetid,
  xread,
  xreadgroup,
};
