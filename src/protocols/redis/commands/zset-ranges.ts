/** The ranges of sorted set commands: by rank, score and member. */
import type { Database } from '../../../models/key-value/database.js';
import type { KeyRecord } from '../../../models/key-value/record.js';
import {
  afterScore,
  type ScoredMember,
  sortableScore,
  zsetBetween,
  zsetRange,
} from '../../../models/key-value/zsets.js';
import { RedisError } from '../errors.js';
import { parseScore } from '../numbers.js';

export interface ScoreBound {
  readonly score: number;
  readonly exclusive: boolean;
}
export interface ScoreRange {
  readonly min: ScoreBound;
  readonly max: ScoreBound;
}

function readScoreBound(text: string): ScoreBound {
  const exclusive = text.startsWith('(');
  const score = parseScore(exclusive ? text.slice(1) : text);
  if (score === undefined) throw new RedisError('ERR min or max is not a float');
  return { score, exclusive };
}

export function readScoreRange(min: string, max: string): ScoreRange {
  return { min: readScoreBound(min), max: readScoreBound(max) };
}

export function* byScore(
  db: Database,
  record: KeyRecord,
  { min, max }: ScoreRange,
  reverse = false,
): Generator<ScoredMember> {
  const low = sortableScore(min.score);
  const high = sortableScore(max.score);
  yield* zsetBetween(
    db,
    record,
    min.exclusive ? afterScore(low) : low,
    max.exclusive ? high : afterScore(high),
    reverse,
  );
}

type LexBound =
  | { readonly kind: 'min' | 'max' }
  | { readonly kind: 'member'; readonly member: string; readonly exclusive: boolean };
export interface LexRange {
  readonly min: LexBound;
  readonly max: LexBound;
}

function readLexBound(text: string): LexBound {
  if (text === '-') return { kind: 'min' };
  if (text === '+') return { kind: 'max' };
  if (text.startsWith('[') || text.startsWith('(')) {
    return { kind: 'member', member: text.slice(1), exclusive: text.startsWith('(') };
  }
  throw new RedisError('ERR min or max not valid string range item');
}

export function readLexRange(min: string, max: string): LexRange {
  return { min: readLexBound(min), max: readLexBound(max) };
}

function aboveMin(member: string, bound: LexBound): boolean {
  if (bound.kind !== 'member') return bound.kind === 'min';
  return bound.exclusive ? member > bound.member : member >= bound.member;
}

function belowMax(member: string, bound: LexBound): boolean {
  if (bound.kind !== 'member') return bound.kind === 'max';
  return bound.exclusive ? member < bound.member : member <= bound.member;
}

/** Members between two names; of sets whose scores differ, whichever fit. */
export function* byLex(
  db: Database,
  record: KeyRecord,
  { min, max }: LexRange,
  reverse = false,
): Generator<ScoredMember> {
  const [first] = zsetRange(db, record, 0, 0, false);
  const [last] = zsetRange(db, record, -1, -1, false);
  if (first === undefined || last === undefined) return;
  if (first.score !== last.score) {
    for (const entry of zsetBetween(db, record, '', undefined, reverse)) {
      if (aboveMin(entry.member, min) && belowMax(entry.member, max)) yield entry;
    }
    return;
  }
  if (min.kind === 'max' || max.kind === 'min') return;
  const score = sortableScore(first.score);
  const start = min.kind === 'member' ? score + min.member + (min.exclusive ? '\0' : '') : score;
  const end = max.kind === 'member' ? score + max.member + (max.exclusive ? '' : '\0') : afterScore(score);
  if (start < end) yield* zsetBetween(db, record, start, end, reverse);
}

/** Skips `offset` and takes `count` (negative: all). */
export function slice(entries: Iterable<ScoredMember>, offset: number, count: number): ScoredMember[] {
  const taken: ScoredMember[] = [];
  if (offset < 0 || count === 0) return taken;
  let skipped = 0;
  for (const entry of entries) {
    if (skipped++ < offset) continue;
    taken.push(entry);
    if (taken.length === count) break;
  }
  return taken;
}
