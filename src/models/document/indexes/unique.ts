/** An index that becomes unique: entries of unique indexes are kept in another form. */
import type { Collection } from '../collection.js';
import { DocumentError } from '../errors.js';
import { indexPrefix, type RecordKey, rangeOf } from '../keys.js';
import { fieldsOfEntry, recordOfEntry } from '../records.js';
import { Doc } from '../values.js';
import type { WriteScope } from '../write-scope.js';
import type { Index } from './index.js';

/** Groups of duplicates that the error lists. */
const VIOLATIONS_MAX = 100;

/** Rewrites the entries. Throws 359 with the `_id`s of documents that have a key in common. */
export function convertToUnique(scope: WriteScope, collection: Collection, index: Index, dryRun: boolean): void {
  if (!index.prepareUnique && !dryRun) {
    throw new DocumentError(
      72,
      'Cannot make index unique with {prepareUnique: true} first: run collMod with prepareUnique',
    );
  }
  const prefix = indexPrefix(collection.id, index.id);
  const owners = new Map<string, RecordKey[]>();
  const entries = [...scope.tx.scan(rangeOf(prefix))].map(({ key, value }) => ({
    key,
    fields: fieldsOfEntry(index, key, value, prefix.length),
    record: recordOfEntry(index, key, value),
  }));
  for (const { fields, record } of entries) owners.set(fields, [...(owners.get(fields) ?? []), record]);
  const violations = [...owners.values()].filter((records) => records.length > 1).slice(0, VIOLATIONS_MAX);
  if (violations.length > 0) {
    throw new DocumentError(
      359,
      'Cannot convert the index to unique. Please resolve conflicting documents before running collMod again.',
      {
        violations: violations.map((records) =>
          Doc.of({
            ids: records.map((record) => {
              const document = scope.tx.get(collection.documentKey(record));
              return (document === undefined ? undefined : Doc.fromBytes(document).get('_id')) ?? null;
            }),
          }),
        ),
      },
    );
  }
  if (dryRun) return;
  for (const { key, fields, record } of entries) {
    scope.tx.delete(key);
    scope.tx.put(prefix + fields, Buffer.from(record, 'latin1'));
  }
}
