/**
 * Cursors that are open between a find or aggregate and its last getMore. A cursor belongs to its namespace, user,
 * session and transaction; it ends when it is exhausted, killed, idle for too long, or when its session ends.
 */
import { randomBytes } from 'node:crypto';
import type { DocumentStream } from '../../models/document/cursor.js';
import { failed } from './errors.js';

/** Documents in a first batch whose size is not given. */
export const FIRST_BATCH_DOCUMENTS = 101;
/** Bytes of documents in a batch; one document always fits. */
export const BATCH_BYTES_MAX = 16 * 1024 * 1024;
/** How often idle cursors are looked for, milliseconds. */
const SWEEP_MS = 4_000;

export interface OpenCursor {
  readonly id: bigint;
  readonly namespace: string;
  readonly stream: DocumentStream;
  readonly user: string | undefined;
  readonly session: string | undefined;
  readonly transaction: bigint | undefined;
  readonly noTimeout: boolean;
  /** Waits for more documents when it has none. */
  readonly awaitData: boolean;
  readonly tailable: boolean;
  /** Milliseconds of work left of the maxTimeMS it was opened with. */
  timeLeftMs: number | undefined;
  /** A change stream's position, told with every batch. */
  readonly resumeToken?: () => Buffer;
  /** The command that opened it, for currentOp and explain. */
  readonly originatingCommand: Buffer;
  readonly createdAtMs: number;
  lastUsedMs: number;
  /** The operation that is using it. */
  inUse: boolean;
  /** Ends the use it is in, with error 237. */
  kill: (() => void) | undefined;
  batches: number;
  returned: number;
}

export type NewCursor = Omit<
  OpenCursor,
  'id' | 'createdAtMs' | 'lastUsedMs' | 'inUse' | 'kill' | 'batches' | 'returned'
>;

export class Cursors {
  private readonly open = new Map<bigint, OpenCursor>();
  private readonly sweeper: NodeJS.Timeout;
  timedOut = 0;

  /** `timeoutMs` is asked at every sweep: `cursorTimeoutMillis` may change. */
  constructor(private readonly timeoutMs: () => number) {
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS);
    this.sweeper.unref();
  }

  get size(): number {
    return this.open.size;
  }

  all(): Iterable<OpenCursor> {
    return this.open.values();
  }

  add(cursor: NewCursor): OpenCursor {
    let id: bigint;
    do id = randomBytes(8).readBigUInt64LE(0) >> 1n;
    while (id === 0n || this.open.has(id));
    const now = Date.now();
    const added: OpenCursor = {
      ...cursor,
      id,
      createdAtMs: now,
      lastUsedMs: now,
      inUse: false,
      kill: undefined,
      batches: 1,
      returned: 0,
    };
    this.open.set(id, added);
    return added;
  }

  get(id: bigint): OpenCursor | undefined {
    return this.open.get(id);
  }

  /** Throws 43 for a cursor that is not (or no longer) there. */
  require(id: bigint): OpenCursor {
    const cursor = this.open.get(id);
    if (cursor === undefined) throw failed(43, `cursor id ${id} not found`);
    return cursor;
  }

  /** Removes the cursor; a use that is going on is interrupted. */
  kill(id: bigint): boolean {
    const cursor = this.open.get(id);
    if (cursor === undefined) return false;
    this.open.delete(id);
    if (cursor.inUse) cursor.kill?.();
    else cursor.stream.close();
    return true;
  }

  killWhere(matches: (cursor: OpenCursor) => boolean): number {
    let killed = 0;
    for (const cursor of [...this.open.values()]) if (matches(cursor) && this.kill(cursor.id)) killed++;
    return killed;
  }

  close(): void {
    clearInterval(this.sweeper);
    this.killWhere(() => true);
  }

  private sweep(): void {
    const oldest = Date.now() - this.timeoutMs();
    this.timedOut += this.killWhere(
      (cursor) => !cursor.inUse && !cursor.noTimeout && cursor.session === undefined && cursor.lastUsedMs < oldest,
    );
  }
}
