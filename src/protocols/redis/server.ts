/**
 * The Redis server: what all its connections share. A connection's life is in `client.ts`, the commands are in
 * `commands/`, one family a file; this file holds the registers (clients, subscriptions, blocked clients, settings,
 * figures) and the order of refusals.
 */
import { randomBytes } from 'node:crypto';
import type { Change } from '../../models/key-value/changes.js';
import type { KeyValueStore } from '../../models/key-value/store.js';
import type { Connection, ConnectionHandler, Protocol } from '../../network/connection.js';
import { AccessControl, type UserStorage } from './acl/access-control.js';
import { BlockedClients } from './blocking.js';
import { Client } from './client.js';
import type { Command } from './command.js';
import { RedisError } from './errors.js';
import { LatencyEvents } from './latency.js';
import { MemoryLimit } from './memory-limit.js';
import { Monitors } from './monitors.js';
import { KeyspaceNotifications } from './notifications.js';
import { Pause } from './pause.js';
import { PubSub } from './pubsub.js';
import { CommandRegistry } from './registry.js';
import { Request } from './request.js';
import { Saves } from './saves.js';
import { Scripting } from './scripting/scripting.js';
import { Settings } from './settings.js';
import { abbreviated, SlowLog } from './slowlog.js';
import { ServerStatistics } from './statistics.js';
import { Tracking } from './tracking.js';

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
  /** The list of users that all protocols share; without it users live as long as the server. */
  readonly users?: UserStorage;
}

/** What commands ask of the process that runs the server. */
export interface HostOperations {
  /** SHUTDOWN: stops everything, as a signal would. */
  shutdown(): void;
  /** Where the listener accepts connections. */
  address(): { readonly host: string; readonly port: number };
}

/** A refusal of a command before it runs; `undefined` lets it pass. */
export type Gate = (client: Client, command: Command, request: Request) => RedisError | undefined;

/** Who may log in. */
export interface Logins {
  /** Whether the default user needs no password. */
  readonly passwordless: boolean;
  /** The user a fresh connection acts as, if it needs no login. */
  initial(): string | undefined;
  verify(user: string, password: string): boolean;
  exists(user: string): boolean;
}

