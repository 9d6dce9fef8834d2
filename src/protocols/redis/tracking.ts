/**
 * Client-side caching: which client has read which key, and the invalidation messages when it changes.
 *
 * In the default mode the server remembers the keys a client reads and tells it once of a change; with BCAST it tells of
 * every change under the client's prefixes and remembers nothing. See redis.io/docs/manual/client-side-caching.
 */
import type { Change } from '../../models/key-value/changes.js';
import type { Client } from './client.js';
import type { Command } from './command.js';
import { keysOf } from './key-specs.js';
import { ReplyWriter } from './reply.js';
import type { Request } from './request.js';
import type { RedisServer } from './server.js';

export interface TrackingOptions {
  readonly redirect: number;
  readonly broadcast: boolean;
  readonly optIn: boolean;
  readonly optOut: boolean;
  readonly noLoop: boolean;
  readonly prefixes: readonly string[];
}

export interface TrackingState extends TrackingOptions {
  /** What CLIENT CACHING said for the next command. */
  caching: 'yes' | 'no' | undefined;
  broken: boolean;
}

const channel = '__redis__:invalidate';

export class Tracking {
  private readonly states = new Map<Client, TrackingState>();
  /** Clients by the keys they have read; databases do not matter. */
  private readonly readers = new Map<string, Set<Client>>();
  private readonly writer = new ReplyWriter(1024);
  /** Whose command is running: NOLOOP spares it its own changes. */
  private running: Client | undefined;

  constructor(private readonly server: RedisServer) {
    server.trackingClients = () => this.states.size;
    server.redirectionOf = (client) => {
      const state = this.states.get(client);
      return state === undefined ? -1 : state.redirect;
    };
    server.clientFlags.push((client) => {
      const state = this.states.get(client);
      if (state === undefined) return '';
      return `t${state.broken ? 'R' : ''}${state.broadcast ? 'B' : ''}`;
    });
    server.onDisconnect.add((client) => {
      this.off(client);
      this.targetGone(client);
    });
    server.onReset.add((client) => this.off(client));
  }

  get active(): boolean {
    return this.states.size !== 0;
  }

  state(client: Client): TrackingState | undefined {
    return this.states.get(client);
  }

  on(client: Client, options: TrackingOptions): void {
    const before = this.states.get(client);
    const prefixes = options.broadcast ? [...new Set([...(before?.prefixes ?? []), ...options.prefixes])] : [];
    this.states.set(client, { ...options, prefixes, caching: undefined, broken: false });
  }

  off(client: Client): void {
    if (!this.states.delete(client)) return;
    for (const [key, clients] of this.readers) {
      clients.delete(client);
      if (clients.size === 0) this.readers.delete(key);
    }
  }

  /** A command of the client is about to run. */
  begin(client: Client): void {
    this.running = client;
  }

  /** A command has run: remembers what it read. */
  end(client: Client, command: Command, request: Request): void {
    this.running = undefined;
    const state = this.states.get(client);
    if (state === undefined) return;
    if (command.name !== 'client|caching') this.remember(client, state, command, request);
    if (command.name !== 'client|caching' && client.queue === undefined) state.caching = undefined;
  }

  /** Keys that a reading command (also one of a script) has seen. */
  private remember(client: Client, state: TrackingState, command: Command, request: Request): void {
    if (state.broadcast || !command.flags.has('readonly')) return;
    if (state.optIn && state.caching !== 'yes') return;
    if (state.optOut && state.caching === 'no') return;
    for (const { index } of keysOf(command, request) ?? []) {
      const key = request.text(index);
      const clients = this.readers.get(key);
      if (clients === undefined) this.readers.set(key, new Set([client]));
      else clients.add(client);
    }
    this.limitKeys();
  }

  /** Beyond tracking-table-max-keys the oldest keys are forgotten, and their readers told so. */
  private limitKeys(): void {
    const max = this.server.settings.number('tracking-table-max-keys');
    if (max === 0) return;
    while (this.readers.size > max) {
      const oldest = this.readers.keys().next();
      if (oldest.done === true) return;
      this.invalidateReaders(oldest.value);
    }
  }

  changed(changes: readonly Change[]): void {
    if (!this.active) return;
    const seen = new Set<string>();
    for (const { key } of changes) {
      if (key === undefined) {
        this.flushed();
        return;
      }
      if (!seen.has(key)) {
        seen.add(key);
        this.invalidateReaders(key);
      }
    }
    this.broadcast([...seen]);
  }

  private invalidateReaders(key: string): void {
    const clients = this.readers.get(key);
    if (clients === undefined) return;
    this.readers.delete(key);
    for (const client of clients) {
      const state = this.states.get(client);
      if (state === undefined || (state.noLoop && client === this.running)) continue;
      this.tell(client, state, [key]);
    }
  }

  private broadcast(keys: readonly string[]): void {
    for (const [client, state] of this.states) {
      if (!state.broadcast || (state.noLoop && client === this.running)) continue;
      const fitting =
        state.prefixes.length === 0
          ? keys
          : keys.filter((key) => state.prefixes.some((prefix) => key.startsWith(prefix)));
      if (fitting.length > 0) this.tell(client, state, fitting);
    }
  }

  private flushed(): void {
    this.readers.clear();
    for (const [client, state] of this.states) this.tell(client, state, undefined);
  }

  /** `undefined`: everything is invalid. */
  private tell(client: Client, state: TrackingState, keys: readonly string[] | undefined): void {
    const target = state.redirect === 0 ? client : this.server.clients.get(state.redirect);
    if (target === undefined) {
      this.broken(client, state);
      return;
    }
    const { writer } = this;
    writer.protocol = target.protocol;
    if (target.protocol === 3) {
      writer.push(2);
      writer.bulkText('invalidate');
    } else {
      if (state.redirect === 0 || !target.channels.has(channel)) return;
      writer.array(3);
      writer.bulkText('message');
      writer.bulkText(channel);
    }
    if (keys === undefined) writer.null();
    else {
      writer.array(keys.length);
      for (const key of keys) writer.bulkText(key);
    }
    target.send(writer.take());
  }

  private targetGone(target: Client): void {
    for (const [client, state] of this.states) if (state.redirect === target.id) this.broken(client, state);
  }

  private broken(client: Client, state: TrackingState): void {
    if (state.broken) return;
    state.broken = true;
    if (client.protocol !== 3) return;
    const { writer } = this;
    writer.protocol = 3;
    writer.push(2);
    writer.bulkText('tracking-redir-broken');
    writer.integer(state.redirect);
    client.send(writer.take());
  }
}
