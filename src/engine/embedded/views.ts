/** Views of an embedded store: its newest state, a snapshot's, and the transaction that runs now. */

import type { Batches, Entry, Key, Range, ScanOptions, Snapshot, Transaction, View } from '../engine.js';
import { TooLargeError } from '../errors.js';
import { type LayerCursor, MemtableCursor, mergeScan, newest } from './layers.js';
import type { WriteAheadLog } from './log.js';
import type { Memtable } from './memtable.js';
import type { ReadTransaction, Store } from './store.js';

/** A batch of a long scan ends when its values have this many bytes. */
const batchBytesMax = 1 << 20;
const batchEntriesDefault = 1000;

/** What the views of the newest state look at; the engine changes it in place. */
export interface Layers {
  active: Memtable;
  /** Being merged into the store. */
  frozen: Memtable | undefined;
  readonly store: Store;
  readonly log: WriteAheadLog;
}

/** The newest state. One object serves all bodies, since they run one after another. */
export class LatestView implements View {
  private startedAt = 0;

  constructor(protected readonly layers: Layers) {}

  get now(): number {
    if (this.startedAt === 0) this.startedAt = Date.now();
    return this.startedAt;
  }

  /** A new body begins. */
  restart(): void {
    this.startedAt = 0;
  }

  random(): number {
    return Math.random();
  }

  get(key: Key): Buffer | undefined {
    const { active, frozen, store } = this.layers;
    let entry = active.find(key);
    if (entry >= 0) {
      const length = active.lengthOf(entry);
      if (length >= 0) return active.valueOf(entry);
      if (length === -1) return undefined;
    }
    if (frozen !== undefined) {
      entry = frozen.find(key);
      if (entry >= 0) {
        const length = frozen.lengthOf(entry);
        if (length >= 0) return frozen.valueOf(entry);
        if (length === -1) return undefined;
      }
    }
    return store.get(key);
  }

  prefetch(): void {}

  scan(range: Range, options?: ScanOptions): Iterable<Entry> {
    return mergeScan(this.cursors(range, options), options);
  }

  private cursors(range: Range, options: ScanOptions = {}): LayerCursor[] {
    const { active, frozen, store } = this.layers;
    const reverse = options.reverse === true;
    const cursors: LayerCursor[] = [];
    if (active.count > 0) cursors.push(new MemtableCursor(active, range, reverse, newest));
    if (frozen !== undefined) cursors.push(new MemtableCursor(frozen, range, reverse, newest));
    cursors.push(store.cursor(range, reverse, options.limit ?? Number.POSITIVE_INFINITY));
    return cursors;
  }
}

/** Writes into the active memtable and the log's buffer as it goes; the engine ends it with commit or roll-back. */
export class LatestTransaction extends LatestView implements Transaction {
  version = 0;
  /** Something was written. */
  changed = false;
  readonly messages: { readonly topic: string; readonly message: Buffer }[] = [];

  constructor(
    layers: Layers,
    private readonly keyBytesMax: number,
  ) {
    super(layers);
  }

  begin(version: number): void {
    this.restart();
    this.version = version;
    this.changed = false;
    if (this.messages.length > 0) this.messages.length = 0;
  }

  put(key: Key, value: Buffer): void {
    if (key.length > this.keyBytesMax) throw new TooLargeError(`a key may have ${this.keyBytesMax} bytes`);
    this.changed = true;
    this.layers.log.put(key, value);
    this.layers.active.put(key, value);
  }

  delete(key: Key): void {
    if (key.length > this.keyBytesMax) return;
    this.changed = true;
    this.layers.log.delete(key);
    this.layers.active.remove(key);
  }

  deleteRange(range: Range): void {
    for (const { key } of this.scan(range)) this.delete(key);
  }

