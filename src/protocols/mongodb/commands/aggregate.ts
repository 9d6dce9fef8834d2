import { SourceStream } from '../../../models/document/cursor.js';
import { compileFilter } from '../../../models/document/query/filter.js';
import { compileProjection } from '../../../models/document/query/projection.js';
import { Doc, encodeDocument } from '../../../models/document/values.js';
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
  const steps = stages.map(eventStep);
  const stream = await openChangeStream(context, specification, collection, async (events) => {
    let given: readonly Buffer[] = events;
    for (const step of steps) given = step(given);
    return given;
  });
  return cursorReply(context, stream, { ...options, awaitData: true, resumeToken: () => stream.resumeToken() });
}

/** Stages behind `$changeStream`; an event must keep its `_id`, or the stream could not be resumed (280). */
function eventStep(stage: Doc): (events: readonly Buffer[]) => readonly Buffer[] {
  const name = stage.nameAt(0) ?? '';
  const specification = stage.at(0);
  if (name === '$match' && specification instanceof Doc) {
    const filter = compileFilter(specification);
    return (events) => events.filter((event) => filter.matches(event));
  }
  if (name === '$project' && specification instanceof Doc) {
    const projection = compileProjection(specification, { aggregation: true });
    return (events) =>
      events.map((event) => {
        const projected = projection.apply(Doc.fromBytes(event));
        if (!projected.has('_id')) {
          throw failed(
            280,
            'Encountered an event whose _id field, which contains the resume token, was modified by the pipeline. Modifying the _id field of an event makes it impossible to resume the stream from that point. Only transformations that retain the unmodified _id field are allowed.',
          );
        }
        return encodeDocument(projected);
      });
  }
  throw failed(20, `${name} is not permitted in a $changeStream pipeline`);
}
