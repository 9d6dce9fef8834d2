import type { CommandContext } from '../command.js';
import { defineCommand } from '../command.js';
import { BATCH_BYTES_MAX, type OpenCursor } from '../cursors.js';
import { failed } from '../errors.js';
import { any, integer, long, object, required, string } from '../fields.js';
import { cursorDocument } from '../replies.js';

/** How long a waiting getMore waits when it does not say, milliseconds. */
const AWAIT_MS_DEFAULT = 1_000;

export const getMore = defineCommand({
  name: 'getMore',
  help: 'the next documents of a cursor',
  subject: 'any',
  fields: {
    collection: required(string()),
    batchSize: integer({ min: 0 }),
    term: any(),
    lastKnownCommittedOpTime: object(),
  },
  inTransaction: true,
  apiVersion1: true,
  reads: true,
  counter: 'getmore',
  async run(context, fields) {
    const id = await long().read(context.body.at(0) ?? null, 'getMore.getMore');
    const cursor = claim(context, id ?? 0n, `${context.database}.${fields.collection}`);
    const { operation } = context;
    const { maxTimeMs } = context.envelope;
    if (maxTimeMs !== undefined && maxTimeMs > 0 && !cursor.awaitData) {
      release(cursor);
      throw failed(2, 'cannot set maxTimeMS on getMore command for a non-awaitData cursor');
    }
    if (!cursor.awaitData) operation.limit(cursor.timeLeftMs);
    cursor.kill = () => operation.interrupt(failed(237, 'operation was interrupted because its cursor was killed'));
    try {
      const count =
        fields.batchSize === undefined || fields.batchSize === 0 ? Number.POSITIVE_INFINITY : fields.batchSize;
      const batch = cursor.awaitData
        ? await nextWaiting(context, cursor, count, maxTimeMs ?? AWAIT_MS_DEFAULT)
        : await cursor.stream.next(count, BATCH_BYTES_MAX);
      const over = batch.exhausted && !cursor.tailable;
      cursor.batches++;
      cursor.returned += batch.documents.length;
      context.server.statistics.documents.returned += batch.documents.length;
      if (cursor.timeLeftMs !== undefined) cursor.timeLeftMs = Math.max(1, operation.timeLeftMs);
      if (context.exhaustAllowed && !over) context.repeat = true;
      const reply = cursorDocument(
        'nextBatch',
        batch.documents,
        over ? 0n : cursor.id,
        cursor.namespace,
        cursor.resumeToken?.(),
      );
      release(cursor);
      if (over) context.server.cursors.kill(cursor.id);
      return reply;
    } catch (thrown) {
      release(cursor);
      context.server.cursors.kill(cursor.id);
      throw thrown;
    }
  },
});

function claim(context: CommandContext, id: bigint, namespace: string): OpenCursor {
  const cursor = context.server.cursors.require(id);
  const { client, session, envelope } = context;
  if (cursor.namespace !== namespace) {
    throw failed(
      13,
      `Requested getMore on namespace '${namespace}', but cursor belongs to a different namespace ${cursor.namespace}`,
    );
  }
  const user = client.user === undefined ? undefined : `${client.user.database}.${client.user.name}`;
  if (cursor.user !== user) throw failed(13, `cursor id ${id} was not created by the authenticated user`);
  if (cursor.session !== session?.key) {
    if (cursor.session === undefined) {
      throw failed(
        50736,
        `Cannot run getMore on cursor ${id}, which was not created in a session, in session ${session?.id.toString('hex')}`,
      );
    }
    if (session === undefined) {
      throw failed(
        50737,
        `Cannot run getMore on cursor ${id}, which was created in session ${Buffer.from(cursor.session.slice(0, 16), 'latin1').toString('hex')}, without an lsid`,
      );
    }
    throw failed(
      50738,
      `Cannot run getMore on cursor ${id}, which was created in session ${Buffer.from(cursor.session.slice(0, 16), 'latin1').toString('hex')}, in session ${session.id.toString('hex')}`,
    );
  }
  const transaction = envelope.autocommit === false ? envelope.txnNumber : undefined;
  if (cursor.transaction !== transaction) {
    if (cursor.transaction === undefined) {
      throw failed(
        50739,
        `Cannot run getMore on cursor ${id}, which was not created in a transaction, in transaction ${transaction}`,
      );
    }
    if (transaction === undefined) {
      throw failed(
        50740,
        `Cannot run getMore on cursor ${id}, which was created in transaction ${cursor.transaction}, without a txnNumber`,
      );
    }
    throw failed(
      50741,
      `Cannot run getMore on cursor ${id}, which was created in transaction ${cursor.transaction}, in transaction ${transaction}`,
    );
  }
  if (cursor.inUse) throw failed(143, `cursor id ${id} is already in use`);
  cursor.inUse = true;
  return cursor;
}

function release(cursor: OpenCursor): void {
  cursor.inUse = false;
  cursor.kill = undefined;
  cursor.lastUsedMs = Date.now();
}

/** Waits for the first document up to a time. */
async function nextWaiting(
  context: CommandContext,
  cursor: OpenCursor,
  count: number,
  waitMs: number,
): ReturnType<OpenCursor['stream']['next']> {
  const until = performance.now() + waitMs;
  for (;;) {
    const batch = await cursor.stream.next(count, BATCH_BYTES_MAX);
    if (batch.documents.length > 0 || (batch.exhausted && !cursor.tailable)) return batch;
    const left = until - performance.now();
    if (left <= 0 || cursor.stream.wait === undefined) return batch;
    await cursor.stream.wait(left, (wake) => context.operation.onInterrupt(wake));
    context.operation.check();
  }
}
