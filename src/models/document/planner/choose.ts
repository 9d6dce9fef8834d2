/**
 * Chooses how to find the documents of a query: by `_id`, through an index, through several (`$or`), or all of them.
 *
 * Every usable index gives its bounds. When several are bounded, a look at the store decides: how many entries lie in the
 * ranges, up to a limit. An index that gives the wanted order is preferred when it reads no more.
 */

import { prefixEnd } from '../../../encoding/byte-strings.js';
import type { View } from '../../../engine/engine.js';
import type { Collation } from '../collation.js';
import { sameCollation } from '../collation.js';
import type { Collection } from '../collection.js';
import { badValue, DocumentError } from '../errors.js';
import type { Index } from '../indexes/index.js';
import { termKey } from '../indexes/text-keys.js';
import { wildcardPathKey } from '../indexes/wildcard-keys.js';
import { indexPrefix, rangeOf } from '../keys.js';
import type { Filter } from '../query/filter.js';
import type { FieldPredicate, Predicate } from '../query/predicate.js';
import { multikeyOf } from '../records.js';
import { numberOf } from '../scalars.js';
import { Doc, isArrayValue, type Value } from '../values.js';
import { partialImplied } from './implies.js';
import {
  conjuncts,
  type IndexBounds,
  indexBounds,
  isFieldPredicate,
  type KeyRange,
  keyRanges,
} from './index-bounds.js';
import { boundsOf, isEverything } from './intervals.js';
import type { Access, CollectionScan, IndexScan, QueryPlan } from './plan.js';
import { type Ranking, rankingOf } from './ranking.js';

/** Entries counted in the ranges of each candidate. */
const PROBE_ENTRIES_MAX = 200;
/** Ranges of a candidate that are probed. */
const PROBE_RANGES_MAX = 16;

export interface QueryShape {
  readonly collection: Collection;
  readonly filter: Filter;
  readonly query: Doc;
  readonly sort: Doc | undefined;
  readonly collation: Collation | undefined;
  /** Index name or key pattern, or {$natural: ±1}. */
  readonly hint: string | Doc | undefined;
  readonly min?: Doc | undefined;
  readonly max?: Doc | undefined;
  readonly noTableScan?: boolean;
}

interface Candidate {
  readonly access: IndexScan | CollectionScan;
  readonly bounds: IndexBounds;
  readonly ordered: boolean;
  /** Entries in the ranges, up to the limit. */
  readonly cost: number;
}

export function choosePlan(view: View, shape: QueryShape): QueryPlan {
  const ranking = rankingOf(shape.collection, shape.filter.predicate);
  if (ranking !== undefined) return rankedPlan(shape, ranking);
  const natural = naturalOrder(shape);
  if (natural !== undefined) return planOf(shape, scanAll(shape.collection, natural < 0), true, []);
  if (shape.hint !== undefined) return hinted(view, shape, hintedIndex(shape.collection, shape.hint));
  const { predicate } = shape.filter;
  if (predicate.op === 'always' && !predicate.value) return planOf(shape, { stage: 'EOF' }, true, []);
  const or = conjuncts(predicate).find((child) => child.op === 'or');
  const candidates = candidatesOf(view, shape, predicate);
  const best = bestOf(candidates);
  if (best !== undefined && (best.bounds.bounded || best.ordered)) {
    const others = candidates.filter((candidate) => candidate !== best).map(({ access }) => access);
    return planOf(shape, best.access, best.ordered, others);
  }
  if (or !== undefined && or.op === 'or') {
    const union = orPlan(view, shape, or.children);
    if (union !== undefined) return planOf(shape, union, shape.sort === undefined, []);
  }
  if (shape.noTableScan === true)
    throw new DocumentError(291, "error processing query: No indexed plans available, and running with 'notablescan'");
  return planOf(shape, scanAll(shape.collection, false), shape.sort === undefined, []);
}

