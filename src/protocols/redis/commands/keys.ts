/** Commands on keys of any type. */
import { EventClass } from '../../../models/key-value/changes.js';
import { allKeys, copyKey, randomKey, walkKeys } from '../../../models/key-value/keys.js';
import { type KeyRecord, keyHash, ValueType, valueTypeNames } from '../../../models/key-value/record.js';
import { stringEncodingName } from '../../../models/key-value/strings.js';
import type { CommandContext, Commands } from '../command.js';
import { noSuchKey, RedisError, syntaxError } from '../errors.js';
import { matchesGlob } from '../glob.js';
import { help } from '../help.js';
import { parseIntegerText } from '../numbers.js';

const deadlineMax = 2 ** 47;
const sharedIntegers = 10_000;

function del(c: CommandContext): void {
  let removed = 0;
  for (let i = 1; i < c.request.count; i++) {
    const record = c.db.find(c.request.text(i));
    if (record === undefined) continue;
    c.db.remove(record);
    c.db.changed(record.key, EventClass.generic, 'del');
    removed++;
  }
  c.reply.integer(removed);
}

function exists(c: CommandContext): void {
  let count = 0;
  for (let i = 1; i < c.request.count; i++) if (c.db.exists(c.request.text(i))) count++;
  c.reply.integer(count);
}

/** A look that does not count as an access. */
function peek(c: CommandContext, key: string): KeyRecord | undefined {
  const { db } = c;
  const { noTouch } = db;
  db.noTouch = true;
  try {
    return db.find(key);
  } finally {
    db.noTouch = noTouch;
  }
}

function type(c: CommandContext): void {
  const record = peek(c, c.request.text(1));
  c.reply.simple(record === undefined ? 'none' : (valueTypeNames[record.type] ?? 'none'));
}

function rename(onlyNew: boolean) {
  return (c: CommandContext): void => {
    const { request, db, reply } = c;
    const from = request.text(1);
    const to = request.text(2);
    const record = db.find(from);
    if (record === undefined) throw noSuchKey();
    if (from === to) {
      if (onlyNew) reply.integer(0);
      else reply.ok();
      return;
    }
    const replaced = db.find(to);
    if (replaced !== undefined && onlyNew) {
      reply.integer(0);
      return;
    }
    db.detach(record);
    db.attach(to, replaced, record);
    db.changed(from, EventClass.generic, 'rename_from');
    db.changed(to, EventClass.generic, 'rename_to');
    if (onlyNew) reply.integer(1);
    else reply.ok();
  };
}

function databaseIndex(c: CommandContext, index: number): number {
  const value = parseIntegerText(c.request.text(index));
  if (value === undefined) throw new RedisError('ERR value is not an integer or out of range');
  if (typeof value === 'bigint' || value < 0 || value >= c.server.store.databases) {
    throw new RedisError('ERR DB index is out of range');
  }
  return value;
}

function move(c: CommandContext): void {
  const { request, db } = c;
  const index = databaseIndex(c, 2);
  if (index === db.index) throw new RedisError('ERR source and destination objects are the same');
  const key = request.text(1);
  const record = db.find(key);
  const target = db.sibling(index);
  if (record === undefined || target.find(key) !== undefined) {
    c.reply.integer(0);
    return;
  }
  db.detach(record);
  target.attach(key, undefined, record);
  db.changed(key, EventClass.generic, 'move_from');
  target.changed(key, EventClass.generic, 'move_to');
  c.reply.integer(1);
}

function copy(c: CommandContext): void {
  const { request, db } = c;
  let index = db.index;
  let replace = false;
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, 'replace')) replace = true;
    else if (request.is(i, 'db') && i + 1 < request.count) index = databaseIndex(c, ++i);
    else throw syntaxError();
  }
  const from = request.text(1);
  const to = request.text(2);
  if (index === db.index && from === to) throw new RedisError('ERR source and destination objects are the same');
  const record = db.find(from);
  const target = index === db.index ? db : db.sibling(index);
  const replaced = record === undefined ? undefined : target.find(to);
  if (record === undefined || (replaced !== undefined && !replace)) {
    c.reply.integer(0);
    return;
  }
  copyKey(record, db, target, to, replaced);
  target.changed(to, EventClass.generic, 'copy_to');
  c.reply.integer(1);
}

function random(c: CommandContext): void {
  const key = randomKey(c.db);
  if (key === undefined) c.reply.null();
  else c.reply.bulkText(key);
}

function dbsize(c: CommandContext): void | Promise<void> {
  const size = c.server.store.size(c.db.index);
  return size instanceof Promise ? size.then((value) => c.reply.integer(value)) : c.reply.integer(size);
}

