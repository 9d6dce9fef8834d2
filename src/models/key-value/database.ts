/**
 * One logical database inside a running transaction: finds, replaces, changes and removes keys, and keeps what hangs on
 * them right: the expiry index, the key counters, the parts of large collections, the list of changes. The modules of
 * the types (strings, hashes, lists …) are functions over a `Database` and touch the engine through it alone.
 */
import { prefixEnd, uint32, uint48 } from '../../encoding/byte-strings.js';
import type { Entry, Key, Range, Transaction } from '../../engine/engine.js';
import { EventClass } from './changes.js';
import { KeyValueError } from './errors.js';
import {
  collectionIdBytes,
  deadlineCounter,
  deadlineOf,
  deadlinePrefix,
  Encoding,
  garbagePrefix,
  headerBytes,
  isLarge,
  KeyRecord,
  keyCounter,
  keyHash,
  newCollectionId,
  partPrefix,
  plainHeaderBytes,
  type RecordHeader,
  recordKey,
  recordKeyPrefixBytes,
  recordPrefix,
  ValueType,
  versionBytes,
  writeHeader,
  writeVersion,
} from './record.js';
import type { KeyValueStore } from './store.js';

/** Records up to this size are rewritten whole when a part changes; larger ones are spliced. */
const rewriteBytesMax = 512;

/** What `replace` may set beside type and value; what is left out is dropped from the key. */
export interface ReplaceOptions {
  readonly encoding?: number;
  readonly deadline?: number;
  readonly itemFlags?: number;
}

const noOptions: ReplaceOptions = {};
const emptyBytes = Buffer.alloc(0);
const deadlineValue = Buffer.alloc(0);

export class Database {
  /** The running transaction; in a read its writing half must not be called. */
  tx: Transaction;
  /** False inside `KeyValueStore.read`. */
  writable = false;
  /** Milliseconds since 1970, frozen for the transaction. */
  now = 0;
  /** Do not count this access for eviction (CLIENT NO-TOUCH, OBJECT, DEBUG). */
  noTouch = false;
  /** Keys found expired in a read, for the store to remove afterwards. */
  expiredSeen: string[] | undefined;
  private physical = 0;
  private prefix = '';
  private collections = 0;

  constructor(
    readonly store: KeyValueStore,
    public index: number,
  ) {
    this.tx = store.noTransaction;
  }

  /** Called by the store at the start of every run of a body. */
  enter(tx: Transaction, writable: boolean): void {
    this.tx = tx;
    this.now = tx.now;
    this.writable = writable;
    this.collections = 0;
    this.expiredSeen = undefined;
    this.select(this.index);
  }

  /** Switches to another logical database inside the same transaction. */
  select(index: number): void {
    this.index = index;
    const physical = this.store.physicalDatabase(this.tx, index);
    if (physical !== this.physical || this.prefix === '') {
      this.physical = physical;
      this.prefix = recordPrefix(physical);
    }
  }

  /** Another logical database in the same transaction (COPY, MOVE, SWAPDB). */
  sibling(index: number): Database {
    const other = new Database(this.store, index);
    other.enter(this.tx, this.writable);
    // Two databases of one transaction must not hand out the same collection id.
    other.collections = 0x800000 + this.store.nextSerial();
    return other;
  }

  /** The engine key of a key's main record. */
  engineKey(key: string): Key {
    return recordKey(this.prefix, keyHash(key), key);
  }

  /** All main records of this database, in hash order. */
  range(): Range {
    return { start: this.prefix, end: prefixEnd(this.prefix) };
  }

  /** Key counter records of this database. */
  get counters(): { readonly keys: Key; readonly deadlines: Key } {
    return { keys: keyCounter(this.physical), deadlines: deadlineCounter(this.physical) };
  }

  get physicalId(): number {
    return this.physical;
  }

  /**
   * The stored bytes of a key's main record, or `undefined`; counts as an access. An expired key is missing: in a write
   * it is removed, in a read remembered in `expiredSeen`. The fastest way to a string's value; see {@link find}.
   */
  load(key: string): Buffer | undefined {
    const hash = keyHash(key);
    const bytes = this.tx.get(recordKey(this.prefix, hash, key));
    if (bytes === undefined) return undefined;
    if (((bytes[0] ?? 0) & 0x08) !== 0 && deadlineOf(bytes) <= this.now) return this.expire(key, bytes);
    if (!this.noTouch) this.store.access.touch(hash);
    return bytes;
  }

