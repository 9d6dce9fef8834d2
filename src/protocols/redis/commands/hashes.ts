/** Hash commands. */
import { EventClass } from '../../../models/key-value/changes.js';
import { KeyValueError } from '../../../models/key-value/errors.js';
import {
  deleteFields,
  findHash,
  getField,
  hashLength,
  hashWords,
  setFields,
} from '../../../models/key-value/hashes.js';
import { randomLarge, walkLarge } from '../../../models/key-value/members.js';
import { Encoding, type KeyRecord } from '../../../models/key-value/record.js';
import { canonicalInteger } from '../../../models/key-value/strings.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { matchesGlob } from '../glob.js';
import { addLongDoubles, formatLongDouble, parseLongDouble } from '../long-double.js';
import { readCursor, readScanOptions } from './keys.js';

const int64Max = 0x7fff_ffff_ffff_ffffn;

function hset(c: CommandContext): void {
  const { request, db } = c;
  const name = c.request.lower(0);
  if (request.count % 2 !== 0) throw new RedisError(`ERR wrong number of arguments for '${name}' command`);
  const key = request.text(1);
  const added = setFields(db, key, findHash(db, key), request.texts(2));
  db.changed(key, EventClass.hash, 'hset');
  if (name === 'hmset') c.reply.ok();
  else c.reply.integer(added);
}

function hsetnx(c: CommandContext): void {
  const { request, db } = c;
  const key = request.text(1);
  const record = findHash(db, key);
  const field = request.text(2);
  if (record !== undefined && getField(db, record, field) !== undefined) {
    c.reply.integer(0);
    return;
  }
  setFields(db, key, record, [field, request.text(3)]);
  db.changed(key, EventClass.hash, 'hset');
  c.reply.integer(1);
}

function hget(c: CommandContext): void {
  const record = findHash(c.db, c.request.text(1));
  const value = record === undefined ? undefined : getField(c.db, record, c.request.text(2));
  if (value === undefined) c.reply.null();
  else c.reply.bulkText(value);
}

function hmget(c: CommandContext): void {
  const { request, db, reply } = c;
  const record = findHash(db, request.text(1));
  reply.array(request.count - 2);
  const small = record?.encoding === Encoding.hashListpack ? asMap(hashWords(db, record)) : undefined;
  for (let i = 2; i < request.count; i++) {
    const field = request.text(i);
    const value =
      record === undefined ? undefined : small !== undefined ? small.get(field) : getField(db, record, field);
    if (value === undefined) reply.null();
    else reply.bulkText(value);
  }
}

function asMap(words: readonly string[]): Map<string, string> {
  const map = new Map<string, string>();
  for (let i = 0; i < words.length; i += 2) map.set(words[i] ?? '', words[i + 1] ?? '');
  return map;
}

function hgetall(c: CommandContext): void {
  const record = findHash(c.db, c.request.text(1));
  const words = record === undefined ? [] : hashWords(c.db, record);
  c.reply.map(words.length / 2);
  for (const word of words) c.reply.bulkText(word);
}

function every(offset: 0 | 1) {
  return (c: CommandContext): void => {
    const record = findHash(c.db, c.request.text(1));
    const words = record === undefined ? [] : hashWords(c.db, record);
    c.reply.array(words.length / 2);
    for (let i = offset; i < words.length; i += 2) c.reply.bulkText(words[i] ?? '');
  };
}

function hdel(c: CommandContext): void {
  const record = findHash(c.db, c.request.text(1));
  c.reply.integer(record === undefined ? 0 : deleteFields(c.db, record, c.request.texts(2)));
}

function hexists(c: CommandContext): void {
  const record = findHash(c.db, c.request.text(1));
  c.reply.integer(record !== undefined && getField(c.db, record, c.request.text(2)) !== undefined ? 1 : 0);
}

function hstrlen(c: CommandContext): void {
  const record = findHash(c.db, c.request.text(1));
  c.reply.integer(record === undefined ? 0 : (getField(c.db, record, c.request.text(2))?.length ?? 0));
}

function hincrby(c: CommandContext): void {
  const { request, db } = c;
  const delta = request.bigint(3);
  const key = request.text(1);
  const field = request.text(2);
  const record = findHash(db, key);
  const text = record === undefined ? undefined : getField(db, record, field);
  const value = text === undefined ? 0n : canonicalInteger(text);
  if (value === undefined) throw new KeyValueError('hash-not-an-integer');
  const sum = value + delta;
  if (sum > int64Max || sum < -int64Max - 1n) throw new KeyValueError('overflow');
  setFields(db, key, record, [field, sum.toString()]);
  db.changed(key, EventClass.hash, 'hincrby');
  c.reply.integer(sum);
}

