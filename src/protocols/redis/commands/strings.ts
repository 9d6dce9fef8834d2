/** String commands. */
import { EventClass } from '../../../models/key-value/changes.js';
import type { Database } from '../../../models/key-value/database.js';
import { KeyValueError } from '../../../models/key-value/errors.js';
import {
  type KeyRecord,
  payloadOffsetOf,
  plainHeaderBytes,
  typeOf,
  ValueType,
} from '../../../models/key-value/record.js';
import { append as appendTo, findString, increment, loadString, setRange } from '../../../models/key-value/strings.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { addLongDoubles, formatLongDouble, parseLongDouble } from '../long-double.js';
import { longestCommonSubsequence } from './lcs.js';

const deadlineMax = 2 ** 47;

function get(c: CommandContext): void {
  const bytes = c.db.load(c.request.text(1));
  if (bytes === undefined) {
    c.server.statistics.misses++;
    c.reply.null();
  } else if (typeOf(bytes) !== ValueType.string) throw new KeyValueError('wrong-type');
  else {
    c.server.statistics.hits++;
    c.reply.bulk(bytes, payloadOffsetOf(bytes));
  }
}

/** The deadline that an expiry option means. Throws `invalid expire time in '…' command`. */
export function readDeadline(c: CommandContext, index: number, option: string, command: string): number {
  const value = c.request.bigint(index);
  const invalid = (): RedisError => new RedisError(`ERR invalid expire time in '${command}' command`);
  if (value <= 0n) throw invalid();
  const ms = option === 'ex' || option === 'exat' ? value * 1000n : value;
  const deadline = option === 'ex' || option === 'px' ? ms + BigInt(Math.floor(c.db.now)) : ms;
  if (deadline > 0x7fff_ffff_ffff_ffffn || deadline <= 0n) throw invalid();
  return Math.min(Number(deadline), deadlineMax);
}

/** Stores a string with its events; `deadline` 0: none. */
function store(db: Database, key: string, old: KeyRecord | undefined, value: Uint8Array, deadline: number): void {
  db.replace(key, old, ValueType.string, value, { deadline });
  db.changed(key, EventClass.string, 'set');
  if (deadline !== 0) db.changed(key, EventClass.generic, 'expire');
}

interface SetOptions {
  condition: 'nx' | 'xx' | undefined;
  returnOld: boolean;
  keepTtl: boolean;
  deadline: number;
}

function parseSetOptions(c: CommandContext): SetOptions {
  const { request } = c;
  const options: SetOptions = { condition: undefined, returnOld: false, keepTtl: false, deadline: 0 };
  let expiry: { option: string; index: number } | undefined;
  for (let i = 3; i < request.count; i++) {
    const option = request.lower(i);
    if ((option === 'nx' || option === 'xx') && (options.condition === undefined || options.condition === option)) {
      options.condition = option;
    } else if (option === 'get') options.returnOld = true;
    else if (option === 'keepttl' && expiry === undefined) options.keepTtl = true;
    else if (
      (option === 'ex' || option === 'px' || option === 'exat' || option === 'pxat') &&
      expiry === undefined &&
      !options.keepTtl &&
      i + 1 < request.count
    ) {
      expiry = { option, index: ++i };
    } else throw syntaxError();
  }
  if (expiry !== undefined) options.deadline = readDeadline(c, expiry.index, expiry.option, 'set');
  return options;
}

function set(c: CommandContext): void {
  const { request, db, reply } = c;
  const key = request.text(1);
  if (request.count === 3) {
    db.replaceString(key, request.copy(2, plainHeaderBytes));
    db.changed(key, EventClass.string, 'set');
    reply.ok();
    return;
  }
  const { condition, returnOld, keepTtl, deadline } = parseSetOptions(c);
  const old = db.find(key);
  if (returnOld && old !== undefined && old.type !== ValueType.string) throw new KeyValueError('wrong-type');
  const refused = condition === 'nx' ? old !== undefined : condition === 'xx' && old === undefined;
  if (returnOld) {
    if (old === undefined) reply.null();
    else reply.bulk(old.bytes, old.payloadOffset);
  } else if (refused) reply.null();
  if (refused) return;
  const value = request.copy(2);
  if (deadline !== 0 && deadline <= db.now) {
    if (old !== undefined) {
      db.remove(old);
      db.changed(key, EventClass.generic, 'del');
    }
  } else if (keepTtl && old !== undefined) {
    db.replace(key, old, ValueType.string, value, { deadline: old.deadline, itemFlags: old.itemFlags });
    db.changed(key, EventClass.string, 'set');
  } else store(db, key, old, value, deadline);
  if (!returnOld) reply.ok();
}

