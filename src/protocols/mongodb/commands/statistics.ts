/** Sizes of databases and collections. */

import { statfs } from 'node:fs/promises';
import type { Collection } from '../../../models/document/collection.js';
import { indexPrefix, rangeOf } from '../../../models/document/keys.js';
import { plainDocument } from '../../../models/document/plain.js';
import { Binary, Doc, double, type Value } from '../../../models/document/values.js';
import { type CommandContext, collectionOf, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, bool, integer, object } from '../fields.js';
import { lookUp } from '../query-options.js';

/** Entries looked at to tell the size of an index. */
const SAMPLE_ENTRIES = 200;

export interface CollectionSizes {
  readonly documents: number;
  readonly bytes: number;
  readonly indexes: readonly { readonly name: string; readonly bytes: number }[];
}

/** True counts; index sizes from a sample of their entries. */
export async function sizesOf(context: CommandContext, collection: Collection): Promise<CollectionSizes> {
  const { store } = context.storage;
  const { documents, bytes } = await store.totals(collection);
  const indexes = await context.storage.read((view) =>
    collection.indexes.map((index) => {
      const records = index.isId && !collection.insertionOrder;
      const prefix = records ? collection.prefix : indexPrefix(collection.id, index.id);
      let count = 0;
      let size = 0;
      for (const { key, value } of view.scan(rangeOf(prefix), { limit: SAMPLE_ENTRIES })) {
        count++;
        size += records ? key.length : key.length + value.length;
      }
      return {
        name: index.name,
        bytes: count === 0 ? 0 : Math.round((size / count) * (count < SAMPLE_ENTRIES ? count : documents)),
      };
    }),
  );
  return { documents, bytes, indexes };
}

/** A size or count: int when it fits, else long. */
export function amount(value: number): Value {
  const whole = Math.floor(value);
  return whole > 0x7fff_ffff ? BigInt(whole) : whole;
}

/** What collStats and `$collStats` tell of storage. */
export async function collectionStatistics(context: CommandContext, name: string, scale: number): Promise<Doc> {
  const collection = await lookUp(context, name);
  const ns = `${context.database}.${name}`;
  if (collection === undefined) {
    return plainDocument({
      ns,
      size: 0,
      count: 0,
      numOrphanDocs: 0,
      storageSize: 0,
      totalSize: 0,
      nindexes: 0,
      totalIndexSize: 0,
      indexDetails: {},
      indexSizes: {},
      scaleFactor: scale,
    });
  }
  if (collection.type === 'view') throw failed(166, `Namespace ${ns} is a view, not a collection`);
  const { documents, bytes, indexes } = await sizesOf(context, collection);
  const indexBytes = indexes.reduce((sum, index) => sum + index.bytes, 0);
  const indexSizes = Doc.fromEntries(indexes.map((index) => [index.name, amount(index.bytes / scale)]));
  return plainDocument({
    ns,
    size: amount(bytes / scale),
    count: amount(documents),
    avgObjSize: documents === 0 ? undefined : amount(bytes / documents),
    numOrphanDocs: 0,
    storageSize: amount(bytes / scale),
    freeStorageSize: 0,
    capped: collection.capped,
    max: collection.capped ? amount(collection.cappedDocuments) : undefined,
    maxSize: collection.capped ? amount(collection.cappedBytes / scale) : undefined,
    timeseries:
      collection.timeSeries === undefined
        ? undefined
        : { bucketsNs: `${context.database}.system.buckets.${name}`, bucketCount: 0 },
    wiredTiger: {},
    nindexes: collection.indexes.length,
    indexDetails: {},
    indexBuilds: collection.indexes.filter(({ ready }) => !ready).map((index) => index.name),
    totalIndexSize: amount(indexBytes / scale),
    indexSizes,
    totalSize: amount((bytes + indexBytes) / scale),
    scaleFactor: scale,
  });
}

export const collStats = defineCommand({
  name: 'collStats',
  aliases: ['collstats'],
  help: "a collection's count, sizes and indexes",
  subject: 'collection',
  fields: { scale: integer({ min: 1 }), verbose: any(), waitForLock: any(), numericOnly: any() },
  actions: ['collStats'],
  run: (context, fields) => collectionStatistics(context, collectionOf(context), fields.scale ?? 1),
});

