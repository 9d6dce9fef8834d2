/**
 * Which keys of an index field a condition can match: a sorted list of intervals of value keys. `exact` says that the
 * intervals say all: a document with a key in them need not be asked again.
 */
import { prefixEnd } from '../../../encoding/byte-strings.js';
import { encodeValue } from '../bson/encode.js';
import type { Collation } from '../collation.js';
import { sameCollation } from '../collation.js';
import { textKeyOf } from '../indexes/index.js';
import { NAN_KEY } from '../indexes/number-keys.js';
import { Kind, kindOf, MAX_KEY, MIN_KEY, NULL_KEY, UNDEFINED_KEY, valueKey } from '../indexes/value-keys.js';
import type { FieldPredicate, Predicate } from '../query/predicate.js';
import {
  BsonType,
  bsonTypeOf,
  Doc,
  formatValue,
  isArrayValue,
  MaxKey,
  MinKey,
  type Regex,
  type Value,
} from '../values.js';

/** Keys k with `start` <= k < `end`. */
export interface Interval {
  readonly start: string;
  readonly end: string;
  /** Holds one value only. */
  readonly point: boolean;
  /** The limits as explain prints them: `[1` and `5)`. */
  readonly low: string;
  readonly high: string;
}

/** `[1, 5)`, or `(5, 1]` for a scan in the other direction. */
export function intervalText({ low, high }: Interval, descending: boolean): string {
  if (!descending) return `${low}, ${high}`;
  const open = high.endsWith(')') ? '(' : '[';
  const close = low.startsWith('(') ? ')' : ']';
  return `${open}${high.slice(0, -1)}, ${low.slice(1)}${close}`;
}

export interface Bounds {
  readonly intervals: readonly Interval[];
  readonly exact: boolean;
}

const NUMBER = String.fromCharCode(Kind.number);
const AFTER_NAN = prefixEnd(NUMBER + NAN_KEY);
const ALL_END = prefixEnd(MAX_KEY);

export const EVERYTHING: Bounds = {
  intervals: [{ start: MIN_KEY, end: ALL_END, point: false, low: '[MinKey', high: 'MaxKey]' }],
  exact: true,
};

export function isEverything(bounds: Bounds): boolean {
  const [only] = bounds.intervals;
  return bounds.intervals.length === 1 && only !== undefined && only.start === MIN_KEY && only.end === ALL_END;
}

export function pointOf(key: string, text: string): Interval {
  return { start: key, end: prefixEnd(key), point: true, low: `[${text}`, high: `${text}]` };
}

/** The key of a value in an index with this collation. */
export function keyOfValue(value: Value, collation: Collation | undefined): string {
  const bytes = encodeValue(value);
  return valueKey(bytes, bytes[4] ?? 0, 6, textKeyOf(collation));
}

/** What a condition is compared with, and how the index sees strings. */
export interface BoundsContext {
  readonly indexCollation: Collation | undefined;
  readonly queryCollation: Collation | undefined;
}

function holdsText(value: Value): boolean {
  if (typeof value === 'string') return true;
  if (value instanceof Doc) return [...value].some(([, inner]) => holdsText(inner));
  return isArrayValue(value) && value.some(holdsText);
}

/** Strings are found by their keys only when the index and the condition agree about them. */
function comparable(value: Value, context: BoundsContext): boolean {
  return sameCollation(context.indexCollation, context.queryCollation) || !holdsText(value);
}

/** The bounds of a condition on the field, or `undefined` when it gives none. */
export function boundsOf(predicate: FieldPredicate, context: BoundsContext): Bounds | undefined {
  switch (predicate.op) {
    case 'eq':
      return comparable(predicate.value, context) ? equality(predicate.value, context) : undefined;
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return comparable(predicate.value, context) ? comparison(predicate.op, predicate.value, context) : undefined;
    case 'in': {
      if (!predicate.values.every((value) => comparable(value, context))) return undefined;
      const parts = predicate.values.map((value) => equality(value, context));
      for (const pattern of predicate.patterns) {
        const bounds = patternBounds(pattern, context);
        if (bounds === undefined) return undefined;
        parts.push(bounds);
      }
      return union(parts);
    }
    case 'regex':
      return patternBounds(predicate.regex, context);
    case 'exists':
      return { ...EVERYTHING, exact: false };
    case 'type':
    case 'mod':
    case 'size':
    case 'bits':
    case 'geoWithin':
    case 'geoIntersects':
    case 'near':
    case 'elemMatchObject':
      return undefined;
    case 'elemMatchValue':
      return elementBounds(predicate.children, context);
  }
}

