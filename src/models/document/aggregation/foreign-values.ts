/** Which values join documents: what an equality on a path would match. */
import { Doc, isArrayValue, type Value } from '../values.js';

const POSITION = /^\d+$/;

/** The values that `{path: {$eq: value}}` matches: elements and whole arrays, null for missing. */
export function matchableValues(document: Doc, parts: readonly string[]): Value[] {
  const found: Value[] = [];
  reach(document, parts, 0, found);
  return found;
}

function reach(document: Doc, parts: readonly string[], depth: number, found: Value[]): void {
  const value = document.get(parts[depth] ?? '');
  if (value === undefined) found.push(null);
  else reachValue(value, parts, depth + 1, found);
}

function reachValue(value: Value, parts: readonly string[], depth: number, found: Value[]): void {
  if (depth === parts.length) {
    found.push(value);
    if (isArrayValue(value)) for (const element of value) found.push(element);
    return;
  }
  if (value instanceof Doc) reach(value, parts, depth, found);
  else if (isArrayValue(value)) {
    for (const element of value) if (element instanceof Doc) reach(element, parts, depth, found);
    const part = parts[depth] ?? '';
    const element = POSITION.test(part) ? value[Number(part)] : undefined;
    if (element !== undefined) reachValue(element, parts, depth + 1, found);
  } else found.push(null);
}

/** The values that a document asks for: elements of arrays one by one, null for missing. */
export function askedValues(document: Doc, parts: readonly string[]): Value[] {
  const found: Value[] = [];
  ask(document, parts, 0, found);
  return found.length === 0 ? [null] : found;
}

function ask(value: Value, parts: readonly string[], depth: number, found: Value[]): void {
  if (depth === parts.length) {
    if (isArrayValue(value)) for (const element of value) found.push(element);
    else found.push(value);
    return;
  }
  if (value instanceof Doc) {
    const inner = value.get(parts[depth] ?? '');
    if (inner !== undefined) ask(inner, parts, depth + 1, found);
    return;
  }
  if (!isArrayValue(value)) return;
  const part = parts[depth] ?? '';
  const element = POSITION.test(part) ? value[Number(part)] : undefined;
  if (element !== undefined) ask(element, parts, depth + 1, found);
  else for (const each of value) if (each instanceof Doc) ask(each, parts, depth, found);
}
