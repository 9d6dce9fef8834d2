/**
 * Listeners: a socket that accepts clients for one protocol.
 *
 * All plain connections read into one shared buffer: the accepted handle is wrapped again in a socket with `onread`, so
 * that nothing is allocated or queued per read. TLS connections are ordinary streams. Replies leave once an event-loop
 * turn (`outbox.ts`), past the stream's machinery where that is possible (`socket-writer.ts`).
 */

import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type OnReadOpts, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Logger } from '../observability/logger.js';
import type { ConnectionLimits, Protocol } from './connection.js';
import { Outbox } from './outbox.js';
import {
  type ConnectionOwner,
  type Endpoints,
  type ListenerStatistics,
  SocketConnection,
} from './socket-connection.js';

/** One read takes at most this much; the buffer is shared by all connections of the process. */
const sharedInputBytes = 64 * 1024;
/** Connections the operating system keeps until they are accepted; it may allow fewer. */
const backlogMax = 511;
/** Idle time of a TCP connection before the operating system asks whether the peer is alive. */
const keepAliveMs = 300_000;
/** The same for a TLS handshake, from accepting to its end. */
const handshakeMsMax = 10_000;
/** TLS handshakes under way, beyond `connectionsMax`; more are closed at once. */
const handshakesMax = 1_000;
/** How long a closed connection waits for the peer to close its side, so that last replies are not lost in a reset. */
const lingerMsMax = 1_000;
/** How long `stop` waits for clients to take what is queued. */
const stopGraceMs = 2_000;
/** How often idle connections are looked for, at least and at most. */
const sweepMsMin = 20;
const sweepMsMax = 1_000;

const sharedInput = Buffer.allocUnsafeSlow(sharedInputBytes);

export interface TlsSettings {
  /** PEM. */
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  /** Who may sign clients' certificates; without it, the well-known authorities. */
  readonly ca?: string | Buffer;
  /** A client without a valid certificate is refused. */
  readonly requestClientCertificate?: boolean;
}

export type ListenAddress =
  /** `port` 0: a free one. */
  | { readonly host: string; readonly port: number; readonly path?: undefined; readonly pathMode?: undefined }
  /** A unix socket, with its permissions (0o700, say) instead of what the umask leaves. */
  | { readonly path: string; readonly pathMode?: number; readonly host?: undefined; readonly port?: undefined };

export type ListenerOptions = ListenAddress & {
  readonly tls?: TlsSettings;
  readonly limits: ConnectionLimits;
  readonly logger: Logger;
  /** Keeps to Node's public stream interface: slower, and independent of Node's internals. */
  readonly publicStreamsOnly?: boolean;
};

/** Where a listener accepts connections: a unix socket has an empty host, port 0 and a path. */
export interface ListenerAddress {
  readonly host: string;
  readonly port: number;
  readonly path?: string;
}

export interface Listener {
  readonly protocol: string;
  readonly address: ListenerAddress;
  readonly secure: boolean;
  /** Open connections. */
  readonly connections: number;
  /** May be changed at any time; what is open already stays open. */
  limits: { -readonly [Limit in keyof ConnectionLimits]: ConnectionLimits[Limit] };
  readonly statistics: Readonly<ListenerStatistics>;
  /**
   * Stops accepting, lets queued replies leave, and closes all connections, with force after a time of grace. Resolves
   * when all have gone.
   */
  stop(): Promise<void>;
}

