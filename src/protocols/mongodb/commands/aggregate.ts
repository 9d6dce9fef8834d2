import { SourceStream } from '../../../models/document/cursor.js';
import { compileFilter } from '../../../models/document/query/filter.js';
import { Doc, type Value } from '../../../models/document/values.js';
import { openChangeStream } from '../change-stream-stage.js';
import { type CommandContext, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, array, bool, integer, nested, object, required } from '../fields.js';
import { openPipeline } from '../pipelines.js';
import { hintOf } from '../query-options.js';
import { type CursorOptions, cursorReply } from '../replies.js';
import { explainCommand } from './explain.js';

export const aggregate = defineCommand({
  name: 'aggregate',
  help: 'runs documents through a pipeline of stages',
  subject: 'collection',
  fields: {
    pipeline: required(array()),
    explain: bool(),
    cursor: nested({ batchSize: integer({ min: 0 }) }, 'cursor'),
    allowDiskUse: bool(),
    bypassDocumentValidation: bool(),
    collation: object(),
    hint: any(),
    let: object(),
    collectionUUID: any(),
    fromMongos: any(),
    needsMerge: any(),
    exchange: any(),
    isMapReduceCommand: any(),
    encryptionInformation: any(),
    unwrappedReadPref: any(),
    requestReshardingResumeToken: any(),
    runtimeConstants: any(),
    legacyRuntimeConstants: any(),
  },
  inTransaction: true,
  apiVersion1: true,
  reads: true,
  actions: ['find'],
  counter: 'query',
  async run(context, fields) {
    const subject = context.body.at(0);
    const collection = typeof subject === 'string' ? subject : undefined;
    if (collection === undefined && subject !== 1) {
      throw failed(9, "Invalid command format: the 'aggregate' field must specify a collection name or 1");
    }
    if (fields.cursor === undefined && fields.explain !== true) {
      throw failed(9, "The 'cursor' option is required, except for aggregate with the explain argument");
    }
    const stages = fields.pipeline.map((stage) => {
      if (!(stage instanceof Doc)) throw failed(14, "Each element of the 'pipeline' array must be an object");
      return stage;
    });
    const namespace = `${context.database}.${collection ?? '$cmd.aggregate'}`;
    const options: CursorOptions = { namespace, batchSize: fields.cursor?.batchSize };
    const first = stages[0]?.get('$changeStream');
    if (first instanceof Doc) return changeStream(context, first, collection, stages.slice(1), options);
    if (fields.explain === true) {
      return explainCommand(
        context,
        Doc.of({ aggregate: collection ?? '$cmd.aggregate', pipeline: stages }),
        'queryPlanner',
      );
    }
    const source = await openPipeline(context, {
      collection,
      stages,
      collation: fields.collation,
      hint: hintOf(fields.hint),
      allowDiskUse: fields.allowDiskUse ?? true,
      variables: fields.let,
      bypassValidation: fields.bypassDocumentValidation === true,
    });
    return cursorReply(context, new SourceStream(source), options);
  },
});

async function changeStream(
  context: CommandContext,
  specification: Doc,
  collection: string | undefined,
  stages: readonly Doc[],
  options: CursorOptions,
): Promise<Doc> {
  const filters = stages.flatMap((stage) => {
    const match: Value | undefined = stage.get('$match');
    return match instanceof Doc ? [compileFilter(match)] : [];
  });
  const stream = await openChangeStream(context, specification, collection, async (events) =>
    events.filter((event) => filters.every((filter) => filter.matches(event))),
  );
  return cursorReply(context, stream, { ...options, awaitData: true, resumeToken: () => stream.resumeToken() });
}
