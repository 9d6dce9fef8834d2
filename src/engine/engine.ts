/**
 * The contract of every engine: an ordered, transactional store of byte keys and byte values.
 *
 * Models are written once against these interfaces and run unchanged on the embedded engine, which answers at once,
 * and on engines behind a network, which cannot.
 *
 * Bodies are synchronous and restartable
 * --------------------------------------
 * `read` and `write` run a *synchronous* body over a view. An engine that has every record at hand runs the body once
 * and returns its result as a plain value, so that a `GET` costs no promise. An engine behind a network throws a
 * private signal when the body asks for a record that has not been fetched yet, fetches it, and runs the body again
 * from its start; it does so again after a conflict. Hence the rules for a body:
 *
 * - it may run several times: its only effects go through the view (or are undone by its caller before a new run);
 * - it never catches what it did not throw itself: use {@link isEngineSignal} before swallowing an unknown error;
 * - it takes time and chance from the view (`now`, `random`), which repeat themselves between runs;
 * - buffers that a view returns are read-only, and valid until the body returns or that key is written: copy to keep.
 *   Buffers handed to `put` belong to the engine from then on.
 *
 * This, and not `await` inside bodies, is what lets a Lua script in WebAssembly, which cannot wait for a promise, be
 * one transaction on any engine.
 *
 * Acknowledgement
 * ---------------
 * When `write` returns, its changes are visible to all later reads. They are durable, and may be acknowledged to a
 * client, when `settled` says so; one call answers for all commits before it, so that a server asks once for all
 * the replies of an event-loop turn.
 */

/**
 * A key: any number of bytes, as a string whose every UTF-16 unit is one byte (0–255), so that `<` is byte order and
 * a key can be a `Map`'s key. `Buffer.from(key, 'latin1')` gives the bytes.
 */
export type Key = string;

/** A plain value when it is there already, else a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** Keys from `start` (inclusive) to `end` (exclusive). */
export interface Range {
  readonly start: Key;
  readonly end: Key;
}

export interface Entry {
  readonly key: Key;
  readonly value: Buffer;
}

export interface ScanOptions {
  /** Descending key order. */
  readonly reverse?: boolean;
  /** At most this many entries. */
  readonly limit?: number;
}

/** One consistent state of the store, read synchronously inside a body. */
export interface View {
  /** Milliseconds since 1970, the same throughout the body and all its runs. */
  readonly now: number;
  /** A number in [0, 1); the sequence repeats itself in every run of the body. */
  random(): number;
  get(key: Key): Buffer | undefined;
  /** Says that these keys will be read soon: one round trip instead of many on a remote engine, nothing on a local one. */
  prefetch(keys: readonly Key[]): void;
  /**
   * Entries in key order, the transaction's own writes included. The iterator is lazy: stop when you have enough. Keys
   * written while iterating must lie behind the iterator (already passed); anything else is undefined.
   */
  scan(range: Range, options?: ScanOptions): Iterable<Entry>;
}

/** A view that collects writes. They take effect together, or, when the body throws, not at all. */
export interface Transaction extends View {
  /** A positive integer (up to 2^53) that no other transaction on this store has had or will have; it grows on one server. */
  readonly version: number;
  put(key: Key, value: Buffer): void;
  delete(key: Key): void;
  /** Deletes every key of the range: costs grow with the number of keys in it. */
  deleteRange(range: Range): void;
  /**
   * Replaces `removed` bytes of the value at `offset` by `inserted` (a missing key counts as an empty value; the result is
   * put). The log then holds the change alone, so that changing a few bytes of a large value is cheap.
   * Throws RangeError when `offset + removed` lies outside the value.
   */
  splice(key: Key, offset: number, removed: number, inserted: Uint8Array): void;
  /**
   * Adds `delta` to the counter at `key` (a missing key counts as 0) without conflicting with other transactions that add
   * to it. Read it with {@link Engine.counter}; never mix with `put` on the same key.
   */
  add(key: Key, delta: number): void;
  /** Sends a message to all subscribers of the topic, on every server of this store, once the transaction has committed. */
  publish(topic: string, message: Buffer): void;
}

/**
 * A transaction that stays open between requests. Bodies see the state at `begin` plus the transaction's own writes.
 * Serializable: `commit` throws {@link ConflictError} when anything that was read has changed since.
 */
export interface OpenTransaction {
  run<T>(body: (tx: Transaction) => T): Awaitable<T>;
  commit(): Awaitable<void>;
  /** Drops all writes; idempotent. */
  abort(): Awaitable<void>;
}

/** Batches of a scan; `next` gives `undefined` after the last one. */
export interface Batches {
  next(): Awaitable<readonly Entry[] | undefined>;
  close(): void;
}

/**
 * One state of the store, kept for as long as the reader needs it while writes go on. Its buffers stay valid and
 * unchanged for ever. Close it: old versions are kept for its sake.
 */
export interface Snapshot {
  read<T>(body: (view: View) => T): Awaitable<T>;
  /** A long scan: no batch holds up the event loop; `batchSize` entries at most in each (default 1 000). */
  batches(range: Range, options?: ScanOptions & { readonly batchSize?: number }): Batches;
  close(): void;
}

/** `always`: on disk (`fdatasync`). `everysec`: handed to the operating system, and on disk within about a second. */
export type Durability = 'always' | 'everysec';

export interface WriteOptions {
  /** For engines that must know at commit time; default `everysec`. The embedded engine decides at `settled`. */
  readonly durability?: Durability;
}

export type Unsubscribe = () => void;

/** Figures for metrics and INFO; an engine leaves out what it does not have. */
export interface EngineStatistics {
  readonly kind: 'embedded' | 'memory' | 'postgres';
  readonly commits: number;
  readonly conflicts: number;
  readonly fsyncs?: number;
  readonly memtableBytes?: number;
  readonly memtableEntries?: number;
  readonly logBytes?: number;
  readonly storedBytes?: number;
  readonly checkpoints?: number;
  readonly lastCheckpointMs?: number;
  /** Writes are refused at the moment, and why (a full disk). */
  readonly refusing?: string;
}

export interface Engine {
  read<T>(body: (view: View) => T): Awaitable<T>;
  /**
   * Runs the body as one serializable transaction, again after a conflict. Throws what the body throws, with nothing
   * written; {@link StorageFullError} when there is no room to log a commit.
   */
  write<T>(body: (tx: Transaction) => T, options?: WriteOptions): Awaitable<T>;
  /** `undefined` (at once) or a promise: when every commit so far holds the promise of `durability`. */
  settled(durability: Durability): Promise<void> | undefined;
  begin(options?: WriteOptions): Awaitable<OpenTransaction>;
  snapshot(): Awaitable<Snapshot>;
  /** The value of a counter that transactions `add` to; 0 when missing. */
  counter(key: Key): Awaitable<number>;
  /** Messages whose topic begins with `prefix`, in commit order, after their commit; the server's own too. */
  subscribe(prefix: string, listener: (topic: string, message: Buffer) => void): Unsubscribe;
  /** Sends a message without writing anything: a transaction of one `publish`. */
  publish(topic: string, message: Buffer): Awaitable<void>;
  /** A consistent copy of everything, made while writes go on, into an empty or missing directory. */
  backup(directory: string): Promise<void>;
  statistics(): EngineStatistics;
  /** Finishes what is running, makes everything durable, releases the store. */
  close(): Promise<void>;
}
