/** Commands about indexes. */
import type { Collection } from '../../../models/document/collection.js';
import { ListSource, SourceStream } from '../../../models/document/cursor.js';
import { createIndexes as createAll, removeIndexes } from '../../../models/document/indexes/builds.js';
import type { Index } from '../../../models/document/indexes/index.js';
import { samePattern } from '../../../models/document/planner/choose.js';
import { Doc, encodeDocument, formatDocument, isArrayValue, type Value } from '../../../models/document/values.js';
import { collectionOf, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, bool, documents, integer, nested, required } from '../fields.js';
import { lookUp } from '../query-options.js';
import { cursorReply } from '../replies.js';

export const createIndexes = defineCommand({
  name: 'createIndexes',
  help: 'creates indexes, and the collection if it is missing',
  subject: 'collection',
  fields: {
    indexes: required(documents()),
    commitQuorum: any(),
    ignoreUnknownIndexOptions: bool(),
    isTimeseriesNamespace: bool(),
    collectionUUID: any(),
    v: any(),
  },
  inTransaction: true,
  apiVersion1: true,
  writes: true,
  actions: ['createIndex'],
  async run(context, fields) {
    const name = collectionOf(context);
    if (fields.indexes.length === 0) throw failed(2, 'Must specify at least one index to create');
    const created = await createAll(context.storage, { database: context.database, name }, fields.indexes, () =>
      context.operation.breathe(),
    );
    const reply = Doc.of({
      numIndexesBefore: created.before,
      numIndexesAfter: created.after,
      createdCollectionAutomatically: created.createdCollection,
    });
    if (created.before === created.after) reply.append('note', 'all indexes already exist');
    else if (!context.storage.inTransaction) reply.append('commitQuorum', 'votingMembers');
    return reply;
  },
});

export const listIndexes = defineCommand({
  name: 'listIndexes',
  help: "a collection's indexes",
  subject: 'collection',
  fields: {
    cursor: nested({ batchSize: integer({ min: 0 }) }),
    includeBuildUUIDs: bool(),
    includeIndexBuildInfo: bool(),
    isTimeseriesNamespace: bool(),
  },
  apiVersion1: true,
  actions: ['listIndexes'],
  async run(context, fields) {
    const name = collectionOf(context);
    const collection = await lookUp(context, name);
    if (collection === undefined) throw failed(26, `ns does not exist: ${context.database}.${name}`);
    if (collection.type === 'view')
      throw failed(166, `Namespace ${context.database}.${name} is a view, not a collection`);
    const specs = collection.indexes.map(({ spec }) => spec);
    if (collection.clustered) specs.unshift(clusteredSpec(collection));
    return cursorReply(context, new SourceStream(new ListSource(specs)), {
      namespace: `${context.database}.${name}`,
      batchSize: fields.cursor?.batchSize ?? Number.POSITIVE_INFINITY,
    });
  },
});

function clusteredSpec(collection: Collection): Buffer {
  const spec = collection.options.get('clusteredIndex');
  const document = spec instanceof Doc ? spec.copy().append('clustered', true) : new Doc();
  return encodeDocument(document);
}

export const dropIndexes = defineCommand({
  name: 'dropIndexes',
  aliases: ['deleteIndexes'],
  help: 'removes indexes by name, by key, or all but the one on _id',
  subject: 'collection',
  fields: { index: required(any()), isTimeseriesNamespace: bool(), collectionUUID: any() },
  apiVersion1: true,
  writes: true,
  actions: ['dropIndex'],
  async run(context, fields) {
    const name = collectionOf(context);
    const { index } = fields;
    const outcome = await context.storage.write((scope) => {
      const collection = scope.store.catalog.find(scope.tx, context.database, name);
      if (collection === undefined) throw failed(26, `ns not found ${context.database}.${name}`);
      if (collection.type === 'view')
        throw failed(166, `Namespace ${context.database}.${name} is a view, not a collection`);
      const removed = wanted(collection, index as Value);
      removeIndexes(scope, collection, removed);
      return collection.indexes.length;
    });
    const reply = Doc.of({ nIndexesWas: outcome });
    if (index === '*') reply.append('msg', 'non-_id indexes dropped for collection');
    return reply;
  },
});

function wanted(collection: Collection, index: Value): Index[] {
  if (index === '*') return collection.indexes.filter(({ isId }) => !isId);
  if (isArrayValue(index)) return index.flatMap((name) => wanted(collection, name));
  if (typeof index === 'string') {
    const found = collection.indexNamed(index);
    if (found === undefined) throw failed(27, `index not found with name [${index}]`);
    if (found.isId) throw failed(72, 'cannot drop _id index');
    return [found];
  }
  if (!(index instanceof Doc))
    throw failed(14, "BSON field 'dropIndexes.index' is the wrong type, expected types '[string, object, array]'");
  const found = collection.indexes.filter((candidate) => samePattern(candidate.keyPattern, index));
  if (found.length > 1) {
    throw failed(
      181,
      `${found.length} indexes found for key: ${formatDocument(index)}, identify by name instead. Conflicting indexes: ${found.map(({ spec }) => formatDocument(Doc.fromBytes(spec))).join(', ')}`,
    );
  }
  const [only] = found;
  if (only === undefined) throw failed(27, `can't find index with key: ${formatDocument(index)}`);
  if (only.isId) throw failed(72, 'cannot drop _id index');
  return [only];
}

export const reIndex = defineCommand({
  name: 'reIndex',
  help: 'refused on a replica set',
  subject: 'collection',
  fields: {},
  lenient: true,
  run(): Doc {
    throw failed(20, 'reIndex is only allowed on a standalone mongod instance.');
  },
});
