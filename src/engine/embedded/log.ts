/**
 * The write-ahead log: commits wait in a buffer, a flush writes them as one frame, a sync brings the frames to disk.
 *
 * A commit is accepted only when there is room for it in a segment whose blocks are on disk already, so that a full disk
 * refuses commits before they happen and never strikes afterwards. (File systems that never overwrite in place, such as
 * btrfs or ZFS, cannot promise this; there a flush that finds no room waits, and with it every acknowledgement.)
 */

import type { Key } from '../engine.js';
import { EngineError, StorageFullError, TooLargeError, UnavailableError } from '../errors.js';
import { varintBytesMax, writeBytes, writeKey, writeVarint } from './bytes.js';
import type { LogFile, LogFiles } from './log-files.js';
import {
  encodeSegmentHeader,
  frameHeaderBytes,
  frameKind,
  operation,
  sealFrame,
  segmentHeaderBytes,
  segmentName,
} from './log-format.js';

/** A buffer of this size is flushed without waiting for the end of the turn. */
const bufferBytesMax = 1 << 20;
/** A failed attempt to find room is not repeated sooner. */
const roomRetryMs = 100;

export interface LogLimits {
  readonly segmentBytes: number;
  readonly commitBytesMax: number;
  readonly syncIntervalMs: number;
  /** Files kept for reuse. */
  readonly sparesMax: number;
}

interface Segment {
  readonly number: number;
  readonly file: LogFile;
  readonly bytes: number;
  readonly salt: number;
  position: number;
}

interface Spare {
  readonly name: string;
  readonly bytes: number;
}

interface Round {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function newRound(): Round {
  let resolve = (): void => {};
  let reject = (_error: Error): void => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Whoever waits handles it; a round that nobody waits for must not end the process.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

export class WriteAheadLog {
  private active: Segment;
  /** Ended segments that recovery still needs, oldest first. */
  private ended: { readonly number: number; readonly bytes: number }[] = [];
  private readonly spares: Spare[] = [];
  private generationEnded = 0;
  private nextSpare = 0;
  private creating: Promise<void> | undefined;
  private noRoomAt = Number.NEGATIVE_INFINITY;
  private noRoom: string | undefined;

  /** A frame in the making: room for its header, committed operations up to `committed`, the running body's up to `tail`. */
  private buffer = Buffer.allocUnsafeSlow(1 << 16);
  private committed = frameHeaderBytes;
  private tail = frameHeaderBytes;
  private sequence = 0;

  /** Segments written to since their last sync. */
  private unsynced = new Set<Segment>();
  private namesUnsynced = false;
  private synced = { segment: 0, offset: 0 };
  private marked = true;
  private running: Round | undefined;
  private waiting: Round | undefined;
  private timer: NodeJS.Timeout | undefined;
  private failed: UnavailableError | undefined;
  private closed = false;
  syncs = 0;

  /**
   * `number`: the segment to begin with. `ended`: older segments that are still needed.
   * Throws {@link StorageFullError} when there is no room for a first segment.
   */
  constructor(
    private readonly files: LogFiles,
    private readonly limits: LogLimits,
    number: number,
    ended: readonly { readonly number: number; readonly bytes: number }[],
  ) {
    this.ended = [...ended];
    this.generationEnded = ended.reduce((sum, { bytes }) => sum + bytes, 0);
    this.active = this.newSegment(number, limits.segmentBytes);
  }

  /** Why commits are refused at the moment. */
  get refusing(): string | undefined {
    return this.failed?.message ?? this.noRoom;
  }

  /** Disk space of the segments that recovery would read. */
  get bytes(): number {
    return this.ended.reduce((sum, { bytes }) => sum + bytes, this.active.position);
  }

  /** Log since the generation began, what is not written yet included. */
  get generationBytes(): number {
    return this.generationEnded + this.active.position + this.committed;
  }

  /** Everything accepted has been written, and what was written is on disk. */
  get isSynced(): boolean {
    return this.committed === frameHeaderBytes && this.unsynced.size === 0 && !this.namesUnsynced;
  }

