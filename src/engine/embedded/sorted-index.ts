/**
 * The order of a memtable's entries: leaves of entry numbers, a B+tree of two levels. With a leaf of 256 entries a
 * million entries make a top level of some 6 000.
 *
 * New entries wait in a list and are sorted in when a scan needs the order, or a few at a time when the list has grown
 * long: short-lived bursts of writes do not pay for an order that nobody asks for, and no scan pays for a million.
 */
import type { Key } from '../engine.js';

const leafEntries = 256;
/** With more entries waiting than this, every new one sorts in two. */
const waitingMax = 2048;

export interface Ordering {
  compare(a: number, b: number): number;
  compareKey(entry: number, key: Key): number;
}

export class SortedIndex {
  private readonly leaves: Int32Array[] = [];
  private readonly counts: number[] = [];
  private readonly waiting: number[] = [];
  /** Changes whenever positions do. */
  generation = 0;

  constructor(private readonly order: Ordering) {}

  add(entry: number): void {
    this.waiting.push(entry);
    if (this.waiting.length > waitingMax) this.sortIn(2);
  }

  /** Entries still out of order. */
  get unsorted(): number {
    return this.waiting.length;
  }

  /** Sorts in up to `most` waiting entries. */
  sortIn(most: number): void {
    const { waiting } = this;
    if (waiting.length === 0) return;
    this.generation++;
    for (const entry of waiting.splice(Math.max(0, waiting.length - most))) this.insert(entry);
  }

  /** Position of the first entry that is not before `key`. */
  seek(key: Key): Position {
    this.sortIn(this.waiting.length);
    const { leaves, counts, order } = this;
    let low = 0;
    let high = leaves.length;
    // The last leaf whose first entry is before the key.
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (order.compareKey((leaves[middle] as Int32Array)[0] as number, key) < 0) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return { leaf: 0, slot: 0 };
    const leaf = low - 1;
    const entries = leaves[leaf] as Int32Array;
    low = 0;
    high = counts[leaf] as number;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (order.compareKey(entries[middle] as number, key) < 0) low = middle + 1;
      else high = middle;
    }
    return { leaf, slot: low };
  }

  /** The entry at or after the position (which moves there), or -1 at the end. */
  at(position: Position): number {
    while (position.leaf < this.leaves.length) {
      if (position.slot < (this.counts[position.leaf] as number)) {
        return (this.leaves[position.leaf] as Int32Array)[position.slot] as number;
      }
      position.leaf++;
      position.slot = 0;
    }
    return -1;
  }

  /** The entry before the position (which moves there), or -1 at the beginning. */
  before(position: Position): number {
    if (position.slot === 0) {
      if (position.leaf === 0) return -1;
      position.leaf--;
      position.slot = this.counts[position.leaf] as number;
    }
    position.slot--;
    return (this.leaves[position.leaf] as Int32Array)[position.slot] as number;
  }

  private insert(entry: number): void {
    const { leaves, counts, order } = this;
    if (leaves.length === 0) {
      const leaf = new Int32Array(leafEntries);
      leaf[0] = entry;
      leaves.push(leaf);
      counts.push(1);
      return;
    }
    let low = 0;
    let high = leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (order.compare((leaves[middle] as Int32Array)[0] as number, entry) < 0) low = middle + 1;
      else high = middle;
    }
    let at = low === 0 ? 0 : low - 1;
    let leaf = leaves[at] as Int32Array;
    let count = counts[at] as number;
    low = 0;
    high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (order.compare(leaf[middle] as number, entry) < 0) low = middle + 1;
      else high = middle;
    }
    if (count === leafEntries) {
      // Keys that arrive in order leave full leaves behind; others halve them.
      const keep = at === leaves.length - 1 && low === count ? count : count >> 1;
      const right = new Int32Array(leafEntries);
      right.set(leaf.subarray(keep, count));
      leaves.splice(at + 1, 0, right);
      counts.splice(at + 1, 0, count - keep);
      counts[at] = keep;
      if (low > keep || keep === count) {
        at++;
        leaf = right;
        low -= keep;
        count -= keep;
      } else count = keep;
    }
    leaf.copyWithin(low + 1, low, count);
    leaf[low] = entry;
    counts[at] = count + 1;
  }
}

export interface Position {
  leaf: number;
  slot: number;
}
