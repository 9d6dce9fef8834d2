/**
 * The key-value model on one engine: databases of typed values with deadlines, shared by every protocol of the model.
 *
 * A protocol keeps one {@link Database} per client and runs bodies over it with `read` and `write`; bodies follow the
 * engine's rules (synchronous, restartable). After a commit the store tells its followers which keys changed; in the
 * background it removes expired keys and the parts of collections that were dropped.
 */
import { prefixEnd, readUint32, readUint48, uint32, uint48 } from '../../encoding/byte-strings.js';
import type { Awaitable, Engine, Key, Transaction, View } from '../../engine/engine.js';
import { AccessTable } from './access-table.js';
import { AccountedTransaction, recordOverheadBytes } from './accounting.js';
import { type Change, EventClass } from './changes.js';
import { Database } from './database.js';
import {
  deadlineCounter,
  deadlineOf,
  deadlinePrefix,
  garbagePrefix,
  isLarge,
  KeyRecord,
  keyCounter,
  keyHash,
  mappingKey,
  partPrefix,
  recordKeyPrefixBytes,
  recordPrefix,
  ValueType,
} from './record.js';
import { Thresholds } from './thresholds.js';

export interface StoreOptions {
  /** Logical databases (Redis' `databases`). */
  readonly databases: number;
}

/** MEMORY USAGE adds up this many parts of a collection at most. */
const partsCountedMax = 1_000_000;

export type ChangesListener = (changes: readonly Change[]) => void;

/** Keys removed, and elements of dropped collections deleted, in one background transaction. */
const sweepBatch = 500;
const garbageBatch = 1000;
/** How often expired keys are looked for. */
const sweepIntervalMs = 100;
/** Physical databases made by FLUSHDB and SWAPDB begin here; lower ones are the logical databases' first. */
const firstMadePhysical = 1 << 16;

/** The topic under which engines that serve several servers carry changes between them. */
const changesTopic = 'key-value/changes';

export class KeyValueStore {
  readonly access = new AccessTable();
  readonly thresholds = new Thresholds();
  readonly databases: number;
  /** A transaction that is never used: what a database holds outside of bodies. */
  readonly noTransaction: Transaction;
  /** How many parties follow changes; 0 spares noting them. Raised and lowered by {@link follow}. */
  followers = 0;
  /** While true (CLIENT PAUSE, a replica), expired keys are hidden but not removed. */
  expiryPaused = false;
  /** DEBUG SET-ACTIVE-EXPIRE 0. */
  activeExpiry = true;
  expiredKeys = 0;
  /** Bytes of all records, while {@link accountMemory} is on. */
  dataBytes = 0;
  private accounting = false;
  private changes: Change[] = [];
  private readonly listeners = new Set<ChangesListener>();
  private mapping: number[];
  private mappingKnown = false;
  private serial = 0;
  private sweepTimer: NodeJS.Timeout | undefined;
  private sweeping = false;
  private collecting = false;
  private closed = false;
  /** Whether other servers write to the same store. */
  private readonly sharedStore: boolean;
  private readonly unsubscribe: (() => void) | undefined;

  constructor(
    readonly engine: Engine,
    options: StoreOptions,
  ) {
    this.databases = options.databases;
    this.mapping = Array.from({ length: options.databases }, (_, index) => index);
    this.noTransaction = unusableTransaction;
    this.sharedStore = engine.statistics().kind === 'postgres';
    if (this.sharedStore) {
      this.unsubscribe = engine.subscribe(changesTopic, (_topic, message) => this.tell(decodeChanges(message)));
    }
    this.sweepTimer = setInterval(() => {
      this.access.tick(Date.now());
      if (this.activeExpiry && !this.expiryPaused) void this.sweep();
    }, sweepIntervalMs);
    this.sweepTimer.unref();
    this.garbageMade();
  }

  database(index = 0): Database {
    return new Database(this, index);
  }