/** Text goes by the terms' ranges in the index; distances are taken of every document that the filter lets through. */
function rankedPlan(shape: QueryShape, ranking: Ranking): QueryPlan {
  const { collection } = shape;
  const { index, terms } = ranking;
  const bounds = indexBounds(index, { op: 'and', children: [] }, shape.collation, undefined);
  const first = index.parts[0]?.kind === 'text';
  let access: Access = scanAll(collection, false);
  if (terms !== undefined && terms.length === 0) access = { stage: 'EOF' };
  else if (terms !== undefined && first && bounds !== undefined) {
    const prefix = indexPrefix(collection.id, index.id);
    const ranges = terms.map((term): KeyRange => ({ ...rangeOf(prefix + termKey(term)), points: 0 }));
    access = { stage: 'IXSCAN', bounds, ranges, reverse: false, multikey: index.parts.map(() => 1) };
  }
  return { collection, access, filter: shape.filter, query: shape.query, sort: shape.sort, rejected: [], ranking };
}

function planOf(shape: QueryShape, access: Access, ordered: boolean, rejected: readonly Access[]): QueryPlan {
  return {
    collection: shape.collection,
    access,
    filter: shape.filter.isEmpty || answersAll(access, shape.filter.predicate) ? undefined : shape.filter,
    query: shape.query,
    sort: ordered ? undefined : shape.sort,
    rejected,
  };
}

/** The bounds say everything the filter does. */
function answersAll(access: Access, predicate: Predicate): boolean {
  if (access.stage === 'EOF') return true;
  if (access.stage !== 'IXSCAN') return false;
  const { bounds, ranges } = access;
  if (access.multikey !== undefined || bounds.index.collation !== undefined) return false;
  const covered = Math.max(0, ...ranges.map(({ points }) => points)) + 1;
  const beyond = bounds.fields.slice(covered).some((field) => !isEverything(field));
  return !beyond && conjuncts(predicate).every((child) => bounds.answered.has(child));
}

function naturalOrder(shape: QueryShape): number | undefined {
  for (const document of [shape.hint, shape.sort]) {
    if (!(document instanceof Doc)) continue;
    const order = document.get('$natural');
    if (order !== undefined) return numberOf(order) ?? 1;
  }
  return undefined;
}

export function scanAll(collection: Collection, reverse: boolean): CollectionScan {
  return { stage: 'COLLSCAN', range: rangeOf(collection.prefix), reverse };
}

function hintedIndex(collection: Collection, hint: string | Doc): Index {
  const bad = (): DocumentError =>
    badValue(
      'error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index',
    );
  const found = collection.indexes.find((index) =>
    typeof hint === 'string' ? index.name === hint : samePattern(index.keyPattern, hint),
  );
  if (found === undefined || !found.ready || found.hidden) throw bad();
  return found;
}

export function samePattern(a: Doc, b: Doc): boolean {
  if (a.size !== b.size) return false;
  for (let i = 0; i < a.size; i++) {
    if (a.nameAt(i) !== b.nameAt(i)) return false;
    const left = a.at(i);
    const right = b.at(i);
    const number = numberOf(left);
    if (number === undefined ? left !== right : number !== numberOf(right)) return false;
  }
  return true;
}

function hinted(view: View, shape: QueryShape, index: Index): QueryPlan {
  if (shape.min !== undefined || shape.max !== undefined)
    return planOf(shape, limitedScan(shape, index), shape.sort === undefined, []);
  const candidate = candidateOf(view, shape, index, shape.filter.predicate);
  if (candidate === undefined) return planOf(shape, scanAll(shape.collection, false), shape.sort === undefined, []);
  return planOf(shape, candidate.access, candidate.ordered || shape.sort === undefined, []);
}

function candidatesOf(view: View, shape: QueryShape, predicate: Predicate): Candidate[] {
  const found: Candidate[] = [];
  for (const index of shape.collection.usable()) {
    if (index.kind === 'wildcard')
      found.push(...wildcardCandidates(shape.collection, index, predicate, shape.collation));
    if (index.kind !== 'plain' && index.kind !== 'hashed') continue;
    if (index.partialFilter !== undefined && !partialImplied(predicate, index)) continue;
    const candidate = candidateOf(view, shape, index, predicate);
    if (candidate === undefined) continue;
    if (!candidate.bounds.bounded && (!candidate.ordered || shape.sort === undefined)) continue;
    // A sparse index does not have every document: only bounds that missing fields cannot meet may use it.
    if (index.sparse && (!candidate.bounds.bounded || admitsMissing(candidate.bounds))) continue;
    found.push(candidate);
  }
  return found.length < 2 ? found : found.map((candidate) => ({ ...candidate, cost: probe(view, candidate.access) }));
}

