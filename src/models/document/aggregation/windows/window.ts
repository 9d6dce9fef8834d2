/** Windows: which documents of a partition belong to each of its documents. */
import { DocumentError, failedToParse } from '../../errors.js';
import type { Sort, SortField } from '../../query/sort.js';
import {
  DateTime,
  Doc,
  formatValue,
  getPath,
  isArrayValue,
  isNumber,
  toDouble,
  toInteger,
  typeName,
  type Value,
} from '../../values.js';
import { addUnits, parseUnit, type TimeUnit } from '../expressions/dates/steps.js';

type Bound = 'unbounded' | 'current' | number;

export type Window =
  | { readonly kind: 'documents'; readonly lower: Bound; readonly upper: Bound }
  | {
      readonly kind: 'range';
      readonly lower: Bound;
      readonly upper: Bound;
      readonly unit: TimeUnit | undefined;
      readonly by: SortField;
    };

export const WHOLE: Window = { kind: 'documents', lower: 'unbounded', upper: 'unbounded' };

/** `{documents: [lower, upper]}` or `{range: [lower, upper], unit}`. */
export function parseWindow(value: Value | undefined, sort: Sort | undefined): Window {
  if (value === undefined) return WHOLE;
  if (!(value instanceof Doc)) throw failedToParse("'window' field must be an object");
  for (const name of value.keys()) {
    if (name !== 'documents' && name !== 'range' && name !== 'unit') {
      throw failedToParse(
        `'window' field can only contain 'documents' as the only argument or 'range' with an optional 'unit' field`,
      );
    }
  }
  const [documents, range, unit] = [value.get('documents'), value.get('range'), value.get('unit')];
  if (documents !== undefined && range !== undefined) {
    throw failedToParse("Window bounds can specify either 'documents' or 'range', not both.");
  }
  if (documents === undefined && range === undefined) return WHOLE;
  if (unit !== undefined && range === undefined) {
    throw failedToParse("Window bounds can only specify 'unit' with range-based bounds.");
  }
  const [lower, upper] = boundsOf(documents ?? range ?? null, documents === undefined ? 'range' : 'documents');
  if (documents !== undefined) {
    for (const bound of [lower, upper]) {
      if (typeof bound === 'number' && !Number.isInteger(bound)) {
        throw failedToParse(`Numeric document-based bounds must be an integer`);
      }
    }
    if (sort === undefined && (lower !== 'unbounded' || upper !== 'unbounded')) {
      throw new DocumentError(5339901, 'Document-based bounds require a sortBy');
    }
    return { kind: 'documents', lower, upper };
  }
  const [by] = sort?.fields ?? [];
  if (sort === undefined || sort.fields.length !== 1 || by === undefined) {
    throw new DocumentError(5339902, 'Range-based window require sortBy a single field');
  }
  if (by.descending && (lower !== 'unbounded' || upper !== 'unbounded')) {
    throw new DocumentError(8947401, 'Range-based bounds require an ascending sortBy');
  }
  if (unit !== undefined && typeof unit !== 'string') throw failedToParse("Range-based bounds 'unit' must be a string");
  return { kind: 'range', lower, upper, unit: unit === undefined ? undefined : parseUnit(unit), by };
}

function boundsOf(value: Value, kind: string): readonly [Bound, Bound] {
  if (!isArrayValue(value) || value.length !== 2) {
    throw failedToParse(`Window bounds must be a 2-element array: ${kind}: ${formatValue(value)}`);
  }
  const [lower, upper] = value.map((bound): Bound => {
    if (bound === 'unbounded' || bound === 'current') return bound;
    if (typeof bound === 'string') {
      throw failedToParse("Window bounds must be 'unbounded', 'current', or a number.");
    }
    const number = isNumber(bound) ? toDouble(bound) : undefined;
    if (number === undefined) throw failedToParse(`Window bounds must be 'unbounded', 'current', or a number.`);
    return toInteger(bound) === undefined ? number : Math.trunc(number);
  });
  if (lower === undefined || upper === undefined) throw failedToParse('Window bounds must be a 2-element array');
  const place = (bound: Bound, side: number): number =>
    bound === 'unbounded' ? side * Number.POSITIVE_INFINITY : bound === 'current' ? 0 : bound;
  if (place(lower, -1) > place(upper, 1)) {
    throw new DocumentError(5339900, `Lower bound must not exceed upper bound: ${formatValue(value)}`);
  }
  return [lower, upper];
}

/** For the document at each place: the first and the last place of its window; empty when last < first. */
export function windowPlaces(window: Window, partition: readonly Doc[]): (index: number) => readonly [number, number] {
  const end = partition.length - 1;
  if (window.kind === 'documents') {
    const place = (bound: Bound, index: number, unbounded: number): number =>
      bound === 'unbounded' ? unbounded : bound === 'current' ? index : index + bound;
    return (index) => [Math.max(0, place(window.lower, index, 0)), Math.min(end, place(window.upper, index, end))];
  }
  const { unit, by } = window;
  const places = partition.map((document) => sortNumber(document, by, unit !== undefined));
  const moved = (bound: Bound, value: number): number => {
    if (bound === 'current' || bound === 'unbounded') return value;
    return unit === undefined ? value + bound : addUnits(value, unit, bound);
  };
  return (index) => {
    const value = places[index] ?? 0;
    const first = window.lower === 'unbounded' ? 0 : firstAtLeast(places, moved(window.lower, value));
    const last = window.upper === 'unbounded' ? end : firstAbove(places, moved(window.upper, value)) - 1;
    return [first, last];
  };
}

/** The value sorted by: a number, or a date's milliseconds. */
export function sortNumber(document: Doc, by: SortField, dates: boolean): number {
  const value = getPath(document, by.path.split('.'));
  if (dates) {
    if (value instanceof DateTime) return value.ms;
    throw new DocumentError(
      5429513,
      `Invalid range: Expected the sortBy field to be a Date, but it was ${typeName(value)}`,
    );
  }
  const number = toDouble(value);
  if (number === undefined) {
    throw new DocumentError(
      5429414,
      `Invalid range: Expected the sortBy field to be a number, but it was ${typeName(value)}`,
    );
  }
  return number;
}

function firstAtLeast(values: readonly number[], wanted: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstAbove(values: readonly number[], wanted: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) <= wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