  /** Runs a body that only reads. Keys it found expired are removed right after. */
  read<T>(database: Database, body: (database: Database) => T): Awaitable<T> {
    const index = database.index;
    const result = this.engine.read((view: View) => {
      database.index = index;
      database.enter(view as Transaction, false);
      return body(database);
    });
    if (result instanceof Promise) return result.then((value) => this.afterRead(database, value));
    return this.afterRead(database, result);
  }

  /** Runs a body as one transaction, then tells the followers what it changed. */
  write<T>(database: Database, body: (database: Database) => T): Awaitable<T> {
    const index = database.index;
    let changes: readonly Change[] = noChanges;
    const result = this.engine.write((tx: Transaction) => {
      // Left by an earlier run of this body, or by a body that failed.
      if (this.changes.length !== 0) this.changes = [];
      database.index = index;
      const accounted = this.accounting ? new AccountedTransaction(tx) : undefined;
      database.enter(accounted ?? tx, true);
      const value = body(database);
      if (accounted !== undefined) this.dataBytes += accounted.delta;
      changes = this.changes;
      if (changes.length !== 0) {
        this.changes = [];
        if (this.sharedStore) tx.publish(changesTopic, encodeChanges(changes));
      }
      return value;
    });
    if (result instanceof Promise) return result;
    if (changes.length !== 0 && !this.sharedStore) this.tell(changes);
    return result;
  }

  /** Followers hear of every change of this and, on a shared store, every other server. Returns how to stop. */
  follow(listener: ChangesListener): () => void {
    this.listeners.add(listener);
    this.followers++;
    return () => {
      if (this.listeners.delete(listener)) this.followers--;
    };
  }

  noteChange(change: Change): void {
    this.changes.push(change);
  }

  nextSerial(): number {
    this.serial = (this.serial + 4096) & 0x7fffff;
    return this.serial;
  }

  /** The physical database behind a logical one, as the transaction sees it. */
  physicalDatabase(tx: View, index: number): number {
    if (this.mappingKnown && !this.sharedStore) return this.mapping[index] ?? index;
    if (this.sharedStore) {
      const stored = tx.get(mappingKey(index));
      return stored === undefined ? index : stored.readUInt32BE(0);
    }
    for (let i = 0; i < this.databases; i++) {
      const stored = tx.get(mappingKey(i));
      this.mapping[i] = stored === undefined ? i : stored.readUInt32BE(0);
    }
    this.mappingKnown = true;
    return this.mapping[index] ?? index;
  }

  /** Empties a logical database in one write, whatever its size. */
  flush(database: Database): void {
    const { tx } = database;
    const dropped = database.physicalId;
    // Unique, also among the databases that one transaction flushes, and far beyond the databases' first numbers.
    const serial = tx.version * this.databases + database.index;
    const fresh = firstMadePhysical + (serial % (0xffff_ffff - firstMadePhysical));
    this.map(tx, database.index, fresh);
    tx.put(`${garbagePrefix}d${uint32(dropped)}`, Buffer.alloc(0));
    this.garbageMade();
    database.select(database.index);
    if (this.followers !== 0) {
      this.noteChange({ database: database.index, key: undefined, eventClass: EventClass.silent, event: 'flushdb' });
    }
  }

  /** Exchanges the contents of two logical databases. */
  swap(database: Database, first: number, second: number): void {
    const { tx } = database;
    const a = this.physicalDatabase(tx, first);
    const b = this.physicalDatabase(tx, second);
    this.map(tx, first, b);
    this.map(tx, second, a);
    database.select(database.index);
    if (this.followers !== 0) {
      this.noteChange({ database: first, key: undefined, eventClass: EventClass.silent, event: 'swapdb' });
      this.noteChange({ database: second, key: undefined, eventClass: EventClass.silent, event: 'swapdb' });
    }
  }