  // --- one commit ----------------------------------------------------------------------------------------------------

  /** Throws when no commit could be accepted anyway. */
  begin(): void {
    if (this.failed !== undefined) throw this.failed;
    this.tail = this.committed;
  }

  put(key: Key, value: Uint8Array): void {
    const { length } = value;
    const at = this.reserve(key.length + length);
    const { buffer } = this;
    buffer[at] = operation.put;
    let position = writeVarint(buffer, length, writeVarint(buffer, key.length, at + 1));
    writeKey(buffer, key, position);
    position += key.length;
    writeBytes(buffer, value, position);
    this.tail = position + length;
  }

  delete(key: Key): void {
    const at = this.reserve(key.length);
    const { buffer } = this;
    buffer[at] = operation.delete;
    const position = writeVarint(buffer, key.length, at + 1);
    writeKey(buffer, key, position);
    this.tail = position + key.length;
  }

  splice(key: Key, offset: number, removed: number, inserted: Uint8Array): void {
    const at = this.reserve(key.length + inserted.length);
    const { buffer } = this;
    buffer[at] = operation.splice;
    let position = writeVarint(buffer, key.length, at + 1);
    position = writeVarint(buffer, offset, position);
    position = writeVarint(buffer, removed, position);
    position = writeVarint(buffer, inserted.length, position);
    writeKey(buffer, key, position);
    position += key.length;
    writeBytes(buffer, inserted, position);
    this.tail = position + inserted.length;
  }

  /** Accepts the operations since `begin`, or throws: then `rollBack`. */
  commit(sequence: number): void {
    if (this.active.position + this.tail + frameHeaderBytes > this.active.bytes) {
      this.flush();
      if (this.committed > frameHeaderBytes) throw new StorageFullError('there is no room to write the log');
      if (this.active.position + this.tail + frameHeaderBytes > this.active.bytes) this.advance(this.tail);
    }
    this.committed = this.tail;
    this.sequence = sequence;
    if (this.committed > bufferBytesMax) this.flush();
  }

  rollBack(): void {
    this.tail = this.committed;
  }

  // --- writing and syncing -------------------------------------------------------------------------------------------

  /** Hands all accepted commits to the operating system. What cannot be written yet stays: see {@link pending}. */
  flush(): void {
    if (this.committed === frameHeaderBytes || this.failed !== undefined) return;
    const { active, committed, tail } = this;
    try {
      this.writeFrame(active, this.buffer, committed - frameHeaderBytes, frameKind.commits);
    } catch (thrown) {
      this.handle(thrown);
      return;
    }
    this.noRoom = undefined;
    this.buffer.copyWithin(frameHeaderBytes, committed, tail);
    this.committed = frameHeaderBytes;
    this.tail = frameHeaderBytes + tail - committed;
    if (this.tail === frameHeaderBytes && this.buffer.length > 4 * bufferBytesMax) {
      this.buffer = Buffer.allocUnsafeSlow(bufferBytesMax);
    }
    this.marked = false;
    this.timer ??= setTimeout(() => this.onTimer(), this.limits.syncIntervalMs).unref();
  }

  /** The reason why commits that were accepted are not even written: their acknowledgement must wait. */
  get pending(): boolean {
    return this.committed > frameHeaderBytes;
  }

  get failure(): UnavailableError | undefined {
    return this.failed;
  }

  /** When everything accepted so far is on disk; `undefined` when it is. Rejects with {@link UnavailableError}. */
  sync(): Promise<void> | undefined {
    this.flush();
    if (this.failed !== undefined) return Promise.reject(this.failed);
    if (this.pending) return this.syncLater();
    if (this.unsynced.size === 0 && !this.namesUnsynced) return this.running?.promise;
    if (this.running !== undefined) {
      this.waiting ??= newRound();
      return this.waiting.promise;
    }
    return this.startRound(newRound());
  }

