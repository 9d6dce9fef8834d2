/** Logical sessions: the thread of a client's commands, its retryable writes, and its transaction. */
import { randomUUID } from 'node:crypto';
import { Doc } from '../../models/document/bson/document.js';
import { encodeDocument } from '../../models/document/bson/encode.js';
import { Binary } from '../../models/document/bson/types.js';
import type { DocumentTransaction } from '../../models/document/transactions.js';
import { failed } from './errors.js';

/** Minutes after their last use that sessions are kept. */
export const SESSION_TIMEOUT_MINUTES = 30;
/** Sessions at a time. */
const SESSIONS_MAX = 1_000_000;
const SWEEP_MS = 60_000;

export interface TransactionState {
  readonly number: bigint;
  state: 'in progress' | 'committed' | 'aborted';
  transaction: DocumentTransaction | undefined;
  readonly startedAtMs: number;
  expiry: NodeJS.Timeout | undefined;
  readonly readConcern: Doc | undefined;
  /** A command of it is running. */
  busy: boolean;
}

export interface Session {
  /** The id's bytes, and the user's: unique. */
  readonly key: string;
  readonly id: Buffer;
  /** {id, [uid]} as the oplog shows it. */
  readonly document: Buffer;
  lastUsedMs: number;
  readonly user: string | undefined;
  /** Highest transaction number seen. */
  txnNumber: bigint;
  transaction: TransactionState | undefined;
}

export class Sessions {
  private readonly sessions = new Map<string, Session>();
  private readonly sweeper: NodeJS.Timeout;

  /** `onEnd` is told of sessions that are over, to end their cursors. */
  constructor(private readonly onEnd: (session: Session) => void) {
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS);
    this.sweeper.unref();
  }

  get size(): number {
    return this.sessions.size;
  }

  all(): Iterable<Session> {
    return this.sessions.values();
  }

  /** The session of an lsid, made when it is new. */
  use(lsid: Doc, user: string | undefined): Session {
    const id = sessionIdOf(lsid);
    const key = user === undefined ? id.latin1Slice() : `${id.latin1Slice()}${user}`;
    let session = this.sessions.get(key);
    if (session === undefined) {
      if (this.sessions.size >= SESSIONS_MAX)
        throw failed(261, 'Unable to add session into the cache because the number of active sessions is too high');
      const document = encodeDocument(Doc.of({ id: new Binary(id, 4) }));
      session = { key, id, document, lastUsedMs: 0, user, txnNumber: -1n, transaction: undefined };
      this.sessions.set(key, session);
    }
    session.lastUsedMs = Date.now();
    return session;
  }

  create(user: string | undefined): Session {
    const id = Buffer.from(randomUUID().replaceAll('-', ''), 'hex');
    return this.use(Doc.of({ id: new Binary(id, 4) }), user);
  }

  find(lsid: Doc, user: string | undefined): Session | undefined {
    const id = sessionIdOf(lsid).latin1Slice();
    return this.sessions.get(user === undefined ? id : `${id}${user}`);
  }

  end(session: Session): void {
    if (!this.sessions.delete(session.key)) return;
    void abortTransaction(session);
    this.onEnd(session);
  }

  close(): void {
    clearInterval(this.sweeper);
    for (const session of [...this.sessions.values()]) this.end(session);
  }

  private sweep(): void {
    const oldest = Date.now() - SESSION_TIMEOUT_MINUTES * 60_000;
    for (const session of [...this.sessions.values()]) {
      if (session.lastUsedMs < oldest && session.transaction?.busy !== true) this.end(session);
    }
  }
}

/** Aborts the session's transaction if one is open. */
export async function abortTransaction(session: Session): Promise<void> {
  const state = session.transaction;
  if (state === undefined || state.state !== 'in progress') return;
  state.state = 'aborted';
  clearTimeout(state.expiry);
  const { transaction } = state;
  state.transaction = undefined;
  await transaction?.abort();
}

export function sessionIdOf(lsid: Doc): Buffer {
  const id = lsid.get('id');
  if (!(id instanceof Binary)) {
    throw failed(40414, "BSON field 'OperationSessionInfo.lsid.id' is missing but a required field");
  }
  if (id.subtype !== 4 || id.bytes.length !== 16) {
    throw failed(207, 'uuid must be a 16-byte binary field with UUID (4) subtype');
  }
  return id.bytes;
}
