/** Ends of multi-document transactions. */
import { Doc } from '../../../models/document/bson/document.js';
import { type CommandContext, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { object } from '../fields.js';
import { abortTransaction, type Session, type TransactionState } from '../sessions.js';
import { noSuchTransaction } from '../transaction-flow.js';

function stateOf(context: CommandContext): { session: Session; state: TransactionState; number: bigint } {
  const { session, envelope } = context;
  const { name } = envelope;
  if (session === undefined || envelope.txnNumber === undefined || envelope.autocommit !== false) {
    throw failed(125, `${name} must be run within a transaction`);
  }
  const number = envelope.txnNumber;
  if (number < session.txnNumber) {
    throw failed(
      225,
      `Cannot start transaction ${number} on session because a newer transaction ${session.txnNumber} has already started.`,
    );
  }
  const state = session.transaction;
  if (state === undefined || state.number !== number) {
    throw failed(
      251,
      `Given transaction number ${number} does not match any in-progress transactions. The active transaction number is ${session.txnNumber}`,
    );
  }
  return { session, state, number };
}

export const commitTransaction = defineCommand({
  name: 'commitTransaction',
  help: 'makes the changes of a transaction visible and durable, all or none',
  subject: 'any',
  fields: { recoveryToken: object() },
  adminOnly: true,
  inTransaction: true,
  apiVersion1: true,
  writes: true,
  async run(context) {
    const { session, state, number } = stateOf(context);
    if (state.state === 'committed') return new Doc();
    const { transaction } = state;
    if (state.state === 'aborted' || transaction === undefined) throw noSuchTransaction(number);
    clearTimeout(state.expiry);
    state.transaction = undefined;
    const { statistics } = context.server;
    try {
      await transaction.commit();
      state.state = 'committed';
      statistics.transactions.committed++;
    } catch (thrown) {
      state.state = 'aborted';
      statistics.transactions.aborted++;
      throw thrown;
    } finally {
      context.server.cursors.killWhere((cursor) => cursor.session === session.key && cursor.transaction === number);
    }
    return new Doc();
  },
});

export const abortTransactionCommand = defineCommand({
  name: 'abortTransaction',
  help: 'drops the changes of a transaction',
  subject: 'any',
  fields: { recoveryToken: object() },
  adminOnly: true,
  inTransaction: true,
  apiVersion1: true,
  writes: true,
  async run(context) {
    const { session, state, number } = stateOf(context);
    if (state.state === 'committed') throw failed(256, `Transaction with { txnNumber: ${number} } has been committed.`);
    if (state.state === 'aborted') throw noSuchTransaction(number);
    await abortTransaction(session);
    context.server.statistics.transactions.aborted++;
    context.server.cursors.killWhere((cursor) => cursor.session === session.key && cursor.transaction === number);
    return new Doc();
  },
});
