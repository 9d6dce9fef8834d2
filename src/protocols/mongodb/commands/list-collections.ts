import type { Collection } from '../../../models/document/collection.js';
import { ListSource, SourceStream } from '../../../models/document/cursor.js';
import { plainDocument } from '../../../models/document/plain.js';
import { Binary, Doc, encodeDocument } from '../../../models/document/values.js';
import { defineCommand } from '../command.js';
import { bool, integer, nested, object } from '../fields.js';
import { filterOf } from '../query-options.js';
import { cursorReply } from '../replies.js';

export const listCollections = defineCommand({
  name: 'listCollections',
  help: 'the collections and views of a database',
  subject: 'any',
  fields: {
    filter: object(),
    nameOnly: bool(),
    authorizedCollections: bool(),
    cursor: nested({ batchSize: integer({ min: 0 }) }),
    includePendingDrops: bool(),
  },
  apiVersion1: true,
  actions: ['listCollections'],
  async run(context, fields) {
    const filter = filterOf(fields.filter, undefined);
    const collections = await context.storage.read((view) =>
      context.storage.store.catalog.list(view, context.database),
    );
    const found: Buffer[] = [];
    for (const collection of collections) {
      const document = describe(collection, fields.nameOnly === true);
      if (filter.matches(document)) found.push(document);
      const buckets = bucketsOf(collection, fields.nameOnly === true);
      if (buckets !== undefined && filter.matches(buckets)) found.push(buckets);
    }
    return cursorReply(context, new SourceStream(new ListSource(found)), {
      namespace: `${context.database}.$cmd.listCollections`,
      batchSize: fields.cursor?.batchSize ?? Number.POSITIVE_INFINITY,
    });
  },
});

function describe(collection: Collection, nameOnly: boolean): Buffer {
  const { name, type } = collection;
  if (nameOnly) return encodeDocument(Doc.of({ name, type }));
  const view = type !== 'collection';
  return encodeDocument(
    plainDocument({
      name,
      type,
      options: collection.options,
      info: view ? { readOnly: type === 'view' } : { readOnly: false, uuid: new Binary(collection.uuid, 4) },
      idIndex: view || collection.idIndex === undefined ? undefined : collection.idIndex.spec,
    }),
  );
}

/** Clients expect the collection of buckets behind a time series. */
function bucketsOf(collection: Collection, nameOnly: boolean): Buffer | undefined {
  if (collection.type !== 'timeseries') return undefined;
  const base = { name: `system.buckets.${collection.name}`, type: 'collection' };
  if (nameOnly) return encodeDocument(plainDocument(base));
  return encodeDocument(
    plainDocument({
      ...base,
      options: collection.options,
      info: { readOnly: false, uuid: new Binary(collection.uuid, 4) },
    }),
  );
}
