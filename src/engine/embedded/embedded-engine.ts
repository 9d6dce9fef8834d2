/**
 * The default engine: everything on one machine, in one directory.
 *
 *   FORMAT   the version of the data format
 *   log/     the write-ahead log: what the store does not hold yet
 *   store/   LMDB: the records as of the last checkpoint
 *
 * A commit is applied to the memtable and appended to the log's buffer as its body runs; `settled` writes the buffer, and
 * syncs it when asked to. When the memtable is full it is frozen, a new one takes its place, and the frozen one is merged
 * into the store in the background; then the log segments that it came from are recycled. Reads look in the memtable, in
 * the frozen one if there is one, and in the store.
 *
 * Everything happens on one thread, and bodies are synchronous: a transaction needs no locks and never conflicts, except
 * one that stays open between requests.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type {
  Durability,
  Engine,
  EngineStatistics,
  Key,
  OpenTransaction,
  Range,
  Snapshot,
  Transaction,
  Unsubscribe,
  View,
} from '../engine.js';
import { ConflictError, CorruptionError, StorageFullError, UnavailableError } from '../errors.js';
import { writeBackup } from '../portable-backup.js';
import { Topics } from '../topics.js';
import { type CheckpointProbe, mergeIntoStore } from './checkpoint.js';
import { type DirectoryLock, lockDirectory } from './directory-lock.js';
import { checkFormat, writeFormat } from './format-file.js';
import { defaultLimits, type EmbeddedLimits } from './limits.js';
import { WriteAheadLog } from './log.js';
import { DiskLogFiles, type LogFiles } from './log-files.js';
import { cutTail, recoverLog } from './log-recovery.js';
import { absent, Memtable } from './memtable.js';
import { EmbeddedTransaction, type Intent, type TransactionHost } from './open-transaction.js';
import { Store } from './store.js';
import { decodeCounter, EmbeddedSnapshot, FrozenState, LatestTransaction, LatestView, type Layers } from './views.js';

/** Each start leaves this many versions out: more than can have been given and lost before the log said so. */
const versionGap = 1 << 20;
/** A memtable begins with room for an entry per 128 bytes of its limit. */
const expectedEntryShift = 7;
/** With a checkpoint failing, writes are refused when the memtable is this many times over its limit. */
const overloadFactor = 2;

export interface EmbeddedOptions {
  readonly directory: string;
  readonly limits?: Partial<EmbeddedLimits>;
  /** For tests: another disk under the log. */
  readonly logFiles?: LogFiles;
  /** For tests: called at the steps of a checkpoint, may throw. */
  readonly checkpointProbe?: CheckpointProbe;
}

export class EmbeddedEngine implements Engine, TransactionHost {
  private readonly topics = new Topics();
  private readonly view: LatestView;
  private readonly tx: LatestTransaction;
  /** A body is running. */
  private writing = false;
  private closed = false;
  private flushScheduled = false;

  private commits = 0;
  private conflicts = 0;
  private checkpoints = 0;
  private lastCheckpointMs: number | undefined;

  /** Live snapshots and open transactions, oldest first. */
  private readonly states = new Set<FrozenState>();
  private newestState = -1;
  private readonly transactions = new Set<EmbeddedTransaction>();
  /** Merged memtables that open transactions are checked against, oldest first. */
  private retained: { readonly memtable: Memtable; readonly end: number }[] = [];
  /** Sequence up to which the memtables are gone. */
  private forgotten = 0;

  private checkpoint: Promise<void> | undefined;
  /** Resolves when the checkpoint has made room, or has failed for the first time. */
  private relief: Promise<void> | undefined;
  private checkpointFailure: string | undefined;

  private constructor(
    private readonly limits: EmbeddedLimits,
    private readonly layers: Layers,
    private sequence: number,
    private readonly lock: DirectoryLock,
    private readonly probe: CheckpointProbe,
  ) {
    this.view = new LatestView(layers);
    this.tx = new LatestTransaction(layers, limits.keyBytesMax);
  }

  /**
   * Throws `LockedError` when a process has the directory open, `FormatError` when it is not Rosetta's or newer than this
   * version, `CorruptionError` when it is damaged; nothing is changed then.
   */
  static async open(options: EmbeddedOptions): Promise<EmbeddedEngine> {
    const { directory } = options;
    const limits = { ...defaultLimits, ...options.limits };
    mkdirSync(directory, { recursive: true });
    const lock = await lockDirectory(directory);
    let store: Store | undefined;
    try {
      const isNew = !checkFormat(directory);
      if (isNew) await writeFormat(directory);
      mkdirSync(join(directory, 'log'), { recursive: true });
      const files = options.logFiles ?? new DiskLogFiles(join(directory, 'log'));
      store = Store.open(join(directory, 'store'), limits.mapBytes);
      const engine = await EmbeddedEngine.recover(files, store, limits, lock, options.checkpointProbe ?? (() => {}));
      return engine;
    } catch (thrown) {
      await store?.close();
      await lock.release();
      throw thrown;
    }
  }

