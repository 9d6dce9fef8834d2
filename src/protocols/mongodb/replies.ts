/** Parts of replies that several commands share. */
import { Doc } from '../../models/document/bson/document.js';
import type { Value } from '../../models/document/bson/types.js';
import type { DocumentStream } from '../../models/document/cursor.js';
import type { DocumentError } from '../../models/document/errors.js';
import type { StatementFailure } from '../../models/document/inserts.js';
import { plainDocument } from '../../models/document/plain.js';
import type { RetryableWrite } from '../../models/document/retryable-writes.js';
import type { CommandContext } from './command.js';
import { BATCH_BYTES_MAX, FIRST_BATCH_DOCUMENTS, type NewCursor } from './cursors.js';

/** The writeErrors of a batch, in the order of the statements. */
export function writeErrorsOf(failures: readonly StatementFailure[]): Doc[] {
  return failures.map(({ index, error }) => {
    const entry = plainDocument({ index, code: error.code });
    for (const [name, value] of Object.entries(errorDetails(error))) entry.append(name, value);
    return entry.append('errmsg', error.message);
  });
}

export function errorDetails(error: DocumentError): Record<string, Value> {
  const details: Record<string, Value> = {};
  for (const [name, value] of Object.entries(error.details ?? {})) {
    if (name !== 'cause' && name !== 'errorLabels' && value !== undefined) details[name] = value as Value;
  }
  return details;
}

/** The retryable write that this command is, if it is one. */
export function retryableOf(context: CommandContext): RetryableWrite | undefined {
  const { session, envelope } = context;
  if (session === undefined || envelope.txnNumber === undefined || envelope.autocommit !== undefined) return undefined;
  return { session: session.key, txnNumber: envelope.txnNumber, statementIds: envelope.statementIds };
}

export interface CursorOptions {
  readonly namespace: string;
  readonly batchSize: number | undefined;
  readonly noTimeout?: boolean;
  readonly tailable?: boolean;
  readonly awaitData?: boolean;
  readonly singleBatch?: boolean;
  readonly resumeToken?: () => Buffer;
}

/** Opens a cursor over a stream, takes the first batch and answers it. */
export async function cursorReply(
  context: CommandContext,
  stream: DocumentStream,
  options: CursorOptions,
): Promise<Doc> {
  const { batchSize = FIRST_BATCH_DOCUMENTS, tailable = false } = options;
  let batch: Awaited<ReturnType<DocumentStream['next']>>;
  try {
    batch = await stream.next(batchSize, BATCH_BYTES_MAX);
  } catch (thrown) {
    stream.close();
    throw thrown;
  }
  const open = (!batch.exhausted || tailable) && options.singleBatch !== true;
  let id = 0n;
  if (open) {
    const cursor = context.server.cursors.add(newCursor(context, stream, options));
    cursor.returned = batch.documents.length;
    id = cursor.id;
  } else {
    stream.close();
  }
  context.server.statistics.documents.returned += batch.documents.length;
  return cursorDocument('firstBatch', batch.documents, id, options.namespace, options.resumeToken?.());
}

function newCursor(context: CommandContext, stream: DocumentStream, options: CursorOptions): NewCursor {
  const { client, session, envelope } = context;
  return {
    namespace: options.namespace,
    stream,
    user: client.user === undefined ? undefined : `${client.user.database}.${client.user.name}`,
    session: session?.key,
    transaction: envelope.autocommit === false ? envelope.txnNumber : undefined,
    noTimeout: options.noTimeout === true,
    awaitData: options.awaitData === true,
    tailable: options.tailable === true,
    timeLeftMs: Number.isFinite(context.operation.timeLeftMs) ? context.operation.timeLeftMs : undefined,
    ...(options.resumeToken === undefined ? {} : { resumeToken: options.resumeToken }),
    originatingCommand: context.body.source ?? Buffer.alloc(0),
  };
}

export function cursorDocument(
  field: 'firstBatch' | 'nextBatch',
  documents: readonly Buffer[],
  id: bigint,
  namespace: string,
  resumeToken?: Buffer,
): Doc {
  const cursor = Doc.of({ [field]: documents.map((document) => Doc.fromBytes(document)), id, ns: namespace });
  if (resumeToken !== undefined) cursor.append('postBatchResumeToken', Doc.fromBytes(resumeToken));
  return Doc.of({ cursor });
}
