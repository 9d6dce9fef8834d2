/** One accepted client: what its protocol sees ({@link Connection}), on top of a socket. */

import type { Socket } from 'node:net';
import type { Logger } from '../observability/logger.js';
import type { Connection, ConnectionHandler, ConnectionLimits } from './connection.js';
import type { Outbox, Recipient } from './outbox.js';
import { openWriter, type SocketWriter, StreamWriter } from './socket-writer.js';

/** Chunks of one connection up to this size together are copied into one: cheaper than a vectored write. */
const coalescedBytesMax = 16 * 1024;

/**
 * The share of `unsentBytesMax` a client may leave unread before the server stops reading from it. Not a fixed small
 * number: clients that send a long pipeline before they read the first reply would wait for the server for ever.
 */
const unsentShareToPause = 0.5;

let lastId = 0;

/** Counted over the life of a listener. */
export interface ListenerStatistics {
  accepted: number;
  /** Over `connectionsMax`. */
  refused: number;
  closedIdle: number;
  /** Over `unsentBytesMax`. */
  closedSlow: number;
  /** Replies that could not leave because their commits failed to settle. */
  closedUnsettled: number;
  /** Errors thrown by the protocol's handler. */
  defects: number;
  /** Resets, broken pipes, failed TLS handshakes. */
  socketErrors: number;
  bytesRead: number;
  bytesWritten: number;
}

/** What a connection needs of its listener. */
export interface ConnectionOwner {
  readonly limits: ConnectionLimits;
  readonly statistics: ListenerStatistics;
  readonly logger: Logger;
  readonly outbox: Outbox;
  /** The connection is closed for its protocol; its socket may linger. */
  gone(connection: SocketConnection): void;
}

export interface Endpoints {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

export class SocketConnection implements Connection, Recipient {
  readonly id = ++lastId;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly openedAtMs = Date.now();
  /** When bytes last went in either direction, in the outbox' coarse time. */
  lastActiveMs = this.openedAtMs;
  closed = false;

  private handler: ConnectionHandler | undefined;
  private readonly writer: SocketWriter;
  /** Written in this turn: mostly one chunk. */
  private first: Buffer | undefined;
  private rest: Buffer[] | undefined;
  /** Released while the writer was busy. */
  private queued: Buffer[] = [];
  /** Bytes written and not yet handed to the writer. */
  private heldBytes = 0;
  private sending = false;
  private ending = false;
  private finished = false;
  private pausedByHandler = false;
  private pausedByOutput = false;

  constructor(
    private readonly owner: ConnectionOwner,
    readonly protocol: string,
    readonly socket: Socket,
    /** A plain socket's handle, for direct writes; `undefined`: by stream. */
    handle: unknown,
    endpoints: Endpoints,
    readonly secure: boolean,
  ) {
    this.remoteAddress = endpoints.remoteAddress;
    this.remotePort = endpoints.remotePort;
    this.localAddress = endpoints.localAddress;
    this.localPort = endpoints.localPort;
    const taken = (): void => this.taken();
    this.writer = handle === undefined ? new StreamWriter(socket, taken) : openWriter(socket, handle, taken);
    socket.on('error', (error) => this.socketFailed(error));
    socket.on('end', () => this.peerEnded());
    socket.on('finish', () => this.leave());
    socket.on('close', () => this.leave());
  }

  /** The protocol's part is ready: bytes may come. */
  attach(handler: ConnectionHandler): void {
    this.handler = handler;
  }

  get idleExempt(): boolean {
    return this.handler?.idleExempt === true;
  }

  get unsentBytes(): number {
    return this.heldBytes + (this.sending ? this.writer.waitingBytes : 0);
  }

  // --- from the socket --------------------------------------------------------------------------------------------

  /** Bytes from the client; false when it shall send no more for now. */
  receive(bytes: Buffer, length: number): boolean {
    if (this.closed || this.ending) return true;
    const { owner, handler } = this;
    owner.statistics.bytesRead += length;
    this.lastActiveMs = owner.outbox.nowMs;
    try {
      handler?.onBytes(bytes, length);
    } catch (thrown) {
      this.defect(thrown, 'onBytes');
    }
    return true;
  }

  private socketFailed(error: Error): void {
    this.owner.statistics.socketErrors++;
    this.owner.logger.debug({ err: error, connection: this.id, protocol: this.protocol }, 'a connection failed');
  }

  private peerEnded(): void {
    if (this.closed) return;
    const { handler } = this;
    if (handler?.onEnd === undefined) {
      this.end();
      return;
    }
    try {
      handler.onEnd();
    } catch (thrown) {
      this.defect(thrown, 'onEnd');
    }
  }

  /** Tells the protocol that the connection is gone. The socket itself closes when the peer has closed its side too. */
  private leave(): void {
    if (this.finished) return;
    this.finished = true;
    this.closed = true;
    this.dropOutput();
    this.owner.gone(this);
    try {
      this.handler?.onClose();
    } catch (thrown) {
      this.defect(thrown, 'onClose');
    }
    // Input that nobody reads would turn the close into a reset, which may overtake the last reply.
    if (!this.socket.destroyed) this.socket.resume();
  }

