/**
 * The document model's door to the engine: the catalog, the clock, the oplog, and reads and writes that know of
 * transactions which are open.
 */
import type { Awaitable, Engine, Key, Snapshot, View } from '../../engine/engine.js';
import { Catalog } from './catalog.js';
import { lastOplogTime, Oplog } from './change-streams/oplog.js';
import { LogicalClock } from './clock.js';
import type { Collection } from './collection.js';
import { countKey, sizeKey } from './keys.js';
import { type WriteGuard, type WriteOrigin, WriteScope } from './write-scope.js';

/** One state of the store for as long as a query needs it. */
export type Reader = Pick<Snapshot, 'read' | 'batches' | 'close'>;

/** Reads and writes, of their own or as part of a transaction. */
export interface Storage {
  readonly store: DocumentStore;
  readonly inTransaction: boolean;
  read<T>(body: (view: View) => T): Awaitable<T>;
  /** Runs the body as one atomic step; it may run several times. */
  write<T>(body: (scope: WriteScope) => T): Awaitable<T>;
  /** A state that later writes do not change (a transaction's own writes are seen). Close it. */
  reader(): Awaitable<Reader>;
}

/** Whoever holds documents until a transaction ends. */
export interface Holder {
  readonly ended: Promise<void>;
}

/** A plain write met a document that an open transaction has written: it waits and runs again. */
class HeldByTransaction extends Error {
  constructor(readonly holder: Holder) {
    super('a transaction holds the document');
  }
}

const NO_ORIGIN: WriteOrigin = {};

export class DocumentStore {
  readonly catalog = new Catalog();
  /** Engine keys of documents that open transactions have written. */
  readonly held = new Map<Key, Holder>();
  readonly oplog: Oplog;

  private constructor(
    readonly engine: Engine,
    readonly clock: LogicalClock,
  ) {
    this.oplog = new Oplog(clock);
  }

  static async open(engine: Engine): Promise<DocumentStore> {
    const last = await engine.read(lastOplogTime);
    return new DocumentStore(engine, new LogicalClock(last));
  }

  /** Storage outside of transactions. */
  storage(origin: WriteOrigin = NO_ORIGIN): Storage {
    return {
      store: this,
      inTransaction: false,
      read: (body) => this.engine.read(body),
      write: (body) => this.write(origin, body),
      reader: () => this.engine.snapshot(),
    };
  }

  write<T>(origin: WriteOrigin, body: (scope: WriteScope) => T): Awaitable<T> {
    try {
      const result = this.engine.write((tx) => {
        const scope = new WriteScope(this, tx, origin, this.guard);
        const answer = body(scope);
        scope.finish();
        if (scope.changes.length > 0) this.oplog.append(tx, scope.changes, origin);
        else this.clock.tick();
        return answer;
      });
      return result instanceof Promise ? result.catch((thrown) => this.afterHolder(thrown, origin, body)) : result;
    } catch (thrown) {
      return this.afterHolder(thrown, origin, body);
    }
  }

  /** Documents and bytes of a collection. */
  async totals(collection: Collection): Promise<{ documents: number; bytes: number }> {
    const [documents, bytes] = await Promise.all([
      this.engine.counter(countKey(collection.id)),
      this.engine.counter(sizeKey(collection.id)),
    ]);
    return { documents, bytes };
  }

  private readonly guard: WriteGuard = {
    claim: (key) => {
      if (this.held.size === 0) return;
      const holder = this.held.get(key);
      if (holder !== undefined) throw new HeldByTransaction(holder);
    },
  };

  private afterHolder<T>(thrown: unknown, origin: WriteOrigin, body: (scope: WriteScope) => T): Awaitable<T> {
    if (!(thrown instanceof HeldByTransaction)) throw thrown;
    return thrown.holder.ended.then(() => this.write(origin, body));
  }
}
