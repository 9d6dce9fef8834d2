/**
 * An engine without a disk: the plainest thing that keeps the contract. Tests of the models run on it, and random tests
 * compare other engines with it. A state is a map and a sorted list of its keys; a snapshot freezes a state, and the next
 * write copies it.
 */
import type {
  Batches,
  Engine,
  EngineStatistics,
  Entry,
  Key,
  OpenTransaction,
  Range,
  ScanOptions,
  Snapshot,
  Transaction,
  View,
} from '../engine.js';
import { ConflictError } from '../errors.js';
import { writeBackup } from '../portable-backup.js';
import { Topics } from '../topics.js';

interface State {
  readonly values: Map<Key, Buffer>;
  /** Sorted. */
  readonly keys: Key[];
  frozen: boolean;
}

/** Position of the first key that is not less than `key`. */
function lowerBound(keys: readonly Key[], key: Key): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function setIn(state: State, key: Key, value: Buffer | undefined): void {
  const known = state.values.has(key);
  if (value === undefined) {
    if (!known) return;
    state.values.delete(key);
    state.keys.splice(lowerBound(state.keys, key), 1);
    return;
  }
  if (!known) {
    const { keys } = state;
    const last = keys[keys.length - 1];
    if (last === undefined || last < key) keys.push(key);
    else keys.splice(lowerBound(keys, key), 0, key);
  }
  state.values.set(key, value);
}

function* scanState(state: State, range: Range, options: ScanOptions = {}): Generator<Entry> {
  const keys = state.keys.slice(lowerBound(state.keys, range.start), lowerBound(state.keys, range.end));
  if (options.reverse === true) keys.reverse();
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  for (const key of keys) {
    if (left-- <= 0) return;
    const value = state.values.get(key);
    if (value !== undefined) yield { key, value };
  }
}

class MemoryView implements View {
  readonly now = Date.now();
  constructor(protected readonly state: State) {}

  random(): number {
    return Math.random();
  }

  get(key: Key): Buffer | undefined {
    return this.state.values.get(key);
  }

  prefetch(): void {}

  scan(range: Range, options?: ScanOptions): Iterable<Entry> {
    return scanState(this.state, range, options);
  }
}

/** Writes straight into the state and remembers how to undo it. */
class MemoryTransaction extends MemoryView implements Transaction {
  readonly undo: [Key, Buffer | undefined][] = [];
  readonly messages: [string, Buffer][] = [];

  constructor(
    state: State,
    readonly version: number,
  ) {
    super(state);
  }

  put(key: Key, value: Buffer): void {
    this.set(key, value);
  }

  delete(key: Key): void {
    this.set(key, undefined);
  }

  deleteRange(range: Range): void {
    for (const { key } of scanState(this.state, range)) this.set(key, undefined);
  }

  splice(key: Key, offset: number, removed: number, inserted: Uint8Array): void {
    const old = this.get(key) ?? Buffer.alloc(0);
    if (offset < 0 || removed < 0 || offset + removed > old.length) throw new RangeError('splice outside of the value');
    this.set(key, Buffer.concat([old.subarray(0, offset), inserted, old.subarray(offset + removed)]));
  }

  add(key: Key, delta: number): void {
    this.set(key, encodeCounter(decodeCounter(this.get(key)) + delta));
  }

  publish(topic: string, message: Buffer): void {
    this.messages.push([topic, message]);
  }

  protected set(key: Key, value: Buffer | undefined): void {
    this.undo.push([key, this.state.values.get(key)]);
    setIn(this.state, key, value);
  }
}

/** A transaction over a frozen state: notes what was read, and replays its writes at commit. */
class MemoryOpenTransaction implements OpenTransaction {
  private readonly own: State;
  private readonly read = new Set<Key>();
  private readonly scanned: Range[] = [];
  private readonly writes: ((tx: Transaction) => void)[] = [];
  private readonly tx: MemoryTransaction;
  private ended = false;

  constructor(
    private readonly engine: MemoryEngine,
    private readonly start: State,
    version: number,
  ) {
    this.own = { values: new Map(start.values), keys: [...start.keys], frozen: false };
    this.tx = new MemoryTransaction(this.own, version);
  }

