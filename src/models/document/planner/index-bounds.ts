/**
 * The bounds that a filter gives to the fields of an index, and the key ranges to scan for them.
 */
import { prefixEnd } from '../../../encoding/byte-strings.js';
import type { Range } from '../../../engine/engine.js';
import type { Collation } from '../collation.js';
import { hashedValueKey, type Index, type IndexPart } from '../indexes/index.js';
import { invert } from '../indexes/number-keys.js';
import type { FieldPredicate, Predicate } from '../query/predicate.js';
import { type Bounds, boundsOf, EVERYTHING, type Interval, intersect, isEverything } from './intervals.js';

/** Ranges a scan may be cut into; beyond, later fields are left to the filter. */
const RANGES_MAX = 4_000;

export interface IndexBounds {
  readonly index: Index;
  /** One for each field of the index. */
  readonly fields: readonly Bounds[];
  /** Conditions that the bounds say all of. */
  readonly answered: ReadonlySet<Predicate>;
  /** Leading fields that are bounded to single values. */
  readonly points: number;
  /** Some field is bounded at all. */
  readonly bounded: boolean;
}

/** A condition and the path it is on, below arrays of `$elemMatch`. */
interface PathCondition {
  readonly path: string;
  readonly predicate: FieldPredicate;
  /** The condition of the filter it comes from. */
  readonly root: Predicate;
  /** Inside of `$elemMatch`: never says all. */
  readonly inside: boolean;
}

/** The conditions that all must hold. */
export function conjuncts(predicate: Predicate): readonly Predicate[] {
  return predicate.op === 'and' ? predicate.children : [predicate];
}

function pathConditions(predicate: Predicate): PathCondition[] {
  const found: PathCondition[] = [];
  const visit = (condition: Predicate, root: Predicate, prefix: string, inside: boolean): void => {
    if (condition.op === 'and') for (const child of condition.children) visit(child, root, prefix, inside);
    else if (condition.op === 'elemMatchObject') {
      visit(condition.child, root, `${prefix}${condition.path}.`, true);
    } else if (isFieldPredicate(condition)) {
      found.push({ path: prefix + condition.path, predicate: condition, root, inside });
    }
  };
  for (const condition of conjuncts(predicate)) visit(condition, condition, '', false);
  return found;
}

export function isFieldPredicate(predicate: Predicate): predicate is FieldPredicate {
  return 'path' in predicate && predicate.op !== 'not';
}

/** `undefined` when the index cannot serve the filter's first field at all. */
export function indexBounds(
  index: Index,
  filter: Predicate,
  collation: Collation | undefined,
  multikey: readonly number[] | undefined,
): IndexBounds | undefined {
  const conditions = pathConditions(filter);
  const answered = new Set<Predicate>();
  const fields: Bounds[] = [];
  const boundedParts: number[] = [];
  for (let i = 0; i < index.parts.length; i++) {
    const part = index.parts[i];
    if (part === undefined) break;
    const own = conditions.filter(({ path }) => path === part.path);
    const shared = multikey !== undefined && boundedParts.some((other) => sharesArray(index.parts, other, i, multikey));
    const usable = shared ? [] : own;
    const bounds = fieldBounds(index, part, usable, collation, (multikey?.[i] ?? 0) !== 0, answered);
    fields.push(bounds);
    if (!isEverything(bounds)) boundedParts.push(i);
  }
  let points = 0;
  while (points < fields.length && fields[points]?.intervals.every(({ point }) => point) === true) points++;
  // What a field answers holds only while all fields before it are points: later bounds are not part of the ranges.
  return { index, fields, answered, points, bounded: !isEverything(fields[0] ?? EVERYTHING) };
}

/** Two fields below the same array: their values may come from different elements. */
function sharesArray(parts: readonly IndexPart[], a: number, b: number, multikey: readonly number[]): boolean {
  const left = parts[a]?.parts ?? [];
  const right = parts[b]?.parts ?? [];
  for (let i = 0; i < Math.min(left.length, right.length) && left[i] === right[i]; i++) {
    if (((multikey[b] ?? 0) & (1 << i)) !== 0) return true;
  }
  return false;
}

function fieldBounds(
  index: Index,
  part: IndexPart,
  conditions: readonly PathCondition[],
  collation: Collation | undefined,
  multikey: boolean,
  answered: Set<Predicate>,
): Bounds {
  let bounds: Bounds | undefined;
  for (const { predicate, root, inside } of conditions) {
    const own = boundsOf(predicate, { indexCollation: index.collation, queryCollation: collation });
    if (own === undefined) continue;
    const usable = part.kind === 'hashed' ? hashed(own) : part.kind === 'plain' ? own : undefined;
    if (usable === undefined) continue;
    if (bounds !== undefined && multikey && !inside) {
      // Two conditions may be met by different elements: the narrower of the two must do.
      if (width(usable) < width(bounds)) bounds = usable;
      continue;
    }
    bounds = bounds === undefined ? usable : intersect(bounds, usable);
    if (usable.exact && !inside && root === predicate && part.kind === 'plain') answered.add(root);
  }
  if (bounds === undefined) return EVERYTHING;
  return bounds;
}

function width(bounds: Bounds): number {
  if (isEverything(bounds)) return Number.POSITIVE_INFINITY;
  return bounds.intervals.every(({ point }) => point) ? bounds.intervals.length : 1_000_000;
}

function hashed(bounds: Bounds): Bounds | undefined {
  if (!bounds.intervals.every(({ point }) => point)) return undefined;
  const intervals = bounds.intervals.map((interval): Interval => {
    const start = hashedValueKey(interval.start);
    return { start, end: prefixEnd(start), point: true, low: interval.low, high: interval.high };
  });
  return { intervals: intervals.sort((a, b) => (a.start < b.start ? -1 : 1)), exact: false };
}

/** A range of engine keys behind the index' prefix, in index order. */
export interface KeyRange extends Range {
  /** How many leading fields are single values in it. */
  readonly points: number;
}

/** The ranges to scan, ascending in the index' own order, and how many fields' bounds they hold in full. */
export function keyRanges(bounds: IndexBounds, prefix: string): { ranges: KeyRange[]; fields: number } {
  const { parts } = bounds.index;
  let prefixes: string[] = [prefix];
  let field = 0;
  for (; field < parts.length; field++) {
    const intervals = bounds.fields[field]?.intervals ?? [];
    const descending = parts[field]?.descending === true;
    const ordered = descending ? [...intervals].reverse() : intervals;
    if (!ordered.every(({ point }) => point) || prefixes.length * ordered.length > RANGES_MAX) {
      if (prefixes.length * ordered.length > RANGES_MAX) break;
      const points = field;
      const ranges = prefixes.flatMap((before) =>
        ordered.map((interval): KeyRange => ({ ...rangeOfInterval(before, interval, descending), points })),
      );
      return { ranges, fields: field + 1 };
    }
    prefixes = prefixes.flatMap((before) => ordered.map(({ start }) => before + (descending ? invert(start) : start)));
  }
  return {
    ranges: prefixes.map((before) => ({ start: before, end: prefixEnd(before), points: field })),
    fields: field,
  };
}

function rangeOfInterval(before: string, interval: Interval, descending: boolean): Range {
  if (!descending) return { start: before + interval.start, end: before + interval.end };
  // For prefix-free keys: k >= s exactly when ~k < prefixEnd(~s), and k < e exactly when ~k >= prefixEnd(~e).
  return { start: prefixEnd(before + invert(interval.end)), end: prefixEnd(before + invert(interval.start)) };
}