const sampleIntervalMs = 100;

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
  readonly monitorClients = new Monitors();
  readonly slowlog = new SlowLog();
  readonly latency = new LatencyEvents();
  readonly pause: Pause;
  readonly saves: Saves;
  readonly scripting: Scripting;
  readonly clients = new Map<number, Client>();
  readonly startedMs = Date.now();
  readonly replicationId = randomBytes(20).toString('hex');
  readonly role: 'master' | 'slave' = 'master';
  readonly accessDenied = { auth: 0, command: 0, key: 0, channel: 0 };
  readonly access: AccessControl;
  readonly tracking: Tracking;
  readonly memoryLimit: MemoryLimit;
  /** Features that may refuse a command add themselves here, in Redis' order of refusals. */
  readonly gates: Gate[] = [];
  /** Letters that features add to a client's flags in CLIENT LIST. */
  readonly clientFlags: ((client: Client) => string)[] = [];
  /** Called when a client is gone. */
  readonly onDisconnect = new Set<(client: Client) => void>();
  /** Called by RESET, for what features keep of a client. */
  readonly onReset = new Set<(client: Client) => void>();
  /** Called with the changes of every committed transaction. */
  readonly onChanges = new Set<(changes: readonly Change[]) => void>();
  /** Figures of features, for INFO. */
  trackingClients: () => number = () => 0;
  redirectionOf: (client: Client) => number = () => -1;
  private readonly stopFollowing: () => void;
  private readonly sampler: NodeJS.Timeout;
  private closedInput = 0;
  private closedOutput = 0;
  private peak = 0;

  constructor(readonly options: RedisOptions) {
    this.store = options.store;
    this.logger = options.logger;
    this.settings = new Settings(options);
    this.pubsub = new PubSub(this);
    this.saves = new Saves(this.store.engine);
    this.scripting = new Scripting(this.store.engine);
    this.pause = new Pause((on) => {
      this.store.expiryPaused = on;
    });
    this.access = new AccessControl(this, options.users);
    this.tracking = new Tracking(this);
    this.memoryLimit = new MemoryLimit(this);
    this.followThresholds();
    const notifications = new KeyspaceNotifications(this);
    this.stopFollowing = this.store.follow((changes) => {
      this.blocking.noteChanges(changes);
      if (this.settings.notifyFlags !== 0) notifications.announce(changes);
      this.tracking.changed(changes);
      for (const listener of this.onChanges) listener(changes);
      // A change by another protocol, or by another server: nobody else will serve those who wait for it.
      if (this.blocking.hasReady) setImmediate(() => this.serveBlocked());
    });
    this.sampler = setInterval(() => this.statistics.sample(), sampleIntervalMs);
    this.sampler.unref();
  }

  /** Resolves when every command can run. */
  get ready(): Promise<void> {
    return this.scripting.ready;
  }

  get monitors(): number {
    return this.monitorClients.count;
  }

  get host(): string {
    return this.options.host?.address().host ?? '127.0.0.1';
  }

  get port(): number {
    return this.options.host?.address().port ?? 0;
  }

  get passwordless(): boolean {
    return this.access.passwordless;
  }

  initialUser(): string | undefined {
    return this.access.initial();
  }

  userExists(user: string): boolean {
    return this.access.exists(user);
  }

  /** Makes the client act as `user` when the password is right. */
  logIn(client: Client, user: string, password: string): boolean {
    if (!this.access.verify(user, password)) {
      this.accessDenied.auth++;
      this.access.failedLogin(client, user);
      return false;
    }
    client.user = user;
    return true;
  }

  open(connection: Connection): ConnectionHandler {
    const client = new Client(this, connection);
    client.user = this.initialUser();
    this.clients.set(client.id, client);
    this.statistics.connections++;
    return client;
  }

  settle(): Promise<void> | undefined {
    return this.store.engine.settled(this.settings.durability);
  }

  async close(): Promise<void> {
    clearInterval(this.sampler);
    this.pause.end();
    this.stopFollowing();
    this.pubsub.close();
    this.scripting.close();
    this.access.close();
    await Promise.resolve();
  }

  /** Why a command must not run now, in Redis' order. */
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

  /** What a script's commands are asked. */
  refuseInScript(client: Client, command: Command, request: Request): RedisError | undefined {
    return this.refuseAtExec(client, command, request);
  }

  /** Accounts for a command that ran. */
  executed(client: Client, command: Command, startedMs: number): void {
    const ms = performance.now() - startedMs;
    const microseconds = ms * 1000;
    this.statistics.commands++;
    this.statistics.figures(command).record(microseconds);
    const { settings } = this;
    if (
      settings.slowlogMicroseconds >= 0 &&
      microseconds >= settings.slowlogMicroseconds &&
      !command.flags.has('skip_slowlog')
    ) {
      this.slowlog.add(client, abbreviated(client.request), microseconds, settings.number('slowlog-max-len'));
    }
    if (settings.latencyThresholdMs > 0 && ms >= settings.latencyThresholdMs) {
      this.latency.add(command.flags.has('fast') ? 'fast-command' : 'command', ms);
    }
    if (this.tracking.active) this.tracking.end(client, command, client.request);
  }

  rejected(command: Command): void {
    this.statistics.figures(command).rejected++;
  }

  commandFailed(command: Command): void {
    this.statistics.figures(command).failed++;
  }

  countError(text: string): void {
    this.statistics.error(text);
  }

  /** Serves blocked clients whose keys changed. */
  serveBlocked(): void {
    if (this.blocking.hasReady) this.blocking.serve();
  }

  feedMonitors(client: Client, request: Request, command: Command, source?: 'lua'): void {
    this.monitorClients.feed(client, request, command, source);
  }

  /** A request of these words, for questions about commands that nobody sent. */
  requestOf(words: readonly string[]): Request {
    return Request.of(words);
  }

  /** CLIENT KILL: closes at once, or after its reply when it kills itself. */
  disconnect(victim: Client, by: Client): void {
    if (victim === by) victim.closeAfterReply = true;
    else victim.connection.destroy();
  }

  disconnected(client: Client): void {
    this.closedInput += client.inputTotal;
    this.closedOutput += client.outputTotal;
    this.clients.delete(client.id);
    this.pubsub.leave(client);
    this.monitorClients.leave(client);
    this.pause.leave(client);
    for (const listener of this.onDisconnect) listener(client);
  }

  /** Bytes received and sent since the start. */
  traffic(): { readonly input: number; readonly output: number } {
    let input = this.closedInput;
    let output = this.closedOutput;
    for (const client of this.clients.values()) {
      input += client.inputTotal;
      output += client.outputTotal;
    }
    return { input, output };
  }

  /** Bytes of stored data, in memory and on disk, as maxmemory counts them. */
  usedMemory(): number {
    const { memtableBytes, storedBytes } = this.store.engine.statistics();
    const used = this.store.accountsMemory
      ? this.store.dataBytes
      : (memtableBytes ?? 0) + (storedBytes ?? 0) || process.memoryUsage.rss();
    this.peak = Math.max(this.peak, used);
    return used;
  }

  /** The sizes at which collections leave their small encodings, as CONFIG SET changes them. */
  private followThresholds(): void {
    const { settings } = this;
    const { thresholds } = this.store;
    const apply = (): void => {
      thresholds.hashEntries = settings.number('hash-max-listpack-entries');
      thresholds.hashValueBytes = settings.number('hash-max-listpack-value');
      thresholds.zsetEntries = settings.number('zset-max-listpack-entries');
      thresholds.zsetValueBytes = settings.number('zset-max-listpack-value');
      thresholds.setIntsetEntries = settings.number('set-max-intset-entries');
      thresholds.setListpackEntries = settings.number('set-max-listpack-entries');
      thresholds.setListpackValueBytes = settings.number('set-max-listpack-value');
      thresholds.listSize = settings.number('list-max-listpack-size');
    };
    for (const name of [
      ...[
        'hash-max-listpack-entries',
        'hash-max-listpack-value',
        'zset-max-listpack-entries',
        'zset-max-listpack-value',
      ],
      ...['set-max-intset-entries', 'set-max-listpack-entries', 'set-max-listpack-value', 'list-max-listpack-size'],
    ]) {
      settings.onChange(name, apply);
    }
    apply();
  }

  peakMemory(): number {
    this.usedMemory();
    return this.peak;
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