/** A wildcard index serves one condition on a path: it has the path before each value. */
function wildcardCandidates(
  collection: Collection,
  index: Index,
  predicate: Predicate,
  queryCollation: Collation | undefined,
): Candidate[] {
  const scope = index.wildcardScope;
  if (scope === undefined || index.parts.length !== 1 || index.partialFilter !== undefined) return [];
  const prefix = indexPrefix(collection.id, index.id);
  return conjuncts(predicate).flatMap((child): Candidate[] => {
    if (!isFieldPredicate(child) || !isScalar(child)) return [];
    const path = Buffer.from(child.path, 'utf8').latin1Slice();
    // Positions in arrays are no part of the indexed paths.
    if (!scope.includes(path) || /(^|\.)[0-9]+(\.|$)/.test(path)) return [];
    const own = boundsOf(child, { indexCollation: index.collation, queryCollation });
    if (own === undefined || index.parts[0]?.descending === true) return [];
    const ranges = own.intervals.map(({ start, end }): KeyRange => {
      const before = prefix + wildcardPathKey(path);
      return { start: before + start, end: before + end, points: 0 };
    });
    const bounds: IndexBounds = { index, fields: [own], answered: new Set(), points: 0, bounded: true };
    const access: IndexScan = { stage: 'IXSCAN', bounds, ranges, reverse: false, multikey: [1] };
    return [{ access, bounds, ordered: false, cost: 0 }];
  });
}

/** Compared with values that stand in a wildcard index: no null (missing paths have no key), documents or arrays. */
function isScalar(child: FieldPredicate): boolean {
  const scalar = (value: Value): boolean => value !== null && !(value instanceof Doc) && !isArrayValue(value);
  if (child.op === 'in') return child.patterns.length === 0 && child.values.every(scalar);
  return 'value' in child && scalar(child.value);
}

function admitsMissing(bounds: IndexBounds): boolean {
  return bounds.fields[0]?.intervals.some(({ start, end }) => start <= '\x14' && '\x14' < end) ?? true;
}

function bestOf(candidates: readonly Candidate[]): Candidate | undefined {
  let best: Candidate | undefined;
  for (const candidate of candidates) {
    if (best === undefined || better(candidate, best)) best = candidate;
  }
  return best;
}

function better(a: Candidate, b: Candidate): boolean {
  // The order is worth a factor: a sort has to hold everything first.
  const costA = a.cost * (a.ordered ? 1 : 2);
  const costB = b.cost * (b.ordered ? 1 : 2);
  if (costA !== costB) return costA < costB;
  if (a.ordered !== b.ordered) return a.ordered;
  if (a.bounds.points !== b.bounds.points) return a.bounds.points > b.bounds.points;
  return a.bounds.index.parts.length < b.bounds.index.parts.length;
}

function probe(view: View, access: Access): number {
  if (access.stage === 'OR' || access.stage === 'EOF') return PROBE_ENTRIES_MAX;
  const ranges = access.stage === 'IXSCAN' ? access.ranges : [access.range];
  let count = 0;
  for (const range of ranges.slice(0, PROBE_RANGES_MAX)) {
    for (const _ of view.scan(range, { limit: PROBE_ENTRIES_MAX - count })) count++;
    if (count >= PROBE_ENTRIES_MAX) return count;
  }
  return ranges.length > PROBE_RANGES_MAX
    ? Math.min(PROBE_ENTRIES_MAX, (count * ranges.length) / PROBE_RANGES_MAX)
    : count;
}

function candidateOf(view: View, shape: QueryShape, index: Index, predicate: Predicate): Candidate | undefined {
  const { collection } = shape;
  const records = index.isId && !collection.insertionOrder;
  const multikey = records ? undefined : multikeyOf(view, collection, index);
  const bounds = indexBounds(index, predicate, shape.collation, multikey);
  if (bounds === undefined) return undefined;
  if (index.kind === 'hashed' && !bounds.bounded) return undefined;
  const prefix = records ? collection.prefix : indexPrefix(collection.id, index.id);
  const { ranges } = keyRanges(bounds, prefix);
  const order = shape.sort === undefined ? 0 : orderGiven(index, bounds, shape, multikey, ranges.length);
  const access: IndexScan = { stage: 'IXSCAN', bounds, ranges, reverse: order < 0, multikey };
  return { access, bounds, ordered: shape.sort === undefined || order !== 0, cost: 0 };
}

