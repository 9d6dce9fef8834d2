/**
 * The catalog: which collections and views there are, with their options and indexes. It is read through the view of the
 * transaction or snapshot at hand, so that a query, a transaction and a restart each see one consistent state; parsed
 * records are cached by their bytes.
 */
import { randomUUID } from 'node:crypto';
import type { Key, Transaction, View } from '../../engine/engine.js';
import { Doc } from './bson/document.js';
import { encodeDocument } from './bson/encode.js';
import { Binary, isArrayValue } from './bson/types.js';
import { Collection } from './collection.js';
import { Index } from './indexes/index.js';
import {
  CATALOG_PREFIX,
  type CollectionId,
  catalogKey,
  catalogRange,
  countKey,
  garbageKey,
  sequenceKey,
  settingKey,
  sizeKey,
} from './keys.js';
import { plainDocument } from './plain.js';
import { numberOf } from './scalars.js';

export type CollectionType = 'collection' | 'view' | 'timeseries';

/** What a collection is made from. */
export interface CollectionDraft {
  readonly database: string;
  readonly name: string;
  readonly type: CollectionType;
  /** As listCollections prints them. */
  readonly options: Doc;
  /** Without `_id_` for collections that lie in `_id` order by `clusteredIndex`. */
  readonly indexes: readonly { readonly spec: Doc; readonly ready: boolean }[];
  readonly uuid?: Buffer;
}

const NEXT_ID_KEY = settingKey('next collection');
/** Parsed records kept. */
const CACHE_ENTRIES_MAX = 10_000;

interface Cached {
  readonly bytes: Buffer;
  readonly collection: Collection;
}

export class Catalog {
  private readonly cache = new Map<Key, Cached>();

  /** The collection or view, or `undefined`. */
  find(view: View, database: string, name: string): Collection | undefined {
    const key = catalogKey(database, name);
    const bytes = view.get(key);
    return bytes === undefined ? undefined : this.parsed(key, database, name, bytes);
  }

  /** Everything of a database (of all of them, without one), ordered by name. */
  list(view: View, database?: string): Collection[] {
    const found: Collection[] = [];
    for (const { key, value } of view.scan(catalogRange(database))) {
      const split = key.indexOf('\0', CATALOG_PREFIX.length);
      const text = (part: string): string => Buffer.from(part, 'latin1').toString('utf8');
      found.push(this.parsed(key, text(key.slice(CATALOG_PREFIX.length, split)), text(key.slice(split + 1)), value));
    }
    return found;
  }

  /** The names of the databases that have a collection or view. */
  databases(view: View): string[] {
    return [...new Set(this.list(view).map(({ database }) => database))];
  }

  create(tx: Transaction, draft: CollectionDraft): Collection {
    const id = (tx.get(NEXT_ID_KEY)?.readUInt32BE(0) ?? 0) + 1;
    const next = Buffer.alloc(4);
    next.writeUInt32BE(id);
    tx.put(NEXT_ID_KEY, next);
    const indexes = draft.indexes.map(({ spec, ready }, i) => new Index(i, encodeDocument(spec), ready));
    const uuid = draft.uuid ?? Buffer.from(randomUUID().replaceAll('-', ''), 'hex');
    const collection = new Collection(
      draft.database,
      draft.name,
      id,
      uuid,
      draft.type,
      draft.options,
      indexes,
      indexes.length,
    );
    this.save(tx, collection);
    return collection;
  }

  /** Writes a collection's changed record. */
  save(tx: Transaction, collection: Collection): void {
    tx.put(catalogKey(collection.database, collection.name), encodeRecord(collection));
  }

  /** Removes the record; documents and indexes are left to the sweeper, which the garbage record tells. */
  drop(tx: Transaction, collection: Collection): void {
    tx.delete(catalogKey(collection.database, collection.name));
    if (collection.type === 'view') return;
    tx.put(garbageKey(collection.id), Buffer.alloc(0));
    tx.delete(countKey(collection.id));
    tx.delete(sizeKey(collection.id));
    tx.delete(sequenceKey(collection.id));
  }

  /** Gives the collection another name; documents stay where they are. */
  rename(tx: Transaction, collection: Collection, database: string, name: string): Collection {
    tx.delete(catalogKey(collection.database, collection.name));
    const renamed = collection.renamed(database, name);
    this.save(tx, renamed);
    return renamed;
  }

  private parsed(key: Key, database: string, name: string, bytes: Buffer): Collection {
    const cached = this.cache.get(key);
    if (cached !== undefined && (cached.bytes === bytes || cached.bytes.equals(bytes))) return cached.collection;
    const copy = Buffer.from(bytes);
    const collection = decodeRecord(database, name, copy);
    if (this.cache.size >= CACHE_ENTRIES_MAX) this.cache.clear();
    this.cache.set(key, { bytes: copy, collection });
    return collection;
  }
}

function encodeRecord(collection: Collection): Buffer {
  return encodeDocument(
    plainDocument({
      id: collection.id,
      uuid: new Binary(collection.uuid, 4),
      type: collection.type,
      options: collection.options,
      nextIndex: collection.nextIndex,
      indexes: collection.indexes.map(({ id, ready, spec }) => ({ id, ready, spec })),
    }),
  );
}

function decodeRecord(database: string, name: string, bytes: Buffer): Collection {
  const record = Doc.fromBytes(bytes);
  const uuid = record.get('uuid');
  const options = record.get('options');
  const type = record.get('type');
  const stored = record.get('indexes');
  const indexes: Index[] = [];
  for (const entry of isArrayValue(stored) ? stored : []) {
    if (!(entry instanceof Doc)) continue;
    const spec = entry.get('spec');
    if (spec instanceof Doc)
      indexes.push(new Index(numberOf(entry.get('id')) ?? 0, encodeDocument(spec), entry.get('ready') === true));
  }
  return new Collection(
    database,
    name,
    idOf(record),
    uuid instanceof Binary ? uuid.bytes : Buffer.alloc(16),
    type === 'view' || type === 'timeseries' ? type : 'collection',
    options instanceof Doc ? options : new Doc(),
    indexes,
    numberOf(record.get('nextIndex')) ?? indexes.length,
  );
}

function idOf(record: Doc): CollectionId {
  return numberOf(record.get('id')) ?? 0;
}
