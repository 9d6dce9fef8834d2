/**
 * Clients that wait for keys. After a command has committed, the clients waiting for a key it changed run their command
 * again, oldest first, until nobody can be served any more.
 */
import type { Change } from '../../models/key-value/changes.js';
import type { Client } from './client.js';

export class BlockedClients {
  /** Waiting clients by `database:key`, oldest first (a Set keeps insertion order). */
  private readonly byKey = new Map<string, Set<Client>>();
  private readonly keysOf = new Map<Client, readonly string[]>();
  private ready = new Set<string>();
  private serving = false;

  get count(): number {
    return this.keysOf.size;
  }

  /** Number of keys that somebody waits for. */
  get keyCount(): number {
    return this.byKey.size;
  }

  /** Whether `serve` has something to do. */
  get hasReady(): boolean {
    return this.ready.size !== 0;
  }

  add(client: Client, keys: readonly string[], database: number): void {
    const names = keys.map((key) => `${database}:${key}`);
    this.keysOf.set(client, names);
    for (const name of names) {
      const waiting = this.byKey.get(name);
      if (waiting === undefined) this.byKey.set(name, new Set([client]));
      else waiting.add(client);
    }
  }

  remove(client: Client): void {
    for (const name of this.keysOf.get(client) ?? []) {
      const waiting = this.byKey.get(name);
      if (waiting?.delete(client) === true && waiting.size === 0) this.byKey.delete(name);
    }
    this.keysOf.delete(client);
  }

  clients(): Iterable<Client> {
    return this.keysOf.keys();
  }

  /** Notes which waited-for keys a transaction changed. */
  noteChanges(changes: readonly Change[]): void {
    if (this.byKey.size === 0) return;
    for (const { database, key } of changes) {
      if (key === undefined) {
        for (const name of this.byKey.keys()) if (name.startsWith(`${database}:`)) this.ready.add(name);
      } else {
        const name = `${database}:${key}`;
        if (this.byKey.has(name)) this.ready.add(name);
      }
    }
  }

  /** Lets waiting clients try again; what they do may make others ready. */
  serve(): void {
    if (this.ready.size === 0 || this.serving) return;
    this.serving = true;
    try {
      while (this.ready.size > 0) {
        const names = this.ready;
        this.ready = new Set();
        for (const name of names) {
          for (const client of [...(this.byKey.get(name) ?? [])]) client.retryBlocked();
        }
      }
    } finally {
      this.serving = false;
    }
  }
}
