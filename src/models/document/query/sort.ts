/**
 * Sort specifications, and the keys that documents are sorted by, taken from their bytes. An array sorts by its least
 * element where the order ascends and by its greatest where it descends; an empty one below null; a missing field as null.
 */

import { valueAt } from '../bson/document.js';
import { BsonType, findField, int32At, skipName, skipValue } from '../bson/raw.js';
import { badValue, DocumentError } from '../errors.js';
import {
  type Collation,
  compareValues,
  Doc,
  double,
  formatField,
  isNumber,
  toDouble,
  UNDEFINED,
  type Value,
} from '../values.js';
import { isPosition, type PathParts, pathParts } from './path.js';
import type { Metadata } from './projection.js';

/** Most fields of a sort (and of an index). */
const FIELDS_MAX = 32;

export interface SortField {
  readonly path: string;
  readonly descending: boolean;
  /** `{$meta: "textScore"}` and the like: sorts by metadata, greatest first. */
  readonly meta: string | undefined;
}

/** One value for each field of the sort. */
export type SortKey = readonly Value[];

/** `{a: 1, b: -1}`; throws codes 2, 15974, 15975, 15976, 31138 and others as MongoDB does. */
export function parseSort(specification: Doc): readonly SortField[] {
  const fields: SortField[] = [];
  for (const [path, value] of specification) {
    if (path === '') throw new DocumentError(40352, 'FieldPath cannot be constructed with empty string');
    if (value instanceof Doc) {
      fields.push(metaField(path, value));
      continue;
    }
    if (!isNumber(value))
      throw new DocumentError(15974, `Illegal key in $sort specification: ${formatField(path, value)}`);
    const direction = toDouble(value);
    if (direction !== 1 && direction !== -1) {
      throw new DocumentError(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
    }
    checkPath(path);
    if (fields.some((field) => field.path === path)) {
      throw new DocumentError(7472500, `$sort key must not contain duplicate keys (field: ${path})`);
    }
    fields.push({ path, descending: direction === -1, meta: undefined });
  }
  if (fields.length > FIELDS_MAX) throw badValue(`too many compound keys`);
  return fields;
}

function checkPath(path: string): void {
  if (path.endsWith('.')) throw new DocumentError(40353, "FieldPath must not end with a '.'.");
  for (const part of path.split('.')) {
    if (part === '') throw new DocumentError(15998, 'FieldPath field names may not be empty strings.');
    if (part.startsWith('$')) {
      throw new DocumentError(
        16410,
        "FieldPath field names may not start with '$'. Consider using $getField or $setField.",
      );
    }
  }
}

function metaField(path: string, value: Doc): SortField {
  const meta = value.get('$meta');
  if (meta === undefined || value.size !== 1)
    throw new DocumentError(17312, '$meta is the only expression supported by $sort right now');
  if (meta !== 'textScore' && meta !== 'randVal' && meta !== 'searchScore' && meta !== 'geoNearDistance') {
    throw new DocumentError(31138, `Illegal $meta sort: ${formatField('$meta', meta)}`);
  }
  return { path, descending: meta !== 'randVal' && meta !== 'geoNearDistance', meta };
}

export class Sort {
  private readonly parts: readonly PathParts[];

  constructor(
    readonly fields: readonly SortField[],
    private readonly collation?: Collation,
  ) {
    this.parts = fields.map(({ path }) => pathParts(path));
  }

  static parse(specification: Doc, collation?: Collation): Sort {
    return new Sort(parseSort(specification), collation);
  }

  /** The key of the document at `offset`. Throws code 2 when two fields are arrays beside each other. */
  key(bytes: Buffer, offset = 0, metadata?: Metadata): SortKey {
    const [only] = this.fields;
    if (this.fields.length === 1 && only !== undefined && only.meta === undefined) {
      return [this.extreme(bytes, offset, this.parts[0] ?? [], only.descending)];
    }
    return this.compoundKey(bytes, offset, metadata);
  }

  /** Orders two keys. */
  compare(a: SortKey, b: SortKey): number {
    const { fields, collation } = this;
    for (let i = 0; i < fields.length; i++) {
      const order = compareValues(a[i], b[i], collation);
      if (order !== 0) return fields[i]?.descending === true ? -order : order;
    }
    return 0;
  }

  private extreme(bytes: Buffer, document: number, parts: PathParts, descending: boolean): Value {
    const reached: Reached = { values: [], array: -1 };
    reach(bytes, document, parts, 0, reached);
    return this.pick(reached.values, descending);
  }

  private pick(values: readonly Value[], descending: boolean): Value {
    let best = values[0] ?? null;
    for (let i = 1; i < values.length; i++) {
      const value = values[i] ?? null;
      const order = compareValues(value, best, this.collation);
      if (descending ? order > 0 : order < 0) best = value;
    }
    return best;
  }

  /**
   * Fields that go through one array are compared element by element, as the keys of an index are: the least combination
   * counts, not the least of each field.
   */
  private compoundKey(bytes: Buffer, offset: number, metadata: Metadata | undefined): SortKey {
    const reached = this.fields.map(({ meta }, index) => {
      if (meta !== undefined) return { values: [metadata?.get(meta) ?? double(0)], array: -1 };
      const found: Reached = { values: [], array: -1 };
      reach(bytes, offset, this.parts[index] ?? [], 0, found);
      return found;
    });
    const arrays = new Set(reached.map(({ array }) => array).filter((array) => array >= 0));
    if (arrays.size > 1) throw badValue('cannot sort with keys that are parallel arrays');
    const length = Math.max(...reached.map(({ values }) => values.length));
    let best: SortKey | undefined;
    for (let i = 0; i < length; i++) {
      const key = reached.map(({ values, array }) => (array >= 0 ? values[i] : values[0]) ?? null);
      if (best === undefined || this.compare(key, best) < 0) best = key;
    }
    return best ?? this.fields.map(() => null);
  }
}

interface Reached {
  values: Value[];
  /** Offset of the array that was gone through, or -1. */
  array: number;
}

/** The values at a path as an index would have them: elements of arrays, null for missing, undefined for an empty array. */
function reach(bytes: Buffer, document: number, parts: PathParts, first: number, into: Reached): void {
  let from = document;
  for (let i = first; ; i++) {
    const part = parts[i] ?? '';
    const position = findField(bytes, from, part);
    if (position < 0) {
      into.values.push(null);
      return;
    }
    const type = bytes[position] ?? 0;
    const offset = position + 2 + part.length;
    if (type === BsonType.array) {
      reachArray(bytes, offset, parts, i + 1, into);
      return;
    }
    if (i === parts.length - 1) {
      into.values.push(valueAt(bytes, type, offset));
      return;
    }
    if (type !== BsonType.object) {
      into.values.push(null);
      return;
    }
    from = offset;
  }
}

function reachArray(bytes: Buffer, array: number, parts: PathParts, next: number, into: Reached): void {
  const part = parts[next];
  if (part !== undefined && isPosition(part)) {
    const position = findField(bytes, array, part);
    if (position >= 0) {
      reachElement(bytes, bytes[position] ?? 0, position + 2 + part.length, parts, next + 1, into);
      return;
    }
  }
  if (into.array < 0) into.array = array;
  const end = array + int32At(bytes, array) - 1;
  let position = array + 4;
  if (position >= end) into.values.push(part === undefined ? UNDEFINED : null);
  while (position < end) {
    const type = bytes[position] ?? 0;
    const offset = skipName(bytes, position + 1);
    if (part === undefined) into.values.push(valueAt(bytes, type, offset));
    else if (type === BsonType.object) reach(bytes, offset, parts, next, into);
    else into.values.push(null);
    position = skipValue(bytes, type, offset);
  }
}

/** An element that the path named by its position. */
function reachElement(
  bytes: Buffer,
  type: number,
  offset: number,
  parts: PathParts,
  next: number,
  into: Reached,
): void {
  if (type === BsonType.array) reachArray(bytes, offset, parts, next, into);
  else if (next === parts.length) into.values.push(valueAt(bytes, type, offset));
  else if (type === BsonType.object) reach(bytes, offset, parts, next, into);
  else into.values.push(null);
}
