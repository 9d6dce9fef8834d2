import { Doc } from '../../../models/document/bson/document.js';
import { insertDocuments } from '../../../models/document/inserts.js';
import { collectionOf, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, bool, documents, required } from '../fields.js';
import { retryableOf, writeErrorsOf } from '../replies.js';

/** Statements of one command. */
const STATEMENTS_MAX = 100_000;

export function checkBatchSize(count: number): void {
  if (count < 1 || count > STATEMENTS_MAX) {
    throw failed(16, `Write batch sizes must be between 1 and ${STATEMENTS_MAX}. Got ${count} operations.`);
  }
}

export const insert = defineCommand({
  name: 'insert',
  help: 'adds documents to a collection, which is created if it is missing',
  subject: 'collection',
  fields: {
    documents: required(documents()),
    ordered: bool(),
    bypassDocumentValidation: bool(),
    collectionUUID: any(),
    encryptionInformation: any(),
  },
  inTransaction: true,
  retryable: true,
  apiVersion1: true,
  writes: true,
  actions: ['insert'],
  counter: 'insert',
  async run(context, fields) {
    const name = collectionOf(context);
    checkBatchSize(fields.documents.length);
    const retryable = retryableOf(context);
    const outcome = await insertDocuments(context.storage, { database: context.database, name }, fields.documents, {
      ordered: fields.ordered ?? true,
      bypassValidation: fields.bypassDocumentValidation === true,
      retryable,
      breathe: () => context.operation.breathe(),
    });
    const { statistics } = context.server;
    statistics.opcounters.insert += fields.documents.length;
    statistics.documents.inserted += outcome.inserted;
    const [failure] = outcome.failures;
    if (failure !== undefined && context.storage.inTransaction) throw failure.error;
    const reply = Doc.of({ n: outcome.inserted });
    if (outcome.failures.length > 0) reply.append('writeErrors', writeErrorsOf(outcome.failures));
    if (outcome.retried.length > 0) reply.append('retriedStmtIds', outcome.retried);
    return reply;
  },
});