  private static async recover(
    files: LogFiles,
    store: Store,
    limits: EmbeddedLimits,
    lock: DirectoryLock,
    probe: CheckpointProbe,
  ): Promise<EmbeddedEngine> {
    const checkpoint = store.checkpoint;
    const first = checkpoint?.firstSegment ?? 1;
    const base = checkpoint?.sequence ?? 0;
    const memtable = new Memtable(base, limits.memtableBytesMax >> expectedEntryShift);
    const begun = files.list().some((name) => name.startsWith('log-'));
    if (checkpoint !== undefined && !begun) throw new CorruptionError('the log is missing');
    const log = begun ? recoverLog(files, first, replayInto(memtable)) : undefined;
    if (log !== undefined) await cutTail(files, log);
    const { segmentBytes, commitBytesMax, syncIntervalMs, logBytesMax } = limits;
    const sparesMax = Math.ceil(logBytesMax / segmentBytes) + 2;
    const writer = new WriteAheadLog(
      files,
      { segmentBytes, commitBytesMax, syncIntervalMs, sparesMax },
      log?.next ?? first,
      log?.segments ?? [],
    );
    const sequence = Math.max(base, log?.sequence ?? 0) + versionGap;
    writer.announce(sequence);
    await writer.sync();
    if (memtable.count === 0) {
      // Nothing to replay: the log begins anew, or else every start would leave a segment behind.
      const firstSegment = log?.next ?? first;
      await store.batch(() => store.putCheckpoint({ sequence, firstSegment }));
      writer.release(firstSegment);
    } else if (checkpoint === undefined)
      await store.batch(() => store.putCheckpoint({ sequence: 0, firstSegment: first }));
    store.advance();
    const layers: Layers = { active: memtable, frozen: undefined, store, log: writer };
    const engine = new EmbeddedEngine(limits, layers, sequence, lock, probe);
    engine.forgotten = sequence;
    engine.checkpointWhenDue();
    return engine;
  }

  // --- transactions --------------------------------------------------------------------------------------------------

  read<T>(body: (view: View) => T): T {
    if (this.closed) throw new UnavailableError('the store is closed');
    this.view.restart();
    return body(this.view);
  }

  write<T>(body: (tx: Transaction) => T): T {
    if (this.writing) throw new Error('a transaction cannot begin inside the body of another one');
    if (this.closed) throw new UnavailableError('the store is closed');
    const { layers, tx } = this;
    const { active, log } = layers;
    if (this.checkpointFailure !== undefined) this.refuseOverload();
    log.begin();
    const sequence = ++this.sequence;
    active.begin(sequence, this.newestState >= active.base ? this.newestState : -1);
    tx.begin(sequence);
    this.writing = true;
    let result: T;
    try {
      result = body(tx);
      if (tx.changed) log.commit(sequence);
    } catch (thrown) {
      active.rollBack();
      log.rollBack();
      this.writing = false;
      throw thrown;
    }
    this.writing = false;
    if (tx.changed) {
      active.commit();
      this.commits++;
      if (!this.flushScheduled) this.scheduleFlush();
      this.checkpointWhenDue();
    }
    for (const { topic, message } of tx.messages) this.topics.send(topic, message);
    this.topics.deliver();
    return result;
  }

  settled(durability: Durability): Promise<void> | undefined {
    const { log, frozen } = this.layers;
    log.flush();
    if (log.failure !== undefined) return Promise.reject(log.failure);
    const written = durability === 'always' ? log.sync() : log.pending ? log.written() : undefined;
    if (frozen === undefined || this.checkpointFailure !== undefined || !this.isFull()) return written;
    // Writers that outrun the merge wait for it here.
    return written === undefined ? this.relief : Promise.all([written, this.relief]).then(() => undefined);
  }

  begin(): OpenTransaction {
    const transaction = new EmbeddedTransaction(this.freezeState(), ++this.sequence, this);
    this.transactions.add(transaction);
    return transaction;
  }

  snapshot(): Snapshot {
    return new EmbeddedSnapshot(this.freezeState(), (state) => this.releaseState(state));
  }

