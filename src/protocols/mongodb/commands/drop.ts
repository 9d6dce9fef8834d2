import { dropCollection } from '../../../models/document/ddl.js';
import { Doc } from '../../../models/document/values.js';
import { collectionOf, defineCommand } from '../command.js';
import { any } from '../fields.js';

export const drop = defineCommand({
  name: 'drop',
  help: 'removes a collection or view',
  subject: 'collection',
  fields: { collectionUUID: any() },
  apiVersion1: true,
  writes: true,
  actions: ['dropCollection'],
  async run(context) {
    const name = collectionOf(context);
    const namespace = `${context.database}.${name}`;
    const indexes = await context.storage.write((scope) => {
      const collection = scope.store.catalog.find(scope.tx, context.database, name);
      if (collection === undefined) return undefined;
      dropCollection(scope, collection);
      return collection.indexes.length;
    });
    context.server.dropped((cursor) => cursor.namespace === namespace);
    if (indexes === undefined) return new Doc();
    return Doc.of({ nIndexesWas: indexes, ns: namespace });
  },
});
