/** Set commands. */
import { EventClass } from '../../../models/key-value/changes.js';
import { walkLarge } from '../../../models/key-value/members.js';
import { Encoding, type KeyRecord } from '../../../models/key-value/record.js';
import {
  addMembers,
  announceRemoval,
  findSet,
  isMember,
  randomMember,
  randomMembers,
  removeMembers,
  setMembers,
  setSize,
  storeSet,
} from '../../../models/key-value/sets.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { matchesGlob } from '../glob.js';
import { parseIntegerText } from '../numbers.js';
import { readCursor, readScanOptions } from './keys.js';

function sadd(c: CommandContext): void {
  const key = c.request.text(1);
  const added = addMembers(c.db, key, findSet(c.db, key), c.request.texts(2));
  if (added > 0) c.db.changed(key, EventClass.set, 'sadd');
  c.reply.integer(added);
}

function srem(c: CommandContext): void {
  const record = findSet(c.db, c.request.text(1));
  if (record === undefined) {
    c.reply.integer(0);
    return;
  }
  const { removed, emptied } = removeMembers(c.db, record, c.request.texts(2));
  if (removed > 0) announceRemoval(c.db, record.key, 'srem', emptied);
  c.reply.integer(removed);
}

function sismember(c: CommandContext): void {
  const record = findSet(c.db, c.request.text(1));
  c.reply.integer(record !== undefined && isMember(c.db, record, c.request.text(2)) ? 1 : 0);
}

function smismember(c: CommandContext): void {
  const record = findSet(c.db, c.request.text(1));
  c.reply.array(c.request.count - 2);
  for (let i = 2; i < c.request.count; i++) {
    c.reply.integer(record !== undefined && isMember(c.db, record, c.request.text(i)) ? 1 : 0);
  }
}

function writeSet(c: CommandContext, members: readonly string[]): void {
  c.reply.set(members.length);
  for (const member of members) c.reply.bulkText(member);
}

function smembers(c: CommandContext): void {
  const record = findSet(c.db, c.request.text(1));
  writeSet(c, record === undefined ? [] : setMembers(c.db, record));
}

function smove(c: CommandContext): void {
  const { request, db, reply } = c;
  const from = request.text(1);
  const to = request.text(2);
  const member = request.text(3);
  const source = findSet(db, from);
  if (source === undefined) {
    reply.integer(0);
    return;
  }
  const target = findSet(db, to);
  const there = isMember(db, source, member);
  if (!there || from === to) {
    reply.integer(there ? 1 : 0);
    return;
  }
  const { emptied } = removeMembers(db, source, [member]);
  announceRemoval(db, from, 'srem', emptied);
  if (addMembers(db, to, target, [member]) > 0) db.changed(to, EventClass.set, 'sadd');
  reply.integer(1);
}

function spop(c: CommandContext): void {
  const { request, db, reply } = c;
  if (request.count > 3) throw syntaxError();
  if (request.count === 2) {
    const record = findSet(db, request.text(1));
    if (record === undefined) {
      reply.null();
      return;
    }
    const member = randomMember(db, record);
    const { emptied } = removeMembers(db, record, [member]);
    announceRemoval(db, record.key, 'spop', emptied);
    reply.bulkText(member);
    return;
  }
  const count = parseIntegerText(request.text(2));
  if (typeof count !== 'number' || count < 0) throw new RedisError('ERR value is out of range, must be positive');
  const record = findSet(db, request.text(1));
  if (record === undefined || count === 0) {
    reply.set(0);
    return;
  }
  const members = randomMembers(db, record, count);
  const { emptied } = removeMembers(db, record, members);
  announceRemoval(db, record.key, 'spop', emptied);
  writeSet(c, members);
}

function srandmember(c: CommandContext): void {
  const { request, db, reply } = c;
  if (request.count > 3) throw syntaxError();
  const record = findSet(db, request.text(1));
  if (request.count === 2) {
    if (record === undefined) reply.null();
    else reply.bulkText(randomMember(db, record));
    return;
  }
  const count = request.integer(2);
  if (Math.abs(count) > Number.MAX_SAFE_INTEGER) throw new RedisError('ERR value is out of range');
  if (record === undefined) {
    reply.array(0);
    return;
  }
  const members =
    count >= 0 ? randomMembers(db, record, count) : Array.from({ length: -count }, () => randomMember(db, record));
  reply.array(members.length);
  for (const member of members) reply.bulkText(member);
}