  /** The record of a key of any type, or `undefined` when it is missing or expired. */
  find(key: string): KeyRecord | undefined {
    const bytes = this.load(key);
    return bytes === undefined ? undefined : new KeyRecord(key, this.engineKey(key), bytes);
  }

  /** As {@link find}; throws `wrong-type` when the key holds another type. */
  findType(key: string, type: ValueType): KeyRecord | undefined {
    const record = this.find(key);
    if (record !== undefined && record.type !== type) throw new KeyValueError('wrong-type');
    return record;
  }

  exists(key: string): boolean {
    return this.load(key) !== undefined;
  }

  /**
   * Stores a whole value under `key` in place of whatever was there; `old` is what {@link find} gave for it in this
   * transaction. Drops deadline and item flags unless `options` carries them. Announces nothing but a new key: the caller
   * knows the event's name.
   */
  replace(
    key: string,
    old: KeyRecord | undefined,
    type: ValueType,
    payload: Uint8Array,
    options: ReplaceOptions = noOptions,
  ): void {
    const header: RecordHeader = {
      type,
      encoding: options.encoding ?? 0,
      deadline: options.deadline ?? 0,
      itemFlags: options.itemFlags ?? 0,
    };
    const bytes = Buffer.allocUnsafe(headerBytes(header) + payload.length);
    bytes.set(payload, writeHeader(bytes, header, this.tx.version));
    this.put(key, old, bytes, header.deadline);
  }

  /**
   * As {@link replace} for a string without deadline and item flags, from a buffer whose first `plainHeaderBytes` are
   * left for the header: no copy. Takes ownership of `bytes`.
   */
  replaceString(key: string, bytes: Buffer): void {
    const engineKey = this.engineKey(key);
    const old = this.tx.get(engineKey);
    bytes[0] = ValueType.string;
    writeVersion(bytes, 1, this.tx.version);
    if (old === undefined) {
      this.tx.add(keyCounter(this.physical), 1);
      this.changed(key, EventClass.newKey, 'new');
    } else if ((old[0] ?? 0) !== ValueType.string) this.forget(new KeyRecord(key, engineKey, old), true);
    this.store.access.touch(keyHash(key));
    this.tx.put(engineKey, bytes);
  }

  /**
   * Replaces the payload of `old` and keeps its deadline and item flags: an in-place change. `encoding` as in `old`
   * unless given.
   */
  update(old: KeyRecord, payload: Uint8Array, encoding: number = old.encoding): void {
    const header: RecordHeader = { type: old.type, encoding, deadline: old.deadline, itemFlags: old.itemFlags };
    const bytes = Buffer.allocUnsafe(headerBytes(header) + payload.length);
    bytes.set(payload, writeHeader(bytes, header, this.tx.version));
    this.tx.put(old.engineKey, bytes);
  }

  /**
   * Replaces `removed` bytes at `offset` of `old`'s payload by `inserted`: the log gets the change alone. Gives the new
   * record. `encoding` must stay the same.
   */
  edit(old: KeyRecord, offset: number, removed: number, inserted: Uint8Array): void {
    const at = old.payloadOffset + offset;
    const size = old.bytes.length - removed + inserted.length;
    if (size <= rewriteBytesMax) {
      const bytes = Buffer.allocUnsafe(size);
      old.bytes.copy(bytes, 0, 0, at);
      bytes.set(inserted, at);
      old.bytes.copy(bytes, at + inserted.length, at + removed);
      writeVersion(bytes, 1, this.tx.version);
      this.tx.put(old.engineKey, bytes);
      return;
    }
    const version = Buffer.allocUnsafe(versionBytes);
    writeVersion(version, 0, this.tx.version);
    this.tx.splice(old.engineKey, 1, versionBytes, version);
    this.tx.splice(old.engineKey, at, removed, inserted);
  }

  /** Sets or clears (0) the deadline; the value and its version's meaning for memcached stay, the version itself moves. */
  setDeadline(old: KeyRecord, deadline: number): void {
    const header: RecordHeader = { type: old.type, encoding: old.encoding, deadline, itemFlags: old.itemFlags };
    const bytes = Buffer.allocUnsafe(headerBytes(header) + old.payloadLength);
    const offset = writeHeader(bytes, header, old.version);
    old.bytes.copy(bytes, offset, old.payloadOffset);
    this.moveDeadline(old.key, old.deadline, deadline);
    this.tx.put(old.engineKey, bytes);
  }

