/**
 * One state of the store, seen through its layers: the memtables, newest first, then LMDB. A record counts where it is
 * found first; a deletion hides what lies below.
 */
import type { Entry, Key, Range, ScanOptions } from '../engine.js';
import { absent, type Memtable } from './memtable.js';
import type { Position } from './sorted-index.js';

/** Stands on an entry, or behind the last one (`key` undefined). */
export interface LayerCursor {
  readonly key: Key | undefined;
  /** `null`: deleted. */
  value(): Buffer | null;
  advance(): void;
}

/** Sequence of a reader that sees every record's newest value. */
export const newest = Number.POSITIVE_INFINITY;

export class MemtableCursor implements LayerCursor {
  key: Key | undefined;
  private entry = -1;
  private found: Buffer | null = null;
  private position: Position;
  private generation: number;

  constructor(
    private readonly memtable: Memtable,
    private readonly range: Range,
    private readonly reverse: boolean,
    private readonly sequence: number,
  ) {
    this.position = memtable.order.seek(reverse ? range.end : range.start);
    this.generation = memtable.order.generation;
    if (range.start < range.end) this.settle();
  }

  value(): Buffer | null {
    if (this.sequence !== newest) return this.found;
    return this.memtable.lengthOf(this.entry) < 0 ? null : this.memtable.valueOf(this.entry);
  }

  advance(): void {
    const { order } = this.memtable;
    if (this.generation !== order.generation && this.key !== undefined) {
      this.position = order.seek(this.key);
      this.generation = order.generation;
    }
    if (!this.reverse) this.position.slot++;
    this.settle();
  }

  /** Moves on to a visible entry inside the range. */
  private settle(): void {
    const { memtable, reverse, range, position } = this;
    for (;;) {
      const entry = reverse ? memtable.order.before(position) : memtable.order.at(position);
      if (entry < 0) break;
      if (reverse ? memtable.compareKey(entry, range.start) < 0 : memtable.compareKey(entry, range.end) >= 0) break;
      if (this.isVisible(entry)) {
        this.entry = entry;
        this.key = memtable.keyOf(entry);
        return;
      }
      if (!reverse) position.slot++;
    }
    this.key = undefined;
  }

  private isVisible(entry: number): boolean {
    if (this.sequence === newest) return this.memtable.lengthOf(entry) !== absent;
    const value = this.memtable.valueAt(entry, this.sequence);
    if (value === undefined) return false;
    this.found = value;
    return true;
  }
}

/** Entries of all layers in key order. `cursors`: the newest layer first. */
export function* mergeScan(cursors: readonly LayerCursor[], options: ScanOptions = {}): Generator<Entry> {
  const reverse = options.reverse === true;
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  while (left > 0) {
    let first: LayerCursor | undefined;
    for (const cursor of cursors) {
      const { key } = cursor;
      if (key === undefined) continue;
      if (first?.key === undefined || (reverse ? key > first.key : key < first.key)) first = cursor;
    }
    const key = first?.key;
    if (first === undefined || key === undefined) return;
    const value = first.value();
    // Before the reader gets the entry: it may write while it holds it, and stop for good.
    if (value !== null) {
      left--;
      yield { key, value };
      if (left === 0) return;
    }
    for (const cursor of cursors) if (cursor.key === key) cursor.advance();
  }
}
