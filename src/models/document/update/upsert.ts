/**
 * The document that an upsert inserts when nothing matches: the values that its query asks to be equal, then the update,
 * then an `_id` if there is none yet.
 */
import { DocumentError, ErrorCode } from '../errors.js';
import type { Predicate } from '../query/predicate.js';
import {
  compareValues,
  DOCUMENT_BYTES_MAX,
  Doc,
  encodeDocument,
  formatField,
  isArrayValue,
  type Value,
} from '../values.js';
import { type ApplyOptions, checkStorable, type Update, withId } from './update.js';

/** Throws codes 54 and 111 for queries that ask for two values at once, 66 for an `_id` that changes, 17420. */
export function upsertDocument(predicate: Predicate, update: Update, options: ApplyOptions): Doc {
  const equalities = collectEqualities(predicate, update.kind === 'replacement' ? ['_id'] : undefined);
  let base = new Doc();
  for (const [path, value] of equalities) base = withPath(base, path.split('.'), value);
  const id = base.get('_id');
  const document = withId(update.insert(base, options));
  const finalId = document.get('_id');
  if (id !== undefined && finalId !== undefined && compareValues(id, finalId) !== 0) {
    throw new DocumentError(
      ErrorCode.immutableField,
      update.kind === 'operators'
        ? "Performing an update on the path '_id' would modify the immutable field '_id'"
        : `After applying the update, the (immutable) field '_id' was found to have been altered to ${formatField('_id', finalId)}`,
    );
  }
  checkStorable(document);
  if (encodeDocument(document).length > DOCUMENT_BYTES_MAX) {
    throw new DocumentError(
      ErrorCode.upsertedDocumentTooLarge,
      `Document to upsert is larger than ${DOCUMENT_BYTES_MAX}`,
    );
  }
  return document;
}

/** Paths that the query fixes to one value, in name order; only those under `fields` if given. */
function collectEqualities(predicate: Predicate, fields: readonly string[] | undefined): [string, Value][] {
  const equalities = new Map<string, Value>();
  collect(predicate, fields, equalities);
  return [...equalities].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function collect(predicate: Predicate, fields: readonly string[] | undefined, into: Map<string, Value>): void {
  if (predicate.op === 'and') {
    for (const child of predicate.children) collect(child, fields, into);
    return;
  }
  if (predicate.op !== 'eq') return;
  const { path, value } = predicate;
  if (fields !== undefined) {
    const field = fields.find((name) => path === name || path.startsWith(`${name}.`));
    if (field === undefined) return;
    if (path !== field) {
      throw new DocumentError(
        ErrorCode.notExactValueField,
        `field at '${field}' must be exactly specified, field at sub-path '${path}'found`,
      );
    }
  }
  for (const other of into.keys()) {
    if (other === path) {
      throw new DocumentError(
        ErrorCode.notSingleValueField,
        `cannot infer query fields to set, path '${path}' is matched twice`,
      );
    }
    if (path.startsWith(`${other}.`) || other.startsWith(`${path}.`)) {
      const [longer, shorter] = path.length > other.length ? [path, other] : [other, path];
      throw new DocumentError(
        ErrorCode.notSingleValueField,
        `cannot infer query fields to set, both paths '${longer}' and '${shorter}' are matched`,
      );
    }
  }
  into.set(path, value);
}

function withPath(document: Doc, [name = '', ...rest]: readonly string[], value: Value): Doc {
  if (rest.length === 0) return document.copy().set(name, value);
  const existing = document.get(name);
  if (existing !== undefined && isArrayValue(existing)) return document;
  return document.copy().set(name, withPath(existing instanceof Doc ? existing : new Doc(), rest, value));
}
