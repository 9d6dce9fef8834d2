/**
 * A transaction that stays open between requests: reads see the state at its begin under its own writes, and what they
 * touched is noted, so that the commit can tell whether any of it has changed since.
 */
import type { Entry, Key, OpenTransaction, Range, ScanOptions, Transaction } from '../engine.js';
import { type LayerCursor, mergeScan } from './layers.js';
import { checkSplice, decodeCounter, encodeCounter, type FrozenState } from './views.js';

/** What a transaction read and wants to write. */
export interface Intent {
  readonly keys: ReadonlySet<Key>;
  readonly ranges: readonly Range[];
  /** `null`: delete. */
  readonly writes: ReadonlyMap<Key, Buffer | null>;
  readonly adds: ReadonlyMap<Key, number>;
  readonly messages: readonly { readonly topic: string; readonly message: Buffer }[];
}

export interface TransactionHost {
  /** Throws ConflictError when something read has changed since the state's sequence. */
  commitIntent(state: FrozenState, intent: Intent): void;
  endTransaction(transaction: EmbeddedTransaction): void;
}

export class EmbeddedTransaction implements OpenTransaction {
  private readonly keys = new Set<Key>();
  private readonly ranges: Range[] = [];
  private readonly writes = new Map<Key, Buffer | null>();
  private readonly adds = new Map<Key, number>();
  private readonly messages: { readonly topic: string; readonly message: Buffer }[] = [];
  private ended = false;

  constructor(
    readonly state: FrozenState,
    private readonly version: number,
    private readonly host: TransactionHost,
  ) {}

  run<T>(body: (tx: Transaction) => T): T {
    this.check();
    const messages = this.messages.length;
    const undo: (() => void)[] = [];
    try {
      return body(this.view(undo));
    } catch (thrown) {
      for (let step = undo.pop(); step !== undefined; step = undo.pop()) step();
      this.messages.length = messages;
      throw thrown;
    }
  }

  commit(): void {
    this.check();
    this.ended = true;
    try {
      this.host.commitIntent(this.state, this.intent);
    } finally {
      this.host.endTransaction(this);
    }
  }

  abort(): void {
    if (this.ended) return;
    this.ended = true;
    this.host.endTransaction(this);
  }

  private get intent(): Intent {
    const { keys, ranges, writes, adds, messages } = this;
    return { keys, ranges, writes, adds, messages };
  }

  private check(): void {
    if (this.ended) throw new Error('the transaction has ended');
  }

  private view(undo: (() => void)[]): Transaction {
    const { keys, ranges, writes, adds, messages, state } = this;
    /** `undefined`: not written by this transaction. */
    const getOwn = (key: Key): Buffer | null | undefined => {
      const own = writes.get(key);
      const delta = adds.get(key);
      if (own !== undefined || delta === undefined) return own;
      return encodeCounter(decodeCounter(state.get(key)) + delta);
    };
    const get = (key: Key): Buffer | undefined => {
      const own = getOwn(key);
      if (own !== undefined) return own ?? undefined;
      keys.add(key);
      return state.get(key);
    };
    const set = (key: Key, value: Buffer | null): void => {
      const had = writes.get(key);
      undo.push(() => (had === undefined ? writes.delete(key) : writes.set(key, had)));
      writes.set(key, value);
    };
    const scan = (range: Range, options: ScanOptions = {}): Iterable<Entry> => {
      ranges.push(range);
      const own = new OverlayCursor([...writes.keys(), ...adds.keys()], getOwn, range, options.reverse === true);
      return mergeScan([own, ...state.cursors(range, options)], options);
    };
    return {
      now: Date.now(),
      version: this.version,
      random: () => Math.random(),
      prefetch: () => {},
      get,
      scan,
      put: (key, value) => set(key, value),
      delete: (key) => set(key, null),
      deleteRange: (range) => {
        for (const { key } of scan(range)) set(key, null);
      },
      splice: (key, offset, removed, inserted) => {
        const old = get(key) ?? Buffer.alloc(0);
        checkSplice(old.length, offset, removed);
        set(key, Buffer.concat([old.subarray(0, offset), inserted, old.subarray(offset + removed)]));
      },
      add: (key, delta) => {
        const had = adds.get(key);
        undo.push(() => (had === undefined ? adds.delete(key) : adds.set(key, had)));
        adds.set(key, (had ?? 0) + delta);
      },
      publish: (topic, message) => {
        messages.push({ topic, message });
      },
    };
  }
}

/** The transaction's own writes in key order, as they were when the scan began. */
class OverlayCursor implements LayerCursor {
  private readonly sorted: Key[];
  private at = 0;

  constructor(
    keys: readonly Key[],
    private readonly read: (key: Key) => Buffer | null | undefined,
    range: Range,
    reverse: boolean,
  ) {
    this.sorted = [...new Set(keys)].filter((key) => key >= range.start && key < range.end).sort();
    if (reverse) this.sorted.reverse();
  }

  get key(): Key | undefined {
    return this.sorted[this.at];
  }

  value(): Buffer | null {
    const key = this.sorted[this.at];
    return key === undefined ? null : (this.read(key) ?? null);
  }

  advance(): void {
    this.at++;
  }
}
