import { deleteMany, deleteOne } from '../../../models/document/deletes.js';
import type { StatementFailure } from '../../../models/document/inserts.js';
import { statementOf } from '../../../models/document/retryable-writes.js';
import { Doc } from '../../../models/document/values.js';
import { collectionOf, defineCommand } from '../command.js';
import { failed, MongoError } from '../errors.js';
import { any, arrayOf, bool, integer, object, required } from '../fields.js';
import { collationOf, filterOf, hintOf, lookUp } from '../query-options.js';
import { retryableOf, writeErrorsOf } from '../replies.js';
import { checkBatchSize } from './insert.js';

export const deleteCommand = defineCommand({
  name: 'delete',
  help: 'removes documents',
  subject: 'collection',
  fields: {
    deletes: required(
      arrayOf({
        q: required(object()),
        limit: required(integer()),
        collation: object(),
        hint: any(),
        sampleId: any(),
      }),
    ),
    ordered: bool(),
    let: object(),
    collectionUUID: any(),
    encryptionInformation: any(),
    bypassDocumentValidation: bool(),
  },
  inTransaction: true,
  retryable: true,
  apiVersion1: true,
  writes: true,
  actions: ['remove'],
  async run(context, fields) {
    const name = collectionOf(context);
    const namespace = { database: context.database, name };
    checkBatchSize(fields.deletes.length);
    const retryable = retryableOf(context);
    const collection = await lookUp(context, name);
    const failures: StatementFailure[] = [];
    const retried: number[] = [];
    let deleted = 0;
    for (const [index, statement] of fields.deletes.entries()) {
      context.server.statistics.opcounters.delete++;
      try {
        if (statement.limit !== 0 && statement.limit !== 1) {
          throw failed(9, `The limit field in delete objects must be 0 or 1. Got ${statement.limit}`);
        }
        if (statement.limit === 0 && retryable !== undefined) {
          throw failed(72, 'Cannot use (or request) retryable writes with limit=0');
        }
        const collation = collationOf(statement.collation, collection);
        const filter = filterOf(statement.q, collation, fields.let);
        const target = { namespace, filter, query: statement.q, collation, hint: hintOf(statement.hint) };
        const breathe = (): Promise<void> | undefined => context.operation.breathe();
        const number = retryable === undefined ? index : statementOf(retryable, index);
        const outcome =
          statement.limit === 1
            ? await deleteOne(context.storage, target, { retryable, statement: number, breathe })
            : await deleteMany(context.storage, target, breathe);
        deleted += outcome.deleted;
        if (outcome.retried) retried.push(number);
      } catch (thrown) {
        if (!(thrown instanceof MongoError) || context.storage.inTransaction || endsCommand(thrown)) throw thrown;
        failures.push({ index, error: thrown });
        if (fields.ordered !== false) break;
      }
    }
    context.server.statistics.documents.deleted += deleted;
    const reply = Doc.of({ n: deleted });
    if (failures.length > 0) reply.append('writeErrors', writeErrorsOf(failures));
    if (retried.length > 0) reply.append('retriedStmtIds', retried);
    return reply;
  },
});

/** Failures of the operation as a whole, not of a statement. */
export function endsCommand(error: MongoError): boolean {
  return [11600, 11601, 50, 225, 237, 279, 26, 166].includes(error.code);
}
