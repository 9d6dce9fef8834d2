/**
 * Finding the documents that a write is about. The search runs on one state of the store and takes as long as it takes;
 * each document is then looked at again inside of the transaction that writes it, and must still match.
 */

import { encodeValue } from './bson/encode.js';
import type { Collation } from './collation.js';
import type { Collection } from './collection.js';
import type { Namespace } from './collections.js';
import { viewError } from './collections.js';
import { DocumentError } from './errors.js';
import { textKeyOf } from './indexes/index.js';
import { valueKey } from './indexes/value-keys.js';
import type { RecordKey } from './keys.js';
import { choosePlan } from './planner/choose.js';
import { PlanRun } from './planner/execute.js';
import { sortRecords } from './planner/sort.js';
import type { Filter } from './query/filter.js';
import { recordOfId } from './records.js';
import type { Storage } from './store.js';
import type { Doc, Value } from './values.js';
import { isArrayValue, Regex } from './values.js';
import type { WriteScope } from './write-scope.js';

export interface TargetQuery {
  readonly namespace: Namespace;
  readonly filter: Filter;
  readonly query: Doc;
  readonly collation: Collation | undefined;
  readonly sort?: Doc | undefined;
  readonly hint?: string | Doc | undefined;
}

/** Searches again that a single write is worth when others keep changing what it finds. */
const SEARCHES_MAX = 1_000;
/** Documents of one transaction body of a write to many. */
const CHUNK_DOCUMENTS = 200;

/** The value of `_id` when that is all the query asks for. */
export function idOfQuery(query: Doc): Value | undefined {
  if (query.size !== 1) return undefined;
  let value = query.get('_id');
  if (isDocument(value) && value.size === 1 && value.nameAt(0) === '$eq') value = value.at(0);
  if (value === undefined || value === null || value instanceof Regex || isArrayValue(value)) return undefined;
  if (isDocument(value) && (value.nameAt(0) ?? '').startsWith('$')) return undefined;
  return value;
}

function isDocument(value: Value | undefined): value is Doc {
  return value !== undefined && value !== null && typeof value === 'object' && 'size' in value && 'nameAt' in value;
}

/** What a write does to a document; `undefined` when there is none. */
export type Change<T> = (scope: WriteScope, collection: Collection, record: RecordKey, document: Buffer) => T;

/**
 * Applies `change` to the first document that the query finds. `prepare` runs first in every body, with the collection
 * (`undefined` when it is missing), and may answer at once; `missing` answers when nothing was found, in a body of its
 * own.
 */
export async function changeFirst<T>(
  storage: Storage,
  target: TargetQuery,
  hooks: {
    prepare(scope: WriteScope): T | undefined;
    change: Change<T>;
    missing(scope: WriteScope): T;
    breathe(): Promise<void> | undefined;
  },
): Promise<T> {
  const { namespace, filter } = target;
  const id = target.hint === undefined ? idOfQuery(target.query) : undefined;
  const attempt = (scope: WriteScope, found: RecordKey | undefined, searched: boolean): { answer: T } | undefined => {
    const early = hooks.prepare(scope);
    if (early !== undefined) return { answer: early };
    const collection = find(scope, namespace);
    const record = searched || collection === undefined ? found : recordOfValue(scope, collection, id);
    const document =
      collection === undefined || record === undefined ? undefined : scope.tx.get(collection.documentKey(record));
    if (collection === undefined || record === undefined) return { answer: hooks.missing(scope) };
    if (document === undefined || !filter.matches(document))
      return searched ? undefined : { answer: hooks.missing(scope) };
    return { answer: hooks.change(scope, collection, record, document) };
  };
  if (id !== undefined && (await usesIdKeys(storage, target))) {
    const done = storage.write((scope) => attempt(scope, undefined, false));
    const result = done instanceof Promise ? await done : done;
    if (result !== undefined) return result.answer;
  }
  for (let search = 0; search < SEARCHES_MAX; search++) {
    const found = await firstRecord(storage, target, hooks.breathe);
    const done = storage.write((scope) => attempt(scope, found, true));
    const result = done instanceof Promise ? await done : done;
    if (result !== undefined) return result.answer;
  }
  throw new DocumentError(
    112,
    'WriteConflict error: this operation conflicted with another operation. Please retry your operation or multi-document transaction.',
  );
}