/** 1 or -1 when a scan of the index forwards or backwards gives the sort's order, else 0. */
function orderGiven(
  index: Index,
  bounds: IndexBounds,
  shape: QueryShape,
  multikey: readonly number[] | undefined,
  ranges: number,
): number {
  const { sort } = shape;
  if (sort === undefined || index.kind !== 'plain' || index.collation !== undefined) return 0;
  if (!sameCollation(index.collation, shape.collation)) return 0;
  let direction = 0;
  let part = 0;
  for (const [path, value] of sort) {
    const wanted = numberOf(value);
    if (wanted === undefined) return 0;
    // A field bounded to one value has no order of its own: skip it in the index, and in the sort.
    while (part < index.parts.length && index.parts[part]?.path !== path && isSinglePoint(bounds, part)) part++;
    const field = index.parts[part];
    if (field === undefined || field.path !== path) {
      const fixed = index.parts.findIndex(
        (candidate, i) => candidate.path === path && i < part && isSinglePoint(bounds, i),
      );
      if (fixed >= 0) continue;
      return 0;
    }
    if ((multikey?.[part] ?? 0) !== 0) return 0;
    const own = field.descending === wanted < 0 ? 1 : -1;
    if (isSinglePoint(bounds, part)) {
      part++;
      continue;
    }
    if (direction === 0) direction = own;
    else if (direction !== own) return 0;
    part++;
  }
  // Several ranges follow each other in index order only if every field before the sorted ones is a single value.
  if (ranges > 1 && !inOrder(bounds, sort, index)) return 0;
  return direction === 0 ? 1 : direction;
}

function isSinglePoint(bounds: IndexBounds, part: number): boolean {
  const intervals = bounds.fields[part]?.intervals;
  return intervals?.length === 1 && intervals[0]?.point === true;
}

function inOrder(bounds: IndexBounds, sort: Doc, index: Index): boolean {
  for (let part = 0; part < index.parts.length; part++) {
    const path = index.parts[part]?.path;
    if (path !== undefined && sort.has(path)) return true;
    if (!isSinglePoint(bounds, part)) return false;
  }
  return true;
}

function orPlan(view: View, shape: QueryShape, branches: readonly Predicate[]): Access | undefined {
  const scans: (IndexScan | CollectionScan)[] = [];
  for (const branch of branches) {
    const best = bestOf(candidatesOf(view, { ...shape, sort: undefined }, branch));
    if (best === undefined || !best.bounds.bounded) return undefined;
    scans.push(best.access);
  }
  return scans.length === 0 ? undefined : { stage: 'OR', branches: scans };
}

/** The scan of `min` and `max`: keys of whole entries. */
function limitedScan(shape: QueryShape, index: Index): Access {
  const { min, max, collection } = shape;
  const bounds = indexBounds(index, { op: 'and', children: [] }, shape.collation, undefined);
  if (bounds === undefined) return { stage: 'EOF' };
  const prefix = index.isId && !collection.insertionOrder ? collection.prefix : indexPrefix(collection.id, index.id);
  const keyOf = (limits: Doc): string => {
    const document = new Doc();
    for (const part of index.parts) {
      const value = limits.get(part.path);
      if (value === undefined)
        throw new DocumentError(51176, 'When using min()/max() a hint of which index to use must be provided');
      document.append(part.path, value);
    }
    return index.keyOfValues(document);
  };
  const start = min === undefined ? prefix : prefix + keyOf(min);
  const end = max === undefined ? prefixEnd(prefix) : prefix + keyOf(max);
  if (start >= end) return { stage: 'EOF' };
  return {
    stage: 'IXSCAN',
    bounds,
    ranges: [{ start, end, points: 0 }],
    reverse: false,
    multikey: index.parts.map(() => 1),
  };
}