  /** Ends the generation: what is logged from now on is in segments from the returned number on. */
  beginGeneration(): number {
    this.flush();
    if (this.pending) throw new StorageFullError('there is no room to write the log');
    this.advance(0);
    this.generationEnded = 0;
    return this.active.number;
  }

  /** Segments before `number` are not needed any more. Call when the store that replaces them is on disk. */
  release(number: number): void {
    for (let first = this.ended[0]; first !== undefined && first.number < number; first = this.ended[0]) {
      const name = segmentName(first.number);
      if (this.spares.length < this.limits.sparesMax && first.bytes === this.limits.segmentBytes) {
        const spare = { name: this.spareName(), bytes: first.bytes };
        this.files.rename(name, spare.name);
        this.spares.push(spare);
      } else this.files.remove(name);
      this.ended.shift();
    }
    if (this.ended.length === 0) this.generationEnded = 0;
    this.noRoomAt = Number.NEGATIVE_INFINITY;
  }

  /** Brings everything to disk and lets go of the files. */
  async close(): Promise<void> {
    if (this.failed === undefined) await this.sync();
    await this.abandon();
  }

  /** Lets go of the files as a crash would. */
  async abandon(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await Promise.allSettled([this.creating, this.running?.promise, this.waiting?.promise]);
    this.active.file.close();
    for (const segment of this.unsynced) if (segment !== this.active) segment.file.close();
  }

  // --- inside --------------------------------------------------------------------------------------------------------

  private reserve(bytes: number): number {
    const { tail } = this;
    const needed = tail + bytes + 1 + 4 * varintBytesMax;
    if (needed > this.buffer.length) this.grow(needed);
    return tail;
  }

  private grow(needed: number): void {
    if (needed - this.committed > this.limits.commitBytesMax) {
      throw new TooLargeError(`a commit may have ${this.limits.commitBytesMax} bytes`);
    }
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(this.buffer.length * 2, needed + (64 << 20))));
    this.buffer.copy(larger, 0, 0, this.tail);
    this.buffer = larger;
  }

  private writeFrame(segment: Segment, frame: Buffer, payloadBytes: number, kind: number): void {
    sealFrame(frame, segment.salt, {
      payloadBytes,
      sequence: this.sequence,
      syncedSegment: this.synced.segment,
      syncedOffset: this.synced.offset,
      kind,
    });
    segment.file.write(frame, frameHeaderBytes + payloadBytes, segment.position);
    segment.position += frameHeaderBytes + payloadBytes;
    this.unsynced.add(segment);
  }

  /** Goes on in a new segment with room for a frame of `frameBytes`. Changes nothing when there is none. */
  private advance(frameBytes: number): void {
    const needed = segmentHeaderBytes + frameBytes + frameHeaderBytes;
    const old = this.active;
    const next = this.newSegment(old.number + 1, Math.max(this.limits.segmentBytes, needed));
    try {
      this.writeFrame(old, Buffer.alloc(frameHeaderBytes), 0, frameKind.end);
    } catch (thrown) {
      this.handle(thrown);
      throw this.failed ?? thrown;
    }
    this.ended.push({ number: old.number, bytes: old.bytes });
    this.generationEnded += old.bytes;
    this.active = next;
  }

  private newSegment(number: number, bytes: number): Segment {
    const name = segmentName(number);
    const salt = (Math.random() * 0x1_0000_0000) >>> 0;
    try {
      let file: LogFile;
      const spare = bytes === this.limits.segmentBytes ? this.spares.shift() : undefined;
      if (spare === undefined) {
        if (performance.now() - this.noRoomAt < roomRetryMs) throw new StorageFullError(this.noRoom);
        file = this.files.createSync(name, bytes);
      } else {
        this.files.rename(spare.name, name);
        file = this.files.open(name);
      }
      file.write(encodeSegmentHeader(number, salt), segmentHeaderBytes, 0);
      this.namesUnsynced = true;
      this.noRoom = undefined;
      const segment = { number, file, bytes, salt, position: segmentHeaderBytes };
      this.unsynced.add(segment);
      this.prepareSpare();
      return segment;
    } catch (thrown) {
      this.handle(thrown);
      throw this.failed ?? new StorageFullError(this.noRoom ?? 'there is no room for the log', { cause: thrown });
    }
  }