/** A lookup by `_id` may go by its key when strings mean the same to the query and the collection. */
async function usesIdKeys(storage: Storage, target: TargetQuery): Promise<boolean> {
  const { database, name } = target.namespace;
  const collection = await storage.read((view) => storage.store.catalog.find(view, database, name));
  if (collection === undefined) return true;
  return collection.findsById && (target.collation === undefined || collection.sharesCollation(target.collation));
}

function find(scope: WriteScope, { database, name }: Namespace): Collection | undefined {
  const collection = scope.store.catalog.find(scope.tx, database, name);
  if (collection?.type === 'view') throw viewError(collection);
  return collection;
}

function recordOfValue(scope: WriteScope, collection: Collection, id: Value | undefined): RecordKey | undefined {
  if (id === undefined) return undefined;
  const bytes = encodeValue(id);
  return recordOfId(scope.tx, collection, valueKey(bytes, bytes[4] ?? 0, 6, textKeyOf(collection.collation)));
}

async function openRun(
  storage: Storage,
  target: TargetQuery,
  limit: number | undefined,
  breathe: () => Promise<void> | undefined,
) {
  const reader = await storage.reader();
  const { database, name } = target.namespace;
  try {
    const plan = await reader.read((view) => {
      const collection = storage.store.catalog.find(view, database, name);
      if (collection === undefined) return undefined;
      if (collection.type === 'view') throw viewError(collection);
      return choosePlan(view, {
        collection,
        filter: target.filter,
        query: target.query,
        sort: target.sort,
        collation: target.collation ?? collection.collation,
        hint: target.hint,
      });
    });
    if (plan === undefined) {
      reader.close();
      return undefined;
    }
    return {
      reader,
      run: new PlanRun(reader, plan, { breathe, limit: plan.sort === undefined ? limit : undefined }),
      plan,
    };
  } catch (thrown) {
    reader.close();
    throw thrown;
  }
}

async function firstRecord(
  storage: Storage,
  target: TargetQuery,
  breathe: () => Promise<void> | undefined,
): Promise<RecordKey | undefined> {
  const opened = await openRun(storage, target, 1, breathe);
  if (opened === undefined) return undefined;
  const { reader, run, plan } = opened;
  try {
    if (plan.sort !== undefined) {
      const sorted = await sortRecords(run, reader, plan, { collation: target.collation, limit: 1 });
      return (await sorted.next())?.[0]?.record;
    }
    return (await run.next())?.[0]?.record;
  } finally {
    run.close();
    reader.close();
  }
}

/**
 * Applies `change` to every document that the query finds, in bodies of some hundred, and answers with what it gave. In a
 * transaction the first failure ends it; outside, what was done before a failure stays done.
 */
export async function changeAll<T>(
  storage: Storage,
  target: TargetQuery,
  hooks: { prepare?(scope: WriteScope): void; change: Change<T>; breathe(): Promise<void> | undefined },
): Promise<T[]> {
  const results: T[] = [];
  const opened = await openRun(storage, target, undefined, hooks.breathe);
  if (opened === undefined) return results;
  const { reader, run } = opened;
  try {
    for (;;) {
      const batch = await run.next();
      if (batch === undefined) return results;
      for (let from = 0; from < batch.length; from += CHUNK_DOCUMENTS) {
        const part = batch.slice(from, from + CHUNK_DOCUMENTS);
        const done = storage.write((scope) => {
          hooks.prepare?.(scope);
          return changePart(scope, target, part, hooks.change);
        });
        for (const result of done instanceof Promise ? await done : done) results.push(result);
        const turn = hooks.breathe();
        if (turn !== undefined) await turn;
      }
    }
  } finally {
    run.close();
    reader.close();
  }
}

function changePart<T>(
  scope: WriteScope,
  target: TargetQuery,
  part: readonly { readonly record: RecordKey }[],
  change: Change<T>,
): T[] {
  const collection = find(scope, target.namespace);
  if (collection === undefined) return [];
  const results: T[] = [];
  for (const { record } of part) {
    const document = scope.tx.get(collection.documentKey(record));
    if (document !== undefined && target.filter.matches(document)) {
      results.push(change(scope, collection, record, document));
    }
  }
  return results;
}