/** `code` is the operating system's, such as EADDRINUSE. */
export class ListenError extends Error {
  constructor(
    message: string,
    readonly code: string,
    options: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Accepts clients for `protocol`; throws {@link ListenError} when the address cannot be had. */
export async function openListener(protocol: Protocol, options: ListenerOptions): Promise<Listener> {
  const listener = new SocketListener(protocol, options);
  await listener.open();
  return listener;
}

/** One outbox for all listeners of a protocol: it is asked to settle once a turn. */
const outboxes = new WeakMap<Protocol, Outbox>();

function outboxOf(protocol: Protocol, logger: Logger): Outbox {
  let outbox = outboxes.get(protocol);
  if (outbox === undefined) {
    outbox = new Outbox(protocol, (thrown, connections) => {
      logger.error(
        { err: thrown, protocol: protocol.name, connections },
        'commits did not settle; the connections that wait for them are closed, their outcome is unknown',
      );
    });
    outboxes.set(protocol, outbox);
  }
  return outbox;
}

class SocketListener implements Listener, ConnectionOwner {
  readonly protocol: string;
  readonly secure: boolean;
  limits: { -readonly [Limit in keyof ConnectionLimits]: ConnectionLimits[Limit] };
  readonly logger: Logger;
  readonly outbox: Outbox;
  readonly statistics: ListenerStatistics = {
    accepted: 0,
    refused: 0,
    closedIdle: 0,
    closedSlow: 0,
    closedUnsettled: 0,
    defects: 0,
    socketErrors: 0,
    bytesRead: 0,
    bytesWritten: 0,
  };
  address: ListenerAddress;
  private readonly server: Server;
  private readonly openConnections = new Set<SocketConnection>();
  /** Sockets that are closed for the protocol and wait for their peer, with the time they will be cut off. */
  private readonly lingering = new Map<Socket, number>();
  private sweepTimer: NodeJS.Timeout | undefined;
  private stopping: Promise<void> | undefined;
  private onEmpty: (() => void) | undefined;

  constructor(
    private readonly served: Protocol,
    private readonly options: ListenerOptions,
  ) {
    this.protocol = served.name;
    this.secure = options.tls !== undefined;
    this.limits = { ...options.limits };
    this.logger = options.logger;
    this.outbox = outboxOf(served, options.logger);
    this.address = { host: options.host ?? '', port: options.port ?? 0, path: options.path };
    this.server = this.createServer();
  }

  get connections(): number {
    return this.openConnections.size;
  }

  // --- opening ----------------------------------------------------------------------------------------------------

  async open(): Promise<void> {
    try {
      await this.listen();
    } catch (thrown) {
      const error = thrown as NodeJS.ErrnoException;
      if (error.code !== 'EADDRINUSE' || !(await this.removeStaleSocket())) throw this.listenError(error);
      await this.listen().catch((again: NodeJS.ErrnoException) => {
        throw this.listenError(again);
      });
    }
    if (this.options.path !== undefined && this.options.pathMode !== undefined) {
      chmodSync(this.options.path, this.options.pathMode);
    }
    this.server.on('error', (error) => this.logger.error({ err: error, protocol: this.protocol }, 'a listener failed'));
    const bound = this.server.address();
    if (typeof bound === 'object' && bound !== null) this.address = { host: bound.address, port: bound.port };
    this.scheduleSweep();
  }

  private listen(): Promise<void> {
    const { server, options } = this;
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => reject(error);
      server.once('error', failed);
      const listening = (): void => {
        server.off('error', failed);
        resolve();
      };
      if (options.path !== undefined) server.listen({ path: options.path, backlog: backlogMax }, listening);
      else server.listen({ host: options.host, port: options.port, backlog: backlogMax }, listening);
    });
  }

  /** A killed process leaves its unix socket behind, and nobody answers there. */
  private async removeStaleSocket(): Promise<boolean> {
    const { path } = this.options;
    if (path === undefined || !lstatSync(path).isSocket()) return false;
    const stale = await new Promise<boolean>((resolve) => {
      const probe = connect(path);
      probe.once('connect', () => {
        probe.destroy();
        resolve(false);
      });
      probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
    });
    if (stale) rmSync(path, { force: true });
    return stale;
  }

  private listenError(error: NodeJS.ErrnoException): ListenError {
    const code = error.code ?? 'UNKNOWN';
    const reason = listenReasons[code] ?? error.message;
    return new ListenError(
      `${this.protocol} cannot listen on ${addressText(this.address)}: ${reason} (${code})`,
      code,
      {
        cause: error,
      },
    );
  }

