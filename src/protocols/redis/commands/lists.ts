/** List commands; those that wait are in blocking-lists.ts. */
import { EventClass } from '../../../models/key-value/changes.js';
import {
  elementAt,
  findList,
  insertAt,
  listElements,
  listLength,
  listRange,
  pop,
  push,
  removeEqual,
  setElement,
  trimTo,
} from '../../../models/key-value/lists.js';
import type { KeyRecord } from '../../../models/key-value/record.js';
import type { CommandContext, Commands } from '../command.js';
import { noSuchKey, RedisError, syntaxError } from '../errors.js';
import { parseIntegerText } from '../numbers.js';

export function announcePop(c: CommandContext, record: KeyRecord, left: boolean): void {
  c.db.changed(record.key, EventClass.list, left ? 'lpop' : 'rpop');
  if (c.db.tx.get(record.engineKey) === undefined) c.db.changed(record.key, EventClass.generic, 'del');
}

function pushCommand(left: boolean, onlyExisting: boolean) {
  return (c: CommandContext): void => {
    const { request, db } = c;
    const key = request.text(1);
    const record = findList(db, key);
    if (record === undefined && onlyExisting) {
      c.reply.integer(0);
      return;
    }
    const length = push(db, key, record, request.texts(2), left);
    db.changed(key, EventClass.list, left ? 'lpush' : 'rpush');
    c.reply.integer(length);
  };
}

function popCommand(left: boolean) {
  return (c: CommandContext): void => {
    const { request, db, reply } = c;
    const name = left ? 'lpop' : 'rpop';
    if (request.count > 3) throw new RedisError(`ERR wrong number of arguments for '${name}' command`);
    let count: number | undefined;
    if (request.count === 3) {
      const given = parseIntegerText(request.text(2));
      if (typeof given !== 'number' || given < 0) throw new RedisError('ERR value is out of range, must be positive');
      count = given;
    }
    const record = findList(db, request.text(1));
    if (record === undefined) {
      if (count === undefined) reply.null();
      else reply.nullArray();
      return;
    }
    if (count === 0) {
      reply.array(0);
      return;
    }
    const taken = pop(db, record, count ?? 1, left);
    announcePop(c, record, left);
    if (count === undefined) reply.bulkText(taken[0] ?? '');
    else writeList(c, taken);
  };
}

function writeList(c: CommandContext, elements: readonly string[]): void {
  c.reply.array(elements.length);
  for (const element of elements) c.reply.bulkText(element);
}

function lindex(c: CommandContext): void {
  const index = c.request.integer(2);
  const record = findList(c.db, c.request.text(1));
  const element = record === undefined ? undefined : elementAt(c.db, record, index);
  if (element === undefined) c.reply.null();
  else c.reply.bulkText(element);
}

/** Clamps a range with negative indexes; `undefined`: nothing in it. */
function clamp(start: number, end: number, length: number): { start: number; end: number } | undefined {
  const from = start < 0 ? Math.max(0, length + start) : start;
  const to = Math.min(end < 0 ? length + end : end, length - 1);
  return from > to || from >= length ? undefined : { start: from, end: to };
}

function lrange(c: CommandContext): void {
  const start = c.request.integer(2);
  const end = c.request.integer(3);
  const record = findList(c.db, c.request.text(1));
  const range = record === undefined ? undefined : clamp(start, end, listLength(record));
  writeList(c, record === undefined || range === undefined ? [] : listRange(c.db, record, range.start, range.end));
}

function lset(c: CommandContext): void {
  const index = c.request.integer(2);
  const key = c.request.text(1);
  const record = findList(c.db, key);
  if (record === undefined) throw noSuchKey();
  const length = listLength(record);
  const place = index < 0 ? length + index : index;
  if (place < 0 || place >= length) throw new RedisError('ERR index out of range');
  setElement(c.db, record, place, c.request.text(3));
  c.db.changed(key, EventClass.list, 'lset');
  c.reply.ok();
}

function ltrim(c: CommandContext): void {
  const start = c.request.integer(2);
  const end = c.request.integer(3);
  const key = c.request.text(1);
  const record = findList(c.db, key);
  if (record !== undefined) {
    const range = clamp(start, end, listLength(record));
    c.db.changed(key, EventClass.list, 'ltrim');
    if (range === undefined) {
      c.db.remove(record);
      c.db.changed(key, EventClass.generic, 'del');
    } else trimTo(c.db, record, range.start, range.end);
  }
  c.reply.ok();
}

function lrem(c: CommandContext): void {
  const count = c.request.integer(2);
  const key = c.request.text(1);
  const record = findList(c.db, key);
  const removed = record === undefined ? 0 : removeEqual(c.db, record, count, c.request.text(3));
  if (record !== undefined && removed > 0) {
    c.db.changed(key, EventClass.list, 'lrem');
    if (c.db.tx.get(record.engineKey) === undefined) c.db.changed(key, EventClass.generic, 'del');
  }
  c.reply.integer(removed);
}

function linsert(c: CommandContext): void {
  const { request, db, reply } = c;
  const before = request.is(2, 'before');
  if (!before && !request.is(2, 'after')) throw syntaxError();
  const key = request.text(1);
  const record = findList(db, key);
  if (record === undefined) {
    reply.integer(0);
    return;
  }
  const place = indexOf(c, record, request.text(3));
  if (place < 0) {
    reply.integer(-1);
    return;
  }
  const length = listLength(record);
  insertAt(db, record, before ? place : place + 1, request.text(4));
  db.changed(key, EventClass.list, 'linsert');
  reply.integer(length + 1);
}

