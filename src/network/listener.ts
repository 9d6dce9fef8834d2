/**
 * Accepts connections for one protocol, and is the only place that touches their sockets.
 *
 * All plain connections read into one shared buffer (`onread`), so that a read allocates and queues nothing. What handlers
 * write is collected and leaves once an event-loop turn, after the protocol's `settle` has answered for everything that
 * ran in it: one log write and one system call a connection, however many requests came in.
 */
import { chmodSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import type { Connection, ConnectionHandler, ConnectionLimits, Protocol } from './connection.js';

/** Bytes all connections read into. */
const readBufferBytes = 64 * 1024;
/** A client whose unread output exceeds this is not read from until it has caught up. */
const pauseUnsentBytes = 1024 * 1024;
/** How often idle connections are looked for. */
const idleCheckMs = 1000;
/** How long `stop` lets connections finish sending. */
const stopGraceMs = 3000;
const backlog = 511;

export interface NetworkLogger {
  debug(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface TlsOptions {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  readonly ca?: string | Buffer;
  /** Refuse clients without a certificate that `ca` has signed. */
  readonly requestClientCertificate?: boolean;
}

export interface ListenerOptions {
  readonly host?: string;
  /** 0: a free port. */
  readonly port?: number;
  /** A unix socket instead of host and port. */
  readonly path?: string;
  readonly pathMode?: number;
  readonly tls?: TlsOptions;
  readonly limits: ConnectionLimits;
  readonly logger: NetworkLogger;
}

export interface ListenerAddress {
  readonly host: string;
  readonly port: number;
  readonly path?: string;
}

export interface ListenerFigures {
  accepted: number;
  rejected: number;
  bytesIn: number;
  bytesOut: number;
  /** Clients disconnected because they did not read. */
  tooSlow: number;
  idleClosed: number;
}

export interface Listener {
  readonly protocol: Protocol;
  readonly address: ListenerAddress;
  readonly connections: number;
  readonly figures: ListenerFigures;
  /** May be changed while the listener runs. */
  limits: ConnectionLimits;
  /** Accepts nobody new, sends what is queued, closes all connections. */
  stop(): Promise<void>;
}

let lastConnectionId = 0;

class SocketConnection implements Connection {
  readonly id = ++lastConnectionId;
  readonly protocol: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly openedAtMs = Date.now();
  handler: ConnectionHandler | undefined;
  lastInputMs = this.openedAtMs;
  closed = false;
  private pending: Buffer | undefined;
  private more: Buffer[] | undefined;
  private pendingBytes = 0;
  private queued = false;
  private ending = false;
  private pausedByHandler = false;
  private pausedByOutput = false;

  constructor(
    private readonly owner: OpenListener,
    readonly socket: net.Socket,
    readonly secure: boolean,
  ) {
    this.protocol = owner.protocol.name;
    this.remoteAddress = plainAddress(socket.remoteAddress);
    this.remotePort = socket.remotePort ?? 0;
    this.localAddress = owner.options.path ?? plainAddress(socket.localAddress);
    this.localPort = socket.localPort ?? 0;
    socket.on('error', () => this.destroy());
    socket.on('end', () => this.end());
    socket.on('close', () => this.gone());
    socket.on('drain', () => this.drained());
  }

  get unsentBytes(): number {
    return this.pendingBytes + this.socket.writableLength;
  }

  received(bytes: Buffer, length: number): void {
    this.owner.figures.bytesIn += length;
    this.lastInputMs = this.owner.clockMs;
    if (this.closed || this.ending) return;
    try {
      this.handler?.onBytes(bytes, length);
    } catch (err) {
      this.owner.options.logger.error({ err, protocol: this.protocol }, 'a connection failed unexpectedly');
      this.destroy();
    }
  }

  write(bytes: Buffer): void {
    if (this.closed || this.ending || bytes.length === 0) return;
    if (this.pending === undefined) this.pending = bytes;
    else if (this.more === undefined) this.more = [bytes];
    else this.more.push(bytes);
    this.pendingBytes += bytes.length;
    if (!this.queued) {
      this.queued = true;
      this.owner.enqueue(this);
    }
  }

  /** Hands everything written to the operating system. */
  flush(): void {
    this.queued = false;
    const { pending } = this;
    if (pending === undefined || this.closed) return;
    const bytes = this.more === undefined ? pending : Buffer.concat([pending, ...this.more]);
    this.pending = undefined;
    this.more = undefined;
    this.pendingBytes = 0;
    this.owner.figures.bytesOut += bytes.length;
    const flushed = this.socket.write(bytes);
    if (this.ending) this.socket.end();
    else if (!flushed) this.fallingBehind();
  }

  pause(): void {
    this.pausedByHandler = true;
    this.socket.pause();
  }

  resume(): void {
    this.pausedByHandler = false;
    if (!this.pausedByOutput) this.socket.resume();
  }

  end(): void {
    if (this.closed || this.ending) return;
    this.ending = true;
    if (!this.queued) this.socket.end();
  }

  destroy(): void {
    if (this.closed) return;
    this.socket.destroy();
    this.gone();
  }

  private fallingBehind(): void {
    const unsent = this.socket.writableLength;
    if (unsent > this.owner.limits.unsentBytesMax) {
      this.owner.figures.tooSlow++;
      this.owner.options.logger.warn(
        { protocol: this.protocol, unsent },
        'a client that does not read was disconnected',
      );
      this.destroy();
    } else if (unsent > pauseUnsentBytes && !this.pausedByOutput) {
      this.pausedByOutput = true;
      this.socket.pause();
    }
  }

  private drained(): void {
    if (this.pausedByOutput) {
      this.pausedByOutput = false;
      if (!this.pausedByHandler) this.socket.resume();
    }
    this.handler?.onDrain?.();
  }

  private gone(): void {
    if (this.closed) return;
    this.closed = true;
    this.pending = undefined;
    this.more = undefined;
    this.pendingBytes = 0;
    this.owner.forget(this);
    this.handler?.onClose();
  }
}

/** IPv4 addresses as such on a socket that serves both families. */
function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

class OpenListener implements Listener {
  readonly figures: ListenerFigures = { accepted: 0, rejected: 0, bytesIn: 0, bytesOut: 0, tooSlow: 0, idleClosed: 0 };
  limits: ConnectionLimits;
  clockMs = Date.now();
  private readonly open = new Set<SocketConnection>();
  private readonly readBuffer = Buffer.allocUnsafeSlow(readBufferBytes);
  private readonly server: net.Server;
  private queue: SocketConnection[] = [];
  private scheduled = false;
  /** The flush before, while it waits for its log write: the next one goes after it. */
  private waiting: Promise<void> | undefined;
  private idleTimer: NodeJS.Timeout | undefined;
  private stopping = false;

  constructor(
    readonly protocol: Protocol,
    readonly options: ListenerOptions,
  ) {
    this.limits = options.limits;
    this.server =
      options.tls === undefined
        ? net.createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true }, (socket) => this.accept(socket))
        : tls.createServer(
            {
              key: options.tls.key,
              cert: options.tls.cert,
              ...(options.tls.ca === undefined ? {} : { ca: options.tls.ca }),
              requestCert: options.tls.requestClientCertificate === true,
              rejectUnauthorized: options.tls.requestClientCertificate === true,
              noDelay: true,
              keepAlive: true,
            },
            (socket) => this.adopt(socket, true),
          );
    if (options.tls !== undefined) {
      this.server.on('tlsClientError', (err: Error) => {
        options.logger.debug({ err, protocol: protocol.name }, 'a TLS handshake failed');
      });
    }
  }

  get connections(): number {
    return this.open.size;
  }

  get address(): ListenerAddress {
    const address = this.server.address();
    if (address === null || typeof address === 'string') {
      return { host: '', port: 0, ...(this.options.path === undefined ? {} : { path: this.options.path }) };
    }
    return { host: address.address, port: address.port };
  }

  async listen(): Promise<void> {
    const { host, port, path } = this.options;
    if (path !== undefined) {
      try {
        unlinkSync(path);
      } catch {
        // Not there: nothing to replace.
      }
    }
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      const listening = (): void => {
        this.server.removeListener('error', reject);
        this.server.on('error', (err) => this.options.logger.error({ err }, 'a listener failed'));
        resolve();
      };
      if (path !== undefined) this.server.listen({ path, backlog }, listening);
      else this.server.listen({ host: host ?? '127.0.0.1', port: port ?? 0, backlog }, listening);
    });
    if (path !== undefined && this.options.pathMode !== undefined) chmodSync(path, this.options.pathMode);
    this.idleTimer = setInterval(() => this.closeIdle(), idleCheckMs);
    this.idleTimer.unref();
  }

  enqueue(connection: SocketConnection): void {
    this.queue.push(connection);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.flush());
  }

  forget(connection: SocketConnection): void {
    this.open.delete(connection);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.idleTimer);
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.flush();
    await this.waiting;
    for (const connection of [...this.open]) connection.end();
    const force = setTimeout(() => {
      for (const connection of [...this.open]) connection.destroy();
    }, stopGraceMs);
    // A client that keeps its half of the connection open would hold us up: what was sent has left by now.
    setImmediate(() => {
      for (const connection of [...this.open]) if (connection.unsentBytes === 0) connection.socket.destroySoon();
    });
    await closed;
    clearTimeout(force);
  }

  private accept(raw: net.Socket): void {
    // The accepted handle moves into a socket that reads into the shared buffer; the socket it came in is left empty.
    const holder = raw as unknown as { _handle: unknown };
    const handle = holder._handle;
    if (handle === null || handle === undefined) {
      raw.destroy();
      return;
    }
    holder._handle = null;
    let connection: SocketConnection | undefined;
    const socket = new net.Socket({
      handle,
      allowHalfOpen: false,
      onread: {
        buffer: this.readBuffer,
        callback: (length: number, buffer: Uint8Array) => {
          connection?.received(buffer as Buffer, length);
          return true;
        },
      },
    } as unknown as net.SocketConstructorOpts);
    connection = this.adopt(socket, false);
    if (connection !== undefined) socket.read(0);
  }

  private adopt(socket: net.Socket, secure: boolean): SocketConnection | undefined {
    if (this.open.size >= this.limits.connectionsMax || this.stopping) {
      this.figures.rejected++;
      socket.on('error', () => {});
      if (this.protocol.refusal === undefined) socket.destroy();
      else socket.end(this.protocol.refusal, () => socket.destroySoon());
      return undefined;
    }
    this.figures.accepted++;
    const connection = new SocketConnection(this, socket, secure);
    this.open.add(connection);
    connection.handler = this.protocol.open(connection);
    if (secure) socket.on('data', (bytes: Buffer) => connection.received(bytes, bytes.length));
    return connection;
  }

  private flush(): void {
    this.scheduled = false;
    this.clockMs = Date.now();
    const { queue } = this;
    if (queue.length === 0) return;
    this.queue = [];
    let settled: Promise<void> | undefined;
    try {
      settled = this.protocol.settle();
    } catch (err) {
      this.lost(queue, err);
      return;
    }
    if (settled === undefined && this.waiting === undefined) {
      for (const connection of queue) connection.flush();
      return;
    }
    const before = this.waiting;
    const now = (async () => {
      try {
        await before;
        await settled;
        for (const connection of queue) connection.flush();
      } catch (err) {
        this.lost(queue, err);
      }
    })();
    this.waiting = now;
    void now.then(() => {
      if (this.waiting === now) this.waiting = undefined;
    });
  }

  /** The log write failed: nobody knows whether what these clients asked for is safe, so they get no answer. */
  private lost(queue: readonly SocketConnection[], err: unknown): void {
    this.options.logger.error({ err, protocol: this.protocol.name }, 'replies were dropped: their writes are not safe');
    for (const connection of queue) connection.destroy();
  }

  private closeIdle(): void {
    const { idleMsMax } = this.limits;
    this.clockMs = Date.now();
    if (idleMsMax === 0) return;
    for (const connection of [...this.open]) {
      if (this.clockMs - connection.lastInputMs > idleMsMax && connection.handler?.idleExempt !== true) {
        this.figures.idleClosed++;
        connection.destroy();
      }
    }
  }
}

/** Opens a listener; the promise rejects with an error that names the protocol and the address when it cannot. */
export async function openListener(protocol: Protocol, options: ListenerOptions): Promise<Listener> {
  const listener = new OpenListener(protocol, options);
  try {
    await listener.listen();
  } catch (cause) {
    const where = options.path ?? `${options.host ?? '127.0.0.1'}:${options.port ?? 0}`;
    const code = (cause as NodeJS.ErrnoException).code;
    const why = code === 'EADDRINUSE' ? 'the address is in use' : (cause as Error).message;
    throw new Error(`${protocol.name} cannot listen on ${where}: ${why}`, { cause });
  }
  return listener;
}
