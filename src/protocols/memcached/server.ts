/**
 * The memcached server: what all its connections share. A connection speaks the text protocol (with the meta commands,
 * text.ts and meta.ts) or, when its first byte is 0x80, the binary one (binary.ts), on the keys of one Redis database.
 */

import type { StaleMark } from '../../models/key-value/items.js';
import type { KeyValueStore } from '../../models/key-value/store.js';
import type { Connection, ConnectionHandler, Protocol } from '../../network/connection.js';
import { MemcachedClient } from './client.js';
import { MemcachedStatistics } from './statistics.js';

export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Users that may log in by SASL PLAIN or the text protocol's first `set`. */
export interface Logins {
  /** Whether everybody may use the server without logging in. */
  readonly open: boolean;
  verify(user: string, password: string): boolean;
}

export interface MemcachedOptions {
  readonly store: KeyValueStore;
  readonly logger: Logger;
  /** The Redis database whose keys are served; default 0. */
  readonly database?: number;
  /** Bytes of an item with key and header (`-I`); default 1 MiB. */
  readonly itemSizeMax?: number;
  /** `-m`, megabytes; what `stats` tells. */
  readonly memoryLimitMegabytes?: number;
  readonly connectionsMax?: number;
  readonly durability?: 'always' | 'everysec';
  readonly logins?: Logins;
  /** Lets `shutdown` stop the server; missing: not enabled. */
  readonly shutdown?: () => void;
  readonly address?: () => { readonly host: string; readonly port: number };
}

/** Stale marks kept at most; the oldest are forgotten. */
const staleMarksMax = 100_000;

export class MemcachedServer implements Protocol {
  readonly name = 'memcached';
  readonly refusal = Buffer.from('ERROR Too many open connections\r\n');
  readonly store: KeyValueStore;
  readonly statistics = new MemcachedStatistics();
  readonly startedMs = Date.now();
  readonly clients = new Set<MemcachedClient>();
  readonly itemSizeMax: number;
  readonly database: number;
  readonly logins: Logins;
  memoryLimitMegabytes: number;
  /** Marks of meta commands, by key. */
  private readonly marks = new Map<string, StaleMark>();
  private readonly flushTimers = new Set<NodeJS.Timeout>();

  constructor(readonly options: MemcachedOptions) {
    this.store = options.store;
    this.itemSizeMax = options.itemSizeMax ?? 1024 * 1024;
    this.database = options.database ?? 0;
    this.memoryLimitMegabytes = options.memoryLimitMegabytes ?? 64;
    this.logins = options.logins ?? { open: true, verify: () => true };
  }

  open(connection: Connection): ConnectionHandler {
    const client = new MemcachedClient(this, connection);
    this.clients.add(client);
    this.statistics.totalConnections++;
    return client;
  }

  settle(): Promise<void> | undefined {
    return this.store.engine.settled(this.options.durability ?? 'everysec');
  }

  async close(): Promise<void> {
    for (const timer of this.flushTimers) clearTimeout(timer);
    await Promise.resolve();
  }

  disconnected(client: MemcachedClient): void {
    this.clients.delete(client);
  }

  mark(key: string): StaleMark | undefined {
    return this.marks.get(key);
  }

  setMark(key: string, mark: StaleMark): void {
    this.marks.set(key, mark);
    if (this.marks.size > staleMarksMax) {
      const oldest = this.marks.keys().next();
      if (oldest.done !== true) this.marks.delete(oldest.value);
    }
  }

  clearMark(key: string): void {
    if (this.marks.size !== 0) this.marks.delete(key);
  }

  /** flush_all: now, or when `delaySeconds` have passed. */
  flush(delaySeconds: number): void | Promise<void> {
    this.statistics.add('cmd_flush');
    if (delaySeconds <= 0) {
      this.marks.clear();
      const database = this.store.database(this.database);
      return this.store.write(database, (db) => this.store.flush(db));
    }
    const timer = setTimeout(() => {
      this.flushTimers.delete(timer);
      void this.flush(0);
    }, delaySeconds * 1000);
    timer.unref();
    this.flushTimers.add(timer);
  }
}