type Operation = 'sinter' | 'sunion' | 'sdiff';

/** The records of the keys at words `from` to `to`; all of them must be sets. */
function recordsOf(c: CommandContext, from: number, to = c.request.count): (KeyRecord | undefined)[] {
  return c.request.texts(from, to).map((key) => findSet(c.db, key));
}

function combine(c: CommandContext, operation: Operation, records: readonly (KeyRecord | undefined)[]): string[] {
  const { db } = c;
  if (operation === 'sunion') {
    const all = new Set<string>();
    for (const record of records)
      if (record !== undefined) for (const member of setMembers(db, record)) all.add(member);
    return [...all];
  }
  const [first, ...others] = records;
  if (first === undefined) return [];
  if (operation === 'sinter') {
    if (others.some((record) => record === undefined)) return [];
    const sorted = [first, ...(others as KeyRecord[])].sort((a, b) => setSize(a) - setSize(b));
    const [smallest, ...rest] = sorted;
    if (smallest === undefined) return [];
    return setMembers(db, smallest).filter((member) => rest.every((record) => isMember(db, record, member)));
  }
  return setMembers(db, first).filter((member) =>
    others.every((record) => record === undefined || !isMember(db, record, member)),
  );
}

function read(operation: Operation) {
  return (c: CommandContext): void => writeSet(c, combine(c, operation, recordsOf(c, 1)));
}

function store(operation: Operation) {
  return (c: CommandContext): void => {
    const { request, db } = c;
    const members = combine(c, operation, recordsOf(c, 2));
    const target = request.text(1);
    const old = db.find(target);
    if (members.length === 0) {
      if (old !== undefined) {
        db.remove(old);
        db.changed(target, EventClass.generic, 'del');
      }
    } else {
      storeSet(db, target, old, members);
      db.changed(target, EventClass.set, `${operation}store`);
    }
    c.reply.integer(members.length);
  };
}

function sintercard(c: CommandContext): void {
  const { request, reply } = c;
  const count = parseIntegerText(request.text(1));
  if (typeof count !== 'number' || count < 1) throw new RedisError('ERR numkeys should be greater than 0');
  if (count > request.count - 2) throw new RedisError("ERR Number of keys can't be greater than number of args");
  let limit = 0;
  for (let i = 2 + count; i < request.count; i++) {
    if (!request.is(i, 'limit') || i + 1 >= request.count) throw syntaxError();
    const value = parseIntegerText(request.text(++i));
    if (value === undefined || value < 0) throw new RedisError("ERR LIMIT can't be negative");
    limit = Number(value);
  }
  const found = combine(c, 'sinter', recordsOf(c, 2, 2 + count)).length;
  reply.integer(limit === 0 ? found : Math.min(limit, found));
}

function sscan(c: CommandContext): void {
  const { request, db, reply } = c;
  const cursor = readCursor(c, 2);
  const { pattern, count } = readScanOptions(c, 3, false);
  const record = findSet(db, request.text(1));
  let next = 0;
  let members: string[] = [];
  if (record !== undefined && record.encoding !== Encoding.setHashtable) members = setMembers(db, record);
  else if (record !== undefined) {
    const page = walkLarge(db, record, cursor, count);
    next = page.next;
    members = page.entries.map(({ name }) => name);
  }
  const fitting = pattern === undefined ? members : members.filter((member) => matchesGlob(pattern, member));
  reply.array(2);
  reply.bulkText(String(next));
  reply.array(fitting.length);
  for (const member of fitting) reply.bulkText(member);
}

export const setCommands: Commands = {
  sadd,
  srem,
  scard: (c) => c.reply.integer(setSize(findSet(c.db, c.request.text(1)))),
  sismember,
  smismember,
  smembers,
  smove,
  spop,
  srandmember,
  sinter: read('sinter'),
  sunion: read('sunion'),
  sdiff: read('sdiff'),
  sinterstore: store('sinter'),
  sunionstore: store('sunion'),
  sdiffstore: store('sdiff'),
  sintercard,
  sscan,
};