function keys(c: CommandContext): void {
  const pattern = c.request.text(1);
  const found: string[] = [];
  for (const key of allKeys(c.db)) if (pattern === '*' || matchesGlob(pattern, key)) found.push(key);
  c.reply.array(found.length);
  for (const key of found) c.reply.bulkText(key);
}

export function readCursor(c: CommandContext, index: number): number {
  const text = c.request.text(index);
  if (!/^\d{1,20}$/.test(text) || BigInt(text) >= 1n << 64n) throw new RedisError('ERR invalid cursor');
  return Number(text);
}

export interface ScanOptions {
  readonly pattern: string | undefined;
  readonly count: number;
  readonly type: string | undefined;
}

/** MATCH, COUNT and, for SCAN, TYPE from word `from` on. */
export function readScanOptions(c: CommandContext, from: number, withType: boolean): ScanOptions {
  const { request } = c;
  let pattern: string | undefined;
  let count = 10;
  let typeName: string | undefined;
  for (let i = from; i < request.count; i += 2) {
    if (i + 1 >= request.count) throw syntaxError();
    if (request.is(i, 'match')) pattern = request.text(i + 1);
    else if (request.is(i, 'count')) {
      count = request.integer(i + 1);
      if (count < 1) throw syntaxError();
    } else if (withType && request.is(i, 'type')) typeName = request.lower(i + 1);
    else throw syntaxError();
  }
  return { pattern, count, type: typeName };
}

function scan(c: CommandContext): void {
  const cursor = readCursor(c, 1);
  const { pattern, count, type: typeName } = readScanOptions(c, 2, true);
  const { keys: found, next } = walkKeys(c.db, cursor, count);
  const fitting = found.filter(
    (entry) =>
      (pattern === undefined || matchesGlob(pattern, entry.key)) &&
      (typeName === undefined || valueTypeNames[entry.type] === typeName),
  );
  c.reply.array(2);
  c.reply.bulkText(String(next));
  c.reply.array(fitting.length);
  for (const { key } of fitting) c.reply.bulkText(key);
}

function flush(c: CommandContext, databases: readonly number[]): void {
  const { request, db } = c;
  if (request.count > 2 || (request.count === 2 && !request.is(1, 'async') && !request.is(1, 'sync'))) {
    throw syntaxError();
  }
  const own = db.index;
  for (const index of databases) {
    db.select(index);
    c.server.store.flush(db);
  }
  db.select(own);
  c.reply.ok();
}

function flushAll(c: CommandContext): void {
  flush(
    c,
    Array.from({ length: c.server.store.databases }, (_, index) => index),
  );
}

function swapdb(c: CommandContext): void {
  const read = (index: number, which: string): number => {
    const value = parseIntegerText(c.request.text(index));
    if (typeof value !== 'number') throw new RedisError(`ERR invalid ${which} DB index`);
    if (value < 0 || value >= c.server.store.databases) throw new RedisError('ERR DB index is out of range');
    return value;
  };
  const first = read(1, 'first');
  const second = read(2, 'second');
  if (first !== second) c.server.store.swap(c.db, first, second);
  c.reply.ok();
}

// --- expiry -----------------------------------------------------------------------------------------------------------

function expire(unit: 's' | 'ms', absolute: boolean) {
  return (c: CommandContext): void => {
    const { request, db, reply } = c;
    const name = `${unit === 'ms' ? 'p' : ''}expire${absolute ? 'at' : ''}`;
    let nx = false;
    let xx = false;
    let gt = false;
    let lt = false;
    for (let i = 3; i < request.count; i++) {
      const option = request.lower(i);
      if (option === 'nx') nx = true;
      else if (option === 'xx') xx = true;
      else if (option === 'gt') gt = true;
      else if (option === 'lt') lt = true;
      else throw new RedisError(`ERR Unsupported option ${request.text(i)}`);
    }
    if (nx && (xx || gt || lt)) {
      throw new RedisError('ERR NX and XX, GT or LT options at the same time are not compatible');
    }
    if (gt && lt) throw new RedisError('ERR GT and LT options at the same time are not compatible');
    let value = request.bigint(2);
    const invalid = (): RedisError => new RedisError(`ERR invalid expire time in '${name}' command`);
    const limit = 0x7fff_ffff_ffff_ffffn;
    if (unit === 's') {
      if (value > limit / 1000n || value < -limit / 1000n) throw invalid();
      value *= 1000n;
    }
    if (!absolute) {
      value += BigInt(Math.floor(db.now));
      if (value > limit) throw invalid();
    }
    const deadline = Math.min(deadlineMax, Math.max(0, Number(value)));
    const record = db.find(request.text(1));
    if (record === undefined) {
      reply.integer(0);
      return;
    }
    const current = record.deadline;
    const refused =
      (nx && current !== 0) ||
      (xx && current === 0) ||
      (gt && (current === 0 || deadline <= current)) ||
      (lt && current !== 0 && deadline >= current);
    if (refused) {
      reply.integer(0);
      return;
    }
    if (deadline <= db.now) {
      db.remove(record);
      db.changed(record.key, EventClass.generic, 'del');
    } else {
      db.setDeadline(record, deadline);
      db.changed(record.key, EventClass.generic, 'expire');
    }
    reply.integer(1);
  };
}

