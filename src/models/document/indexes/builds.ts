/**
 * Creating and dropping indexes. An index of a collection with few documents is built with its creation, in one body; a
 * larger one is built in the background, some hundred documents a body, while writes maintain it already. A build that
 * fails (a duplicate key) takes the index away again.
 */

import type { Collection } from '../collection.js';
import { createCollection, idIndexSpec, type Namespace, viewError } from '../collections.js';
import { DocumentError } from '../errors.js';
import { garbageKey, indexPrefix, multikeyKey, rangeOf } from '../keys.js';
import { checkNewCollection } from '../namespaces.js';
import { samePattern } from '../planner/choose.js';
import { checkUnique, keysInIndex, markMultikey, putEntry } from '../records.js';
import type { Storage } from '../store.js';
import { Doc, encodeDocument, formatDocument, valuesEqual } from '../values.js';
import type { WriteScope } from '../write-scope.js';
import { Index } from './index.js';
import { INDEXES_MAX, normalizeSpec } from './spec.js';

/** Documents up to which an index is built together with its creation. */
const INLINE_DOCUMENTS_MAX = 500;
const CHUNK_DOCUMENTS = 500;

export interface CreatedIndexes {
  readonly before: number;
  readonly after: number;
  readonly createdCollection: boolean;
}

export async function createIndexes(
  storage: Storage,
  namespace: Namespace,
  specs: readonly Doc[],
  breathe: () => Promise<void> | undefined,
): Promise<CreatedIndexes> {
  const begun = await storage.write((scope) => begin(scope, namespace, specs));
  for (const id of begun.building) await build(storage, namespace, id, breathe);
  return begun;
}

function begin(
  scope: WriteScope,
  namespace: Namespace,
  specs: readonly Doc[],
): CreatedIndexes & { building: number[] } {
  const { catalog } = scope.store;
  let collection = catalog.find(scope.tx, namespace.database, namespace.name);
  if (collection?.type === 'view') throw viewError(collection);
  const createdCollection = collection === undefined;
  const inherited = collection?.options.get('collation');
  const wanted = specs.map((spec) => normalizeSpec(spec, inherited instanceof Doc ? inherited : undefined));
  if (collection === undefined) {
    checkNewCollection(namespace.database, namespace.name);
    const indexes = [{ spec: idIndexSpec(), ready: true }];
    collection = createCollection(scope, { ...namespace, type: 'collection', options: new Doc(), indexes });
  }
  const before = collection.indexes.length;
  const building: number[] = [];
  for (const spec of wanted) {
    if (!isNew(collection, spec, wanted)) continue;
    if (collection.indexes.length >= INDEXES_MAX) {
      throw new DocumentError(
        67,
        `add index fails, too many indexes for ${collection.namespace} key:${formatDocument(spec.get('key') as Doc)}`,
      );
    }
    const added = addIndex(scope, collection, spec);
    collection = added.collection;
    if (!added.index.ready) building.push(added.index.id);
  }
  return { before, after: collection.indexes.length, createdCollection, building };
}

function addIndex(scope: WriteScope, collection: Collection, spec: Doc): { collection: Collection; index: Index } {
  const bytes = encodeDocument(spec);
  const id = collection.nextIndex;
  const building = new Index(id, bytes, false);
  let seen = 0;
  for (const _ of scope.tx.scan(rangeOf(collection.prefix), { limit: INLINE_DOCUMENTS_MAX + 1 })) seen++;
  const small = seen <= INLINE_DOCUMENTS_MAX;
  if (small) {
    for (const { key, value } of [...scope.tx.scan(rangeOf(collection.prefix))]) {
      addToIndex(scope, collection, building, key.slice(collection.prefix.length), value);
    }
  }
  const index = small ? new Index(id, bytes, true) : building;
  const changed = collection.withIndexes([...collection.indexes, index], id + 1);
  scope.store.catalog.save(scope.tx, changed);
  const command = Doc.of({ createIndexes: collection.name });
  for (const [name, value] of spec) command.append(name, value);
  scope.log({ operation: 'c', database: collection.database, command, uuid: collection.uuid });
  return { collection: changed, index };
}

function addToIndex(scope: WriteScope, collection: Collection, index: Index, record: string, document: Buffer): void {
  const prefix = indexPrefix(collection.id, index.id);
  const { keys, multikey } = keysInIndex(index, document);
  if (index.enforcesUnique) {
    try {
      checkUnique(scope, collection, index, prefix, keys, record, document);
    } catch (thrown) {
      if (!(thrown instanceof DocumentError)) throw thrown;
      const uuid = collection.uuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
      throw new DocumentError(
        thrown.code,
        `Index build failed: ${uuid}: Collection ${collection.namespace} ( ${uuid} ) :: caused by :: ${thrown.message}`,
        thrown.details,
      );
    }
  }
  for (const key of keys) putEntry(scope, index, prefix, key, record);
  if (multikey !== undefined) markMultikey(scope, collection, index, multikey);
}