/** Elements looked at a time while searching. */
const searchStep = 256;

function indexOf(c: CommandContext, record: KeyRecord, element: string): number {
  const length = listLength(record);
  for (let from = 0; from < length; from += searchStep) {
    const found = listRange(c.db, record, from, from + searchStep - 1).indexOf(element);
    if (found >= 0) return from + found;
  }
  return -1;
}

function lpos(c: CommandContext): void {
  const { request, db, reply } = c;
  let rank = 1;
  let count: number | undefined;
  let maxLength = 0;
  for (let i = 3; i < request.count; i += 2) {
    if (i + 1 >= request.count) throw syntaxError();
    if (request.is(i, 'rank')) {
      rank = request.integer(i + 1);
      if (rank === 0) {
        throw new RedisError(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
        );
      }
      if (rank < -Number.MAX_SAFE_INTEGER) throw new RedisError('ERR value is out of range');
    } else if (request.is(i, 'count')) {
      count = request.integer(i + 1);
      if (count < 0) throw new RedisError("ERR COUNT can't be negative");
    } else if (request.is(i, 'maxlen')) {
      maxLength = request.integer(i + 1);
      if (maxLength < 0) throw new RedisError("ERR MAXLEN can't be negative");
    } else throw syntaxError();
  }
  const record = findList(db, request.text(1));
  const elements = record === undefined ? [] : listElements(db, record);
  const wanted = request.text(2);
  const found: number[] = [];
  const limit = count === undefined ? 1 : count === 0 ? elements.length : count;
  let skip = Math.abs(rank) - 1;
  const steps = maxLength === 0 ? elements.length : Math.min(maxLength, elements.length);
  for (let step = 0; step < steps && found.length < limit; step++) {
    const place = rank > 0 ? step : elements.length - 1 - step;
    if (elements[place] !== wanted) continue;
    if (skip > 0) skip--;
    else found.push(place);
  }
  if (count !== undefined) {
    reply.array(found.length);
    for (const place of found) reply.integer(place);
  } else if (found[0] === undefined) reply.null();
  else reply.integer(found[0]);
}

export function readSide(c: CommandContext, index: number): boolean {
  if (c.request.is(index, 'left')) return true;
  if (c.request.is(index, 'right')) return false;
  throw syntaxError();
}

/** Moves one element; false when the source is missing. */
export function moveElement(c: CommandContext, from: string, to: string, fromLeft: boolean, toLeft: boolean): boolean {
  const { db } = c;
  const source = findList(db, from);
  if (source === undefined) return false;
  if (to !== from) findList(db, to);
  const [element = ''] = pop(db, source, 1, fromLeft);
  push(db, to, findList(db, to), [element], toLeft);
  db.changed(to, EventClass.list, toLeft ? 'lpush' : 'rpush');
  announcePop(c, source, fromLeft);
  c.reply.bulkText(element);
  return true;
}

function lmove(c: CommandContext): void {
  const fromLeft = readSide(c, 3);
  const toLeft = readSide(c, 4);
  if (!moveElement(c, c.request.text(1), c.request.text(2), fromLeft, toLeft)) c.reply.null();
}

function rpoplpush(c: CommandContext): void {
  if (!moveElement(c, c.request.text(1), c.request.text(2), false, true)) c.reply.null();
}

export interface MultiPop {
  readonly keys: readonly string[];
  readonly left: boolean;
  readonly count: number;
}

/** numkeys key… LEFT|RIGHT [COUNT n] from word `from` on. */
export function readMultiPop(c: CommandContext, from: number): MultiPop {
  const { request } = c;
  const numkeys = parseIntegerText(request.text(from));
  if (typeof numkeys !== 'number' || numkeys < 1) throw new RedisError('ERR numkeys should be greater than 0');
  const where = from + 1 + numkeys;
  if (where >= request.count) throw syntaxError();
  const left = readSide(c, where);
  let count: number | undefined;
  for (let i = where + 1; i < request.count; i++) {
    if (count !== undefined || !request.is(i, 'count') || i + 1 >= request.count) throw syntaxError();
    const value = parseIntegerText(request.text(++i));
    if (typeof value !== 'number' || value < 1) throw new RedisError('ERR count should be greater than 0');
    count = value;
  }
  return { keys: request.texts(from + 1, where), left, count: count ?? 1 };
}

/** Pops from the first list that is there; false when none is. */
export function popFirst(c: CommandContext, { keys, left, count }: MultiPop): boolean {
  for (const key of keys) {
    const record = findList(c.db, key);
    if (record === undefined) continue;
    const taken = pop(c.db, record, count, left);
    announcePop(c, record, left);
    c.reply.array(2);
    c.reply.bulkText(key);
    writeList(c, taken);
    return true;
  }
  return false;
}

function lmpop(c: CommandContext): void {
  if (!popFirst(c, readMultiPop(c, 1))) c.reply.nullArray();
}

export const listCommands: Commands = {
  lpush: pushCommand(true, false),
  rpush: pushCommand(false, false),
  lpushx: pushCommand(true, true),
  rpushx: pushCommand(false, true),
  lpop: popCommand(true),
  rpop: popCommand(false),
  llen: (c) => c.reply.integer(listLength(findList(c.db, c.request.text(1)))),
  lindex,
  lrange,
  lset,
  ltrim,
  lrem,
  linsert,
  lpos,
  lmove,
  rpoplpush,
  lmpop,
};