export const dbStats = defineCommand({
  name: 'dbStats',
  aliases: ['dbstats'],
  help: "a database's counts and sizes",
  subject: 'any',
  fields: { scale: integer({ min: 1 }), freeStorage: any() },
  actions: ['dbStats'],
  async run(context, fields) {
    const scale = fields.scale ?? 1;
    const collections = await context.storage.read((view) =>
      context.storage.store.catalog.list(view, context.database),
    );
    let documents = 0;
    let bytes = 0;
    let indexes = 0;
    let indexBytes = 0;
    for (const collection of collections) {
      if (collection.type === 'view') continue;
      const sizes = await sizesOf(context, collection);
      documents += sizes.documents;
      bytes += sizes.bytes;
      indexes += collection.indexes.length;
      for (const index of sizes.indexes) indexBytes += index.bytes;
    }
    const disk = await statfs('.').catch(() => undefined);
    const views = collections.filter(({ type }) => type === 'view').length;
    return plainDocument({
      db: context.database,
      collections: BigInt(collections.length - views),
      views: BigInt(views),
      objects: BigInt(documents),
      avgObjSize: double(documents === 0 ? 0 : bytes / documents),
      dataSize: double(bytes / scale),
      storageSize: double(bytes / scale),
      ...(fields.freeStorage === 1 ? { freeStorageSize: double(0) } : {}),
      indexes: BigInt(indexes),
      indexSize: double(indexBytes / scale),
      totalSize: double((bytes + indexBytes) / scale),
      scaleFactor: BigInt(scale),
      fsUsedSize: double(disk === undefined ? 0 : ((disk.blocks - disk.bfree) * disk.bsize) / scale),
      fsTotalSize: double(disk === undefined ? 0 : (disk.blocks * disk.bsize) / scale),
    });
  },
});

export const dataSize = defineCommand({
  name: 'dataSize',
  aliases: ['datasize'],
  help: "the size of a collection's documents",
  subject: 'any',
  fields: { keyPattern: object(), min: object(), max: object(), estimate: bool() },
  actions: ['find'],
  async run(context) {
    const namespace = context.body.at(0);
    if (typeof namespace !== 'string') throw failed(73, 'collection name has invalid type');
    const dot = namespace.indexOf('.');
    const collection = await lookUp(context, namespace.slice(dot + 1), namespace.slice(0, dot));
    const { documents, bytes } =
      collection === undefined ? { documents: 0, bytes: 0 } : await context.storage.store.totals(collection);
    return plainDocument({ size: BigInt(bytes), numObjects: BigInt(documents), millis: 0, estimate: false });
  },
});

export const validate = defineCommand({
  name: 'validate',
  help: 'checks a collection and its indexes against each other',
  subject: 'collection',
  fields: {
    full: any(),
    repair: any(),
    metadata: any(),
    checkBSONConformance: any(),
    background: any(),
    enforceFastCount: any(),
    fixMultikey: any(),
  },
  lenient: true,
  actions: ['validate'],
  async run(context) {
    const name = collectionOf(context);
    const ns = `${context.database}.${name}`;
    const collection = await lookUp(context, name);
    if (collection === undefined) throw failed(26, `Collection '${ns}' does not exist to validate.`);
    if (collection.type === 'view') throw failed(166, 'Cannot validate a view');
    const reader = await context.storage.reader();
    const errors: string[] = [];
    const keysPerIndex = new Doc();
    const indexDetails = new Doc();
    let records = 0;
    try {
      const countAll = async (prefix: string): Promise<number> => {
        let count = 0;
        const batches = reader.batches(rangeOf(prefix));
        for (let batch = await batches.next(); batch !== undefined; batch = await batches.next()) {
          count += batch.length;
          await context.operation.breathe();
        }
        return count;
      };
      records = await countAll(collection.prefix);
      for (const index of collection.indexes) {
        const own = index.isId && !collection.insertionOrder;
        keysPerIndex.append(index.name, amount(own ? records : await countAll(indexPrefix(collection.id, index.id))));
        indexDetails.append(index.name, Doc.of({ valid: true }));
      }
    } finally {
      reader.close();
    }
    const { documents } = await context.storage.store.totals(collection);
    if (documents !== records) errors.push(`the counter says ${documents} documents`);
    return plainDocument({
      ns,
      uuid: new Binary(collection.uuid, 4),
      nInvalidDocuments: 0,
      nNonCompliantDocuments: 0,
      nrecords: amount(records),
      nIndexes: collection.indexes.length,
      keysPerIndex,
      indexDetails,
      valid: errors.length === 0,
      repaired: false,
      readTimestamp: undefined,
      warnings: [],
      errors,
      extraIndexEntries: [],
      missingIndexEntries: [],
      corruptRecords: [],
    });
  },
});
