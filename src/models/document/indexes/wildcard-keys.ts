/**
 * Wildcard indexes: one key for each path and value below their root, `path 00 value`. A document without any indexed
 * path has no key. Compound ones have the other parts before and after.
 */
import { Doc } from '../bson/document.js';
import { BsonType, int32At, skipName, skipValue } from '../bson/raw.js';
import { truthOf } from '../scalars.js';
import type { IndexKeys, IndexPart } from './index.js';
import { invert } from './number-keys.js';
import { pathKeys, placeOf } from './path-keys.js';
import { Kind, type TextKey, UNDEFINED_KEY, valueKey } from './value-keys.js';

export interface WildcardScope {
  /** Parts of the path above the wildcard. */
  readonly root: readonly string[];
  /** Which paths (byte strings, dotted) are indexed. */
  readonly includes: (path: string) => boolean;
  /** Whether anything below the path may be. */
  readonly descends: (path: string) => boolean;
}

/** `projection` is the index' wildcardProjection. */
export function wildcardScopeOf(parts: readonly IndexPart[], projection: Doc | undefined): WildcardScope {
  const part = parts.find(({ kind }) => kind === 'wildcard');
  const root = part?.parts.slice(0, -1) ?? [];
  const paths: { path: string; include: boolean }[] = [];
  const collect = (document: Doc, prefix: string): void => {
    for (const [name, value] of document) {
      const path = prefix + Buffer.from(name, 'utf8').latin1Slice();
      if (value instanceof Doc) collect(value, `${path}.`);
      else paths.push({ path, include: truthOf(value) === true });
    }
  };
  if (projection !== undefined) collect(projection, '');
  const including = paths.some(({ path, include }) => include && path !== '_id');
  const excludesId = !paths.some(({ path, include }) => path === '_id' && include);
  const named = paths.filter(({ path, include }) => path !== '_id' && include === including).map(({ path }) => path);
  const within = (path: string, of: string): boolean => path === of || path.startsWith(`${of}.`);
  return {
    root,
    includes: (path) => {
      if (root.length === 0 && within(path, '_id')) return !excludesId;
      if (named.length === 0) return true;
      return including ? named.some((of) => within(path, of)) : !named.some((of) => within(path, of));
    },
    descends: (path) => {
      if (root.length === 0 && path === '_id') return !excludesId;
      if (!including) return !named.some((of) => within(path, of));
      return named.some((of) => within(path, of) || within(of, path));
    },
  };
}

/** Beginning of all keys of a path in a wildcard part. */
export function wildcardPathKey(path: string): string {
  return `${String.fromCharCode(Kind.string)}${path}\0`;
}

export function wildcardKeys(
  document: Buffer,
  scope: WildcardScope,
  parts: readonly IndexPart[],
  textKey: TextKey | undefined,
): IndexKeys {
  const values = new Set<string>();
  let sawArray = false;
  const visit = (type: number, offset: number, path: string): void => {
    if (type === BsonType.object && int32At(document, offset) > 5) {
      visitFields(offset, path);
    } else if (type === BsonType.array) {
      sawArray = true;
      visitElements(offset, path);
    } else if (scope.includes(path)) {
      values.add(wildcardPathKey(path) + valueKey(document, type, offset, textKey));
    }
  };
  const visitFields = (offset: number, path: string): void => {
    const end = offset + int32At(document, offset) - 1;
    let position = offset + 4;
    while (position < end) {
      const type = document[position] ?? 0;
      const content = skipName(document, position + 1);
      const name = document.latin1Slice(position + 1, content - 1);
      const below = path === '' ? name : `${path}.${name}`;
      if (scope.descends(below)) visit(type, content, below);
      position = skipValue(document, type, content);
    }
  };
  const visitElements = (offset: number, path: string): void => {
    const end = offset + int32At(document, offset) - 1;
    let position = offset + 4;
    if (position >= end && scope.includes(path)) values.add(wildcardPathKey(path) + UNDEFINED_KEY);
    while (position < end) {
      const type = document[position] ?? 0;
      const content = skipName(document, position + 1);
      if (type === BsonType.object && int32At(document, content) > 5) visitFields(content, path);
      else if (scope.includes(path)) values.add(wildcardPathKey(path) + valueKey(document, type, content, textKey));
      position = skipValue(document, type, content);
    }
  };
  visitRoot(document, scope.root, visit, visitFields);
  return {
    keys: withOtherParts(document, parts, [...values], textKey),
    multikey: sawArray ? parts.map(() => 1) : undefined,
  };
}

function visitRoot(
  document: Buffer,
  root: readonly string[],
  visit: (type: number, offset: number, path: string) => void,
  visitFields: (offset: number, path: string) => void,
): void {
  if (root.length === 0) {
    visitFields(0, '');
    return;
  }
  let at = 0;
  for (let i = 0; i < root.length; i++) {
    const place = placeOf(document, at, root[i] ?? '');
    if (place === undefined) return;
    if (i === root.length - 1 || place.type !== BsonType.object) {
      visit(place.type, place.offset, root.slice(0, i + 1).join('.'));
      return;
    }
    at = place.offset;
  }
}

function withOtherParts(
  document: Buffer,
  parts: readonly IndexPart[],
  values: readonly string[],
  textKey: TextKey | undefined,
): string[] {
  if (parts.length === 1) return [...values];
  const others = parts.filter(({ kind }) => kind !== 'wildcard');
  const keys: string[] = [];
  for (const other of pathKeys(document, others, textKey).keys) {
    for (const value of values) {
      let next = 0;
      let key = '';
      for (const part of parts) {
        const piece = part.kind === 'wildcard' ? value : (other[next++] ?? '');
        key += part.descending ? invert(piece) : piece;
      }
      keys.push(key);
    }
  }
  return keys;
}