  private defect(thrown: unknown, where: string): void {
    this.owner.statistics.defects++;
    this.owner.logger.error(
      { err: thrown, connection: this.id, protocol: this.protocol, where },
      'a protocol failed unexpectedly; its connection is closed',
    );
    this.destroy();
  }

  // --- to the socket ----------------------------------------------------------------------------------------------

  write(bytes: Buffer): void {
    if (this.ending || this.closed || bytes.length === 0) return;
    this.heldBytes += bytes.length;
    if (this.first === undefined) {
      this.first = bytes;
      this.owner.outbox.add(this);
    } else if (this.rest === undefined) this.rest = [bytes];
    else this.rest.push(bytes);
  }

  release(): void {
    const { first, rest } = this;
    this.first = undefined;
    if (first === undefined) return;
    if (rest === undefined) {
      if (this.sending) this.enqueue([first]);
      else if (this.writer.send(first)) this.sent(first.length);
      else this.startedSending(first.length);
    } else {
      this.rest = undefined;
      this.transmit([first, ...rest]);
    }
  }

  withhold(): Buffer[] {
    const { first, rest } = this;
    this.first = undefined;
    this.rest = undefined;
    if (first === undefined) return [];
    this.stopReadingWhenBehind();
    return rest === undefined ? [first] : [first, ...rest];
  }

  deliver(chunks: Buffer[]): void {
    if (this.closed || chunks.length === 0) return;
    this.transmit(chunks);
  }

  unsettled(): void {
    if (this.closed) return;
    this.owner.statistics.closedUnsettled++;
    this.destroy();
  }

  private transmit(chunks: Buffer[]): void {
    if (this.sending) {
      this.enqueue(chunks);
      return;
    }
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    const [only] = chunks;
    let taken: boolean;
    if (chunks.length === 1 && only !== undefined) taken = this.writer.send(only);
    else if (length <= coalescedBytesMax) taken = this.writer.send(Buffer.concat(chunks, length));
    else taken = this.writer.sendAll(chunks);
    if (taken) this.sent(length);
    else this.startedSending(length);
  }

  /** The client has not read what came before; a single reply may be of any size, a growing heap of them may not. */
  private enqueue(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) this.queued.push(chunk);
    const { limits, statistics, logger } = this.owner;
    const { unsentBytes } = this;
    if (unsentBytes > limits.unsentBytesMax) {
      statistics.closedSlow++;
      logger.warn(
        {
          connection: this.id,
          protocol: this.protocol,
          remoteAddress: this.remoteAddress,
          remotePort: this.remotePort,
          unsentBytes,
          unsentBytesMax: limits.unsentBytesMax,
        },
        'a client does not read its replies fast enough and is disconnected',
      );
      this.destroy();
    } else this.stopReadingWhenBehind();
  }

  private startedSending(length: number): void {
    this.heldBytes -= length;
    this.owner.statistics.bytesWritten += length;
    this.sending = true;
    this.stopReadingWhenBehind();
  }

  /** The operating system has taken everything that the writer had. */
  private taken(): void {
    this.sending = false;
    this.lastActiveMs = this.owner.outbox.nowMs;
    if (this.closed) return;
    if (this.queued.length !== 0) {
      const { queued } = this;
      this.queued = [];
      this.transmit(queued);
    } else this.drained();
  }

  private sent(length: number): void {
    this.heldBytes -= length;
    this.owner.statistics.bytesWritten += length;
    this.lastActiveMs = this.owner.outbox.nowMs;
    this.drained();
  }

  private drained(): void {
    if (this.heldBytes !== 0) return;
    if (this.pausedByOutput) {
      this.pausedByOutput = false;
      this.resumeReading();
    }
    if (this.ending) this.finish();
    else if (this.handler?.onDrain !== undefined) this.tellDrained(this.handler);
  }

  private tellDrained(handler: ConnectionHandler): void {
    try {
      handler.onDrain?.();
    } catch (thrown) {
      this.defect(thrown, 'onDrain');
    }
  }

  private stopReadingWhenBehind(): void {
    if (this.pausedByOutput || this.unsentBytes <= this.owner.limits.unsentBytesMax * unsentShareToPause) return;
    this.pausedByOutput = true;
    this.socket.pause();
  }

  pause(): void {
    if (this.pausedByHandler) return;
    this.pausedByHandler = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.pausedByHandler) return;
    this.pausedByHandler = false;
    this.resumeReading();
  }

  private resumeReading(): void {
    if (!this.pausedByHandler && !this.pausedByOutput && !this.closed) this.socket.resume();
  }

  end(): void {
    if (this.ending || this.closed) return;
    this.ending = true;
    if (this.heldBytes === 0 && !this.sending) this.finish();
  }

  private finish(): void {
    if (!this.closed) this.socket.end();
  }

  destroy(): void {
    this.closed = true;
    this.dropOutput();
    this.socket.destroy();
  }

  private dropOutput(): void {
    this.first = undefined;
    this.rest = undefined;
    this.queued = [];
    this.heldBytes = 0;
  }
}