  splice(key: Key, offset: number, removed: number, inserted: Uint8Array): void {
    const { active, log } = this.layers;
    const entry = active.find(key);
    if (entry >= 0 && active.lengthOf(entry) >= 0) {
      checkSplice(active.lengthOf(entry), offset, removed);
      this.changed = true;
      log.splice(key, offset, removed, inserted);
      active.splice(entry, offset, removed, inserted);
      return;
    }
    // The value comes from below: from now on this generation of the log holds all of it.
    const old = this.get(key);
    const length = old?.length ?? 0;
    checkSplice(length, offset, removed);
    const value = Buffer.allocUnsafeSlow(length - removed + inserted.length);
    old?.copy(value, 0, 0, offset);
    value.set(inserted, offset);
    old?.copy(value, offset + inserted.length, offset + removed);
    this.put(key, value);
  }

  add(key: Key, delta: number): void {
    this.put(key, encodeCounter(decodeCounter(this.get(key)) + delta));
  }

  publish(topic: string, message: Buffer): void {
    this.messages.push({ topic, message });
  }
}

export function checkSplice(length: number, offset: number, removed: number): void {
  if (!(offset >= 0 && removed >= 0 && offset + removed <= length)) {
    throw new RangeError(`a splice of ${removed} bytes at ${offset} lies outside of a value of ${length} bytes`);
  }
}

/** Counters are 64-bit integers, big-endian. */
export function encodeCounter(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

export function decodeCounter(bytes: Buffer | undefined): number {
  return bytes === undefined ? 0 : Number(bytes.readBigInt64BE(0));
}

/** Layers as they were at one sequence. All buffers are copies. */
export class FrozenState {
  constructor(
    readonly sequence: number,
    private readonly memtables: readonly Memtable[],
    private readonly store: Store,
    private readonly transaction: ReadTransaction,
  ) {}

  get(key: Key): Buffer | undefined {
    for (const memtable of this.memtables) {
      const entry = memtable.find(key);
      if (entry < 0) continue;
      const value = memtable.valueAt(entry, this.sequence);
      if (value !== undefined) return value ?? undefined;
    }
    return this.store.get(key, this.transaction);
  }

  cursors(range: Range, options: ScanOptions = {}): LayerCursor[] {
    const reverse = options.reverse === true;
    return [
      ...this.memtables.map((memtable) => new MemtableCursor(memtable, range, reverse, this.sequence)),
      this.store.cursor(range, reverse, options.limit ?? Number.POSITIVE_INFINITY, this.transaction),
    ];
  }

  release(): void {
    this.store.release(this.transaction);
  }
}

class SnapshotView implements View {
  readonly now = Date.now();

  constructor(private readonly state: FrozenState) {}

  random(): number {
    return Math.random();
  }

  get(key: Key): Buffer | undefined {
    return this.state.get(key);
  }

  prefetch(): void {}

  scan(range: Range, options?: ScanOptions): Iterable<Entry> {
    return mergeScan(this.state.cursors(range, options), options);
  }
}

export class EmbeddedSnapshot implements Snapshot {
  private closed = false;

  constructor(
    readonly state: FrozenState,
    private readonly onClose: (state: FrozenState) => void,
  ) {}

  read<T>(body: (view: View) => T): T {
    this.check();
    return body(new SnapshotView(this.state));
  }

  batches(range: Range, options: ScanOptions & { readonly batchSize?: number } = {}): Batches {
    this.check();
    const entries = mergeScan(this.state.cursors(range, options), options);
    const most = options.batchSize ?? batchEntriesDefault;
    return {
      next: () => {
        this.check();
        const batch: Entry[] = [];
        for (let bytes = 0; batch.length < most && bytes < batchBytesMax; ) {
          const step = entries.next();
          if (step.done === true) break;
          batch.push(step.value);
          bytes += step.value.value.length;
        }
        return batch.length === 0 ? undefined : batch;
      },
      close: () => {
        entries.return(undefined);
      },
    };
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.onClose(this.state);
  }

  private check(): void {
    if (this.closed) throw new Error('the snapshot is closed');
  }
}
