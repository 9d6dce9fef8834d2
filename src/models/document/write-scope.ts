/**
 * What the writes of one transaction body share: the transaction, sums for the counters, and the entries for the oplog.
 * A scope lives as long as one run of its body; `finish` writes what was collected.
 */
import type { Key, Transaction } from '../../engine/engine.js';
import type { OplogChange } from './change-streams/oplog.js';
import type { Collection } from './collection.js';
import { type CollectionId, countKey, sizeKey } from './keys.js';
import type { DocumentStore } from './store.js';

/** Who writes, for the oplog. */
export interface WriteOrigin {
  /** The session's id as its document. */
  readonly session?: Buffer;
  readonly txnNumber?: bigint;
}

/** Keys that transactions which are still open have written; see transactions.ts. */
export interface WriteGuard {
  /** Called before a document is written. Throws when somebody else holds it. */
  claim(key: Key, scope: WriteScope): void;
}

interface Totals {
  documents: number;
  bytes: number;
}

export class WriteScope {
  private readonly totals = new Map<CollectionId, Totals>();
  /** Changes for the oplog, in order. */
  readonly changes: OplogChange[] = [];
  private logging: boolean | undefined;
  /** Statement number of a retryable write, for the oplog. */
  statement: number | undefined;

  constructor(
    readonly store: DocumentStore,
    readonly tx: Transaction,
    readonly origin: WriteOrigin,
    private readonly guard: WriteGuard,
  ) {}

  /** The body is about to write this document. */
  claim(key: Key): void {
    this.guard.claim(key, this);
  }

  count(collection: Collection, documents: number, bytes: number): void {
    const totals = this.totals.get(collection.id);
    if (totals === undefined) this.totals.set(collection.id, { documents, bytes });
    else {
      totals.documents += documents;
      totals.bytes += bytes;
    }
  }

  /** Forgets what was counted for a collection that is dropped. */
  forget(collection: Collection): void {
    this.totals.delete(collection.id);
  }

  /** Documents that this scope has added to (or removed from) the collection so far. */
  counted(id: CollectionId): Totals {
    return this.totals.get(id) ?? { documents: 0, bytes: 0 };
  }

  /** Someone follows the oplog, so that changes must be told to {@link log}. */
  get logged(): boolean {
    this.logging ??= this.store.oplog.enabled(this.tx);
    return this.logging;
  }

  log(change: OplogChange): void {
    if (this.logged)
      this.changes.push(this.statement === undefined ? change : { ...change, statement: this.statement });
  }

  finish(): void {
    for (const [id, { documents, bytes }] of this.totals) {
      if (documents !== 0) this.tx.add(countKey(id), documents);
      if (bytes !== 0) this.tx.add(sizeKey(id), bytes);
    }
  }
}