  private spareName(): string {
    return `spare-${Date.now()}-${this.nextSpare++}`;
  }

  /** Sees to it that the next segment is ready before it is needed. */
  private prepareSpare(): void {
    if (this.spares.length > 0 || this.creating !== undefined || this.closed) return;
    const name = this.spareName();
    const bytes = this.limits.segmentBytes;
    this.creating = this.files
      .create(name, bytes)
      .then((file) => {
        file.close();
        this.spares.push({ name, bytes });
        this.noRoomAt = Number.NEGATIVE_INFINITY;
      })
      // No room now: the commit that needs the segment asks again, and is refused if there is still none.
      .catch(() => {})
      .finally(() => {
        this.creating = undefined;
      });
  }

  private handle(thrown: unknown): void {
    if (thrown instanceof EngineError) return;
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
      this.noRoom = `there is no room for the log (${code})`;
      this.noRoomAt = performance.now();
      return;
    }
    this.failed = new UnavailableError(`the log cannot be written: ${message}`, { cause: thrown });
  }

  private startRound(round: Round): Promise<void> {
    this.running = round;
    const segments = [...this.unsynced].sort((a, b) => a.number - b.number);
    const target = { segment: this.active.number, offset: this.active.position };
    const names = this.namesUnsynced;
    this.unsynced = new Set();
    this.namesUnsynced = false;
    this.syncs++;
    const work = async (): Promise<void> => {
      for (const segment of segments) await segment.file.sync();
      if (names) await this.files.syncNames();
      for (const segment of segments) if (segment !== this.active && !this.unsynced.has(segment)) segment.file.close();
      this.synced = target;
    };
    work()
      .then(round.resolve, (thrown: unknown) => {
        // After a failed sync nobody knows what is on disk: no later sync can be trusted (fsyncgate).
        this.failed = new UnavailableError(`the log cannot be synced: ${(thrown as Error).message}`, { cause: thrown });
        round.reject(this.failed);
      })
      .finally(() => {
        this.running = undefined;
        const next = this.waiting;
        this.waiting = undefined;
        if (next === undefined) return;
        if (this.failed === undefined) {
          this.flush();
          this.startRound(next);
        } else next.reject(this.failed);
      });
    return round.promise;
  }

  /** The disk refused a flush for lack of room: tries until it succeeds. */
  private async syncLater(): Promise<void> {
    await this.written();
    await this.sync();
  }

  /** When everything accepted has been written. */
  async written(): Promise<void> {
    for (this.flush(); this.pending; this.flush()) {
      if (this.closed) throw new UnavailableError('the store is closed');
      if (this.failed !== undefined) throw this.failed;
      await new Promise((resolve) => setTimeout(resolve, roomRetryMs));
    }
  }

  private onTimer(): void {
    this.timer = undefined;
    if (this.closed || this.failed !== undefined) return;
    if (!this.isSynced || this.running !== undefined) {
      this.sync()?.catch(() => {});
      this.timer = setTimeout(() => this.onTimer(), this.limits.syncIntervalMs).unref();
    } else if (!this.marked) this.mark();
  }

  /** Makes it known, once synced, that sequences up to this one may have been used. */
  announce(sequence: number): void {
    this.sequence = sequence;
    this.mark();
    this.unsynced.add(this.active);
  }

  /** Nothing has been written since the last sync: says so in the log, so that damage to its end is not taken for a torn tail. */
  private mark(): void {
    this.marked = true;
    if (this.active.position + 2 * frameHeaderBytes > this.active.bytes) return;
    try {
      this.writeFrame(this.active, Buffer.alloc(frameHeaderBytes), 0, frameKind.mark);
      this.unsynced.delete(this.active);
    } catch (thrown) {
      this.handle(thrown);
    }
  }
}