  /** Number of keys in a logical database, expired ones that nobody has touched yet included. */
  size(index: number): Awaitable<number> {
    const physical = this.engine.read((view) => this.physicalDatabase(view, index));
    if (physical instanceof Promise) return physical.then((id) => this.engine.counter(keyCounter(id)));
    return this.engine.counter(keyCounter(physical));
  }

  /** Adds up the bytes of all records and follows them from then on, or stops following them. */
  accountMemory(on: boolean): void {
    if (on === this.accounting) return;
    this.accounting = on;
    this.dataBytes = 0;
    if (!on) return;
    const total = this.engine.read((view) => {
      let bytes = 0;
      for (const { key, value } of view.scan({ start: 'k', end: 'l' }))
        bytes += key.length + value.length + recordOverheadBytes;
      return bytes;
    });
    if (total instanceof Promise) {
      total.then(
        (bytes) => {
          this.dataBytes += bytes;
        },
        () => {},
      );
    } else this.dataBytes = total;
  }

  get accountsMemory(): boolean {
    return this.accounting;
  }

  /** Logical databases with the counters of their keys, and of their keys with a deadline. */
  keyspaceCounters(): { readonly index: number; readonly keys: Key; readonly deadlines: Key }[] {
    return Array.from({ length: this.databases }, (_, index) => {
      const physical = this.mapping[index] ?? index;
      return { index, keys: keyCounter(physical), deadlines: deadlineCounter(physical) };
    });
  }

  /** Every string of a database that has not expired, in hash order. */
  *strings(database: Database): Generator<{
    readonly key: string;
    readonly hash: number;
    readonly deadline: number;
    readonly version: number;
    readonly size: number;
  }> {
    for (const { key: engineKey, value } of database.tx.scan(database.range())) {
      const key = engineKey.slice(recordKeyPrefixBytes);
      const record = new KeyRecord(key, engineKey, value);
      if (record.type !== ValueType.string) continue;
      if (record.deadline !== 0 && record.deadline <= database.now) continue;
      const { deadline, version, payloadLength } = record;
      yield { key, hash: keyHash(key), deadline, version, size: key.length + payloadLength };
    }
  }

  /** Stored bytes of a key and its value: main record and parts, with what the engine needs around each. */
  memoryOf(database: Database, record: KeyRecord): number {
    let bytes = recordOverheadBytes + record.engineKey.length + record.bytes.length;
    if (!isLarge(record.type, record.encoding)) return bytes;
    const prefix = partPrefix(record.collectionId());
    for (const { key, value } of database.tx.scan(
      { start: prefix, end: prefixEnd(prefix) },
      { limit: partsCountedMax },
    )) {
      bytes += recordOverheadBytes + key.length + value.length;
    }
    return bytes;
  }