  run<T>(body: (tx: Transaction) => T): T {
    if (this.ended) throw new Error('the transaction has ended');
    const { tx } = this;
    const undone = tx.undo.length;
    const messages = tx.messages.length;
    const written = this.writes.length;
    const recorder: Transaction = {
      now: Date.now(),
      version: tx.version,
      random: () => tx.random(),
      prefetch: () => {},
      get: (key) => {
        this.noteRead(key);
        return tx.get(key);
      },
      scan: (range, options) => {
        this.scanned.push(range);
        return tx.scan(range, options);
      },
      put: (key, value) => this.record((t) => t.put(key, value)),
      delete: (key) => this.record((t) => t.delete(key)),
      deleteRange: (range) => {
        this.scanned.push(range);
        this.record((t) => t.deleteRange(range));
      },
      splice: (key, offset, removed, inserted) => {
        this.noteRead(key);
        const copy = Uint8Array.from(inserted);
        this.record((t) => t.splice(key, offset, removed, copy));
      },
      add: (key, delta) => this.record((t) => t.add(key, delta)),
      publish: (topic, message) => this.record((t) => t.publish(topic, message)),
    };
    try {
      return body(recorder);
    } catch (thrown) {
      rollBack(this.own, tx.undo, undone);
      tx.messages.length = messages;
      this.writes.length = written;
      throw thrown;
    }
  }

  commit(): void {
    if (this.ended) throw new Error('the transaction has ended');
    this.ended = true;
    this.engine.commitOpen(this.start, this.read, this.scanned, this.writes);
  }

  abort(): void {
    this.ended = true;
  }

  /** What the transaction has written itself is not read from the store. */
  private noteRead(key: Key): void {
    if (!this.tx.undo.some(([written]) => written === key)) this.read.add(key);
  }

  private record(write: (tx: Transaction) => void): void {
    write(this.tx);
    this.writes.push(write);
  }
}

function rollBack(state: State, undo: [Key, Buffer | undefined][], to: number): void {
  while (undo.length > to) {
    const last = undo.pop();
    if (last !== undefined) setIn(state, last[0], last[1]);
  }
}

export class MemoryEngine implements Engine {
  private state: State = { values: new Map(), keys: [], frozen: false };
  private version = 0;
  private commits = 0;
  private conflicts = 0;
  private readonly topics = new Topics();

  read<T>(body: (view: View) => T): T {
    return body(new MemoryView(this.state));
  }

  write<T>(body: (tx: Transaction) => T): T {
    if (this.state.frozen) {
      this.state = { values: new Map(this.state.values), keys: [...this.state.keys], frozen: false };
    }
    const tx = new MemoryTransaction(this.state, ++this.version);
    let result: T;
    try {
      result = body(tx);
    } catch (thrown) {
      rollBack(this.state, tx.undo, 0);
      throw thrown;
    }
    this.commits++;
    for (const [topic, message] of tx.messages) this.topics.send(topic, message);
    this.topics.deliver();
    return result;
  }

  settled(): undefined {
    return undefined;
  }

  begin(): OpenTransaction {
    this.state.frozen = true;
    return new MemoryOpenTransaction(this, this.state, ++this.version);
  }

  /** Applies an open transaction's writes unless something it read has changed. */
  commitOpen(
    start: State,
    read: ReadonlySet<Key>,
    scanned: readonly Range[],
    writes: readonly ((tx: Transaction) => void)[],
  ): void {
    const now = this.state;
    const changed =
      [...read].some((key) => start.values.get(key) !== now.values.get(key)) ||
      scanned.some((range) => {
        const before = [...scanState(start, range)];
        const after = [...scanState(now, range)];
        return (
          before.length !== after.length ||
          before.some((e, i) => e.key !== after[i]?.key || e.value !== after[i]?.value)
        );
      });
    if (changed) {
      this.conflicts++;
      throw new ConflictError();
    }
    this.write((tx) => {
      for (const write of writes) write(tx);
    });
  }

  snapshot(): Snapshot {
    this.state.frozen = true;
    const state = this.state;
    return {
      read: (body) => body(new MemoryView(state)),
      batches: (range, options = {}) => batchesOf(scanState(state, range, options), options.batchSize ?? 1000),
      close: () => {},
    };
  }

  counter(key: Key): number {
    return decodeCounter(this.state.values.get(key));
  }

  subscribe(prefix: string, listener: (topic: string, message: Buffer) => void): () => void {
    return this.topics.subscribe(prefix, listener);
  }

  publish(topic: string, message: Buffer): void {
    this.topics.send(topic, message);
    this.topics.deliver();
  }

  async backup(directory: string): Promise<void> {
    await writeBackup(this.snapshot(), directory);
  }

  statistics(): EngineStatistics {
    return {
      kind: 'memory',
      commits: this.commits,
      conflicts: this.conflicts,
      memtableEntries: this.state.keys.length,
    };
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

function batchesOf(entries: Iterator<Entry>, size: number): Batches {
  return {
    next: () => {
      const batch: Entry[] = [];
      while (batch.length < size) {
        const step = entries.next();
        if (step.done === true) break;
        batch.push(step.value);
      }
      return batch.length === 0 ? undefined : batch;
    },
    close: () => {},
  };
}

function encodeCounter(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

function decodeCounter(bytes: Buffer | undefined): number {
  return bytes === undefined ? 0 : Number(bytes.readBigInt64BE(0));
}

export function openMemoryEngine(): Engine {
  return new MemoryEngine();
}
