/**
 * Which transaction a command belongs to: begins one, finds the open one, and ends it when a command of it fails. See the
 * transactions and retryable writes specifications.
 */
import { isArrayValue } from '../../models/document/bson/types.js';
import type { Storage } from '../../models/document/store.js';
import { DocumentTransaction } from '../../models/document/transactions.js';
import type { Command, Envelope } from './command.js';
import { readLevelOf } from './concerns.js';
import { failed, type MongoError } from './errors.js';
import type { MongodbServer } from './server-state.js';
import { abortTransaction, type Session, type TransactionState } from './sessions.js';

export interface TransactionEntry {
  readonly storage: Storage;
  /** The command went well. */
  leave(): void | Promise<void>;
  /** The command failed: its transaction is over. */
  fail(error: MongoError): Promise<void>;
}

const ENDS = new Set(['commitTransaction', 'abortTransaction']);
const TRANSIENT = new Set([24, 91, 112, 189, 225, 239, 246, 251, 267, 10107, 11600, 11602, 13435, 13436]);
const RETRYABLE = new Set([6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);
const RESUMABLE = new Set([
  6, 7, 43, 63, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436,
]);
const SYSTEM_DATABASES = new Set(['admin', 'config', 'local']);

export async function enterTransaction(
  server: MongodbServer,
  command: Command,
  envelope: Envelope,
  session: Session | undefined,
): Promise<TransactionEntry> {
  checkSessionFields(envelope, session);
  if (envelope.autocommit === undefined || session === undefined || envelope.txnNumber === undefined) {
    return plainEntry(server, command, envelope, session);
  }
  if (ENDS.has(command.name)) return plainEntry(server, command, envelope, undefined);
  checkAllowed(command, envelope);
  const state = envelope.startTransaction
    ? await begin(server, session, envelope.txnNumber, envelope)
    : current(session, envelope.txnNumber);
  const { transaction } = state;
  if (transaction === undefined) throw noSuchTransaction(envelope.txnNumber);
  state.busy = true;
  return {
    storage: transaction.storage,
    leave: () => {
      state.busy = false;
    },
    fail: async () => {
      state.busy = false;
      if (session.transaction !== state || state.state !== 'in progress') return;
      server.statistics.transactions.aborted++;
      await abortTransaction(session);
      server.cursors.killWhere((cursor) => cursor.session === session.key && cursor.transaction === state.number);
    },
  };
}

function checkSessionFields(envelope: Envelope, session: Session | undefined): void {
  const { txnNumber, autocommit, startTransaction } = envelope;
  if (txnNumber !== undefined) {
    if (session === undefined) throw failed(72, 'Transaction number requires a session ID to also be specified');
    if (txnNumber < 0n) throw failed(72, 'Transaction number cannot be negative');
  }
  if (autocommit !== undefined) {
    if (txnNumber === undefined)
      throw failed(72, "'autocommit' field requires a transaction number to also be specified");
    if (autocommit) throw failed(72, 'Specifying autocommit=true is not allowed.');
  }
  if (startTransaction && autocommit === undefined) {
    throw failed(72, "'startTransaction' field requires 'autocommit' field to also be specified");
  }
}

function plainEntry(
  server: MongodbServer,
  command: Command,
  envelope: Envelope,
  session: Session | undefined,
): TransactionEntry {
  const { txnNumber } = envelope;
  const retried = txnNumber !== undefined && envelope.autocommit === undefined && session !== undefined;
  if (retried && command.retryable !== true) {
    throw failed(
      50768,
      `txnNumber may only be provided for multi-document transactions and retryable write commands. autocommit:false was not provided, and ${command.name} is not a retryable write command.`,
    );
  }
  return {
    storage: server.store.storage(retried ? { session: session.document, txnNumber } : undefined),
    leave: () => {},
    fail: () => Promise.resolve(),
  };
}

function checkAllowed(command: Command, envelope: Envelope): void {
  if (command.inTransaction !== true) {
    throw failed(
      263,
      command.name === 'count'
        ? "Cannot run 'count' in a multi-document transaction. Please see http://dochub.mongodb.org/core/transaction-count for a recommended alternative."
        : `Cannot run '${command.name}' in a multi-document transaction.`,
    );
  }
  if (SYSTEM_DATABASES.has(envelope.database) && command.name !== 'getMore' && command.name !== 'killCursors') {
    throw failed(263, `Cannot run command against the '${envelope.database}' database in a transaction.`);
  }
  if (envelope.startTransaction && (command.name === 'getMore' || command.name === 'killCursors')) {
    throw failed(263, `Cannot run ${command.name} as the first command of a transaction.`);
  }
  if (!envelope.startTransaction && envelope.readConcern !== undefined && !envelope.readConcern.isEmpty) {
    throw failed(72, 'Only the first command in a transaction may specify a readConcern');
  }
  if (envelope.writeConcern !== undefined && command.writes === true) {
    throw failed(72, 'writeConcern is not allowed within a multi-statement transaction');
  }
}

async function begin(
  server: MongodbServer,
  session: Session,
  number: bigint,
  envelope: Envelope,
): Promise<TransactionState> {
  if (number < session.txnNumber) throw tooOld(session, number);
  if (session.transaction?.number === number) {
    throw failed(
      50911,
      `Cannot start a transaction at given transaction number ${number} because a transaction with the same number is in state ${session.transaction.state}`,
    );
  }
  const level = readLevelOf(envelope.readConcern);
  if (!['local', 'majority', 'snapshot'].includes(level)) {
    throw failed(
      72,
      "The readConcern level must be either 'local' (default), 'majority' or 'snapshot' in order to run in a transaction",
    );
  }
  await abortTransaction(session);
  const transaction = await DocumentTransaction.begin(server.store, { session: session.document, txnNumber: number });
  const seconds = server.parameters.number('transactionLifetimeLimitSeconds');
  const state: TransactionState = {
    number,
    state: 'in progress',
    transaction,
    startedAtMs: Date.now(),
    expiry: undefined,
    readConcern: envelope.readConcern,
    busy: false,
  };
  state.expiry = setTimeout(() => {
    if (session.transaction !== state) return;
    server.statistics.transactions.aborted++;
    void abortTransaction(session);
  }, seconds * 1000);
  state.expiry.unref();
  session.txnNumber = number;
  session.transaction = state;
  server.statistics.transactions.started++;
  return state;
}

function current(session: Session, number: bigint): TransactionState {
  if (number < session.txnNumber) throw tooOld(session, number);
  const state = session.transaction;
  if (state === undefined || state.number !== number) {
    throw failed(
      251,
      `Given transaction number ${number} does not match any in-progress transactions. The active transaction number is ${session.txnNumber}`,
    );
  }
  if (state.state === 'aborted') throw noSuchTransaction(number);
  if (state.state === 'committed') throw failed(256, `Transaction with { txnNumber: ${number} } has been committed.`);
  return state;
}

function tooOld(session: Session, number: bigint): MongoError {
  return failed(
    225,
    `Cannot start transaction ${number} on session ${session.id.toString('hex')} because a newer transaction ${session.txnNumber} has already started.`,
  );
}

export function noSuchTransaction(number: bigint): MongoError {
  return failed(251, `Transaction with { txnNumber: ${number} } has been aborted.`);
}

/** Labels that tell a driver what it may do about an error. */
export function errorLabels(
  error: MongoError,
  command: Command | undefined,
  envelope: Envelope | undefined,
  session: Session | undefined,
  followsChanges: boolean,
): string[] {
  const given = error.details?.errorLabels;
  if (isArrayValue(given as never)) return given as string[];
  const labels: string[] = [];
  const inTransaction = envelope?.autocommit === false && session !== undefined;
  if (inTransaction && TRANSIENT.has(error.code)) {
    if (command?.name !== 'commitTransaction' || error.code === 251 || error.code === 112 || error.code === 246) {
      labels.push('TransientTransactionError');
    }
  }
  const retryable = envelope?.txnNumber !== undefined && (!inTransaction || ENDS.has(command?.name ?? ''));
  if (retryable && RETRYABLE.has(error.code)) labels.push('RetryableWriteError');
  if (followsChanges && !inTransaction && RESUMABLE.has(error.code)) labels.push('ResumableChangeStreamError');
  return labels;
}
