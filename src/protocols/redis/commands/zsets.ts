/** Sorted set commands; unions and blocking pops are in zset-combine.ts and blocking-zsets.ts. */
import { EventClass } from '../../../models/key-value/changes.js';
import { Encoding, type KeyRecord } from '../../../models/key-value/record.js';
import {
  changeScores,
  findZset,
  randomScored,
  rankOf,
  removeScored,
  type ScoredMember,
  scoreOf,
  storeZset,
  walkZset,
  zsetMembers,
  zsetRange,
  zsetSize,
} from '../../../models/key-value/zsets.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { matchesGlob } from '../glob.js';
import { formatDouble, parseIntegerText } from '../numbers.js';
import { readCursor, readScanOptions } from './keys.js';
import { byLex, byScore, readLexRange, readScoreRange, slice } from './zset-ranges.js';

export function writeMembers(c: CommandContext, entries: readonly ScoredMember[], withScores: boolean): void {
  const { reply } = c;
  if (!withScores) {
    reply.array(entries.length);
    for (const { member } of entries) reply.bulkText(member);
    return;
  }
  reply.array(reply.protocol === 3 ? entries.length : 2 * entries.length);
  for (const { member, score } of entries) {
    if (reply.protocol === 3) reply.array(2);
    reply.bulkText(member);
    reply.double(score);
  }
}

/** Announces what removing members did. */
export function announceScored(c: CommandContext, key: string, event: string, emptied: boolean): void {
  c.db.changed(key, EventClass.zset, event);
  if (emptied) c.db.changed(key, EventClass.generic, 'del');
}

function zadd(c: CommandContext): void {
  const { request, db, reply } = c;
  let nx = false;
  let xx = false;
  let gt = false;
  let lt = false;
  let ch = false;
  let incr = false;
  let i = 2;
  for (; i < request.count; i++) {
    const option = request.lower(i);
    if (option === 'nx') nx = true;
    else if (option === 'xx') xx = true;
    else if (option === 'gt') gt = true;
    else if (option === 'lt') lt = true;
    else if (option === 'ch') ch = true;
    else if (option === 'incr') incr = true;
    else break;
  }
  const words = request.count - i;
  if (words === 0 || words % 2 !== 0) throw syntaxError();
  if (nx && xx) throw new RedisError('ERR XX and NX options at the same time are not compatible');
  if ((gt && nx) || (lt && nx) || (gt && lt)) {
    throw new RedisError('ERR GT, LT, and/or NX options at the same time are not compatible');
  }
  if (incr && words > 2) throw new RedisError('ERR INCR option supports a single increment-element pair');
  const pairs: ScoredMember[] = [];
  for (let k = i; k < request.count; k += 2) pairs.push({ score: request.float(k), member: request.text(k + 1) });
  const key = request.text(1);
  const record = findZset(db, key);
  if (record === undefined && xx) {
    if (incr) reply.null();
    else reply.integer(0);
    return;
  }
  const changed = changeScores(db, key, record, pairs, (_member, old, wanted) => {
    if (old === undefined) return xx ? undefined : wanted;
    if (nx) return undefined;
    const score = incr ? old + wanted : wanted;
    if (Number.isNaN(score)) throw new RedisError('ERR resulting score is not a number (NaN)');
    if ((gt && score <= old) || (lt && score >= old)) return undefined;
    return score;
  });
  if (changed.added + changed.updated > 0) db.changed(key, EventClass.zset, incr ? 'zincr' : 'zadd');
  if (!incr) reply.integer(ch ? changed.added + changed.updated : changed.added);
  else if (changed.scores[0] === undefined) reply.null();
  else reply.double(changed.scores[0]);
}

function zincrby(c: CommandContext): void {
  const { request, db } = c;
  const delta = request.float(2);
  const key = request.text(1);
  const { scores } = changeScores(
    db,
    key,
    findZset(db, key),
    [{ score: delta, member: request.text(3) }],
    (_member, old, wanted) => {
      const score = (old ?? 0) + wanted;
      if (Number.isNaN(score)) throw new RedisError('ERR resulting score is not a number (NaN)');
      return score;
    },
  );
  db.changed(key, EventClass.zset, 'zincr');
  c.reply.double(scores[0] ?? 0);
}

function zscore(c: CommandContext): void {
  const record = findZset(c.db, c.request.text(1));
  const score = record === undefined ? undefined : scoreOf(c.db, record, c.request.text(2));
  if (score === undefined) c.reply.null();
  else c.reply.double(score);
}

function zmscore(c: CommandContext): void {
  const record = findZset(c.db, c.request.text(1));
  c.reply.array(c.request.count - 2);
  for (let i = 2; i < c.request.count; i++) {
    const score = record === undefined ? undefined : scoreOf(c.db, record, c.request.text(i));
    if (score === undefined) c.reply.null();
    else c.reply.double(score);
  }
}

