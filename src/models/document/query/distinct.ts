/** The values of one path for `distinct`: arrays at its end are unwound one level, missing fields give nothing. */
import { valueAt } from '../bson/document.js';
import { BsonType, findField, int32At, skipName, skipValue } from '../bson/raw.js';
import type { Value } from '../values.js';
import { isPosition, type PathParts, pathParts } from './path.js';

/** Calls `found` for each value that the path reaches in a document; calls may repeat a value. */
export function distinctValues(path: string): (bytes: Buffer, offset: number, found: (value: Value) => void) => void {
  const parts = pathParts(path);
  return (bytes, offset, found) => walk(bytes, offset, parts, 0, found);
}

function walk(bytes: Buffer, document: number, parts: PathParts, index: number, found: (value: Value) => void): void {
  const part = parts[index] ?? '';
  const position = findField(bytes, document, part);
  if (position >= 0) element(bytes, bytes[position] ?? 0, position + 2 + part.length, parts, index + 1, found);
}

function element(
  bytes: Buffer,
  type: number,
  offset: number,
  parts: PathParts,
  next: number,
  found: (value: Value) => void,
): void {
  if (type === BsonType.array) {
    array(bytes, offset, parts, next, found);
  } else if (next === parts.length) {
    found(valueAt(bytes, type, offset));
  } else if (type === BsonType.object) {
    walk(bytes, offset, parts, next, found);
  }
}

function array(bytes: Buffer, offset: number, parts: PathParts, next: number, found: (value: Value) => void): void {
  const part = parts[next];
  if (part !== undefined && isPosition(part)) {
    const position = findField(bytes, offset, part);
    if (position >= 0) element(bytes, bytes[position] ?? 0, position + 2 + part.length, parts, next + 1, found);
  }
  const end = offset + int32At(bytes, offset) - 1;
  let position = offset + 4;
  while (position < end) {
    const type = bytes[position] ?? 0;
    const content = skipName(bytes, position + 1);
    if (part === undefined) found(valueAt(bytes, type, content));
    else if (type === BsonType.object) walk(bytes, content, parts, next, found);
    position = skipValue(bytes, type, content);
  }
}
