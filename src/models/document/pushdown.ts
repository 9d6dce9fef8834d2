/**
 * What of a pipeline the planner can do: leading `$match`, `$sort`, `$skip` and `$limit` become a query, which may use
 * indexes; a pipeline that only counts what is left reads nothing more than it must.
 */
import { numberOf } from './scalars.js';
import { Doc, type Value } from './values.js';

export interface PushedDown {
  readonly match: Doc;
  readonly sort: Doc | undefined;
  readonly skip: number;
  /** 0: all. */
  readonly limit: number;
  /** Stages that are left to do. */
  readonly rest: readonly Doc[];
}

/** Stages whose `$match` belongs to the query, in this order: matches, a sort, skips, limits. */
export function pushDown(stages: readonly Doc[]): PushedDown {
  let next = 0;
  const matches: Doc[] = [];
  const stageAt = (name: string): Value | undefined => {
    const stage = stages[next];
    return stage !== undefined && stage.size === 1 && stage.nameAt(0) === name ? stage.at(0) : undefined;
  };
  for (let match = stageAt('$match'); match instanceof Doc; match = stageAt('$match')) {
    matches.push(match);
    next++;
  }
  let sort: Doc | undefined;
  const sorted = stageAt('$sort');
  if (sorted instanceof Doc && !sorted.isEmpty && ![...sorted].some(([, value]) => value instanceof Doc)) {
    sort = sorted;
    next++;
  }
  let skip = 0;
  let limit = 0;
  for (;;) {
    const skipped = wholeNumber(stageAt('$skip'));
    const limited = wholeNumber(stageAt('$limit'));
    if (skipped !== undefined && limit === 0) skip += skipped;
    else if (limited !== undefined && limited > 0) limit = limit === 0 ? limited : Math.min(limit, limited);
    else break;
    next++;
  }
  const match =
    matches.length === 0 ? new Doc() : matches.length === 1 ? (matches[0] ?? new Doc()) : Doc.of({ $and: matches });
  return { match, sort, skip, limit, rest: stages.slice(next) };
}

function wholeNumber(value: Value | undefined): number | undefined {
  const number = numberOf(value);
  return number !== undefined && Number.isInteger(number) && number >= 0 ? number : undefined;
}

/** What a stage that only counts answers with, as drivers write `countDocuments`. */
export interface CountStage {
  readonly field: string;
  /** `_id` of the group; `undefined` for `$count`. */
  readonly id: Value | undefined;
}

/** `[{$group: {_id: <constant>, n: {$sum: 1}}}]` or `[{$count: "n"}]`, and nothing else. */
export function countStage(stages: readonly Doc[]): CountStage | undefined {
  const [stage] = stages;
  if (stages.length !== 1 || stage === undefined || stage.size !== 1) return undefined;
  const specification = stage.at(0);
  if (stage.nameAt(0) === '$count' && typeof specification === 'string' && /^[^$.\0][^.\0]*$/.test(specification)) {
    return { field: specification, id: undefined };
  }
  if (stage.nameAt(0) !== '$group' || !(specification instanceof Doc) || specification.size !== 2) return undefined;
  const id = specification.get('_id');
  const field = specification.nameAt(1) ?? '';
  const sum = specification.at(1);
  const constant = id === null || typeof id === 'number';
  const counts = sum instanceof Doc && sum.size === 1 && sum.get('$sum') === 1;
  return constant && counts && specification.nameAt(0) === '_id' && !field.includes('.') ? { field, id } : undefined;
}