function ttl(answer: (deadline: number, now: number) => number) {
  return (c: CommandContext): void => {
    const record = peek(c, c.request.text(1));
    if (record === undefined) c.reply.integer(-2);
    else if (record.deadline === 0) c.reply.integer(-1);
    else c.reply.integer(answer(record.deadline, c.db.now));
  };
}

function persist(c: CommandContext): void {
  const record = c.db.find(c.request.text(1));
  if (record === undefined || record.deadline === 0) c.reply.integer(0);
  else {
    c.db.setDeadline(record, 0);
    c.db.changed(record.key, EventClass.generic, 'persist');
    c.reply.integer(1);
  }
}

// --- OBJECT -----------------------------------------------------------------------------------------------------------

const collectionEncodings: Readonly<Record<number, readonly string[]>> = {
  [ValueType.list]: ['listpack', 'quicklist'],
  [ValueType.set]: ['intset', 'listpack', 'hashtable'],
  [ValueType.zset]: ['listpack', 'skiplist'],
  [ValueType.hash]: ['listpack', 'hashtable'],
  [ValueType.stream]: ['stream', 'stream'],
};

/** As OBJECT ENCODING names it. */
export function encodingName(record: KeyRecord): string {
  if (record.type === ValueType.string) return stringEncodingName(record);
  return collectionEncodings[record.type]?.[record.encoding] ?? 'unknown';
}

function objectCommand(answer: (c: CommandContext, record: KeyRecord) => void) {
  return (c: CommandContext): void => {
    const record = peek(c, c.request.text(2));
    if (record === undefined) c.reply.null();
    else answer(c, record);
  };
}

function refcount(c: CommandContext, record: KeyRecord): void {
  const shared =
    record.type === ValueType.string &&
    stringEncodingName(record) === 'int' &&
    Number(record.payload().latin1Slice()) >= 0 &&
    Number(record.payload().latin1Slice()) < sharedIntegers;
  c.reply.integer(shared ? 2147483647 : 1);
}

const policyNote =
  'Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.';

function idletime(c: CommandContext, record: KeyRecord): void {
  if (c.server.settings.get('maxmemory-policy').endsWith('lfu')) {
    throw new RedisError(`ERR An LFU maxmemory policy is selected, idle time not tracked. ${policyNote}`);
  }
  c.reply.integer(c.server.store.access.idleSeconds(keyHash(record.key)));
}

function freq(c: CommandContext, record: KeyRecord): void {
  if (!c.server.settings.get('maxmemory-policy').endsWith('lfu')) {
    throw new RedisError(`ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${policyNote}`);
  }
  c.reply.integer(c.server.store.access.frequencyOf(keyHash(record.key)));
}

export const keyCommands: Commands = {
  del,
  unlink: del,
  exists,
  touch: exists,
  type,
  rename: rename(false),
  renamenx: rename(true),
  move,
  copy,
  randomkey: random,
  dbsize: { run: dbsize, access: 'none' },
  keys,
  scan,
  flushdb: (c) => flush(c, [c.db.index]),
  flushall: flushAll,
  swapdb,
  expire: expire('s', false),
  pexpire: expire('ms', false),
  expireat: expire('s', true),
  pexpireat: expire('ms', true),
  ttl: ttl((deadline, now) => Math.floor((Math.max(0, deadline - now) + 500) / 1000)),
  pttl: ttl((deadline, now) => Math.max(0, deadline - now)),
  expiretime: ttl((deadline) => Math.floor((deadline + 500) / 1000)),
  pexpiretime: ttl((deadline) => deadline),
  persist,
  'object|encoding': objectCommand((c, record) => c.reply.bulkText(encodingName(record))),
  'object|refcount': objectCommand(refcount),
  'object|idletime': objectCommand(idletime),
  'object|freq': objectCommand(freq),
  'object|help': help('object'),
};