function zrank(reverse: boolean) {
  return (c: CommandContext): void => {
    const { request, reply } = c;
    if (request.count > 4) throw syntaxError();
    const withScore = request.count === 4;
    if (withScore && !request.is(3, 'withscore')) throw syntaxError();
    const record = findZset(c.db, request.text(1));
    const found = record === undefined ? undefined : rankOf(c.db, record, request.text(2), reverse);
    if (found === undefined) {
      if (withScore) reply.nullArray();
      else reply.null();
    } else if (withScore) {
      reply.array(2);
      reply.integer(found.rank);
      reply.double(found.score);
    } else reply.integer(found.rank);
  };
}

function zrem(c: CommandContext): void {
  const record = findZset(c.db, c.request.text(1));
  if (record === undefined) {
    c.reply.integer(0);
    return;
  }
  const { removed, emptied } = removeScored(c.db, record, c.request.texts(2));
  if (removed > 0) announceScored(c, record.key, 'zrem', emptied);
  c.reply.integer(removed);
}

// --- ranges -----------------------------------------------------------------------------------------------------------

type RangeKind = 'rank' | 'score' | 'lex';

interface RangeRequest {
  kind: RangeKind;
  reverse: boolean;
  withScores: boolean;
  offset: number;
  count: number;
}

/** The members of a range whose two bounds are at words `at` and `at + 1`; options follow. */
function rangeOf(
  c: CommandContext,
  keyIndex: number,
  fixed: Partial<RangeRequest>,
  storing: boolean,
): { entries: ScoredMember[]; withScores: boolean } {
  const { request, db } = c;
  const at = keyIndex + 1;
  const given = { kind: fixed.kind, reverse: fixed.reverse };
  let withScores = false;
  let offset = 0;
  let count = -1;
  let limited = false;
  for (let i = at + 2; i < request.count; i++) {
    const left = request.count - 1 - i;
    if (!storing && request.is(i, 'withscores')) withScores = true;
    else if (request.is(i, 'limit') && left >= 2) {
      offset = request.integer(i + 1);
      count = request.integer(i + 2);
      limited = true;
      i += 2;
    } else if (fixed.reverse === undefined && request.is(i, 'rev')) given.reverse = true;
    else if (fixed.kind === undefined && request.is(i, 'bylex')) given.kind = 'lex';
    else if (fixed.kind === undefined && request.is(i, 'byscore')) given.kind = 'score';
    else throw syntaxError();
  }
  const kind = given.kind ?? 'rank';
  const reverse = given.reverse ?? false;
  if (limited && kind === 'rank') {
    throw new RedisError('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX');
  }
  if (withScores && kind === 'lex') {
    throw new RedisError('ERR syntax error, WITHSCORES not supported in combination with BYLEX');
  }
  const key = request.text(keyIndex);
  if (kind === 'rank') {
    const start = request.integer(at);
    const end = request.integer(at + 1);
    const record = findZset(db, key);
    return { entries: record === undefined ? [] : zsetRange(db, record, start, end, reverse), withScores };
  }
  const low = request.text(reverse ? at + 1 : at);
  const high = request.text(reverse ? at : at + 1);
  if (kind === 'score') {
    const range = readScoreRange(low, high);
    const record = findZset(db, key);
    return {
      entries: record === undefined ? [] : slice(byScore(db, record, range, reverse), offset, count),
      withScores,
    };
  }
  const range = readLexRange(low, high);
  const record = findZset(db, key);
  return { entries: record === undefined ? [] : slice(byLex(db, record, range, reverse), offset, count), withScores };
}

function rangeCommand(fixed: Partial<RangeRequest>) {
  return (c: CommandContext): void => {
    const { entries, withScores } = rangeOf(c, 1, fixed, false);
    writeMembers(c, entries, withScores);
  };
}

export function storeResult(c: CommandContext, target: string, entries: readonly ScoredMember[], event: string): void {
  const { db } = c;
  const old = db.find(target);
  if (entries.length === 0) {
    if (old !== undefined) {
      db.remove(old);
      db.changed(target, EventClass.generic, 'del');
    }
  } else {
    storeZset(db, target, old, entries);
    db.changed(target, EventClass.zset, event);
  }
  c.reply.integer(entries.length);
}

function zrangestore(c: CommandContext): void {
  const { entries } = rangeOf(c, 2, {}, true);
  storeResult(c, c.request.text(1), entries, 'zrangestore');
}

function countRange(kind: 'score' | 'lex') {
  return (c: CommandContext): void => {
    const { request, db } = c;
    const low = request.text(2);
    const high = request.text(3);
    const range = kind === 'score' ? readScoreRange(low, high) : readLexRange(low, high);
    const record = findZset(db, request.text(1));
    let count = 0;
    if (record !== undefined) {
      const entries = 'score' in range.min ? byScore(db, record, range as never) : byLex(db, record, range as never);
      for (const _ of entries) count++;
    }
    c.reply.integer(count);
  };
}

