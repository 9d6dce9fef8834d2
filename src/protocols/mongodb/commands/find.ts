import { ListSource, SourceStream } from '../../../models/document/cursor.js';
import { openQuery } from '../../../models/document/queries.js';
import { parseSort } from '../../../models/document/query/sort.js';
import { Doc } from '../../../models/document/values.js';
import { collectionOf, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, bool, ignored, integer, object } from '../fields.js';
import { collationOf, filterOf, hintOf, lookUp, projectionOf } from '../query-options.js';
import { cursorReply } from '../replies.js';

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
    const collation = collationOf(fields.collation, collection);
    const query = fields.filter ?? new Doc();
    const sort = fields.sort === undefined || fields.sort.isEmpty ? undefined : fields.sort;
    if (sort !== undefined && !sort.has('$natural')) parseSort(sort);
    const filter = filterOf(query, collation, fields.let);
    const project = projectionOf(fields.projection, filter, collation, fields);
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
