/**
 * What a body has read of the store, and the signal by which it asks for more. A body runs synchronously over this cache;
 * whatever it does not find leaves the body as a {@link NotFetched} signal, is fetched, and the body runs again.
 */
import type { Entry, Key, Range } from '../engine.js';
import { EngineSignal } from '../errors.js';

/** Entries fetched at first for a scan without a limit; doubled when the body wants more. */
export const scanFetchMin = 128;
export const scanFetchMax = 8192;

export interface FetchedEntry {
  /** `undefined`: the key is missing. */
  readonly value: Buffer | undefined;
  /** 0: the key is missing. */
  readonly version: number;
}

/** What a scan has fetched so far, from one end of its range. */
export interface FetchedScan {
  readonly range: Range;
  readonly reverse: boolean;
  readonly entries: { readonly key: Key; readonly value: Buffer; readonly version: number }[];
  /** Nothing lies beyond the entries. */
  complete: boolean;
  nextFetch: number;
}

export class NotFetched extends EngineSignal {
  constructor(
    readonly keys: readonly Key[],
    readonly scan?: FetchedScan,
  ) {
    super();
  }
}

export class Fetched {
  readonly keys = new Map<Key, FetchedEntry>();
  readonly scans = new Map<string, FetchedScan>();
  /** Keys that the body has announced and nobody has fetched. */
  readonly announced = new Set<Key>();

  get(key: Key): Buffer | undefined {
    const entry = this.keys.get(key);
    if (entry !== undefined) return entry.value;
    const keys = [key, ...[...this.announced].filter((other) => other !== key && !this.keys.has(other))];
    this.announced.clear();
    throw new NotFetched(keys);
  }

  announce(keys: readonly Key[]): void {
    for (const key of keys) if (!this.keys.has(key)) this.announced.add(key);
  }

  /** Entries of a range, fetched as far as the consumer goes. */
  *scan(range: Range, reverse: boolean, limit: number | undefined): Generator<Entry> {
    if (range.start >= range.end) return;
    const name = `${reverse ? '<' : '>'}${range.start.length}:${range.start}${range.end}`;
    let scan = this.scans.get(name);
    if (scan === undefined) {
      const nextFetch = Math.min(scanFetchMax, limit === undefined ? scanFetchMin : Math.max(1, limit));
      scan = { range, reverse, entries: [], complete: false, nextFetch };
      this.scans.set(name, scan);
    }
    for (let i = 0; ; i++) {
      const entry = scan.entries[i];
      if (entry !== undefined) yield entry;
      else if (scan.complete) return;
      else throw new NotFetched([], scan);
    }
  }
}

/** The part of a scan's range that its entries cover: all of it when complete. */
export function coveredRange(scan: FetchedScan): Range | undefined {
  if (scan.complete) return scan.range;
  const last = scan.entries[scan.entries.length - 1];
  if (last === undefined) return undefined;
  return scan.reverse ? { start: last.key, end: scan.range.end } : { start: scan.range.start, end: `${last.key}\0` };
}