/** Throws 85, 86 and 68 when the index clashes with one that is there; false when it is there already. */
function isNew(collection: Collection, spec: Doc, wanted: readonly Doc[]): boolean {
  const twin = wanted.find((other) => other !== spec && sameSpec(other, spec, true));
  if (twin !== undefined) throw new DocumentError(68, `Identical index already exists: ${String(spec.get('name'))}`);
  const key = spec.get('key');
  const name = spec.get('name');
  if (!(key instanceof Doc)) return true;
  for (const index of collection.indexes) {
    const existing = Doc.fromBytes(index.spec);
    const sameKey = samePattern(index.keyPattern, key) && sameText(existing, spec);
    const sameIdentity = sameKey && sameFields(existing, spec, ['collation', 'partialFilterExpression']);
    if (index.isId && sameKey) return false;
    if (sameIdentity) {
      const sameOptions = sameFields(existing, spec, [
        'unique',
        'sparse',
        'expireAfterSeconds',
        'wildcardProjection',
        'weights',
      ]);
      if (index.name === name) {
        if (sameOptions) return false;
        throw new DocumentError(
          85,
          `An equivalent index already exists with the same name but different options. Requested index: ${formatDocument(spec)}, existing index: ${formatDocument(existing)}`,
        );
      }
      if (sameOptions) throw new DocumentError(85, `Index already exists with a different name: ${index.name}`);
      throw new DocumentError(
        85,
        `An equivalent index already exists with a different name and options. Requested index: ${formatDocument(spec)}, existing index: ${formatDocument(existing)}`,
      );
    }
    if (index.name === name) {
      throw new DocumentError(
        86,
        `An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. Requested index: ${formatDocument(spec)}, existing index: ${formatDocument(existing)}`,
      );
    }
  }
  if (spec.has('weights') && collection.indexes.some(({ kind }) => kind === 'text')) {
    throw new DocumentError(67, 'only one text index per collection allowed, found existing text index');
  }
  return true;
}

function sameText(a: Doc, b: Doc): boolean {
  return !a.has('weights') || sameFields(a, b, ['weights']);
}

function sameFields(a: Doc, b: Doc, names: readonly string[]): boolean {
  return names.every((name) => valuesEqual(a.get(name) ?? null, b.get(name) ?? null));
}

function sameSpec(a: Doc, b: Doc, whole: boolean): boolean {
  return sameFields(a, b, whole ? ['key', 'collation', 'partialFilterExpression', 'unique', 'sparse'] : ['key']);
}

/** Adds what was there before the index, and makes it usable. Throws what a document refuses, with the index gone. */
export async function build(
  storage: Storage,
  namespace: Namespace,
  id: number,
  breathe: () => Promise<void> | undefined,
): Promise<void> {
  let after: string | undefined;
  try {
    for (;;) {
      const last: string | undefined | null = await storage.write((scope) => buildChunk(scope, namespace, id, after));
      if (last === null) return;
      after = last;
      const turn = breathe();
      if (turn !== undefined) await turn;
    }
  } catch (thrown) {
    await storage.write((scope) => {
      const collection = scope.store.catalog.find(scope.tx, namespace.database, namespace.name);
      const index = collection?.indexes.find((candidate) => candidate.id === id);
      if (collection !== undefined && index !== undefined) removeIndexes(scope, collection, [index]);
    });
    throw thrown;
  }
}

/** Answers the last record done, or null when the index is finished (or gone). */
function buildChunk(scope: WriteScope, namespace: Namespace, id: number, after: string | undefined): string | null {
  const collection = scope.store.catalog.find(scope.tx, namespace.database, namespace.name);
  const index = collection?.indexes.find((candidate) => candidate.id === id);
  if (collection === undefined || index === undefined) {
    throw new DocumentError(276, 'Index build failed: the collection or index was dropped');
  }
  const all = rangeOf(collection.prefix);
  const range = after === undefined ? all : { start: `${after}\0`, end: all.end };
  const entries = [...scope.tx.scan(range, { limit: CHUNK_DOCUMENTS })];
  for (const { key, value } of entries)
    addToIndex(scope, collection, index, key.slice(collection.prefix.length), value);
  const last = entries.at(-1);
  if (last !== undefined && entries.length === CHUNK_DOCUMENTS) return last.key;
  const indexes = collection.indexes.map((other) => (other.id === id ? new Index(id, other.spec, true) : other));
  scope.store.catalog.save(scope.tx, collection.withIndexes(indexes));
  return null;
}

/** Takes indexes out of the catalog; their entries are left to the sweeper. */
export function removeIndexes(scope: WriteScope, collection: Collection, removed: readonly Index[]): Collection {
  const changed = collection.withIndexes(collection.indexes.filter((index) => !removed.includes(index)));
  scope.store.catalog.save(scope.tx, changed);
  for (const index of removed) {
    scope.tx.put(garbageKey(collection.id, index.id), Buffer.alloc(0));
    scope.tx.delete(multikeyKey(collection.id, index.id));
    scope.log({
      operation: 'c',
      database: collection.database,
      command: Doc.of({ dropIndexes: collection.name, index: index.name }),
      uuid: collection.uuid,
      before: Doc.fromBytes(index.spec),
    });
  }
  return changed;
}
