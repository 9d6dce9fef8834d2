/**
 * What changed between two versions of a document, as the oplog tells it (`$v: 2`): `d` fields removed, `u` fields with a
 * new value, `i` fields added, `s<field>` changes inside of a document or array; in an array `a: true`, `l` a shorter
 * length, `u<index>` a new element.
 */
import { Doc } from '../bson/document.js';
import { type ArrayValue, isArrayValue, type Value } from '../bson/types.js';
import { identical } from '../values.js';

/** The difference, or `undefined` when the fields only changed their order (or are the same). */
export function documentDiff(before: Doc, after: Doc): Doc | undefined {
  if (orderChanged(before, after)) return undefined;
  const removed = new Doc();
  const updated = new Doc();
  const inserted = new Doc();
  const nested: [string, Doc][] = [];
  for (const name of before.keys()) if (!after.has(name)) removed.append(name, false);
  for (const [name, value] of after) {
    const old = before.get(name);
    if (old === undefined) inserted.append(name, value);
    else if (!identical(old, value)) {
      const inside = valueDiff(old, value);
      if (inside === undefined) updated.append(name, value);
      else nested.push([`s${name}`, inside]);
    }
  }
  const diff = new Doc();
  if (!removed.isEmpty) diff.append('d', removed);
  if (!updated.isEmpty) diff.append('u', updated);
  if (!inserted.isEmpty) diff.append('i', inserted);
  for (const [name, inside] of nested) diff.append(name, inside);
  return diff;
}

/** New fields must follow the old ones, which must keep their order: that is all a diff can say. */
function orderChanged(before: Doc, after: Doc): boolean {
  const kept = before.keys().filter((name) => after.has(name));
  const names = after.keys();
  return kept.some((name, i) => names[i] !== name) || new Set(names).size !== names.length;
}

function valueDiff(before: Value, after: Value): Doc | undefined {
  if (before instanceof Doc && after instanceof Doc) return after.isEmpty ? undefined : documentDiff(before, after);
  if (isArrayValue(before) && isArrayValue(after)) return after.length === 0 ? undefined : arrayDiff(before, after);
  return undefined;
}

function arrayDiff(before: ArrayValue, after: ArrayValue): Doc | undefined {
  const diff = new Doc().append('a', true);
  if (after.length < before.length) diff.append('l', after.length);
  let changed = 0;
  for (let i = 0; i < after.length; i++) {
    const old = before[i];
    const value = after[i] ?? null;
    if (old !== undefined && identical(old, value)) continue;
    changed++;
    const inside = old === undefined ? undefined : valueDiff(old, value);
    if (inside === undefined) diff.append(`u${i}`, value);
    else diff.append(`s${i}`, inside);
  }
  // When most of a longer array is new, the whole of it says it shorter.
  return changed > 1 && changed === after.length ? undefined : diff;
}

/** A change stream's `updateDescription` of a diff. */
export interface UpdateDescription {
  readonly updatedFields: Doc;
  readonly removedFields: string[];
  readonly truncatedArrays: Doc[];
}

export function describeDiff(diff: Doc): UpdateDescription {
  const description: UpdateDescription = { updatedFields: new Doc(), removedFields: [], truncatedArrays: [] };
  describe(diff, '', description);
  return description;
}

function describe(diff: Doc, prefix: string, into: UpdateDescription): void {
  const array = diff.get('a') === true;
  for (const [name, value] of diff) {
    if (name === 'a') continue;
    if (array && name === 'l') {
      into.truncatedArrays.push(Doc.of({ field: prefix.slice(0, -1), newSize: value }));
    } else if (!array && value instanceof Doc && (name === 'u' || name === 'i')) {
      for (const [field, content] of value) into.updatedFields.append(prefix + field, content);
    } else if (!array && value instanceof Doc && name === 'd') {
      for (const field of value.keys()) into.removedFields.push(prefix + field);
    } else if (array && name.startsWith('u')) {
      into.updatedFields.append(prefix + name.slice(1), value);
    } else if (value instanceof Doc) {
      describe(value, `${prefix}${name.slice(1)}.`, into);
    }
  }
}