  /** Removes a key whole, whatever its size; announces nothing. */
  remove(old: KeyRecord): void {
    this.tx.delete(old.engineKey);
    this.tx.add(keyCounter(this.physical), -1);
    this.forget(old, true);
  }

  /**
   * Removes the main record but not the parts: they go on living under `old.collectionId()` in a record that is stored
   * elsewhere (RENAME, MOVE).
   */
  detach(old: KeyRecord): void {
    this.tx.delete(old.engineKey);
    this.tx.add(keyCounter(this.physical), -1);
    this.forget(old, false);
  }

  /** Stores a detached record's value under another key or in another database, with its deadline, flags and parts. */
  attach(key: string, replaced: KeyRecord | undefined, moved: KeyRecord): void {
    const bytes = Buffer.from(moved.bytes);
    writeVersion(bytes, 1, this.tx.version);
    this.put(key, replaced, bytes, moved.deadline);
  }

  /** A new id for the parts of a large collection. */
  newCollection(): string {
    return newCollectionId(this.tx.version, this.collections++);
  }

  /** Hands the parts of a collection to the background deletion. */
  discardCollection(collectionId: string): void {
    this.tx.put(`${garbagePrefix}c${collectionId}`, Buffer.alloc(0));
    this.store.garbageMade();
  }

  /** Notes a change for those who follow this key; `event` as Redis publishes it. */
  changed(key: string, eventClass: number, event: string): void {
    if (this.store.followers !== 0) this.store.noteChange({ database: this.index, key, eventClass, event });
  }

  /** Deletes main records of a physical database that nobody can reach any more, with all that hangs on them. */
  dropRecords(tx: Transaction, physical: number, entries: readonly Entry[]): void {
    this.tx = tx;
    this.physical = physical;
    this.prefix = recordPrefix(physical);
    for (const { key, value } of entries) {
      this.remove(new KeyRecord(key.slice(recordKeyPrefixBytes), key, value));
    }
  }

  private put(key: string, old: KeyRecord | undefined, bytes: Buffer, deadline: number): void {
    if (old === undefined) {
      this.tx.add(keyCounter(this.physical), 1);
      this.changed(key, EventClass.newKey, 'new');
      if (deadline !== 0) this.moveDeadline(key, 0, deadline);
      this.tx.put(this.engineKey(key), bytes);
      return;
    }
    if (isLarge(old.type, old.encoding)) this.discardCollection(old.collectionId());
    if (deadline !== old.deadline) this.moveDeadline(key, old.deadline, deadline);
    this.tx.put(old.engineKey, bytes);
  }

  /** Undoes what hangs on a record that is going away or being overwritten by a plain string. */
  private forget(old: KeyRecord, parts: boolean): void {
    if (old.deadline !== 0) this.moveDeadline(old.key, old.deadline, 0);
    if (parts && isLarge(old.type, old.encoding)) this.discardCollection(old.collectionId());
  }

  private moveDeadline(key: string, from: number, to: number): void {
    if (from !== 0) this.tx.delete(this.deadlineKey(from, key));
    if (to !== 0) this.tx.put(this.deadlineKey(to, key), Buffer.from(deadlineValue));
    if ((from === 0) !== (to === 0)) this.tx.add(deadlineCounter(this.physical), from === 0 ? 1 : -1);
  }

  private deadlineKey(deadline: number, key: string): Key {
    return deadlinePrefix + uint48(deadline) + uint32(this.physical) + key;
  }

  private expire(key: string, bytes: Buffer): undefined {
    if (this.writable && !this.store.expiryPaused) {
      this.remove(new KeyRecord(key, this.engineKey(key), bytes));
      this.changed(key, EventClass.expired, 'expired');
      this.store.expiredKeys++;
    } else {
      this.expiredSeen ??= [];
      this.expiredSeen.push(key);
    }
    return undefined;
  }
}

/** The first bytes of a large collection's payload: its id; what follows is its type's. */
export function describeCollection(collectionId: string, rest: Uint8Array = emptyBytes): Buffer {
  const payload = Buffer.allocUnsafe(collectionIdBytes + rest.length);
  payload.latin1Write(collectionId, 0);
  payload.set(rest, collectionIdBytes);
  return payload;
}

export { Encoding, KeyRecord, partPrefix, plainHeaderBytes, ValueType };