function setnx(c: CommandContext): void {
  const key = c.request.text(1);
  if (c.db.exists(key)) c.reply.integer(0);
  else {
    store(c.db, key, undefined, c.request.copy(2), 0);
    c.reply.integer(1);
  }
}

function setWithExpiry(option: 'ex' | 'px', command: string) {
  return (c: CommandContext): void => {
    const deadline = readDeadline(c, 2, option, command);
    const key = c.request.text(1);
    store(c.db, key, c.db.find(key), c.request.copy(3), deadline);
    c.reply.ok();
  };
}

function getset(c: CommandContext): void {
  const key = c.request.text(1);
  const old = findString(c.db, key);
  if (old === undefined) c.reply.null();
  else c.reply.bulk(old.bytes, old.payloadOffset);
  store(c.db, key, old, c.request.copy(2), 0);
}

function getdel(c: CommandContext): void {
  const old = findString(c.db, c.request.text(1));
  if (old === undefined) {
    c.reply.null();
    return;
  }
  c.reply.bulk(old.bytes, old.payloadOffset);
  c.db.remove(old);
  c.db.changed(old.key, EventClass.generic, 'del');
}

function getex(c: CommandContext): void {
  const { request, db, reply } = c;
  let option = '';
  let index = 0;
  for (let i = 2; i < request.count; i++) {
    const word = request.lower(i);
    if (option !== '') throw syntaxError();
    if (word === 'persist') option = word;
    else if ((word === 'ex' || word === 'px' || word === 'exat' || word === 'pxat') && i + 1 < request.count) {
      option = word;
      index = ++i;
    } else throw syntaxError();
  }
  const record = findString(db, request.text(1));
  if (record === undefined) {
    reply.null();
    return;
  }
  const deadline = option === '' || option === 'persist' ? 0 : readDeadline(c, index, option, 'getex');
  reply.bulk(record.bytes, record.payloadOffset);
  if (option === 'persist') {
    if (record.deadline !== 0) {
      db.setDeadline(record, 0);
      db.changed(record.key, EventClass.generic, 'persist');
    }
  } else if (option !== '' && deadline <= db.now) {
    db.remove(record);
    db.changed(record.key, EventClass.generic, 'del');
  } else if (option !== '') {
    db.setDeadline(record, deadline);
    db.changed(record.key, EventClass.generic, 'expire');
  }
}

function mget(c: CommandContext): void {
  const { request, db, reply } = c;
  const keys = request.texts(1);
  if (keys.length > 1) db.tx.prefetch(keys.map((key) => db.engineKey(key)));
  reply.array(keys.length);
  for (const key of keys) {
    const bytes = db.load(key);
    if (bytes === undefined || typeOf(bytes) !== ValueType.string) reply.null();
    else reply.bulk(bytes, payloadOffsetOf(bytes));
  }
}

function mset(c: CommandContext): void {
  const { request, db } = c;
  if (request.count % 2 === 0) throw new RedisError("ERR wrong number of arguments for 'mset' command");
  for (let i = 1; i < request.count; i += 2) {
    const key = request.text(i);
    db.replaceString(key, request.copy(i + 1, plainHeaderBytes));
    db.changed(key, EventClass.string, 'set');
  }
  c.reply.ok();
}

function msetnx(c: CommandContext): void {
  const { request, db } = c;
  if (request.count % 2 === 0) throw new RedisError("ERR wrong number of arguments for 'msetnx' command");
  for (let i = 1; i < request.count; i += 2) {
    if (db.exists(request.text(i))) {
      c.reply.integer(0);
      return;
    }
  }
  for (let i = 1; i < request.count; i += 2) {
    const key = request.text(i);
    db.replaceString(key, request.copy(i + 1, plainHeaderBytes));
    db.changed(key, EventClass.string, 'set');
  }
  c.reply.integer(1);
}

function strlen(c: CommandContext): void {
  const found = loadString(c.db, c.request.text(1));
  c.reply.integer(found === undefined ? 0 : found.bytes.length - found.start);
}

