/**
 * What the store does by itself: expires documents, clears away what dropped collections left, finishes index builds that
 * a restart interrupted, and forgets old entries of the oplog and of retryable writes.
 */

import { sweepGarbage } from './ddl.js';
import { expireDocuments } from './expiry.js';
import { build } from './indexes/builds.js';
import { OPLOG_PREFIX, oplogKey, RETRY_PREFIX, rangeOf } from './keys.js';
import type { DocumentStore } from './store.js';
import { DateTime, Doc } from './values.js';

/** How long changes can be resumed, hours. */
const OPLOG_HOURS = 48;
/** How long a retryable write can be sent again, minutes. */
const RETRY_MINUTES = 30;
const TICK_MS = 1_000;
const PRUNE_MS = 10 * 60_000;
const PRUNE_KEYS = 1_000;

export interface HousekeepingOptions {
  /** Milliseconds between two passes of the expiry; asked each time. 0: none. */
  readonly expiryMs: () => number;
  readonly onExpired: (documents: number) => void;
  /** Told of failures: the next pass tries again. */
  readonly onError: (thrown: unknown) => void;
}

export class Housekeeping {
  private readonly timer: NodeJS.Timeout;
  private lastPass = performance.now();
  private expiring = false;
  private readonly pruner: NodeJS.Timeout;
  private closed = false;

  constructor(
    private readonly store: DocumentStore,
    private readonly options: HousekeepingOptions,
  ) {
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.timer.unref();
    this.pruner = setInterval(() => this.guard(() => this.prune()), PRUNE_MS);
    this.pruner.unref();
    this.guard(() => this.resume());
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    clearInterval(this.pruner);
  }

  /** One pass of the expiry now. */
  async expire(): Promise<number> {
    const removed = await expireDocuments(this.store);
    this.options.onExpired(removed);
    return removed;
  }

  private guard(run: () => Promise<unknown>): void {
    run().catch((thrown: unknown) => {
      if (!this.closed) this.options.onError(thrown);
    });
  }

  /** Looks at the clock once a second: the time between two passes may be changed at any moment. */
  private tick(): void {
    const wait = this.options.expiryMs();
    if (this.expiring || wait <= 0 || performance.now() - this.lastPass < wait) return;
    this.expiring = true;
    this.lastPass = performance.now();
    this.guard(() =>
      this.expire().finally(() => {
        this.expiring = false;
      }),
    );
  }

  private async resume(): Promise<void> {
    await sweepGarbage(this.store);
    const collections = await this.store.engine.read((view) => this.store.catalog.list(view));
    for (const { database, name, indexes } of collections) {
      for (const index of indexes) {
        if (!index.ready && !this.closed)
          await build(this.store.storage(), { database, name }, index.id, () => undefined);
      }
    }
  }

  private async prune(): Promise<void> {
    const now = Date.now();
    const oldest = oplogKey(Math.floor(now / 1000) - OPLOG_HOURS * 3600, 0);
    let more = true;
    while (more && !this.closed) {
      more = await this.store.engine.write((tx) => {
        const keys = [...tx.scan({ start: OPLOG_PREFIX, end: oldest }, { limit: PRUNE_KEYS })].map(({ key }) => key);
        for (const key of keys) tx.delete(key);
        if (keys.length > 0)
          this.store.oplog.forgetUntil(tx, { seconds: Math.floor(now / 1000) - OPLOG_HOURS * 3600, increment: 0 });
        return keys.length === PRUNE_KEYS;
      });
    }
    let after = RETRY_PREFIX;
    for (;;) {
      const start = after;
      const last = await this.store.engine.write((tx) => {
        const entries = [...tx.scan({ start: `${start}\0`, end: rangeOf(RETRY_PREFIX).end }, { limit: PRUNE_KEYS })];
        for (const { key, value } of entries) {
          const at = Doc.fromBytes(Buffer.from(value)).get('at');
          if (at instanceof DateTime && at.ms < now - RETRY_MINUTES * 60_000) tx.delete(key);
        }
        return entries.length === PRUNE_KEYS ? entries.at(-1)?.key : undefined;
      });
      if (last === undefined || this.closed) return;
      after = last;
    }
  }
}
