/** A view and a transaction over fetched records: writes are collected, laid over the records, and committed together. */
import type { Entry, Key, Range, ScanOptions, Transaction, View } from '../engine.js';
import type { Fetched } from './records.js';

/** A generator that repeats itself in every run of a body. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface RunContext {
  readonly now: number;
  readonly seed: number;
  readonly version: number;
}

export class FetchedView implements View {
  readonly now: number;
  readonly random: () => number;

  constructor(
    protected readonly fetched: Fetched,
    context: RunContext,
  ) {
    this.now = context.now;
    this.random = randomFrom(context.seed);
  }

  get(key: Key): Buffer | undefined {
    return this.fetched.get(key);
  }

  prefetch(keys: readonly Key[]): void {
    this.fetched.announce(keys);
  }

  *scan(range: Range, options: ScanOptions = {}): Generator<Entry> {
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    if (left <= 0) return;
    for (const entry of this.fetched.scan(range, options.reverse === true, options.limit)) {
      yield entry;
      if (--left === 0) return;
    }
  }
}

/** What a transaction has written. */
export class Writes {
  /** `undefined`: deleted. */
  readonly entries = new Map<Key, Buffer | undefined>();
  readonly deletedRanges: Range[] = [];
  readonly adds = new Map<Key, number>();
  readonly messages: { readonly topic: string; readonly message: Buffer }[] = [];

  get empty(): boolean {
    return this.entries.size + this.deletedRanges.length + this.adds.size + this.messages.length === 0;
  }

  copy(): Writes {
    const copy = new Writes();
    for (const [key, value] of this.entries) copy.entries.set(key, value);
    copy.deletedRanges.push(...this.deletedRanges);
    for (const [key, delta] of this.adds) copy.adds.set(key, delta);
    copy.messages.push(...this.messages);
    return copy;
  }
}

export class FetchedTransaction extends FetchedView implements Transaction {
  readonly version: number;

  constructor(
    fetched: Fetched,
    context: RunContext,
    readonly writes: Writes = new Writes(),
    /** A deleted range counts as read: a transaction that stays open must notice what appears in it. */
    private readonly readsDeleted = false,
  ) {
    super(fetched, context);
    this.version = context.version;
  }

  override get(key: Key): Buffer | undefined {
    const { entries, deletedRanges } = this.writes;
    if (entries.has(key)) return entries.get(key);
    if (deletedRanges.some(({ start, end }) => key >= start && key < end)) return undefined;
    return super.get(key);
  }

  override *scan(range: Range, options: ScanOptions = {}): Generator<Entry> {
    const reverse = options.reverse === true;
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    if (left <= 0) return;
    const { entries, deletedRanges } = this.writes;
    const own = [...entries.keys()].filter((key) => key >= range.start && key < range.end).sort(compareKeys);
    if (reverse) own.reverse();
    const before = (a: Key, b: Key): boolean => (reverse ? a > b : a < b);
    let next = 0;
    for (const stored of this.fetched.scan(range, reverse, options.limit)) {
      for (let key = own[next]; key !== undefined && before(key, stored.key); key = own[++next]) {
        const value = entries.get(key);
        if (value === undefined) continue;
        yield { key, value };
        if (--left === 0) return;
      }
      if (own[next] === stored.key) continue;
      if (deletedRanges.some(({ start, end }) => stored.key >= start && stored.key < end)) continue;
      yield stored;
      if (--left === 0) return;
    }
    for (; next < own.length; next++) {
      const key = own[next] ?? '';
      const value = entries.get(key);
      if (value === undefined) continue;
      yield { key, value };
      if (--left === 0) return;
    }
  }

  put(key: Key, value: Buffer): void {
    this.writes.entries.set(key, value);
  }

  delete(key: Key): void {
    this.writes.entries.set(key, undefined);
  }

  deleteRange(range: Range): void {
    if (this.readsDeleted) for (const _ of this.fetched.scan(range, false, undefined));
    for (const key of [...this.writes.entries.keys()]) {
      if (key >= range.start && key < range.end) this.writes.entries.delete(key);
    }
    if (range.start < range.end) this.writes.deletedRanges.push(range);
  }

  splice(key: Key, offset: number, removed: number, inserted: Uint8Array): void {
    const old = this.get(key) ?? Buffer.alloc(0);
    if (offset < 0 || removed < 0 || offset + removed > old.length) throw new RangeError('splice outside of the value');
    this.put(key, Buffer.concat([old.subarray(0, offset), inserted, old.subarray(offset + removed)]));
  }

  add(key: Key, delta: number): void {
    this.writes.adds.set(key, (this.writes.adds.get(key) ?? 0) + delta);
  }

  publish(topic: string, message: Buffer): void {
    this.writes.messages.push({ topic, message });
  }
}

function compareKeys(a: Key, b: Key): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
