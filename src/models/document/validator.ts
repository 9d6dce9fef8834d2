/** Validators of collections. */
import type { Collection } from './collection.js';
import { DocumentError, ErrorCode } from './errors.js';
import { explainFailure } from './query/failure.js';
import { compileFilter, type Filter } from './query/filter.js';
import { parseFilter } from './query/parse.js';
import { Doc } from './values.js';

/** Compiled once for each version of a collection. */
const compiled = new WeakMap<Collection, Filter>();

function validatorOf(collection: Collection, rules: Doc): Filter {
  let filter = compiled.get(collection);
  if (filter === undefined) {
    filter = compileFilter(rules, { collation: collection.collation });
    compiled.set(collection, filter);
  }
  return filter;
}

/** Throws 121 with errInfo when `after` breaks the collection's rules (moderate: unless `before` did already). */
export function validate(collection: Collection, after: Buffer, before: Buffer | undefined): void {
  const { validator, validationLevel, validationAction } = collection;
  if (validator === undefined || validationLevel === 'off' || validationAction === 'warn') return;
  const filter = validatorOf(collection, validator);
  if (filter.matches(after)) return;
  if (validationLevel === 'moderate' && before !== undefined && !filter.matches(before)) return;
  const document = Doc.fromBytes(after);
  const details = explainFailure(parseFilter(validator, { collation: collection.collation, asWritten: true }), after);
  throw new DocumentError(ErrorCode.documentValidationFailure, 'Document failed validation', {
    errInfo: Doc.of({ failingDocumentId: document.get('_id'), details }),
  });
}
