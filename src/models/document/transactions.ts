/**
 * Multi-document transactions: one engine transaction that stays open between commands. Documents it writes are held
 * until it ends: another transaction that wants to write them fails at once (112), plain writes wait. What it has read is
 * checked when it commits.
 */
import type { Key, OpenTransaction, View } from '../../engine/engine.js';
import { ConflictError } from '../../engine/errors.js';
import type { OplogChange } from './change-streams/oplog.js';
import { DocumentError, ErrorCode } from './errors.js';
import type { DocumentStore, Holder, Reader, Storage } from './store.js';
import { transactionBatches } from './transaction-batches.js';
import { type WriteGuard, type WriteOrigin, WriteScope } from './write-scope.js';

export function writeConflict(): DocumentError {
  return new DocumentError(
    ErrorCode.writeConflict,
    'WriteConflict error: this operation conflicted with another operation. Please retry your operation or multi-document transaction.',
  );
}

export class DocumentTransaction implements Holder {
  readonly ended: Promise<void>;
  readonly storage: Storage;
  private readonly claimed = new Set<Key>();
  private readonly changes: OplogChange[] = [];
  private end: () => void = () => {};
  private over = false;

  private constructor(
    private readonly store: DocumentStore,
    private readonly open: OpenTransaction,
    private readonly origin: WriteOrigin,
  ) {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    const reader: Reader = {
      read: (body) => this.open.run(body),
      batches: (range, options) => transactionBatches(this.open, range, options),
      close: () => {},
    };
    this.storage = {
      store,
      inTransaction: true,
      read: (body: (view: View) => unknown) => this.open.run(body),
      write: (body: (scope: WriteScope) => unknown) => this.write(body),
      reader: () => reader,
    } as Storage;
  }

  static async begin(store: DocumentStore, origin: WriteOrigin): Promise<DocumentTransaction> {
    return new DocumentTransaction(store, await store.engine.begin({ durability: 'always' }), origin);
  }

  /** Number of changes made so far. */
  get hasChanges(): boolean {
    return this.claimed.size > 0 || this.changes.length > 0;
  }

  /** Throws 112 when something that was read has changed meanwhile; the transaction is over either way. */
  async commit(): Promise<void> {
    try {
      if (this.changes.length > 0) {
        await this.open.run((tx) => this.store.oplog.appendTransaction(tx, this.changes, this.origin));
      } else {
        this.store.clock.tick();
      }
      await this.open.commit();
    } catch (thrown) {
      throw thrown instanceof ConflictError ? writeConflict() : thrown;
    } finally {
      this.release();
    }
  }

  async abort(): Promise<void> {
    if (this.over) return;
    this.release();
    await this.open.abort();
  }

  private release(): void {
    this.over = true;
    for (const key of this.claimed) if (this.store.held.get(key) === this) this.store.held.delete(key);
    this.claimed.clear();
    this.end();
  }

  private write<T>(body: (scope: WriteScope) => T): T | Promise<T> {
    const done = this.open.run((tx) => {
      const scope = new WriteScope(this.store, tx, this.origin, this.guard);
      const result = body(scope);
      scope.finish();
      return { result, changes: scope.changes };
    });
    const keep = ({ result, changes }: { result: T; changes: OplogChange[] }): T => {
      this.changes.push(...changes);
      return result;
    };
    return done instanceof Promise ? done.then(keep) : keep(done);
  }

  private readonly guard: WriteGuard = {
    claim: (key, scope) => {
      const holder = this.store.held.get(key);
      if (holder === this) return;
      if (holder !== undefined) throw writeConflict();
      // Where the live state is at hand, a document that changed since the transaction began is refused now, not at
      // the commit.
      const live = this.store.engine.read((view) => view.get(key));
      if (!(live instanceof Promise)) {
        const own = scope.tx.get(key);
        const same = live === own || (live !== undefined && own !== undefined && live.equals(own));
        if (!same) throw writeConflict();
      }
      this.store.held.set(key, this);
      this.claimed.add(key);
    },
  };
}