  private createServer(): Server {
    const { tls } = this.options;
    const shared = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs };
    if (tls === undefined) {
      return createServer({ ...shared, pauseOnConnect: true }, (raw) => this.acceptPlain(raw));
    }
    const requestCert = tls.requestClientCertificate === true;
    const server = createTlsServer(
      {
        ...shared,
        key: tls.key,
        cert: tls.cert,
        ca: tls.ca,
        requestCert,
        rejectUnauthorized: requestCert,
        handshakeTimeout: handshakeMsMax,
      },
      (socket) => this.acceptStream(socket),
    );
    server.on('tlsClientError', (error, socket) => {
      this.statistics.socketErrors++;
      this.logger.debug(
        { err: error, protocol: this.protocol, remoteAddress: socket.remoteAddress },
        'a TLS handshake failed',
      );
    });
    server.on('drop', () => this.statistics.refused++);
    return server;
  }

  // --- accepting --------------------------------------------------------------------------------------------------

  private acceptPlain(raw: Socket): void {
    if (this.refuses(raw)) return;
    const handle = this.options.publicStreamsOnly === true ? undefined : takeHandle(raw);
    if (handle === undefined) {
      this.acceptStream(raw);
      return;
    }
    let connection: SocketConnection | undefined;
    const socketOptions: SocketConstructorOpts & { handle: unknown; onread: OnReadOpts } = {
      handle,
      allowHalfOpen: true,
      onread: {
        buffer: sharedInput,
        callback: (length) => connection?.receive(sharedInput, length) ?? true,
      },
    };
    const socket = new Socket(socketOptions);
    connection = this.connect(socket, handle);
    this.greet(connection);
  }

  private acceptStream(socket: Socket): void {
    if (this.secure && this.refuses(socket)) return;
    const connection = this.connect(socket, undefined);
    socket.on('data', (bytes: Buffer) => {
      connection.receive(bytes, bytes.length);
    });
    this.greet(connection);
    socket.resume();
  }

  private refuses(socket: Socket): boolean {
    if (this.secure) this.server.maxConnections = this.limits.connectionsMax + handshakesMax;
    if (this.stopping === undefined && this.openConnections.size < this.limits.connectionsMax) return false;
    this.statistics.refused++;
    socket.on('error', () => {});
    if (this.served.refusal === undefined || this.lingering.size >= this.limits.connectionsMax) {
      socket.destroy();
      return true;
    }
    this.linger(socket);
    socket.end(this.served.refusal);
    socket.resume();
    return true;
  }

  private connect(socket: Socket, handle: unknown): SocketConnection {
    return new SocketConnection(this, this.protocol, socket, handle, this.endpointsOf(socket), this.secure);
  }

  private endpointsOf(socket: Socket): Endpoints {
    const { path } = this.options;
    if (path !== undefined) return { remoteAddress: path, remotePort: 0, localAddress: path, localPort: 0 };
    return {
      remoteAddress: unmapped(socket.remoteAddress),
      remotePort: socket.remotePort ?? 0,
      localAddress: unmapped(socket.localAddress),
      localPort: socket.localPort ?? 0,
    };
  }

  private greet(connection: SocketConnection): void {
    this.statistics.accepted++;
    this.openConnections.add(connection);
    try {
      connection.attach(this.served.open(connection));
    } catch (thrown) {
      this.statistics.defects++;
      this.logger.error({ err: thrown, protocol: this.protocol }, 'a protocol could not open a connection');
      connection.destroy();
    }
  }

  // --- closing ----------------------------------------------------------------------------------------------------

  gone(connection: SocketConnection): void {
    this.openConnections.delete(connection);
    if (!connection.socket.destroyed) this.linger(connection.socket);
    this.tellEmpty();
  }

  private linger(socket: Socket): void {
    this.lingering.set(socket, Date.now() + lingerMsMax);
    socket.once('close', () => {
      this.lingering.delete(socket);
      this.tellEmpty();
    });
  }

  private tellEmpty(): void {
    if (this.openConnections.size === 0 && this.lingering.size === 0) this.onEmpty?.();
  }

  /** One timer for all connections. */
  private scheduleSweep(): void {
    const { idleMsMax } = this.limits;
    const interval = idleMsMax === 0 ? sweepMsMax : Math.min(sweepMsMax, Math.max(sweepMsMin, idleMsMax / 4));
    this.sweepTimer = setTimeout(() => {
      this.sweep();
      this.scheduleSweep();
    }, interval);
    this.sweepTimer.unref();
  }

  private sweep(): void {
    const nowMs = Date.now();
    this.outbox.nowMs = nowMs;
    for (const [socket, untilMs] of this.lingering) if (nowMs >= untilMs) socket.destroy();
    const { idleMsMax } = this.limits;
    if (idleMsMax === 0) return;
    for (const connection of this.openConnections) {
      if (nowMs - connection.lastActiveMs < idleMsMax || connection.idleExempt) continue;
      this.statistics.closedIdle++;
      this.logger.debug(
        { connection: connection.id, protocol: this.protocol, idleMsMax },
        'an idle connection is closed',
      );
      connection.destroy();
    }
  }

  stop(): Promise<void> {
    this.stopping ??= this.close();
    return this.stopping;
  }

  private async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const grace = new Grace(stopGraceMs);
    await Promise.race([this.outbox.drained(), grace.over]);
    for (const connection of this.openConnections) connection.end();
    if (this.openConnections.size !== 0 || this.lingering.size !== 0) {
      const empty = new Promise<void>((resolve) => {
        this.onEmpty = resolve;
      });
      await Promise.race([empty, grace.over]);
    }
    grace.cancel();
    for (const connection of this.openConnections) connection.destroy();
    for (const socket of this.lingering.keys()) socket.destroy();
    await closed;
    clearTimeout(this.sweepTimer);
  }
}

/** A time that is over once, or cancelled. */
class Grace {
  readonly over: Promise<void>;
  private timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.over = new Promise((resolve) => {
      this.timer = setTimeout(resolve, ms);
    });
  }

  cancel(): void {
    clearTimeout(this.timer);
  }
}

/**
 * Takes the handle out of an accepted socket, which then counts as closed for its server; `undefined` when this version
 * of Node keeps it elsewhere.
 */
function takeHandle(raw: Socket): object | undefined {
  const owner = raw as unknown as { _handle?: unknown };
  const handle = owner._handle;
  if (typeof handle !== 'object' || handle === null) return undefined;
  owner._handle = null;
  raw.destroy();
  return handle;
}

/** An IPv4 peer of a dual-stack listener is shown as IPv4. */
function unmapped(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

const listenReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is already in use',
  EADDRNOTAVAIL: 'this machine does not have the address',
  EACCES: 'permission denied',
  ENOTFOUND: 'the host name is unknown',
};

/** `127.0.0.1:6379`, `[::1]:6379` or a path. */
export function addressText(address: ListenerAddress): string {
  if (address.path !== undefined) return address.path;
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}
