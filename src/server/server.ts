/**
 * One running Rosetta: opens storage, users, protocols and listeners in this order, all or nothing, and closes them in
 * the opposite order. Several may run in one process.
 */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Users } from '../access/users.js';
import type { Engine } from '../engine/engine.js';
import { assertBindAllowed } from '../network/bind-policy.js';
import { type ListenerAddress, openListener } from '../network/listener.js';
import type { Logger } from '../observability/logger.js';
import { Metrics } from '../observability/metrics.js';
import { openMetricsListener } from '../observability/metrics-listener.js';
import { Address } from './address.js';
import { openAdminSocket } from './admin-socket.js';
import { Closers } from './closers.js';
import { ServerContext } from './context.js';
import type { OpenedProtocol } from './entries/entry.js';
import { listenerOptions, naming, type PlannedListener, plannedListeners, readTls, tryPorts } from './listeners.js';
import type { Configuration } from './options.js';
import { metricsName, protocols } from './protocols.js';
import { openStorage } from './storage.js';
import { version } from './version.js';

/** One place where clients connect. */
export interface ServedListener {
  readonly protocol: string;
  readonly address: Address;
  /** A command line or address for people. */
  readonly connectWith: string;
}

export interface ServerOptions {
  readonly logger: Logger;
  /** Protocols without an address of their own get a free port instead of their usual one. */
  readonly freePorts?: boolean;
}

export class Server {
  /** In the order of the registry, all of them accepting. */
  readonly listeners: ServedListener[] = [];
  /** Resolves when the server has stopped, whoever asked for it; rejects when something did not close cleanly. */
  readonly stopped: Promise<void>;
  private readonly closers = new Closers();
  private stopping = false;
  private settleStopped: { resolve(): void; reject(error: unknown): void } = { resolve() {}, reject() {} };
  private directory: string;

  private constructor(
    private readonly configuration: Configuration,
    private readonly logger: Logger,
  ) {
    this.directory = resolve(configuration.dataDir);
    this.stopped = new Promise((done, failed) => {
      this.settleStopped = { resolve: done, reject: failed };
    });
    // Whoever does not ask how it ended shall not be ended by it.
    this.stopped.catch(() => {});
  }

  /** Throws, with everything closed again, when any part cannot be opened. */
  static async open(configuration: Configuration, options: ServerOptions): Promise<Server> {
    const server = new Server(configuration, options.logger);
    try {
      await server.openAll(options.freePorts === true);
    } catch (error) {
      await server.closers.close().catch((err: unknown) => {
        options.logger.error({ err }, 'what was open did not close cleanly');
      });
      throw error;
    }
    return server;
  }

  /** The first address of every protocol that listens: `addresses.redis` is `{ host, port }`. */
  get addresses(): Readonly<Record<string, Address>> {
    const addresses: Record<string, Address> = {};
    for (const { protocol, address } of this.listeners) addresses[protocol] ??= address;
    return addresses;
  }

  /** Where everything is stored. */
  get dataDirectory(): string {
    return this.directory;
  }

  /**
   * Accepts no more connections, lets running commands finish, makes everything durable, and closes. Idempotent; rejects
   * when something did not close cleanly.
   */
  stop(): Promise<void> {
    if (!this.stopping) {
      this.stopping = true;
      this.logger.info({}, 'stopping');
      this.closers.close().then(this.settleStopped.resolve, this.settleStopped.reject);
    }
    return this.stopped;
  }

  // --- opening --------------------------------------------------------------------------------------------------------

  private async openAll(freePorts: boolean): Promise<void> {
    const { configuration, logger, closers } = this;
    const planned = plannedListeners(configuration, freePorts);
    const tls = readTls(configuration);
    const options = planned.map((listener) => listenerOptions(listener, configuration, tls, logger));
    await tryPorts(planned, logger);
    if (configuration.ephemeral) await this.makeTemporaryDirectory();
    const metrics = new Metrics({ version });
    closers.add(() => metrics.close());
    const engine = await this.openEngine(metrics);
    const users = await this.openUsers(engine);
    this.checkBinds(planned, users);
    const context = new ServerContext(
      configuration,
      engine,
      users,
      logger,
      () => void this.stop(),
      (protocol) => this.addresses[protocol],
    );
    closers.add(() => context.close());
    const opened = await this.openProtocols(planned, context, metrics);
    const listening: { stop(): Promise<void> }[] = [];
    closers.add(async () => {
      await Promise.all(listening.map((listener) => listener.stop()));
    });
    for (const [i, listener] of planned.entries()) {
      const { protocol } = opened.get(listener.name) ?? {};
      const listenOn = options[i];
      if (protocol === undefined || listenOn === undefined)
        listening.push(await this.openMetrics(listener, metrics, engine));
      else {
        const socket = await naming(listener, () => openListener(protocol, listenOn));
        metrics.watchListener(socket);
        this.served(listener.name, socket.address, socket.secure);
        listening.push(socket);
      }
    }
    if (configuration.engine.kind === 'embedded') {
      const admin = await openAdminSocket({ directory: this.directory, engine, logger });
      closers.add(() => admin.stop());
    }
    await this.announce();
  }

