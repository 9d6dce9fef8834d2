/** BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP. */
import { KeyValueError } from '../../../models/key-value/errors.js';
import { findList, pop } from '../../../models/key-value/lists.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError } from '../errors.js';
import { parseScore } from '../numbers.js';
import { announcePop, moveElement, popFirst, readMultiPop, readSide } from './lists.js';

const timeoutSecondsMax = Number.MAX_SAFE_INTEGER / 1000;

/** A timeout in seconds with decimals; 0: for ever. */
export function readTimeout(c: CommandContext, index: number): number {
  const seconds = parseScore(c.request.text(index));
  if (seconds === undefined) throw new RedisError('ERR timeout is not a float or out of range');
  if (seconds < 0) throw new RedisError('ERR timeout is negative');
  if (seconds > timeoutSecondsMax) throw new RedisError('ERR timeout is out of range');
  return Math.ceil(seconds * 1000);
}

/**
 * While waiting, a key that became another type is no reason to fail: the client sleeps on. In the first run it is an
 * error, as everywhere.
 */
export function asleep(c: CommandContext, attempt: () => boolean): boolean {
  try {
    return attempt();
  } catch (thrown) {
    if (c.resumed !== undefined && thrown instanceof KeyValueError && thrown.code === 'wrong-type') return false;
    throw thrown;
  }
}

export const waiting = { waiting: true } as const;

function blockingPop(left: boolean) {
  return (c: CommandContext): void => {
    const { request, reply } = c;
    const last = request.count - 1;
    const timeoutMs = readTimeout(c, last);
    const keys = request.texts(1, last);
    for (const key of keys) {
      const served = asleep(c, () => {
        const record = findList(c.db, key);
        if (record === undefined) return false;
        const [element = ''] = pop(c.db, record, 1, left);
        announcePop(c, record, left);
        reply.array(2);
        reply.bulkText(key);
        reply.bulkText(element);
        return true;
      });
      if (served) return;
    }
    wait(c, keys, timeoutMs);
  };
}

function wait(c: CommandContext, keys: readonly string[], timeoutMs: number, single = false): void {
  if (!c.canBlock) {
    if (single) c.reply.null();
    else c.reply.nullArray();
    return;
  }
  c.block({
    keys,
    timeoutMs,
    onTimeout: (reply) => reply.nullArray(),
    state: waiting,
  });
}

function blmove(c: CommandContext): void {
  const fromLeft = readSide(c, 3);
  const toLeft = readSide(c, 4);
  const timeoutMs = readTimeout(c, 5);
  moveOrWait(c, fromLeft, toLeft, timeoutMs);
}

function moveOrWait(c: CommandContext, fromLeft: boolean, toLeft: boolean, timeoutMs: number): void {
  const from = c.request.text(1);
  const to = c.request.text(2);
  // A source of another type lets a waiting client sleep; a target of another type is an error even then.
  const source = asleep(c, () => findList(c.db, from) !== undefined);
  if (source && moveElement(c, from, to, fromLeft, toLeft)) return;
  wait(c, [from], timeoutMs, true);
}

function brpoplpush(c: CommandContext): void {
  moveOrWait(c, false, true, readTimeout(c, 3));
}

function blmpop(c: CommandContext): void {
  const timeoutMs = readTimeout(c, 1);
  const request = readMultiPop(c, 2);
  for (const key of request.keys) {
    if (asleep(c, () => popFirst(c, { ...request, keys: [key] }))) return;
  }
  wait(c, request.keys, timeoutMs);
}

export const blockingListCommands: Commands = {
  blpop: blockingPop(true),
  brpop: blockingPop(false),
  blmove,
  brpoplpush,
  blmpop,
};
