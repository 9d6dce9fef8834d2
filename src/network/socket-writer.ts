/**
 * How a connection's bytes reach the operating system.
 *
 * {@link StreamWriter} uses `socket.write` and works with every socket, TLS included.
 *
 * {@link DirectWriter} calls the socket's handle, as `socket.write` does at its end, and leaves out the stream's state
 * machine (a request object, a callback and a `nextTick` for each write): about 1 µs of 9 for a request and its reply.
 * With 4 µs of work a request and 50 clients that is a sixth more requests a second one at a time, and 3 % with 16
 * pipelined; where the clients are the bottleneck it only saves processor time. What makes it safe:
 *
 * - The handle first tries `write(2)`. When that takes everything, the request object given with the call has not been
 *   touched, so that one serves all writes. Otherwise the handle keeps the request for the rest of the bytes and calls
 *   its `oncomplete` later; whether it did shows in the request's async id. A kept request is never used again, and its
 *   bytes are referenced from here until it completes: the handle does not hold them.
 * - The request's class is private to Node. The first write of the process goes through `socket.write` with an eye on
 *   what that passes to the handle. If anything looks different from what is described here (another version of Node,
 *   another kind of handle), everything stays with {@link StreamWriter}.
 */

import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';

export interface SocketWriter {
  /** Bytes sent and not yet taken by the operating system. */
  readonly waitingBytes: number;
  /**
   * True: all bytes have been taken. False: `onTaken` will say so, unless the socket fails before, and nothing may be
   * sent until then. The bytes belong to the writer.
   */
  send(bytes: Buffer): boolean;
  /** As `send`, for several chunks at once. */
  sendAll(chunks: readonly Buffer[]): boolean;
}

/** The part of a socket's handle in use here (libuv's stream, wrapped by Node). */
export interface StreamHandle {
  readonly writeQueueSize: number;
  /** 0 or a negative error number. */
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  writev(request: WriteRequest, chunks: readonly Buffer[], allBuffers: true): number;
}

/** Node's `WriteWrap`. */
interface WriteRequest {
  /** -1 as long as no handle has taken the request. */
  getAsyncId(): number;
  oncomplete?: (status: number) => void;
}

type WriteRequestClass = new () => WriteRequest;

const notTaken = -1;

/** `undefined`: not learned yet; null: this Node has no request class as described above. */
let requestClass: WriteRequestClass | null | undefined;

/** The request for the next direct write of whatever connection; replaced when a handle has taken it. */
let spareRequest: WriteRequest | undefined;

function nextRequest(learned: WriteRequestClass): WriteRequest {
  spareRequest ??= new learned();
  return spareRequest;
}

/** Watches one `socket.write` on this handle to learn the class of its request. */
function learnRequestClass(handle: StreamHandle): void {
  const watched = (request: WriteRequest, bytes: Buffer): number => {
    forgetWatch(handle);
    requestClass = usableRequestClass(request);
    return handle.writeBuffer(request, bytes);
  };
  Object.defineProperty(handle, 'writeBuffer', { value: watched, configurable: true });
}

function forgetWatch(handle: StreamHandle): void {
  if (Object.hasOwn(handle, 'writeBuffer')) Reflect.deleteProperty(handle, 'writeBuffer');
}

function usableRequestClass(request: WriteRequest): WriteRequestClass | null {
  if (requestClass !== undefined) return requestClass;
  try {
    const candidate = request.constructor as WriteRequestClass;
    if (candidate.name !== 'WriteWrap') return null;
    return new candidate().getAsyncId() === notTaken ? candidate : null;
  } catch {
    return null;
  }
}

function isStreamHandle(handle: unknown): handle is StreamHandle {
  if (typeof handle !== 'object' || handle === null) return false;
  const { writeBuffer, writev, writeQueueSize } = handle as Partial<StreamHandle>;
  return typeof writeBuffer === 'function' && typeof writev === 'function' && typeof writeQueueSize === 'number';
}

/** The cheapest writer that works for `socket`, whose `handle` is a plain TCP or unix socket's, or unknown. */
export function openWriter(socket: Socket, handle: unknown, onTaken: () => void): SocketWriter {
  if (requestClass === null || !isStreamHandle(handle)) return new StreamWriter(socket, onTaken);
  return new DirectWriter(socket, handle, onTaken);
}

/** Whether direct writes are in use; `undefined` until something has been written to a plain socket. */
export function directWrites(): boolean | undefined {
  return requestClass === undefined ? undefined : requestClass !== null;
}

export class StreamWriter implements SocketWriter {
  constructor(
    private readonly socket: Socket,
    private readonly onTaken: () => void,
  ) {}

  get waitingBytes(): number {
    return this.socket.writableLength;
  }

  send(bytes: Buffer): boolean {
    this.socket.write(bytes, this.completed);
    return false;
  }

  sendAll(chunks: readonly Buffer[]): boolean {
    const { socket } = this;
    socket.cork();
    chunks.forEach((chunk, i) => {
      if (i === chunks.length - 1) socket.write(chunk, this.completed);
      else socket.write(chunk);
    });
    socket.uncork();
    return false;
  }

  private readonly completed = (error?: Error | null): void => {
    if (error === undefined || error === null) this.onTaken();
  };
}

export class DirectWriter implements SocketWriter {
  /** What the handle is working on: referenced here so that it is not collected. */
  private inFlight: Buffer | readonly Buffer[] | undefined;
  private beforeLearning: StreamWriter | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly handle: StreamHandle,
    private readonly onTaken: () => void,
  ) {}

  get waitingBytes(): number {
    if (this.inFlight !== undefined) return this.socket.destroyed ? 0 : this.handle.writeQueueSize;
    return this.beforeLearning?.waitingBytes ?? 0;
  }

  send(bytes: Buffer): boolean {
    if (!requestClass || this.socket.writableLength !== 0) return this.sendByStream([bytes]);
    if (this.socket.destroyed) return false;
    const request = nextRequest(requestClass);
    return this.dispatched(this.handle.writeBuffer(request, bytes), request, bytes);
  }

  sendAll(chunks: readonly Buffer[]): boolean {
    if (!requestClass || this.socket.writableLength !== 0) return this.sendByStream(chunks);
    if (this.socket.destroyed) return false;
    const request = nextRequest(requestClass);
    return this.dispatched(this.handle.writev(request, chunks, true), request, chunks);
  }

  private dispatched(status: number, request: WriteRequest, bytes: Buffer | readonly Buffer[]): boolean {
    if (request.getAsyncId() === notTaken) {
      if (status === 0) return true;
      this.failed(status);
      return false;
    }
    spareRequest = undefined;
    this.inFlight = bytes;
    request.oncomplete = this.completed;
    if (status !== 0) this.failed(status);
    return false;
  }

  private readonly completed = (status: number): void => {
    this.inFlight = undefined;
    if (this.socket.destroyed) return;
    if (status === 0) this.onTaken();
    else this.failed(status);
  };

  private failed(status: number): void {
    const code = getSystemErrorName(status);
    const error: NodeJS.ErrnoException = new Error(`write ${code}`);
    error.code = code;
    error.syscall = 'write';
    this.socket.destroy(error);
  }

  private sendByStream(chunks: readonly Buffer[]): boolean {
    this.beforeLearning ??= new StreamWriter(this.socket, this.onTaken);
    const [only] = chunks;
    if (chunks.length !== 1 || only === undefined) return this.beforeLearning.sendAll(chunks);
    if (requestClass === undefined) learnRequestClass(this.handle);
    const taken = this.beforeLearning.send(only);
    forgetWatch(this.handle);
    return taken;
  }
}