  private async makeTemporaryDirectory(): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'rosetta-'));
    this.directory = directory;
    this.closers.add(() => rm(directory, { recursive: true, force: true }));
  }

  private async openEngine(metrics: Metrics): Promise<Engine> {
    const engine = await openStorage(this.configuration, this.directory);
    this.closers.add(() => engine.close());
    metrics.watchEngine(engine);
    return engine;
  }

  private async openUsers(engine: Engine): Promise<Users> {
    const users = await Users.open(engine, this.logger);
    this.closers.add(() => users.close());
    const { password } = this.configuration;
    if (password !== undefined && (!users.loginRequired || !users.verifyPassword('default', password))) {
      await users.setPassword('default', password);
      await engine.settled('always');
    }
    return users;
  }

  private checkBinds(planned: readonly PlannedListener[], users: Users): void {
    for (const { name, endpoint } of planned) {
      assertBindAllowed({
        protocol: name,
        host: endpoint.kind === 'tcp' ? endpoint.host : undefined,
        hasPassword: users.loginRequired,
        consent: this.configuration.allowOpenBind,
      });
    }
  }

  /** Every protocol that has a listener, by name. */
  private async openProtocols(
    planned: readonly PlannedListener[],
    context: ServerContext,
    metrics: Metrics,
  ): Promise<Map<string, OpenedProtocol>> {
    const opened = new Map<string, OpenedProtocol>();
    for (const [name, entry] of Object.entries(protocols)) {
      if (!planned.some((listener) => listener.name === name)) continue;
      const protocol = await entry.open(context);
      this.closers.add(() => protocol.protocol.close());
      // One that is still loading must not be closed because the next one fails.
      await protocol.ready;
      opened.set(name, protocol);
      if (protocol.commands !== undefined) metrics.watchCommands(name, protocol.commands);
    }
    return opened;
  }

  private async openMetrics(
    listener: PlannedListener,
    metrics: Metrics,
    engine: Engine,
  ): Promise<{ stop(): Promise<void> }> {
    const { endpoint } = listener;
    if (endpoint.kind !== 'tcp') throw new Error('the metrics endpoint is a TCP port');
    const health = (): { problems: string[] } => {
      const { refusing } = engine.statistics();
      return { problems: refusing === undefined ? [] : [refusing] };
    };
    const { host, port } = endpoint;
    const { logger } = this;
    const opened = await naming(listener, () => openMetricsListener({ host, port, metrics, health, logger }));
    this.served(metricsName, opened.address, false);
    return opened;
  }

  private served(protocol: string, at: ListenerAddress, tls: boolean): void {
    const address = new Address(at, tls);
    const connectWith = protocols[protocol]?.connectWith(address) ?? `curl http://${address.toString()}/metrics`;
    this.listeners.push({ protocol, address, connectWith });
    this.logger.info({ protocol, address: address.toString(), tls }, 'listening');
  }

  /** Writes the ready file, whole or not at all. */
  private async announce(): Promise<void> {
    const { readyFile } = this.configuration;
    if (readyFile === undefined) return;
    const ready = {
      version,
      pid: process.pid,
      dataDirectory: this.directory,
      listeners: this.addresses,
      all: this.listeners.map(({ protocol, address }) => ({ protocol, ...address })),
    };
    const temporary = `${readyFile}.${process.pid}.tmp`;
    await writeFile(temporary, `${JSON.stringify(ready, null, 2)}\n`, { flush: true });
    await rename(temporary, readyFile);
    this.closers.add(() => rm(readyFile, { force: true }));
  }
}
