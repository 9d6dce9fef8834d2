/** Dropping and renaming collections and databases, and clearing away what they leave behind. */
import { readUint32 } from '../../encoding/byte-strings.js';
import type { Collection } from './collection.js';
import type { Namespace } from './collections.js';
import { DocumentError } from './errors.js';
import { GARBAGE_PREFIX, indexesRange, indexPrefix, rangeOf, recordPrefix } from './keys.js';
import { checkNewCollection } from './namespaces.js';
import type { DocumentStore, Storage } from './store.js';
import { Binary, Doc } from './values.js';
import type { WriteScope } from './write-scope.js';

/** Keys removed in one body. */
const SWEEP_KEYS = 2_000;

export function dropCollection(scope: WriteScope, collection: Collection): void {
  scope.store.catalog.drop(scope.tx, collection);
  scope.forget(collection);
  scope.log({
    operation: 'c',
    database: collection.database,
    command: Doc.of({ drop: collection.name }),
    uuid: collection.uuid,
    before: Doc.of({ numRecords: 0 }),
  });
}

/** Drops everything of a database; says whether there was anything. */
export function dropDatabase(scope: WriteScope, database: string): boolean {
  const collections = scope.store.catalog.list(scope.tx, database);
  for (const collection of collections) dropCollection(scope, collection);
  if (collections.length > 0) scope.log({ operation: 'c', database, command: Doc.of({ dropDatabase: 1 }) });
  return collections.length > 0;
}

export interface RenameOptions {
  readonly dropTarget: boolean;
}

export function renameCollection(scope: WriteScope, from: Namespace, to: Namespace, options: RenameOptions): void {
  const { catalog } = scope.store;
  const source = catalog.find(scope.tx, from.database, from.name);
  if (from.database === to.database && from.name === to.name) {
    throw new DocumentError(20, `Can't rename a collection to itself`);
  }
  if (source === undefined)
    throw new DocumentError(26, `Source collection ${from.database}.${from.name} does not exist`);
  if (source.type === 'view') throw new DocumentError(166, `cannot rename view: ${source.namespace}`);
  if (from.name.startsWith('system.') !== to.name.startsWith('system.')) {
    throw new DocumentError(20, 'error with target namespace: error: cannot rename to or from a system namespace');
  }
  checkNewCollection(to.database, to.name);
  const target = catalog.find(scope.tx, to.database, to.name);
  if (target !== undefined) {
    if (!options.dropTarget) throw new DocumentError(48, 'target namespace exists');
    catalog.drop(scope.tx, target);
    scope.forget(target);
  }
  catalog.rename(scope.tx, source, to.database, to.name);
  const command = Doc.of({
    renameCollection: source.namespace,
    to: `${to.database}.${to.name}`,
    stayTemp: false,
    dropTarget: target === undefined ? undefined : new Binary(target.uuid, 4),
  });
  scope.log({ operation: 'c', database: from.database, command, uuid: source.uuid });
}

/** Removes what dropped collections and indexes have left; returns when nothing is left to remove. */
export async function sweepGarbage(store: DocumentStore): Promise<void> {
  const storage = store.storage();
  for (;;) {
    const more = await sweepSome(storage);
    if (!more) return;
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

async function sweepSome(storage: Storage): Promise<boolean> {
  return storage.write((scope) => {
    for (const { key } of scope.tx.scan(rangeOf(GARBAGE_PREFIX), { limit: 1 })) {
      const id = readUint32(key, GARBAGE_PREFIX.length);
      const index =
        key.length > GARBAGE_PREFIX.length + 4
          ? (key.charCodeAt(key.length - 2) << 8) | key.charCodeAt(key.length - 1)
          : undefined;
      const ranges =
        index === undefined ? [rangeOf(recordPrefix(id)), indexesRange(id)] : [rangeOf(indexPrefix(id, index))];
      let left = SWEEP_KEYS;
      for (const range of ranges) {
        const keys = [...scope.tx.scan(range, { limit: left })].map((entry) => entry.key);
        for (const found of keys) scope.tx.delete(found);
        left -= keys.length;
        if (left <= 0) return true;
      }
      scope.tx.delete(key);
      return true;
    }
    return false;
  });
}
