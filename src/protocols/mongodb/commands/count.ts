import { openQuery } from '../../../models/document/queries.js';
import { Doc } from '../../../models/document/values.js';
import { type CommandContext, collectionOf, defineCommand } from '../command.js';
import { any, integer, object } from '../fields.js';
import { openPipeline, VIEW_OPTIONS } from '../pipelines.js';
import { collationOf, filterOf, hintOf, lookUp } from '../query-options.js';

export const count = defineCommand({
  name: 'count',
  help: 'how many documents satisfy a filter; without one, from the counter',
  subject: 'collection',
  fields: {
    query: object(),
    limit: integer(),
    skip: integer({ min: 0 }),
    hint: any(),
    collation: object(),
    fields: any(),
    encryptionInformation: any(),
    collectionUUID: any(),
  },
  apiVersion1: true,
  reads: true,
  actions: ['find'],
  async run(context, fields) {
    const name = collectionOf(context);
    const collection = await lookUp(context, name);
    if (collection === undefined) return Doc.of({ n: 0 });
    const limit = Math.abs(fields.limit ?? 0);
    const skip = fields.skip ?? 0;
    const query = fields.query ?? new Doc();
    if (query.isEmpty && fields.hint === undefined && collection.type !== 'view') {
      const { documents } = await context.storage.store.totals(collection);
      const left = Math.max(0, documents - skip);
      return Doc.of({ n: limit === 0 ? left : Math.min(limit, left) });
    }
    if (collection.type === 'view')
      return countView(context, name, { query, skip, limit, collation: fields.collation });
    const collation = collationOf(fields.collation, collection);
    const source = await openQuery(context.storage, {
      namespace: { database: context.database, name },
      filter: filterOf(query, collation),
      query,
      sort: undefined,
      skip,
      limit,
      collation,
      hint: hintOf(fields.hint),
      breathe: () => context.operation.breathe(),
    });
    if (source === undefined) return Doc.of({ n: 0 });
    let n = 0;
    try {
      for (let batch = await source.nextRecords(); batch !== undefined; batch = await source.nextRecords())
        n += batch.length;
    } finally {
      source.close();
    }
    return Doc.of({ n });
  },
});

interface CountRequest {
  readonly query: Doc;
  readonly skip: number;
  readonly limit: number;
  readonly collation: Doc | undefined;
}

async function countView(
  context: CommandContext,
  name: string,
  { query, skip, limit, collation }: CountRequest,
): Promise<Doc> {
  const stages: Doc[] = [Doc.of({ $match: query })];
  if (skip > 0) stages.push(Doc.of({ $skip: skip }));
  if (limit > 0) stages.push(Doc.of({ $limit: limit }));
  const source = await openPipeline(context, { ...VIEW_OPTIONS, collection: name, stages, collation });
  let n = 0;
  for (let batch = await source.next(); batch !== undefined; batch = await source.next()) n += batch.length;
  source.close();
  return Doc.of({ n });
}
