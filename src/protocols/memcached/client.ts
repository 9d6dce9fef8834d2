/** A memcached connection: finds out which protocol it speaks, keeps bytes that are not complete, writes replies. */
import type { Awaitable } from '../../engine/engine.js';
import { EngineError } from '../../engine/errors.js';
import type { Database } from '../../models/key-value/database.js';
import { KeyValueError } from '../../models/key-value/errors.js';
import type { Connection, ConnectionHandler } from '../../network/connection.js';
import { BinarySession } from './binary.js';
import type { MemcachedServer } from './server.js';
import { TextSession } from './text.js';

/** A protocol on a connection: takes what is complete from the bytes. */
export interface Session {
  /** Handles one request at `at`; gives where it ends, or -1 when bytes are missing (`wanted` of them in all). */
  handle(bytes: Buffer, at: number, length: number): number;
  /** Bytes from the request's start that must be there before it is worth trying again. */
  readonly wanted: number;
}

const replyBytes = 2048;
const inputBytes = 4096;

export class MemcachedClient implements ConnectionHandler {
  readonly db: Database;
  /** The user that has logged in; `undefined` while nobody has and the server demands it. */
  user: string | undefined;
  readonly openedMs = Date.now();
  private session: Session | undefined;
  private reply = Buffer.allocUnsafe(replyBytes);
  private replyLength = 0;
  private input: Buffer | undefined;
  private inputLength = 0;
  private busy = false;
  private ending = false;

  constructor(
    readonly server: MemcachedServer,
    readonly connection: Connection,
  ) {
    this.db = server.store.database(server.database);
    if (server.logins.open) this.user = '';
  }

  onBytes(bytes: Buffer, length: number): void {
    this.server.statistics.add('bytes_read', length);
    if (this.input === undefined && !this.busy) {
      const at = this.consume(bytes, 0, length);
      if (at < length) this.keep(bytes, at, length);
    } else {
      this.keep(bytes, 0, length);
      this.consumeKept();
    }
    this.flush();
  }

  onClose(): void {
    this.input = undefined;
    this.server.disconnected(this);
  }

  /** Closes when everything written has left. */
  end(): void {
    this.ending = true;
  }

  /**
   * Goes on with the value of a store operation, at once or when it is there; later requests of this connection wait.
   * A failure is answered by `failed` with memcached's text for it.
   */
  after<T>(value: Awaitable<T>, next: (value: T) => void, failed: (text: string) => void): void {
    if (!(value instanceof Promise)) {
      next(value);
      return;
    }
    this.busy = true;
    value
      .then(next, (thrown: unknown) => failed(failureText(thrown)))
      .finally(() => {
        this.busy = false;
        this.consumeKept();
        this.flush();
      });
  }

  /** Runs a body that writes; see {@link after}. */
  write<T>(body: (db: Database) => T, next: (value: T) => void, failed: (text: string) => void): void {
    let result: Awaitable<T>;
    try {
      result = this.server.store.write(this.db, body);
    } catch (thrown) {
      failed(failureText(thrown));
      return;
    }
    this.after(result, next, failed);
  }

  /** Runs a body that reads; see {@link after}. */
  read<T>(body: (db: Database) => T, next: (value: T) => void, failed: (text: string) => void): void {
    let result: Awaitable<T>;
    try {
      result = this.server.store.read(this.db, body);
    } catch (thrown) {
      failed(failureText(thrown));
      return;
    }
    this.after(result, next, failed);
  }

  // --- replies --------------------------------------------------------------------------------------------------------

  get replyMark(): number {
    return this.replyLength;
  }

  rewind(mark: number): void {
    this.replyLength = mark;
  }

  writeText(text: string): void {
    this.reserve(text.length);
    this.replyLength += this.reply.latin1Write(text, this.replyLength);
  }

  writeBytes(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    this.reserve(end - start);
    if (bytes instanceof Buffer) bytes.copy(this.reply, this.replyLength, start, end);
    else this.reply.set(bytes.subarray(start, end), this.replyLength);
    this.replyLength += end - start;
  }

  flush(): void {
    if (this.replyLength > 0) {
      const bytes = Buffer.allocUnsafe(this.replyLength);
      this.reply.copy(bytes, 0, 0, this.replyLength);
      this.replyLength = 0;
      if (this.reply.length > 64 * replyBytes) this.reply = Buffer.allocUnsafe(replyBytes);
      this.server.statistics.add('bytes_written', bytes.length);
      this.connection.write(bytes);
    }
    if (this.ending && !this.busy) this.connection.end();
  }

  private reserve(size: number): void {
    const needed = this.replyLength + size;
    if (needed <= this.reply.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.reply.length));
    this.reply.copy(grown, 0, 0, this.replyLength);
    this.reply = grown;
  }

  // --- input ----------------------------------------------------------------------------------------------------------

  private consume(bytes: Buffer, from: number, length: number): number {
    let at = from;
    while (at < length && !this.busy && !this.ending && !this.connection.closed) {
      this.session ??= bytes[at] === 0x80 ? new BinarySession(this) : new TextSession(this);
      const next = this.session.handle(bytes, at, length);
      if (next < 0) break;
      at = next;
    }
    return at;
  }

  private keep(bytes: Buffer, from: number, length: number): void {
    const added = length - from;
    const needed = this.inputLength + added;
    let { input } = this;
    if (input === undefined || needed > input.length) {
      const wanted = this.session?.wanted ?? 0;
      const grown = Buffer.allocUnsafe(Math.max(inputBytes, needed, wanted, (input?.length ?? 0) * 2));
      input?.copy(grown, 0, 0, this.inputLength);
      input = grown;
      this.input = grown;
    }
    bytes.copy(input, this.inputLength, from, length);
    this.inputLength = needed;
  }

  private consumeKept(): void {
    const { input } = this;
    if (input === undefined || this.busy) return;
    if (this.session !== undefined && this.inputLength < this.session.wanted) return;
    const at = this.consume(input, 0, this.inputLength);
    if (at >= this.inputLength) {
      this.input = undefined;
      this.inputLength = 0;
    } else if (at > 0) {
      input.copyWithin(0, at, this.inputLength);
      this.inputLength -= at;
    }
  }
}

function failureText(thrown: unknown): string {
  if (thrown instanceof KeyValueError && thrown.code === 'out-of-memory') return 'out of memory storing object';
  if (thrown instanceof EngineError && thrown.code === 'STORAGE_FULL') return 'out of memory storing object';
  if (thrown instanceof EngineError) return thrown.message;
  throw thrown;
}