function hincrbyfloat(c: CommandContext): void {
  const { request, db } = c;
  const delta = parseLongDouble(request.text(3));
  if (delta === undefined) {
    if (/^[+-]?(inf(inity)?|nan)$/i.test(request.text(3))) throw new RedisError('ERR value is NaN or Infinity');
    throw new KeyValueError('not-a-float');
  }
  const key = request.text(1);
  const field = request.text(2);
  const record = findHash(db, key);
  const old = parseLongDouble((record === undefined ? undefined : getField(db, record, field)) ?? '0');
  if (old === undefined) throw new KeyValueError('hash-not-a-float');
  const sum = addLongDoubles(old, delta);
  if (sum === undefined) throw new KeyValueError('nan-or-infinity');
  const text = formatLongDouble(sum);
  setFields(db, key, record, [field, text]);
  db.changed(key, EventClass.hash, 'hincrbyfloat');
  c.reply.bulkText(text);
}

function hscan(c: CommandContext): void {
  const { request, db, reply } = c;
  const cursor = readCursor(c, 2);
  const { pattern, count } = readScanOptions(c, 3, false);
  const record = findHash(db, request.text(1));
  let next = 0;
  let words: string[] = [];
  if (record !== undefined && record.encoding === Encoding.hashListpack) words = hashWords(db, record);
  else if (record !== undefined) {
    const page = walkLarge(db, record, cursor, count);
    next = page.next;
    words = page.entries.flatMap(({ name, value }) => [name, value.latin1Slice()]);
  }
  const fitting: string[] = [];
  for (let i = 0; i < words.length; i += 2) {
    if (pattern === undefined || matchesGlob(pattern, words[i] ?? '')) fitting.push(words[i] ?? '', words[i + 1] ?? '');
  }
  reply.array(2);
  reply.bulkText(String(next));
  reply.array(fitting.length);
  for (const word of fitting) reply.bulkText(word);
}

function randomPair(c: CommandContext, record: KeyRecord): readonly [string, string] {
  if (record.encoding !== Encoding.hashListpack) {
    const entry = randomLarge(c.db, record);
    return [entry?.name ?? '', entry?.value.latin1Slice() ?? ''];
  }
  const words = hashWords(c.db, record);
  const place = 2 * Math.floor(c.db.tx.random() * (words.length / 2));
  return [words[place] ?? '', words[place + 1] ?? ''];
}

function hrandfield(c: CommandContext): void {
  const { request, db, reply } = c;
  if (request.count > 4) throw syntaxError();
  const withValues = request.count === 4;
  if (withValues && !request.is(3, 'withvalues')) throw syntaxError();
  const single = request.count === 2;
  const count = single ? 1 : request.integer(2);
  if (
    !single &&
    (count < -Number.MAX_SAFE_INTEGER / 2 || (withValues && Math.abs(count) > Number.MAX_SAFE_INTEGER / 2))
  ) {
    throw new RedisError('ERR value is out of range');
  }
  const record = findHash(db, request.text(1));
  if (record === undefined) {
    if (single) reply.null();
    else reply.array(0);
    return;
  }
  if (single) {
    reply.bulkText(randomPair(c, record)[0]);
    return;
  }
  const pairs: (readonly [string, string])[] = [];
  if (count < 0) for (let i = 0; i < -count; i++) pairs.push(randomPair(c, record));
  else {
    const size = hashLength(record);
    if (count * 3 < size && record.encoding !== Encoding.hashListpack) {
      const chosen = new Map<string, string>();
      while (chosen.size < count) chosen.set(...randomPair(c, record));
      pairs.push(...chosen);
    } else {
      const all = [...asMap(hashWords(db, record))];
      for (let i = 0; i < Math.min(count, all.length); i++) {
        const j = i + Math.floor(db.tx.random() * (all.length - i));
        const swapped = all[i];
        const other = all[j];
        if (swapped === undefined || other === undefined) continue;
        all[i] = other;
        all[j] = swapped;
        pairs.push(other);
      }
    }
  }
  if (!withValues) {
    reply.array(pairs.length);
    for (const [field] of pairs) reply.bulkText(field);
    return;
  }
  reply.array(reply.protocol === 3 ? pairs.length : 2 * pairs.length);
  for (const [field, value] of pairs) {
    if (reply.protocol === 3) reply.array(2);
    reply.bulkText(field);
    reply.bulkText(value);
  }
}

export const hashCommands: Commands = {
  hset,
  hmset: hset,
  hsetnx,
  hget,
  hmget,
  hgetall,
  hkeys: every(0),
  hvals: every(1),
  hlen: (c) => c.reply.integer(hashLength(findHash(c.db, c.request.text(1)))),
  hdel,
  hexists,
  hstrlen,
  hincrby,
  hincrbyfloat,
  hscan,
  hrandfield,
};
