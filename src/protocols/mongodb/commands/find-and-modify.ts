import { DocumentError } from '../../../models/document/errors.js';
import { parseSort } from '../../../models/document/query/sort.js';
import { statementOf } from '../../../models/document/retryable-writes.js';
import { findAndModify as change } from '../../../models/document/updates.js';
import { Doc } from '../../../models/document/values.js';
import { collectionOf, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, bool, documents, object } from '../fields.js';
import { collationOf, filterOf, hintOf, lookUp, projectionOf, updateOf } from '../query-options.js';
import { retryableOf } from '../replies.js';

export const findAndModify = defineCommand({
  name: 'findAndModify',
  aliases: ['findandmodify'],
  help: 'changes or removes one document and answers it, as it was or as it is',
  subject: 'collection',
  fields: {
    query: object(),
    sort: object(),
    remove: bool(),
    update: any(),
    new: bool(),
    fields: object(),
    upsert: bool(),
    bypassDocumentValidation: bool(),
    arrayFilters: documents(),
    hint: any(),
    collation: object(),
    let: object(),
    collectionUUID: any(),
    encryptionInformation: any(),
    legacyRuntimeConstants: any(),
    runtimeConstants: any(),
    sampleId: any(),
  },
  inTransaction: true,
  retryable: true,
  apiVersion1: true,
  writes: true,
  actions: ['find', 'update'],
  async run(context, given) {
    const name = collectionOf(context);
    const remove = given.remove === true;
    if (remove) {
      if (given.upsert === true) throw failed(9, 'Cannot specify both upsert=true and remove=true ');
      if (given.update !== undefined) throw failed(9, 'Cannot specify both an update and remove=true');
      if (given.new === true)
        throw failed(9, "Cannot specify both new=true and remove=true; 'remove' always returns the deleted document");
    } else if (given.update === undefined) {
      throw failed(9, 'Either an update or remove=true must be specified');
    }
    const collection = await lookUp(context, name);
    const collation = collationOf(given.collation, collection);
    const query = given.query ?? new Doc();
    const filter = filterOf(query, collation, given.let);
    const sort = given.sort === undefined || given.sort.isEmpty ? undefined : given.sort;
    if (sort !== undefined) parseSort(sort);
    const retryable = retryableOf(context);
    const project = projectionOf(given.fields, filter, collation);
    const outcome = await change(
      context.storage,
      {
        target: {
          namespace: { database: context.database, name },
          filter,
          query,
          collation,
          sort,
          hint: hintOf(given.hint),
        },
        update:
          remove || given.update === undefined
            ? undefined
            : updateOf(given.update, given.arrayFilters, collation, given.let),
        upsert: given.upsert === true,
        bypassValidation: given.bypassDocumentValidation === true,
      },
      {
        retryable,
        statement: retryable === undefined ? 0 : statementOf(retryable, 0),
        breathe: () => context.operation.breathe(),
      },
    ).catch((thrown: unknown) => {
      throw thrown instanceof DocumentError ? described(thrown) : thrown;
    });
    const { before, after, upserted } = outcome;
    const wanted = given.new === true ? after : before;
    const value =
      wanted === undefined
        ? null
        : Doc.fromBytes(
            project === undefined || collection === undefined
              ? wanted
              : project({ record: '', document: wanted, entry: undefined }, collection),
          );
    const found = before !== undefined || upserted !== undefined;
    const last = Doc.of({ n: found ? 1 : 0 });
    if (!remove) last.append('updatedExisting', before !== undefined);
    if (upserted !== undefined) last.append('upserted', upserted);
    const reply = Doc.of({ lastErrorObject: last, value });
    if (outcome.retried && retryable !== undefined) reply.append('retriedStmtId', statementOf(retryable, 0));
    return reply;
  },
});

const BARE = new Set([9, 11000, 112, 121, 225, 50, 11601, 66, 40, 52, 56, 53]);

function described(error: DocumentError): DocumentError {
  if (BARE.has(error.code) && error.code !== 11000 && error.code !== 66) return error;
  return new DocumentError(
    error.code,
    `Plan executor error during findAndModify :: caused by :: ${error.message}`,
    error.details,
  );
}