  /** Removes what a read found expired. */
  reap(index: number, keys: readonly string[]): Awaitable<void> {
    return this.write(new Database(this, index), (database) => {
      for (const key of keys) database.load(key);
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.sweepTimer);
    this.sweepTimer = undefined;
    this.unsubscribe?.();
    await Promise.resolve();
  }

  /** Something waits to be deleted: parts of a dropped collection, a flushed database. */
  garbageMade(): void {
    if (this.collecting || this.closed) return;
    this.collecting = true;
    const timer = setTimeout(() => void this.collectGarbage(), 50);
    timer.unref();
  }

  private map(tx: Transaction, index: number, physical: number): void {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32BE(physical);
    tx.put(mappingKey(index), bytes);
    this.mapping[index] = physical;
    this.mappingKnown = false;
  }

  private afterRead<T>(database: Database, value: T): T {
    const expired = database.expiredSeen;
    if (expired !== undefined && !this.expiryPaused) {
      database.expiredSeen = undefined;
      const done = this.reap(database.index, expired);
      if (done instanceof Promise) done.catch(() => {});
    }
    return value;
  }

  private tell(changes: readonly Change[]): void {
    for (const listener of this.listeners) listener(changes);
  }

  /** Removes keys whose deadline has passed, oldest first, a batch a transaction. */
  private async sweep(): Promise<void> {
    if (this.sweeping) return;
    this.sweeping = true;
    try {
      let more = true;
      while (more && !this.closed && this.activeExpiry && !this.expiryPaused) {
        more = await this.write(new Database(this, 0), (database) => this.sweepSome(database));
      }
    } catch {
      // A full disk or a lost connection: the keys stay hidden, and the next sweep finds them again.
    } finally {
      this.sweeping = false;
    }
  }

  private sweepSome(database: Database): boolean {
    const { tx } = database;
    const range = { start: deadlinePrefix, end: deadlinePrefix + uint48(tx.now) };
    const due = [...tx.scan(range, { limit: sweepBatch })];
    if (due.length === 0) return false;
    const logical = new Map<number, number>();
    for (let i = 0; i < this.databases; i++) logical.set(this.physicalDatabase(tx, i), i);
    for (const { key } of due) {
      const physical = readUint32(key, deadlinePrefix.length + 6);
      const index = logical.get(physical);
      const name = key.slice(deadlinePrefix.length + 10);
      if (index === undefined) {
        tx.delete(key); // of a flushed database
        continue;
      }
      database.select(index);
      const record = tx.get(database.engineKey(name));
      const deadline = record === undefined ? 0 : deadlineOf(record);
      if (deadline === readUint48(key, deadlinePrefix.length)) database.load(name);
      else tx.delete(key);
    }
    return due.length === sweepBatch;
  }

  private async collectGarbage(): Promise<void> {
    try {
      while (!this.closed && (await this.collectSome())) await new Promise<void>((resolve) => setImmediate(resolve));
    } catch {
      // As in `sweep`: the garbage is still listed, and collected later.
    } finally {
      this.collecting = false;
    }
  }

  private collectSome(): Awaitable<boolean> {
    return this.engine.write((plain) => {
      const tx = this.accounting ? new AccountedTransaction(plain) : plain;
      const finish = (): true => {
        if (tx instanceof AccountedTransaction) this.dataBytes += tx.delta;
        return true;
      };
      const range = { start: garbagePrefix, end: prefixEnd(garbagePrefix) };
      for (const { key } of tx.scan(range, { limit: 1 })) {
        const kind = key[garbagePrefix.length];
        const id = key.slice(garbagePrefix.length + 1);
        const finished = kind === 'c' ? this.deleteParts(tx, id) : this.deleteDatabase(tx, readUint32(id, 0));
        if (finished) tx.delete(key);
        return finish();
      }
      return false;
    });
  }

  private deleteParts(tx: Transaction, collectionId: string): boolean {
    const prefix = partPrefix(collectionId);
    const entries = [...tx.scan({ start: prefix, end: prefixEnd(prefix) }, { limit: garbageBatch })];
    for (const { key } of entries) tx.delete(key);
    return entries.length < garbageBatch;
  }

  private deleteDatabase(tx: Transaction, physical: number): boolean {
    const prefix = recordPrefix(physical);
    const database = new Database(this, 0);
    const entries = [...tx.scan({ start: prefix, end: prefixEnd(prefix) }, { limit: garbageBatch })];
    database.dropRecords(tx, physical, entries);
    return entries.length < garbageBatch;
  }
}

const noChanges: readonly Change[] = [];

/** Stands in a database outside of bodies; every use is a defect. */
const unusableTransaction: Transaction = new Proxy({} as Transaction, {
  get(_target, property) {
    throw new Error(`a database was used outside of a transaction (${String(property)})`);
  },
});

function encodeChanges(changes: readonly Change[]): Buffer {
  return Buffer.from(JSON.stringify(changes.map((c) => [c.database, c.key ?? null, c.eventClass, c.event])), 'utf8');
}

function decodeChanges(message: Buffer): Change[] {
  const rows = JSON.parse(message.toString('utf8')) as [number, string | null, number, string][];
  return rows.map(([database, key, eventClass, event]) => ({ database, key: key ?? undefined, eventClass, event }));
}
