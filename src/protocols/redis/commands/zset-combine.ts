/** ZUNION, ZINTER, ZDIFF and their storing and counting forms. */
import { KeyValueError } from '../../../models/key-value/errors.js';
import { type KeyRecord, ValueType } from '../../../models/key-value/record.js';
import { setMembers } from '../../../models/key-value/sets.js';
import { type ScoredMember, zsetMembers } from '../../../models/key-value/zsets.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { parseIntegerText, parseScore } from '../numbers.js';
import { storeResult, writeMembers } from './zsets.js';

type Operation = 'zunion' | 'zinter' | 'zdiff';
type Aggregate = 'sum' | 'min' | 'max';

interface CombineRequest {
  readonly sources: readonly ReadonlyMap<string, number>[];
  readonly weights: readonly number[];
  readonly aggregate: Aggregate;
  readonly withScores: boolean;
  readonly limit: number;
}

/** Members and scores of a sorted set, or of a plain set with score 1. */
function scoresOf(c: CommandContext, record: KeyRecord | undefined): ReadonlyMap<string, number> {
  const scores = new Map<string, number>();
  if (record?.type === ValueType.zset)
    for (const { member, score } of zsetMembers(c.db, record)) scores.set(member, score);
  else if (record?.type === ValueType.set) for (const member of setMembers(c.db, record)) scores.set(member, 1);
  return scores;
}

function parse(
  c: CommandContext,
  operation: Operation,
  numkeysAt: number,
  form: 'read' | 'store' | 'card',
): CombineRequest {
  const { request } = c;
  const count = parseIntegerText(request.text(numkeysAt));
  if (count === undefined) throw new RedisError('ERR value is not an integer or out of range');
  const name = request.lower(0);
  if (count < 1) {
    throw new RedisError(
      form === 'card'
        ? 'ERR numkeys should be greater than 0'
        : `ERR at least 1 input key is needed for '${name}' command`,
    );
  }
  const first = numkeysAt + 1;
  const after = first + Number(count);
  if (after > request.count) {
    if (form === 'card') throw new RedisError("ERR Number of keys can't be greater than number of args");
    throw syntaxError();
  }
  const records = request.texts(first, after).map((key) => {
    const record = c.db.find(key);
    if (record !== undefined && record.type !== ValueType.zset && record.type !== ValueType.set) {
      throw new KeyValueError('wrong-type');
    }
    return record;
  });
  let weights = records.map(() => 1);
  let aggregate: Aggregate = 'sum';
  let withScores = false;
  let limit = 0;
  for (let i = after; i < request.count; i++) {
    const left = request.count - 1 - i;
    if (form === 'card') {
      if (!request.is(i, 'limit') || left < 1) throw syntaxError();
      const value = parseIntegerText(request.text(++i));
      if (value === undefined || value < 0) throw new RedisError("ERR LIMIT can't be negative");
      limit = Number(value);
    } else if (operation !== 'zdiff' && request.is(i, 'weights') && left >= records.length) {
      weights = records.map((_, k) => {
        const weight = parseScore(request.text(i + 1 + k));
        if (weight === undefined) throw new RedisError('ERR weight value is not a float');
        return weight;
      });
      i += records.length;
    } else if (operation !== 'zdiff' && request.is(i, 'aggregate') && left >= 1) {
      const mode = request.lower(++i);
      if (mode !== 'sum' && mode !== 'min' && mode !== 'max') throw syntaxError();
      aggregate = mode;
    } else if (form === 'read' && request.is(i, 'withscores')) withScores = true;
    else throw syntaxError();
  }
  return { sources: records.map((record) => scoresOf(c, record)), weights, aggregate, withScores, limit };
}

/** inf times 0 and inf minus inf count as 0. */
const orZero = (value: number): number => (Number.isNaN(value) ? 0 : value);

function combine(operation: Operation, { sources, weights, aggregate }: CombineRequest): ScoredMember[] {
  const join = (a: number, b: number): number =>
    aggregate === 'sum' ? orZero(a + b) : aggregate === 'min' ? Math.min(a, b) : Math.max(a, b);
  const result = new Map<string, number>();
  const [first = new Map<string, number>()] = sources;
  if (operation === 'zunion') {
    sources.forEach((source, i) => {
      for (const [member, score] of source) {
        const weighted = orZero(score * (weights[i] ?? 1));
        const known = result.get(member);
        result.set(member, known === undefined ? weighted : join(known, weighted));
      }
    });
  } else if (operation === 'zinter') {
    for (const member of first.keys()) {
      if (!sources.every((source) => source.has(member))) continue;
      const scores = sources.map((source, i) => orZero((source.get(member) ?? 0) * (weights[i] ?? 1)));
      result.set(member, scores.reduce(join));
    }
  } else {
    for (const [member, score] of first) {
      if (!sources.slice(1).some((source) => source.has(member))) result.set(member, score);
    }
  }
  const entries = [...result].map(([member, score]) => ({ member, score }));
  return entries.sort((a, b) => a.score - b.score || (a.member < b.member ? -1 : 1));
}

function read(operation: Operation) {
  return (c: CommandContext): void => {
    const request = parse(c, operation, 1, 'read');
    writeMembers(c, combine(operation, request), request.withScores);
  };
}

function store(operation: Operation) {
  return (c: CommandContext): void => {
    const request = parse(c, operation, 2, 'store');
    storeResult(c, c.request.text(1), combine(operation, request), `${operation}store`);
  };
}

function zintercard(c: CommandContext): void {
  const request = parse(c, 'zinter', 1, 'card');
  const count = combine('zinter', request).length;
  c.reply.integer(request.limit === 0 ? count : Math.min(request.limit, count));
}

export const zsetCombineCommands: Commands = {
  zunion: read('zunion'),
  zinter: read('zinter'),
  zdiff: read('zdiff'),
  zunionstore: store('zunion'),
  zinterstore: store('zinter'),
  zdiffstore: store('zdiff'),
  zintercard,
};