function elementBounds(children: readonly Predicate[], context: BoundsContext): Bounds | undefined {
  let bounds: Bounds | undefined;
  for (const child of children) {
    if (!('path' in child) || child.op === 'not') continue;
    const own = boundsOf(child, context);
    if (own !== undefined) bounds = bounds === undefined ? own : intersect(bounds, own);
  }
  return bounds === undefined ? undefined : { ...bounds, exact: false };
}

function equality(value: Value, context: BoundsContext): Bounds {
  if (value === null) {
    return { intervals: [pointOf(UNDEFINED_KEY, 'undefined'), pointOf(NULL_KEY, 'null')], exact: false };
  }
  const key = keyOfValue(value, context.indexCollation);
  const point = pointOf(key, formatValue(value));
  if (!isArrayValue(value)) return { intervals: [point], exact: context.indexCollation === undefined };
  // An array is indexed by its elements, and as a whole only inside of another array.
  const first = value[0];
  const element =
    first === undefined
      ? pointOf(UNDEFINED_KEY, 'undefined')
      : pointOf(keyOfValue(first, context.indexCollation), formatValue(first));
  return {
    ...union([
      { intervals: [element], exact: false },
      { intervals: [point], exact: false },
    ]),
    exact: false,
  };
}

const LIMITS: ReadonlyMap<number, readonly [string, string]> = new Map([
  [Kind.number, ['-inf.0', 'inf.0']],
  [Kind.string, ['""', '{}']],
  [Kind.object, ['{}', '[]']],
  [Kind.array, ['[]', 'BinData(0, )']],
  [Kind.binary, ['BinData(0, )', "ObjectId('000000000000000000000000')"]],
  [Kind.objectId, ["ObjectId('000000000000000000000000')", "ObjectId('ffffffffffffffffffffffff')"]],
  [Kind.bool, ['false', 'true']],
  [Kind.date, ['new Date(-9223372036854775808)', 'new Date(9223372036854775807)']],
  [Kind.timestamp, ['Timestamp(0, 0)', 'Timestamp(4294967295, 4294967295)']],
]);

function comparison(op: 'gt' | 'gte' | 'lt' | 'lte', value: Value, context: BoundsContext): Bounds | undefined {
  if (value === null) return op === 'gte' || op === 'lte' ? equality(null, context) : { intervals: [], exact: false };
  if (value instanceof MinKey || value instanceof MaxKey) return { ...EVERYTHING, exact: false };
  if (isArrayValue(value)) return undefined;
  const type = bsonTypeOf(value);
  const kind = kindOf(type);
  const key = keyOfValue(value, context.indexCollation);
  if (kind === Kind.number && key === NUMBER + NAN_KEY) {
    return op === 'gte' || op === 'lte' ? equality(value, context) : { intervals: [], exact: false };
  }
  const collated = context.indexCollation !== undefined && holdsText(value);
  const [lowText, highText] = LIMITS.get(kind) ?? ['MinKey', 'MaxKey'];
  const kindStart = kind === Kind.number ? AFTER_NAN : String.fromCharCode(kind);
  const kindEnd = String.fromCharCode(kind + 1);
  const exact = !collated && type !== BsonType.object;
  if (collated)
    return {
      intervals: [{ start: kindStart, end: kindEnd, point: false, low: `[${lowText}`, high: `${highText})` }],
      exact: false,
    };
  const text = formatValue(value);
  const closed =
    kind === Kind.number ||
    kind === Kind.bool ||
    kind === Kind.date ||
    kind === Kind.objectId ||
    kind === Kind.timestamp;
  switch (op) {
    case 'gt':
      return {
        intervals: [
          {
            start: prefixEnd(key),
            end: kindEnd,
            point: false,
            low: `(${text}`,
            high: `${highText}${closed ? ']' : ')'}`,
          },
        ],
        exact,
      };
    case 'gte':
      return {
        intervals: [
          { start: key, end: kindEnd, point: false, low: `[${text}`, high: `${highText}${closed ? ']' : ')'}` },
        ],
        exact,
      };
    case 'lt':
      return { intervals: [{ start: kindStart, end: key, point: false, low: `[${lowText}`, high: `${text})` }], exact };
    case 'lte':
      return {
        intervals: [{ start: kindStart, end: prefixEnd(key), point: false, low: `[${lowText}`, high: `${text}]` }],
        exact,
      };
  }
}

