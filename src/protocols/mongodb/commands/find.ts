import type { Collection } from '../../../models/document/collection.js';
import { ListSource, SourceStream } from '../../../models/document/cursor.js';
import { openQuery } from '../../../models/document/queries.js';
import type { Filter } from '../../../models/document/query/filter.js';
import { parseSort } from '../../../models/document/query/sort.js';
import { selectFrom } from '../../../models/document/selection.js';
import { cappedTail, TailStream } from '../../../models/document/tail.js';
import { Doc } from '../../../models/document/values.js';
import { type CommandContext, collectionOf, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, bool, ignored, integer, object } from '../fields.js';
import { openPipeline, VIEW_OPTIONS } from '../pipelines.js';
import { collationOf, filterOf, hintOf, lookUp, projectionOf } from '../query-options.js';
import { cursorDocument, cursorReply } from '../replies.js';
import { isOplog, oplogTail, virtualDocuments } from '../virtual-collections.js';

export const FIND_FIELDS = {
  filter: object(),
  projection: object(),
  sort: object(),
  hint: any(),
  skip: integer({ min: 0 }),
  limit: integer({ min: 0 }),
  batchSize: integer({ min: 0 }),
  singleBatch: bool(),
  min: object(),
  max: object(),
  returnKey: bool(),
  showRecordId: bool(),
  tailable: bool(),
  awaitData: bool(),
  oplogReplay: ignored(),
  noCursorTimeout: bool(),
  allowPartialResults: bool(),
  collation: object(),
  allowDiskUse: bool(),
  let: object(),
  collectionUUID: any(),
  term: any(),
  ntoreturn: any(),
  readOnce: any(),
  includeQueryStatsMetrics: any(),
  encryptionInformation: any(),
  requestResumeToken: any(),
  resumeAfter: any(),
  legacyRuntimeConstants: any(),
  runtimeConstants: any(),
};

export const find = defineCommand({
  name: 'find',
  help: 'documents of a collection or view that satisfy a filter',
  owner: 'FindCommandRequest',
  subject: 'collection',
  fields: FIND_FIELDS,
  inTransaction: true,
  apiVersion1: true,
  reads: true,
  actions: ['find'],
  counter: 'query',
  async run(context, fields) {
    const name = collectionOf(context);
    const namespace = { database: context.database, name };
    const collection = await lookUp(context, name);
    if (fields.awaitData === true && fields.tailable !== true) {
      throw failed(9, "Cannot set 'awaitData' without also setting 'tailable'");
    }
    if ((fields.min !== undefined || fields.max !== undefined) && hintOf(fields.hint) === undefined) {
      throw failed(51173, 'When using min()/max() a hint of which index to use must be provided');
    }
    const collation = collationOf(fields.collation, collection);
    const query = fields.filter ?? new Doc();
    const sort = fields.sort === undefined || fields.sort.isEmpty ? undefined : fields.sort;
    if (sort !== undefined && !sort.has('$natural')) parseSort(sort);
    const filter = filterOf(query, collation, fields.let);
    const project = projectionOf(fields.projection, filter, collation, fields);
    if (collection?.type === 'view') {
      const stages: Doc[] = [Doc.of({ $match: query })];
      if (sort !== undefined) stages.push(Doc.of({ $sort: sort }));
      if (fields.skip !== undefined && fields.skip > 0) stages.push(Doc.of({ $skip: fields.skip }));
      if (fields.limit !== undefined && fields.limit > 0) stages.push(Doc.of({ $limit: fields.limit }));
      if (fields.projection !== undefined && !fields.projection.isEmpty)
        stages.push(Doc.of({ $project: fields.projection }));
      const view = await openPipeline(context, {
        ...VIEW_OPTIONS,
        collection: name,
        stages,
        collation: fields.collation,
        variables: fields.let,
      });
      return cursorReply(context, new SourceStream(view), {
        namespace: `${context.database}.${name}`,
        batchSize: fields.batchSize,
        singleBatch: fields.singleBatch === true,
      });
    }
    if (fields.tailable === true) return tail(context, { ...fields, name, collection, filter, project });
    const virtual = collection === undefined ? await virtualDocuments(context, name) : undefined;
    const list = virtual === undefined ? undefined : selectFrom(virtual, { ...fields, sort, filter, collation });
    if (list !== undefined) {
      return cursorReply(context, new SourceStream(new ListSource(list)), {
        namespace: `${context.database}.${name}`,
        batchSize: fields.batchSize,
        singleBatch: fields.singleBatch === true,
      });
    }
    const source = await openQuery(context.storage, {
      namespace,
      filter,
      project,
      query,
      sort,
      skip: fields.skip ?? 0,
      limit: fields.limit ?? 0,
      collation,
      hint: hintOf(fields.hint),
      min: fields.min,
      max: fields.max,
      allowDiskUse: fields.allowDiskUse ?? true,
      breathe: () => context.operation.breathe(),
    });
    return cursorReply(context, new SourceStream(source ?? new ListSource([])), {
      namespace: `${context.database}.${name}`,
      batchSize: fields.batchSize,
      singleBatch: fields.singleBatch === true,
      noTimeout: fields.noCursorTimeout === true,
    });
  },
});

interface TailRequest {
  readonly name: string;
  readonly collection: Collection | undefined;
  readonly filter: Filter;
  readonly project: Project | undefined;
  readonly batchSize: number | undefined;
  readonly awaitData: boolean | undefined;
  readonly noCursorTimeout: boolean | undefined;
}

type Project = NonNullable<ReturnType<typeof projectionOf>>;

/** A cursor that stays at the end of a capped collection (or the oplog) and goes on when something is appended. */
async function tail(context: CommandContext, request: TailRequest): Promise<Doc> {
  const { name, collection, filter, project } = request;
  const { store } = context.server;
  const namespace = `${context.database}.${name}`;
  const oplog = isOplog(context, name);
  if (collection === undefined && !oplog)
    return cursorReply(context, new SourceStream(new ListSource([])), { namespace, batchSize: 1 });
  if (collection !== undefined && !collection.capped) {
    throw failed(
      2,
      `error processing query: ns=${namespace}Tree: $and\nSort: {}\nProj: {}\n tailable cursor requested on non capped collection`,
    );
  }
  if (oplog) await store.engine.write((tx) => store.oplog.enable(tx));
  const source = collection === undefined ? oplogTail() : cappedTail(store, collection);
  const shown = (document: Buffer): Buffer =>
    project === undefined || collection === undefined
      ? document
      : project({ record: '', document, entry: undefined }, collection);
  const stream = new TailStream(store, source, (document) => filter.matches(document), shown);
  const reply = await cursorReply(context, stream, {
    namespace,
    batchSize: request.batchSize,
    tailable: true,
    awaitData: request.awaitData === true,
    noTimeout: request.noCursorTimeout === true,
  });
  if (!stream.empty) return reply;
  // On an empty collection there is no place to go on from: the cursor is dead at once, as MongoDB's is.
  const cursor = reply.get('cursor');
  const id = cursor instanceof Doc ? cursor.get('id') : undefined;
  if (typeof id === 'bigint') context.server.cursors.kill(id);
  return cursorDocument('firstBatch', [], 0n, namespace);
}