function removeRange(kind: RangeKind) {
  return (c: CommandContext): void => {
    const { request, db } = c;
    const key = request.text(1);
    let find: (record: KeyRecord) => ScoredMember[];
    if (kind === 'rank') {
      const start = request.integer(2);
      const end = request.integer(3);
      find = (record) => zsetRange(db, record, start, end, false);
    } else if (kind === 'score') {
      const range = readScoreRange(request.text(2), request.text(3));
      find = (record) => [...byScore(db, record, range)];
    } else {
      const range = readLexRange(request.text(2), request.text(3));
      find = (record) => [...byLex(db, record, range)];
    }
    const record = findZset(db, key);
    if (record === undefined) {
      c.reply.integer(0);
      return;
    }
    const members = find(record).map(({ member }) => member);
    if (members.length > 0) {
      const { emptied } = removeScored(db, record, members);
      announceScored(c, key, `zremrangeby${kind}`, emptied);
    }
    c.reply.integer(members.length);
  };
}

// --- pops, random members, scan ---------------------------------------------------------------------------------------

/** Takes up to `count` members from one end. */
export function popScored(c: CommandContext, record: KeyRecord, count: number, max: boolean): ScoredMember[] {
  const entries = zsetRange(c.db, record, 0, count - 1, max);
  const { emptied } = removeScored(
    c.db,
    record,
    entries.map(({ member }) => member),
  );
  announceScored(c, record.key, max ? 'zpopmax' : 'zpopmin', emptied);
  return entries;
}

function zpop(max: boolean) {
  return (c: CommandContext): void => {
    const { request, reply } = c;
    if (request.count > 3) throw syntaxError();
    let count: number | undefined;
    if (request.count === 3) {
      const given = parseIntegerText(request.text(2));
      if (typeof given !== 'number' || given < 0) throw new RedisError('ERR value is out of range, must be positive');
      count = given;
    }
    const record = findZset(c.db, request.text(1));
    if (record === undefined || count === 0) {
      reply.array(0);
      return;
    }
    const entries = popScored(c, record, count ?? 1, max);
    if (count !== undefined) writeMembers(c, entries, true);
    else {
      reply.array(2);
      reply.bulkText(entries[0]?.member ?? '');
      reply.double(entries[0]?.score ?? 0);
    }
  };
}

function zrandmember(c: CommandContext): void {
  const { request, db, reply } = c;
  if (request.count > 4) throw syntaxError();
  const withScores = request.count === 4;
  if (withScores && !request.is(3, 'withscores')) throw syntaxError();
  const record = findZset(db, request.text(1));
  if (request.count === 2) {
    if (record === undefined) reply.null();
    else reply.bulkText(randomScored(db, record).member);
    return;
  }
  const count = request.integer(2);
  if (Math.abs(count) > Number.MAX_SAFE_INTEGER / (withScores ? 2 : 1))
    throw new RedisError('ERR value is out of range');
  if (record === undefined) {
    reply.array(0);
    return;
  }
  const entries: ScoredMember[] = [];
  if (count < 0) for (let i = 0; i < -count; i++) entries.push(randomScored(db, record));
  else {
    const all = zsetMembers(db, record);
    for (let i = 0; i < Math.min(count, all.length); i++) {
      const j = i + Math.floor(db.tx.random() * (all.length - i));
      const chosen = all[j];
      const swapped = all[i];
      if (chosen === undefined || swapped === undefined) continue;
      all[j] = swapped;
      entries.push(chosen);
    }
  }
  writeMembers(c, entries, withScores);
}

function zscan(c: CommandContext): void {
  const { request, db, reply } = c;
  const cursor = readCursor(c, 2);
  const { pattern, count } = readScanOptions(c, 3, false);
  const record = findZset(db, request.text(1));
  let next = 0;
  let entries: readonly ScoredMember[] = [];
  if (record !== undefined && record.encoding === Encoding.zsetListpack) entries = zsetMembers(db, record);
  else if (record !== undefined) ({ entries, next } = walkZset(db, record, cursor, count));
  const fitting = pattern === undefined ? entries : entries.filter(({ member }) => matchesGlob(pattern, member));
  reply.array(2);
  reply.bulkText(String(next));
  reply.array(2 * fitting.length);
  for (const { member, score } of fitting) {
    reply.bulkText(member);
    reply.bulkText(formatDouble(score));
  }
}

export const zsetCommands: Commands = {
  zadd,
  zincrby,
  zscore,
  zmscore,
  zrank: zrank(false),
  zrevrank: zrank(true),
  zrem,
  zcard: (c) => c.reply.integer(zsetSize(findZset(c.db, c.request.text(1)))),
  zrange: rangeCommand({}),
  zrevrange: rangeCommand({ kind: 'rank', reverse: true }),
  zrangebyscore: rangeCommand({ kind: 'score', reverse: false }),
  zrevrangebyscore: rangeCommand({ kind: 'score', reverse: true }),
  zrangebylex: rangeCommand({ kind: 'lex', reverse: false }),
  zrevrangebylex: rangeCommand({ kind: 'lex', reverse: true }),
  zrangestore,
  zcount: countRange('score'),
  zlexcount: countRange('lex'),
  zremrangebyrank: removeRange('rank'),
  zremrangebyscore: removeRange('score'),
  zremrangebylex: removeRange('lex'),
  zpopmin: zpop(false),
  zpopmax: zpop(true),
  zrandmember,
  zscan,
};
