/** Collections that come into being by being written to. */
import { Doc } from './bson/document.js';
import { Binary } from './bson/types.js';
import type { CollectionDraft } from './catalog.js';
import type { Collection } from './collection.js';
import { DocumentError } from './errors.js';
import { checkNewCollection } from './namespaces.js';
import type { WriteScope } from './write-scope.js';

export interface Namespace {
  readonly database: string;
  readonly name: string;
}

/** Names that clients may not create by writing to them. */
const WRITABLE_SYSTEM = /^system\.(js|profile|users|roles|version|buckets\..*|views)$/;

export function idIndexSpec(collation?: Doc): Doc {
  const spec = Doc.of({ v: 2, key: Doc.of({ _id: 1 }), name: '_id_' });
  if (collation !== undefined) spec.append('collation', collation);
  return spec;
}

export function viewError(collection: { database: string; name: string }): DocumentError {
  return new DocumentError(166, `Namespace ${collection.database}.${collection.name} is a view, not a collection`);
}

/** The collection to write to, created when it is missing. Throws 166 for a view, 73 for a name that cannot be. */
export function collectionForWrite(scope: WriteScope, { database, name }: Namespace): Collection {
  const found = scope.store.catalog.find(scope.tx, database, name);
  if (found !== undefined) {
    if (found.type === 'view') throw viewError(found);
    return found;
  }
  checkNewCollection(database, name);
  if (name.startsWith('system.') && !WRITABLE_SYSTEM.test(name)) {
    throw new DocumentError(73, `Invalid system namespace: ${database}.${name}`);
  }
  return createCollection(scope, {
    database,
    name,
    type: 'collection',
    options: new Doc(),
    indexes: [{ spec: idIndexSpec(), ready: true }],
  });
}

/** Creates a collection that is not there, and tells the oplog. Throws 13297 for a database that differs by case only. */
export function createCollection(scope: WriteScope, draft: CollectionDraft): Collection {
  checkDatabaseCase(scope, draft.database);
  const collection = scope.store.catalog.create(scope.tx, draft);
  if (scope.logged) {
    const command = Doc.of({ create: draft.name });
    for (const [name, value] of draft.options) command.append(name, value);
    const idIndex = draft.indexes[0]?.spec;
    if (idIndex !== undefined) command.append('idIndex', idIndex);
    scope.log({ operation: 'c', database: draft.database, command, uuid: collection.uuid });
  }
  return collection;
}

function checkDatabaseCase(scope: WriteScope, database: string): void {
  const lower = database.toLowerCase();
  for (const other of scope.store.catalog.databases(scope.tx)) {
    if (other !== database && other.toLowerCase() === lower) {
      throw new DocumentError(
        13297,
        `db already exists with different case already have: [${other}] trying to create [${database}]`,
      );
    }
  }
}

/** A UUID as BSON has it. */
export function uuidValue(uuid: Buffer): Binary {
  return new Binary(uuid, 4);
}
