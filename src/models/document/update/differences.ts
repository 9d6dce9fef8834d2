/**
 * What changed between two versions of a document, for updates that are not made of operators. As MongoDB finds it: fields
 * are compared in order; one that moved counts as removed and added.
 */
import {
  type ArrayValue,
  Doc,
  encodeDocument,
  encodeValue,
  identical,
  isArrayValue,
  type Value,
  valueBytes,
} from '../values.js';
import { type ChangedPath, UpdateLog } from './log.js';

/** The changes, or undefined when saying them takes more bytes than the new version. */
export function differences(before: Doc, after: Doc): UpdateLog | undefined {
  const log = new UpdateLog();
  compareDocuments(before, after, [], log);
  return encodeDocument(log.diff()).length >= encodeDocument(after).length ? undefined : log;
}

function compareDocuments(before: Doc, after: Doc, path: ChangedPath, log: UpdateLog): void {
  const removed = new Set<string>();
  let next = 0;
  for (const [name, value] of before) {
    if (next < after.size && after.nameAt(next) === name) {
      compareValues(value, after.at(next) ?? null, [...path, name], log);
      next++;
    } else {
      removed.add(name);
    }
  }
  const added: [string, Value][] = [];
  for (; next < after.size; next++) {
    const name = after.nameAt(next) ?? '';
    removed.delete(name);
    added.push([name, after.at(next) ?? null]);
  }
  for (const name of removed) log.unset([...path, name]);
  for (const [name, value] of added) log.set([...path, name], value, true);
}

function compareValues(before: Value, after: Value, path: ChangedPath, log: UpdateLog): void {
  if (identical(before, after)) return;
  const mark = log.mark();
  if (before instanceof Doc && after instanceof Doc) compareDocuments(before, after, path, log);
  else if (isArrayValue(before) && isArrayValue(after)) compareArrays(before, after, path, log);
  else {
    log.set(path, after);
    return;
  }
  if (entriesBytes(log, mark, path.length) >= valueBytes(after)) {
    log.rollback(mark);
    log.set(path, after);
  }
}

function compareArrays(before: ArrayValue, after: ArrayValue, path: ChangedPath, log: UpdateLog): void {
  const common = Math.min(before.length, after.length);
  for (let i = 0; i < common; i++) compareValues(before[i] ?? null, after[i] ?? null, [...path, i], log);
  for (let i = common; i < after.length; i++) log.set([...path, i], after[i] ?? null, true);
  if (after.length < before.length) log.truncate(path, after.length);
}

/** Bytes that the entries since a mark take in a diff, without the path above them. */
function entriesBytes(log: UpdateLog, mark: number, depth: number): number {
  let bytes = 8;
  for (const entry of log.entries.slice(mark)) {
    for (const part of entry.path.slice(depth)) bytes += String(part).length + 7;
    if (entry.kind === 'set') bytes += encodeValue(entry.value).length - 7;
  }
  return bytes;
}