/** The literal text a pattern must begin with; `undefined` when there is none. */
function literalPrefix(pattern: string, flags: string): { prefix: string; whole: boolean } | undefined {
  if (/[^su]/.test(flags)) return undefined;
  const anchored = /^(?:\^|\\A)/.exec(pattern);
  if (anchored === null) return undefined;
  const rest = pattern.slice(anchored[0].length);
  if (rest.includes('|')) return undefined;
  let prefix = '';
  for (let i = 0; i < rest.length; i++) {
    const character = rest[i] ?? '';
    if (character === '\\') {
      const next = rest[i + 1] ?? '';
      if (!/[^a-zA-Z0-9]/.test(next)) break;
      if (/[*?{+]/.test(rest[i + 2] ?? '')) break;
      prefix += next;
      i++;
    } else if (/[.^$*+?()[\]{}]/.test(character)) {
      if (/[*?{]/.test(character)) prefix = prefix.slice(0, -1);
      return prefix === '' ? undefined : { prefix, whole: rest.slice(i) === '.*' };
    } else prefix += character;
  }
  return prefix === '' ? undefined : { prefix, whole: prefix.length === rest.length };
}

function patternBounds(regex: Regex, context: BoundsContext): Bounds | undefined {
  if (context.indexCollation !== undefined) return undefined;
  const stored = pointOf(keyOfValue(regex, undefined), `/${regex.pattern}/${regex.flags}`);
  const literal = literalPrefix(regex.pattern, regex.flags);
  if (literal === undefined) {
    const all: Interval = {
      start: String.fromCharCode(Kind.string),
      end: String.fromCharCode(Kind.string + 1),
      point: false,
      low: '[""',
      high: '{})',
    };
    return { intervals: [all, stored], exact: false };
  }
  const start = String.fromCharCode(Kind.string) + Buffer.from(literal.prefix, 'utf8').latin1Slice();
  const last =
    literal.prefix.slice(0, -1) + String.fromCharCode(literal.prefix.charCodeAt(literal.prefix.length - 1) + 1);
  return {
    intervals: [
      { start, end: prefixEnd(start), point: false, low: `["${literal.prefix}"`, high: `"${last}")` },
      stored,
    ],
    exact: literal.whole,
  };
}

export function union(parts: readonly Bounds[]): Bounds {
  const sorted = parts
    .flatMap(({ intervals }) => intervals)
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const merged: Interval[] = [];
  for (const interval of sorted) {
    const last = merged.at(-1);
    if (last === undefined || interval.start >= last.end) merged.push(interval);
    else if (interval.end > last.end) merged[merged.length - 1] = { ...joined(last, interval), end: interval.end };
  }
  return { intervals: merged, exact: parts.every(({ exact }) => exact) };
}

function joined(low: Interval, high: Interval): Interval {
  return { start: low.start, end: high.end, point: false, low: low.low, high: high.high };
}

export function intersect(a: Bounds, b: Bounds): Bounds {
  const intervals: Interval[] = [];
  for (const left of a.intervals) {
    for (const right of b.intervals) {
      const low = left.start >= right.start ? left : right;
      const high = left.end <= right.end ? left : right;
      if (low.start >= high.end) continue;
      intervals.push(low === high ? low : joined(low, high));
    }
  }
  return { intervals, exact: a.exact && b.exact };
}