  counter(key: Key): number {
    return this.read((view) => decodeCounter(view.get(key)));
  }

  commitIntent(state: FrozenState, intent: Intent): void {
    const { writes, adds, messages } = intent;
    if (this.hasChanged(state.sequence, intent)) {
      this.conflicts++;
      throw new ConflictError();
    }
    // Its own snapshot is not needed any more: the writes need not keep the versions it saw.
    this.write((tx) => {
      for (const [key, value] of writes) {
        if (value === null) tx.delete(key);
        else tx.put(key, value);
      }
      for (const [key, delta] of adds) tx.add(key, delta);
      for (const { topic, message } of messages) tx.publish(topic, message);
    });
  }

  endTransaction(transaction: EmbeddedTransaction): void {
    this.transactions.delete(transaction);
    this.releaseState(transaction.state);
    if (this.transactions.size === 0) this.retained = [];
  }

  private hasChanged(since: number, { keys, ranges }: Intent): boolean {
    if (keys.size === 0 && ranges.length === 0) return false;
    if (this.forgotten > since) return true;
    const { active, frozen } = this.layers;
    const memtables = this.retained.map(({ memtable }) => memtable);
    if (frozen !== undefined) memtables.push(frozen);
    memtables.push(active);
    return memtables.some((memtable) => {
      const isNewer = (entry: number): boolean =>
        memtable.lengthOf(entry) !== absent && memtable.sequenceOf(entry) > since;
      for (const key of keys) {
        const entry = memtable.find(key);
        if (entry >= 0 && isNewer(entry)) return true;
      }
      return ranges.some((range) => someEntry(memtable, range, isNewer));
    });
  }

  private freezeState(): FrozenState {
    if (this.closed) throw new UnavailableError('the store is closed');
    if (this.writing) throw new Error('a snapshot cannot be taken inside the body of a transaction');
    const { active, frozen, store } = this.layers;
    const memtables = frozen === undefined ? [active] : [active, frozen];
    const state = new FrozenState(this.sequence, memtables, store, store.retain());
    this.states.add(state);
    this.newestState = this.sequence;
    return state;
  }

  private releaseState(state: FrozenState): void {
    if (!this.states.delete(state)) return;
    state.release();
    // In order of their begin. The newest may stay too high for a while: it keeps a few versions too many, no more.
    const oldest: FrozenState | undefined = this.states.values().next().value;
    if (oldest === undefined) this.newestState = -1;
    this.layers.active.prune(oldest?.sequence ?? Number.POSITIVE_INFINITY);
  }

  // --- messages ------------------------------------------------------------------------------------------------------

  subscribe(prefix: string, listener: (topic: string, message: Buffer) => void): Unsubscribe {
    return this.topics.subscribe(prefix, listener);
  }

  publish(topic: string, message: Buffer): void {
    this.topics.send(topic, message);
    if (!this.writing) this.topics.deliver();
  }

  // --- checkpoints ---------------------------------------------------------------------------------------------------

  /** Freezes the memtable and merges it, unless that is going on already. */
  private checkpointWhenDue(): void {
    if (this.layers.frozen === undefined && this.isFull() && !this.closed) this.startCheckpoint();
  }

  private isFull(): boolean {
    const { active, log } = this.layers;
    return active.bytes >= this.limits.memtableBytesMax || log.generationBytes >= this.limits.logBytesMax;
  }

  private startCheckpoint(): void {
    const { layers } = this;
    let firstSegment: number;
    try {
      firstSegment = layers.log.beginGeneration();
    } catch {
      // No room for a new segment: the commits that need one will say so, and the next one tries this again.
      return;
    }
    const frozen = layers.active;
    layers.frozen = frozen;
    layers.active = new Memtable(this.sequence, this.limits.memtableBytesMax >> expectedEntryShift);
    let relieve = (): void => {};
    this.relief = new Promise((resolve) => {
      relieve = resolve;
    });
    this.checkpoint = this.runCheckpoint(frozen, { sequence: this.sequence, firstSegment }, relieve);
    // It fails only while the engine is being closed, which looks at it then.
    this.checkpoint.catch(() => {});
  }

