/** ZMPOP, BZMPOP, BZPOPMIN, BZPOPMAX. */
import { findZset, type ScoredMember } from '../../../models/key-value/zsets.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { parseIntegerText } from '../numbers.js';
import { asleep, readTimeout, waiting } from './blocking-lists.js';
import { popScored } from './zsets.js';

interface MultiPop {
  readonly keys: readonly string[];
  readonly max: boolean;
  readonly count: number;
}

function readMultiPop(c: CommandContext, from: number): MultiPop {
  const { request } = c;
  const numkeys = parseIntegerText(request.text(from));
  if (typeof numkeys !== 'number' || numkeys < 1) throw new RedisError('ERR numkeys should be greater than 0');
  const where = from + 1 + numkeys;
  if (where >= request.count) throw syntaxError();
  const max = request.is(where, 'max');
  if (!max && !request.is(where, 'min')) throw syntaxError();
  let count: number | undefined;
  for (let i = where + 1; i < request.count; i++) {
    if (count !== undefined || !request.is(i, 'count') || i + 1 >= request.count) throw syntaxError();
    const value = parseIntegerText(request.text(++i));
    if (typeof value !== 'number' || value < 1) throw new RedisError('ERR count should be greater than 0');
    count = value;
  }
  return { keys: request.texts(from + 1, where), max, count: count ?? 1 };
}

function writePairs(c: CommandContext, key: string, entries: readonly ScoredMember[]): void {
  const { reply } = c;
  reply.array(2);
  reply.bulkText(key);
  reply.array(entries.length);
  for (const { member, score } of entries) {
    reply.array(2);
    reply.bulkText(member);
    reply.double(score);
  }
}

function popFirst(c: CommandContext, { keys, max, count }: MultiPop): boolean {
  for (const key of keys) {
    const served = asleep(c, () => {
      const record = findZset(c.db, key);
      if (record === undefined) return false;
      writePairs(c, key, popScored(c, record, count, max));
      return true;
    });
    if (served) return true;
  }
  return false;
}

function zmpop(c: CommandContext): void {
  if (!popFirst(c, readMultiPop(c, 1))) c.reply.nullArray();
}

function wait(c: CommandContext, keys: readonly string[], timeoutMs: number): void {
  if (!c.canBlock) c.reply.nullArray();
  else c.block({ keys, timeoutMs, onTimeout: (reply) => reply.nullArray(), state: waiting });
}

function bzmpop(c: CommandContext): void {
  const timeoutMs = readTimeout(c, 1);
  const request = readMultiPop(c, 2);
  if (!popFirst(c, request)) wait(c, request.keys, timeoutMs);
}

function bzpop(max: boolean) {
  return (c: CommandContext): void => {
    const { request, reply } = c;
    const last = request.count - 1;
    const timeoutMs = readTimeout(c, last);
    const keys = request.texts(1, last);
    for (const key of keys) {
      const served = asleep(c, () => {
        const record = findZset(c.db, key);
        if (record === undefined) return false;
        const [entry] = popScored(c, record, 1, max);
        reply.array(3);
        reply.bulkText(key);
        reply.bulkText(entry?.member ?? '');
        reply.double(entry?.score ?? 0);
        return true;
      });
      if (served) return;
    }
    wait(c, keys, timeoutMs);
  };
}

export const blockingZsetCommands: Commands = { zmpop, bzmpop, bzpopmin: bzpop(false), bzpopmax: bzpop(true) };
