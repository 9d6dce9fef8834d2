/** maxmemory: makes room before a command runs, or refuses those that would take more. */
import { type EvictionPolicy, evictOne } from '../../models/key-value/eviction.js';
import type { Client } from './client.js';
import type { Command } from './command.js';
import { RedisError } from './errors.js';
import type { RedisServer } from './server.js';

/** Keys removed before one command at most: the rest goes before the next ones. */
const evictionsMax = 1000;

const outOfMemory = (): RedisError => new RedisError("OOM command not allowed when used memory > 'maxmemory'.");

export class MemoryLimit {
  constructor(private readonly server: RedisServer) {
    const { settings, store } = server;
    const apply = (): void => {
      store.accountMemory(settings.maxmemory > 0);
      store.access.countFrequency = settings.get('maxmemory-policy').endsWith('lfu');
      store.access.logFactor = settings.number('lfu-log-factor');
      store.access.decayMinutes = settings.number('lfu-decay-time');
    };
    for (const name of ['maxmemory', 'maxmemory-policy', 'lfu-log-factor', 'lfu-decay-time'])
      settings.onChange(name, apply);
    apply();
    server.gates.push((client, command) => this.gate(client, command));
  }

  private gate(client: Client, command: Command): RedisError | undefined {
    const { settings, store } = this.server;
    const limit = settings.maxmemory;
    if (limit === 0 || store.dataBytes <= limit) return undefined;
    // Inside a transaction nothing can be evicted; what it may still do was decided when it began.
    if (!client.inTransaction && !this.server.pause.holds(command)) this.evict(limit);
    if (store.dataBytes <= limit || !command.flags.has('denyoom')) return undefined;
    return outOfMemory();
  }

  private evict(limit: number): void {
    const { settings, store, statistics } = this.server;
    const policy = settings.get('maxmemory-policy') as EvictionPolicy;
    if (policy === 'noeviction') return;
    const samples = settings.number('maxmemory-samples');
    for (let database = 0; database < store.databases && store.dataBytes > limit; database++) {
      for (let count = 0; count < evictionsMax && store.dataBytes > limit; count++) {
        const evicted = store.write(store.database(database), (db) => evictOne(db, policy, samples));
        if (evicted instanceof Promise || !evicted) break;
        statistics.evictedKeys++;
      }
    }
  }
}
