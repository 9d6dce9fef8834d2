import { plainDocument } from '../../../models/document/plain.js';
import { Doc, encodeDocument, type Value } from '../../../models/document/values.js';
import { defineCommand } from '../command.js';
import { bool, object } from '../fields.js';
import { filterOf } from '../query-options.js';

const ALWAYS = ['admin', 'config', 'local'];

export const listDatabases = defineCommand({
  name: 'listDatabases',
  help: 'all databases with their sizes',
  subject: 'any',
  fields: { filter: object(), nameOnly: bool(), authorizedDatabases: bool() },
  adminOnly: true,
  apiVersion1: true,
  actions: ['listDatabases'],
  async run(context, fields) {
    const { store } = context.storage;
    const filter = filterOf(fields.filter, undefined);
    const collections = await context.storage.read((view) => store.catalog.list(view));
    const names = [...new Set([...ALWAYS, ...collections.map(({ database }) => database)])].sort();
    const databases: Value[] = [];
    let total = 0;
    for (const name of names) {
      let size = 0;
      const own = collections.filter(({ database }) => database === name);
      for (const collection of own) size += (await store.totals(collection)).bytes;
      const document =
        fields.nameOnly === true
          ? Doc.of({ name })
          : plainDocument({ name, sizeOnDisk: BigInt(size), empty: own.length === 0 });
      if (!filter.matches(encodeDocument(document))) continue;
      total += size;
      databases.push(document);
    }
    if (fields.nameOnly === true) return Doc.of({ databases });
    return Doc.of({ databases, totalSize: BigInt(total), totalSizeMb: BigInt(Math.floor(total / 1_048_576)) });
  },
});
