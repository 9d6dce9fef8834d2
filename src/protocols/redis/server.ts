/**
 * The Redis server: what all its connections share. A connection's life is in `client.ts`, the commands are in
 * `commands/`, one family a file; this file holds the registers (clients, subscriptions, blocked clients, settings,
 * figures) and the order of refusals.
 */

import type { Change } from '../../models/key-value/changes.js';
import type { KeyValueStore } from '../../models/key-value/store.js';
import type { Connection, ConnectionHandler, Protocol } from '../../network/connection.js';
import { BlockedClients } from './blocking.js';
import { Client } from './client.js';
import type { Command } from './command.js';
import { RedisError } from './errors.js';
import { Monitors } from './monitors.js';
import { PubSub } from './pubsub.js';
import { CommandRegistry } from './registry.js';
import type { Request } from './request.js';
import { Settings } from './settings.js';
import { ServerStatistics } from './statistics.js';

/** The part of a structured logger that the server uses. */
export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface RedisOptions {
  readonly store: KeyValueStore;
  readonly logger: Logger;
  /** The default user's password (requirepass); without one every client is logged in as `default`. */
  readonly password?: string;
  /** `appendfsync`: what an acknowledged write has survived. */
  readonly durability?: 'always' | 'everysec';
  /** Further settings by their names in redis.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What commands ask of the process around the server. */
  readonly host?: HostOperations;
}

/** What commands ask of the process that runs the server. */
export interface HostOperations {
  /** SHUTDOWN: stops everything, as a signal would. */
  shutdown(): void;
  /** Where the listener accepts connections. */
  address(): { readonly host: string; readonly port: number };
  /** The data directory; empty when there is none. */
  readonly directory: string;
}

/** A refusal of a command before it runs; `undefined` lets it pass. */
export type Gate = (client: Client, command: Command, request: Request) => RedisError | undefined;

export class RedisServer implements Protocol {
  readonly name = 'redis';
  readonly refusal = Buffer.from('-ERR max number of clients reached\r\n');
  readonly store: KeyValueStore;
  readonly logger: Logger;
  readonly registry = new CommandRegistry();
  readonly settings: Settings;
  readonly statistics = new ServerStatistics();
  readonly blocking = new BlockedClients();
  readonly pubsub: PubSub;
  readonly monitorClients: Monitors;
  readonly clients = new Map<number, Client>();
  readonly startedMs = Date.now();
  /** Features that may refuse a command add themselves here, in Redis' order of refusals. */
  readonly gates: Gate[] = [];
  /** Called when a client is gone. */
  readonly onDisconnect = new Set<(client: Client) => void>();
  /** Called with the changes of every committed transaction. */
  readonly onChanges = new Set<(changes: readonly Change[]) => void>();
  private readonly stopFollowing: () => void;

  constructor(readonly options: RedisOptions) {
    this.store = options.store;
    this.logger = options.logger;
    this.settings = new Settings(options);
    this.pubsub = new PubSub(this);
    this.monitorClients = new Monitors();
    this.stopFollowing = this.store.follow((changes) => {
      this.blocking.noteChanges(changes);
      for (const listener of this.onChanges) listener(changes);
    });
  }

  get monitors(): number {
    return this.monitorClients.count;
  }

  open(connection: Connection): ConnectionHandler {
    const client = new Client(this, connection);
    if (this.settings.requirepass === '') client.user = 'default';
    this.clients.set(client.id, client);
    this.statistics.connections++;
    return client;
  }

  settle(): Promise<void> | undefined {
    return this.store.engine.settled(this.settings.durability);
  }

  async close(): Promise<void> {
    this.stopFollowing();
    this.pubsub.close();
    await Promise.resolve();
  }

  /** Why a command must not run now; see the list "order of refusals" in docs/compatibility/redis.md. */
  refuse(client: Client, command: Command): RedisError | undefined {
    if (client.user === undefined && !command.flags.has('no_auth')) {
      return new RedisError('NOAUTH Authentication required.');
    }
    if (client.queue !== undefined && command.flags.has('no_multi')) {
      return new RedisError('ERR Command not allowed inside a transaction');
    }
    for (const gate of this.gates) {
      const refusal = gate(client, command, client.request);
      if (refusal !== undefined) return refusal;
    }
    if (
      client.protocol === 2 &&
      client.subscriptions + client.shardChannels.size > 0 &&
      !inSubscribedMode.has(command.name)
    ) {
      return new RedisError(
        `ERR Can't execute '${command.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      );
    }
    return undefined;
  }

  /** What EXEC asks again of every queued command: rights and memory may have changed since it was queued. */
  refuseAtExec(client: Client, command: Command, request: Request): RedisError | undefined {
    for (const gate of this.gates) {
      const refusal = gate(client, command, request);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /** Accounts for a command that ran at once. */
  executed(client: Client, command: Command, startedMs: number): void {
    this.statistics.executed(client, command, startedMs);
  }

  /** Accounts for a command that answered later; `silent`: it wrote no reply. */
  finished(client: Client, command: Command, _silent: boolean): void {
    this.statistics.executed(client, command, performance.now());
  }

  commandFailed(command: Command): void {
    this.statistics.failed(command);
  }

  countError(text: string): void {
    this.statistics.error(text);
  }

  /** Serves blocked clients whose keys changed. */
  serveBlocked(): void {
    if (this.blocking.count !== 0) this.blocking.serve();
  }

  feedMonitors(client: Client, request: Request, command: Command): void {
    this.monitorClients.feed(client, request, command);
  }

  disconnected(client: Client): void {
    this.clients.delete(client.id);
    this.pubsub.leave(client);
    this.monitorClients.leave(client);
    for (const listener of this.onDisconnect) listener(client);
  }
}

const inSubscribedMode = new Set([
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'ping',
  'quit',
  'reset',
]);