  private async runCheckpoint(
    frozen: Memtable,
    record: { readonly sequence: number; readonly firstSegment: number },
    relieve: () => void,
  ): Promise<void> {
    const { layers, probe } = this;
    const { store, log } = layers;
    const began = performance.now();
    for (;;) {
      try {
        // The new generation's first segment must be found by whoever reads the record.
        await log.sync();
        await mergeIntoStore(frozen, store, record, probe);
        break;
      } catch (thrown) {
        this.checkpointFailure = `the last checkpoint failed: ${(thrown as Error).message}`;
        relieve();
        if (this.closed) throw thrown;
        await new Promise((resolve) => setTimeout(resolve, this.limits.checkpointRetryMs));
        if (this.closed) throw thrown;
      }
    }
    this.checkpointFailure = undefined;
    relieve();
    this.dropFrozen(frozen, record.sequence);
    this.checkpoints++;
    this.lastCheckpointMs = performance.now() - began;
    this.checkpoint = undefined;
    try {
      probe('release');
      log.release(record.firstSegment);
    } catch {
      // Segments that nobody needs stay behind: the next checkpoint or start removes them.
    }
    this.checkpointWhenDue();
  }

  private dropFrozen(memtable: Memtable, end: number): void {
    const { layers } = this;
    layers.store.advance();
    layers.frozen = undefined;
    this.retained.push({ memtable, end });
    const isNeeded = [...this.transactions].some(({ state }) => state.sequence < end);
    const most = isNeeded ? this.limits.retainedMemtablesMax : 0;
    while (this.retained.length > most) this.forgotten = this.retained.shift()?.end ?? end;
  }

  private refuseOverload(): void {
    if (this.layers.active.bytes > overloadFactor * this.limits.memtableBytesMax) {
      throw new StorageFullError(this.checkpointFailure);
    }
  }

  /** Commits that nobody asks about are written at the end of the turn all the same. */
  private scheduleFlush(): void {
    this.flushScheduled = true;
    setImmediate(() => {
      this.flushScheduled = false;
      if (!this.closed) this.layers.log.flush();
    });
  }

  // --- the whole store -----------------------------------------------------------------------------------------------

  async backup(directory: string): Promise<void> {
    await writeBackup(this.snapshot(), directory);
  }

  statistics(): EngineStatistics {
    const { active, frozen, log, store } = this.layers;
    const refusing = log.refusing ?? this.checkpointFailure;
    return {
      kind: 'embedded',
      commits: this.commits,
      conflicts: this.conflicts,
      fsyncs: log.syncs,
      memtableBytes: active.bytes + (frozen?.bytes ?? 0),
      memtableEntries: active.count + (frozen?.count ?? 0),
      logBytes: log.bytes,
      storedBytes: this.closed ? 0 : store.bytes,
      checkpoints: this.checkpoints,
      ...(this.lastCheckpointMs === undefined ? {} : { lastCheckpointMs: this.lastCheckpointMs }),
      ...(refusing === undefined ? {} : { refusing }),
    };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    const { layers } = this;
    // The next start finds nothing to replay. When that fails, the log still has everything.
    if (layers.log.failure === undefined) {
      await layers.log.written();
      if (this.checkpointFailure === undefined) await this.checkpoint;
      if (layers.frozen === undefined && layers.active.count > 0) this.startCheckpoint();
    }
    this.closed = true;
    await this.checkpoint?.catch(() => {});
    for (const state of this.states) state.release();
    this.states.clear();
    try {
      await layers.log.close();
    } finally {
      await layers.store.close();
      await this.lock.release();
    }
  }

  /** For tests: lets go of everything as the death of the process would, writing nothing more. */
  async crash(): Promise<void> {
    this.closed = true;
    await this.layers.log.abandon();
    await this.checkpoint?.catch(() => {});
    for (const state of this.states) state.release();
    this.states.clear();
    await this.layers.store.close();
    await this.lock.release();
  }
}

function someEntry(memtable: Memtable, range: Range, matches: (entry: number) => boolean): boolean {
  const position = memtable.order.seek(range.start);
  for (let entry = memtable.order.at(position); entry >= 0; entry = memtable.order.at(position)) {
    if (memtable.compareKey(entry, range.end) >= 0) return false;
    if (matches(entry)) return true;
    position.slot++;
  }
  return false;
}

function replayInto(memtable: Memtable): Parameters<typeof recoverLog>[2] {
  const begin = (): void => memtable.begin(memtable.base + 1, -1);
  return {
    put: (key, value) => {
      begin();
      memtable.put(key, value);
      memtable.commit();
    },
    delete: (key) => {
      begin();
      memtable.remove(key);
      memtable.commit();
    },
    splice: (key, offset, removed, inserted) => {
      const entry = memtable.find(key);
      const length = entry < 0 ? absent : memtable.lengthOf(entry);
      if (offset + removed > length) throw new CorruptionError('the log changes a value that it does not hold');
      begin();
      memtable.splice(entry, offset, removed, inserted);
      memtable.commit();
    },
  };
}