function getrange(c: CommandContext): void {
  const { request, reply } = c;
  let start = request.integer(2);
  let end = request.integer(3);
  const found = loadString(c.db, request.text(1));
  const length = found === undefined ? 0 : found.bytes.length - found.start;
  if (start < 0 && end < 0 && start > end) {
    reply.bulkText('');
    return;
  }
  if (start < 0) start = Math.max(0, length + start);
  if (end < 0) end = Math.max(0, length + end);
  end = Math.min(end, length - 1);
  if (found === undefined || start > end || length === 0) reply.bulkText('');
  else reply.bulk(found.bytes, found.start + start, found.start + end + 1);
}

function setrange(c: CommandContext): void {
  const { request } = c;
  const offset = request.integer(2);
  if (offset < 0) throw new RedisError('ERR offset is out of range');
  const bytes = request.view(3);
  c.reply.integer(setRange(c.db, request.text(1), offset, bytes, c.server.settings.protoMaxBulkLen));
}

function append(c: CommandContext): void {
  const { request } = c;
  c.reply.integer(appendTo(c.db, request.text(1), request.copy(2), c.server.settings.protoMaxBulkLen));
}

function incrementBy(c: CommandContext, delta: bigint | number): void {
  c.reply.integer(increment(c.db, c.request.text(1), delta));
}

function decrby(c: CommandContext): void {
  const delta = c.request.bigint(2);
  if (delta === -0x8000_0000_0000_0000n) throw new RedisError('ERR decrement would overflow');
  incrementBy(c, -delta);
}

function incrbyfloat(c: CommandContext): void {
  const { request, db } = c;
  const key = request.text(1);
  const record = findString(db, key);
  const old = parseLongDouble(record === undefined ? '0' : record.payload().latin1Slice());
  const delta = parseLongDouble(request.text(2));
  if (old === undefined || delta === undefined) {
    if (old !== undefined && /^[+-]?inf(inity)?$/i.test(request.text(2))) throw new KeyValueError('nan-or-infinity');
    throw new KeyValueError('not-a-float');
  }
  const sum = addLongDoubles(old, delta);
  if (sum === undefined) throw new KeyValueError('nan-or-infinity');
  const text = formatLongDouble(sum);
  const payload = Buffer.from(text, 'latin1');
  if (record === undefined) db.replace(key, undefined, ValueType.string, payload);
  else db.update(record, payload, 0);
  db.changed(key, EventClass.string, 'incrbyfloat');
  c.reply.bulkText(text);
}

function lcs(c: CommandContext): void {
  const { request, reply } = c;
  const texts = [1, 2].map((i) => {
    const record = c.db.find(request.text(i));
    if (record !== undefined && record.type !== ValueType.string) {
      throw new RedisError('ERR The specified keys must contain string values');
    }
    return record?.payload().latin1Slice() ?? '';
  });
  let length = false;
  let idx = false;
  let withMatchLength = false;
  let minMatch = 0;
  for (let i = 3; i < request.count; i++) {
    const option = request.lower(i);
    if (option === 'len') length = true;
    else if (option === 'idx') idx = true;
    else if (option === 'withmatchlen') withMatchLength = true;
    else if (option === 'minmatchlen' && i + 1 < request.count) minMatch = Math.max(0, request.integer(++i));
    else throw syntaxError();
  }
  if (length && idx) throw new RedisError('ERR If you want both the length and indexes, please just use IDX.');
  const found = longestCommonSubsequence(texts[0] ?? '', texts[1] ?? '');
  if (length) reply.integer(found.text.length);
  else if (!idx) reply.bulkText(found.text);
  else {
    const matches = found.matches.filter((match) => match.length >= minMatch);
    reply.map(2);
    reply.bulkText('matches');
    reply.array(matches.length);
    for (const match of matches) {
      reply.array(withMatchLength ? 3 : 2);
      for (const start of [match.a, match.b]) {
        reply.array(2);
        reply.integer(start);
        reply.integer(start + match.length - 1);
      }
      if (withMatchLength) reply.integer(match.length);
    }
    reply.bulkText('len');
    reply.integer(found.text.length);
  }
}

export const stringCommands: Commands = {
  get,
  set,
  setnx,
  setex: setWithExpiry('ex', 'setex'),
  psetex: setWithExpiry('px', 'psetex'),
  getset,
  getdel,
  getex,
  mget,
  mset,
  msetnx,
  strlen,
  getrange,
  substr: getrange,
  setrange,
  append,
  incr: (c) => incrementBy(c, 1),
  decr: (c) => incrementBy(c, -1),
  incrby: (c) => incrementBy(c, c.request.bigint(2)),
  decrby,
  incrbyfloat,
  lcs,
};
