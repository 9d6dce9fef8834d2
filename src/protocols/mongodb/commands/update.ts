import type { Collection } from '../../../models/document/collection.js';
import type { StatementFailure } from '../../../models/document/inserts.js';
import { statementOf } from '../../../models/document/retryable-writes.js';
import { updateMany, updateOne } from '../../../models/document/updates.js';
import { Doc, isArrayValue, type Value } from '../../../models/document/values.js';
import { type CommandContext, collectionOf, defineCommand } from '../command.js';
import { failed, MongoError } from '../errors.js';
import { any, arrayOf, bool, documents, type FieldsOf, object, required } from '../fields.js';
import { collationOf, filterOf, hintOf, lookUp, updateOf } from '../query-options.js';
import { retryableOf, writeErrorsOf } from '../replies.js';
import { endsCommand } from './delete.js';
import { checkBatchSize } from './insert.js';

const STATEMENT = {
  q: required(object()),
  u: required(any()),
  c: object(),
  upsert: bool(),
  multi: bool(),
  collation: object(),
  arrayFilters: documents(),
  hint: any(),
  upsertSupplied: any(),
  sampleId: any(),
  sort: object(),
};

export const update = defineCommand({
  name: 'update',
  help: 'changes documents by operators, a replacement or a pipeline',
  subject: 'collection',
  fields: {
    updates: required(arrayOf(STATEMENT)),
    ordered: bool(),
    bypassDocumentValidation: bool(),
    let: object(),
    collectionUUID: any(),
    encryptionInformation: any(),
    legacyRuntimeConstants: any(),
    runtimeConstants: any(),
  },
  inTransaction: true,
  retryable: true,
  apiVersion1: true,
  writes: true,
  actions: ['update'],
  async run(context, fields) {
    const name = collectionOf(context);
    checkBatchSize(fields.updates.length);
    const collection = await lookUp(context, name);
    const failures: StatementFailure[] = [];
    const upserted: Doc[] = [];
    const retried: number[] = [];
    let matched = 0;
    let modified = 0;
    const bypass = fields.bypassDocumentValidation === true;
    for (const [index, statement] of fields.updates.entries()) {
      context.server.statistics.opcounters.update++;
      try {
        const outcome = await runStatement(context, {
          name,
          collection,
          statement,
          index,
          bypass,
          variables: fields.let,
        });
        matched += outcome.matched;
        modified += outcome.modified;
        if (outcome.upserted !== undefined) upserted.push(Doc.of({ index, _id: outcome.upserted }));
        const retryable = retryableOf(context);
        if (outcome.retried && retryable !== undefined) retried.push(statementOf(retryable, index));
      } catch (thrown) {
        if (!(thrown instanceof MongoError) || context.storage.inTransaction || endsCommand(thrown)) throw thrown;
        failures.push({ index, error: thrown });
        if (fields.ordered !== false) break;
      }
    }
    context.server.statistics.documents.updated += modified;
    const reply = Doc.of({ n: matched + upserted.length });
    if (upserted.length > 0) reply.append('upserted', upserted);
    reply.append('nModified', modified);
    if (failures.length > 0) reply.append('writeErrors', writeErrorsOf(failures));
    if (retried.length > 0) reply.append('retriedStmtIds', retried);
    return reply;
  },
});

interface StatementRun {
  readonly name: string;
  readonly collection: Collection | undefined;
  readonly statement: FieldsOf<typeof STATEMENT>;
  readonly index: number;
  readonly bypass: boolean;
  readonly variables: Doc | undefined;
}

function runStatement(context: CommandContext, run: StatementRun): ReturnType<typeof updateOne> {
  const { statement, index } = run;
  const u = statement.u as Value;
  const multi = statement.multi === true;
  const retryable = retryableOf(context);
  if (statement.c !== undefined && !isArrayValue(u))
    throw failed(51198, 'Constant values may only be specified for pipeline updates');
  if (multi && u instanceof Doc && !(u.nameAt(0) ?? '').startsWith('$'))
    throw failed(9, 'multi update is not supported for replacement-style update');
  if (multi && retryable !== undefined) throw failed(72, 'Cannot use (or request) retryable writes with multi=true');
  const collation = collationOf(statement.collation, run.collection);
  const filter = filterOf(statement.q, collation, run.variables);
  const target = {
    namespace: { database: context.database, name: run.name },
    filter,
    query: statement.q,
    collation,
    hint: hintOf(statement.hint),
    sort: statement.sort,
  };
  const compiled = updateOf(u, statement.arrayFilters, collation, statement.c ?? run.variables);
  const request = { target, update: compiled, upsert: statement.upsert === true, bypassValidation: run.bypass };
  const breathe = (): Promise<void> | undefined => context.operation.breathe();
  if (multi) return updateMany(context.storage, request, breathe);
  return updateOne(context.storage, request, {
    retryable,
    statement: retryable === undefined ? index : statementOf(retryable, index),
    breathe,
  });
}
