/**
 * The newest records, in memory: what was written since the last checkpoint, deletions included.
 *
 *   table      open addressing, two words a slot: hash, entry number + 1
 *   entries    eight words an entry, see the field names below (one is spare: a cache line holds two entries)
 *   arena      keys and values up to 64 KiB; `large` holds longer values, named by addresses below zero
 *   order      entries by key, kept lazily
 *   versions   older values of an entry, kept only while a snapshot can see them, newest first
 *
 * A write never overwrites a value: it takes a new block and remembers the old one until the transaction's end, which
 * releases it, keeps it as a version, or, when the body throws, puts it back. Splices of long values are the exception:
 * they change the value where it lies, and the undo list holds the inverse change.
 *
 * Sequences are kept relative to `base`, the sequence of the last commit before this memtable.
 */
import type { Key } from '../engine.js';
import { Arena, blockBytesMax, blockCapacity } from './arena.js';
import { spliceBytes, writeBytes, writeKey } from './bytes.js';
import { hashOf } from './key-hash.js';
import { type Ordering, SortedIndex } from './sorted-index.js';

const fieldBits = 3;
const keyAddress = 0;
const keyLength = 1;
const valueAddress = 2;
/** Or {@link deleted} or {@link absent}. */
const valueLength = 3;
const valueCapacity = 4;
const sequenceField = 5;
/** Index into `versions` + 1. */
const olderField = 6;

/** Length of a deleted record: it hides what lies below. */
export const deleted = -1;
/** Length of an entry without a record (its writer was rolled back): what lies below counts. */
export const absent = -2;
/** Slots of an outgrown table that each new entry moves. */
const slotsMovedAtOnce = 32;
/** Shorter values are not spliced in place: making a new one is as cheap. */
const spliceInPlaceBytesMin = 256;

interface Version {
  readonly entry: number;
  readonly address: number;
  readonly length: number;
  readonly capacity: number;
  readonly sequence: number;
  /** The sequence of the value that replaced this one. */
  readonly replacedAt: number;
  older: number;
}

/** How to take back one splice that was made in place. */
interface Inverse {
  readonly offset: number;
  readonly removed: number;
  readonly inserted: Buffer;
}

/**
 * Memory of the large values of all memtables. A view of it, read and put again under another key, must be copied: one of
 * the two may be spliced in place.
 */
const ownedMemory = new WeakSet<ArrayBufferLike>();

export class Memtable implements Ordering {
  readonly arena = new Arena();
  readonly order = new SortedIndex(this);
  count = 0;
  private table: Int32Array;
  private slotMask: number;
  /** The table before it grew, while its entries move over; those before `moved` have. */
  private outgrown: Int32Array | undefined;
  private moved = 0;
  private entries: Int32Array;
  private lastHash = 0;
  private readonly large: (Buffer | undefined)[] = [];
  private readonly freeLarge: number[] = [];
  private largeBytes = 0;

  private undo: Int32Array = new Int32Array(6 * 64);
  private undone = 0;
  private readonly inverses: Inverse[] = [];
  private current = 0;
  /** Newest sequence that a snapshot sees, relative; -1 without snapshots. */
  private newestSnapshot = -1;

  private readonly versions: (Version | undefined)[] = [];
  /** Indices into `versions`, in the order in which they were replaced; those before `versionsHead` are gone. */
  private versionQueue: number[] = [];
  private versionsHead = 0;
  private readonly freeVersions: number[] = [];

  /**
   * `expected`: entries to begin with room for. They are filled from the front, and memory that was never touched costs
   * nothing; the hash table, which is touched everywhere, begins small and grows bit by bit.
   */
  constructor(
    readonly base: number,
    expected = 1 << 12,
  ) {
    this.table = new Int32Array(2 << 12);
    this.slotMask = this.table.length - 1;
    this.entries = new Int32Array(Math.max(1 << 12, expected) << fieldBits);
  }

  /** Memory in use. */
  get bytes(): number {
    return this.arena.bytes + this.largeBytes + (this.count << 5) + (this.table.length << 2) + this.count * 6;
  }

  // --- reading -------------------------------------------------------------------------------------------------------

  /** The key's entry, or -1. */
  find(key: Key): number {
    const hash = hashOf(key);
    this.lastHash = hash;
    const found = this.probe(this.table, this.slotMask, hash, key);
    if (found >= 0 || this.outgrown === undefined) return found;
    return this.probe(this.outgrown, this.outgrown.length - 1, hash, key);
  }

  private probe(table: Int32Array, slotMask: number, hash: number, key: Key): number {
    let slot = (hash << 1) & slotMask;
    for (;;) {
      const entry = table[slot + 1] as number;
      if (entry === 0) return -1;
      if (table[slot] === hash && this.hasKey(entry - 1, key)) return entry - 1;
      slot = (slot + 2) & slotMask;
    }
  }

  private hasKey(entry: number, key: Key): boolean {
    const { entries } = this;
    const at = entry << fieldBits;
    const { length } = key;
    if (entries[at + keyLength] !== length) return false;
    const address = entries[at + keyAddress] as number;
    if (address < 0) return (this.large[-address - 1] as Buffer).latin1Slice(0, length) === key;
    const chunk = this.arena.chunk(address);
    const offset = this.arena.offset(address);
    for (let i = 0; i < length; i++) if (chunk[offset + i] !== key.charCodeAt(i)) return false;
    return true;
  }

  /** Length of the newest value, {@link deleted} or {@link absent}. */
  lengthOf(entry: number): number {
    return this.entries[(entry << fieldBits) + valueLength] as number;
  }

  /** The newest value; the entry must have one. */
  valueOf(entry: number): Buffer {
    const at = entry << fieldBits;
    return this.view(this.entries[at + valueAddress] as number, this.entries[at + valueLength] as number);
  }

  /** Sequence of the newest value. */
  sequenceOf(entry: number): number {
    return this.base + (this.entries[(entry << fieldBits) + sequenceField] as number);
  }

  keyOf(entry: number): Key {
    const at = entry << fieldBits;
    const length = this.entries[at + keyLength] as number;
    const address = this.entries[at + keyAddress] as number;
    if (address < 0) return (this.large[-address - 1] as Buffer).latin1Slice(0, length);
    const offset = this.arena.offset(address);
    return this.arena.chunk(address).latin1Slice(offset, offset + length);
  }

  /** What a snapshot at `sequence` sees: a copy of the value, `null` when deleted, `undefined` when there is nothing. */
  valueAt(entry: number, sequence: number): Buffer | null | undefined {
    const { entries } = this;
    const at = entry << fieldBits;
    const relative = sequence - this.base;
    if ((entries[at + sequenceField] as number) <= relative) {
      const length = entries[at + valueLength] as number;
      if (length < 0) return length === deleted ? null : undefined;
      return Buffer.from(this.view(entries[at + valueAddress] as number, length));
    }
    for (let older = entries[at + olderField] as number; older !== 0; ) {
      const version = this.versions[older - 1];
      if (version === undefined) return undefined;
      if (version.sequence <= relative) {
        return version.length < 0 ? null : Buffer.from(this.view(version.address, version.length));
      }
      older = version.older;
    }
    return undefined;
  }

  // --- one transaction -----------------------------------------------------------------------------------------------

  /** `newestSnapshot`: sequence of the newest snapshot that reads this memtable, -1 without one. */
  begin(sequence: number, newestSnapshot: number): void {
    this.current = sequence - this.base;
    this.newestSnapshot = newestSnapshot < 0 ? -1 : newestSnapshot - this.base;
  }

  /** The value becomes the memtable's own when it is large, else it is copied. */
  put(key: Key, value: Buffer): void {
    const entry = this.entryFor(key);
    this.remember(entry, 0);
    this.replace(entry, value.length, value);
  }

  remove(key: Key): void {
    const entry = this.entryFor(key);
    this.remember(entry, 0);
    const at = entry << fieldBits;
    this.entries[at + valueLength] = deleted;
    this.entries[at + valueCapacity] = 0;
    this.entries[at + sequenceField] = this.current;
  }

  /** Changes the entry's newest value, which must exist; bounds are checked by the caller. */
  splice(entry: number, offset: number, removed: number, inserted: Uint8Array): void {
    const { entries } = this;
    const at = entry << fieldBits;
    const length = entries[at + valueLength] as number;
    const spliced = length - removed + inserted.length;
    const address = entries[at + valueAddress] as number;
    const seen = this.newestSnapshot >= (entries[at + sequenceField] as number);
    if (!seen && length >= spliceInPlaceBytesMin && spliced <= (entries[at + valueCapacity] as number)) {
      const whole = this.block(address);
      const start = address < 0 ? 0 : this.arena.offset(address);
      this.inverses.push({
        offset,
        removed: inserted.length,
        inserted: Buffer.from(whole.subarray(start + offset, start + offset + removed)),
      });
      this.remember(entry, 1);
      spliceBytes(whole, start, length, offset, removed, inserted);
      entries[at + valueLength] = spliced;
      entries[at + sequenceField] = this.current;
      return;
    }
    const old = this.view(address, length);
    this.remember(entry, 0);
    const room = spliced >= spliceInPlaceBytesMin ? spliced + (spliced >> 2) : spliced;
    const fresh = this.replace(entry, room, undefined);
    entries[at + valueLength] = spliced;
    writeBytes(fresh, old.subarray(0, offset), 0);
    writeBytes(fresh, inserted, offset);
    writeBytes(fresh, old.subarray(offset + removed), offset + inserted.length);
  }

  /** Keeps the transaction's writes. */
  commit(): void {
    const { undo, undone } = this;
    for (let at = 0; at < undone; at += 6) {
      if ((undo[at + 5] as number) !== 0) continue;
      const length = undo[at + 2] as number;
      const sequence = undo[at + 4] as number;
      if (length !== absent && this.newestSnapshot >= sequence) this.keepVersion(at);
      else if (length >= 0) this.release(undo[at + 1] as number, undo[at + 3] as number);
    }
    this.endTransaction();
  }

  /** Takes the transaction's writes back. */
  rollBack(): void {
    const { undo, entries } = this;
    for (let from = this.undone - 6; from >= 0; from -= 6) {
      const entry = undo[from] as number;
      const at = entry << fieldBits;
      if ((undo[from + 5] as number) !== 0) {
        const inverse = this.inverses.pop() as Inverse;
        const address = entries[at + valueAddress] as number;
        const start = address < 0 ? 0 : this.arena.offset(address);
        const length = entries[at + valueLength] as number;
        spliceBytes(this.block(address), start, length, inverse.offset, inverse.removed, inverse.inserted);
      } else {
        if ((entries[at + valueLength] as number) >= 0) {
          this.release(entries[at + valueAddress] as number, entries[at + valueCapacity] as number);
        }
        entries[at + valueAddress] = undo[from + 1] as number;
        entries[at + valueCapacity] = undo[from + 3] as number;
      }
      entries[at + valueLength] = undo[from + 2] as number;
      entries[at + sequenceField] = undo[from + 4] as number;
    }
    this.endTransaction();
  }

  /** Releases versions that no snapshot at or after `oldestSnapshot` can see. */
  prune(oldestSnapshot: number): void {
    const oldest = oldestSnapshot - this.base;
    const { versionQueue, versions } = this;
    while (this.versionsHead < versionQueue.length) {
      const index = versionQueue[this.versionsHead] as number;
      const version = versions[index];
      if (version === undefined || version.replacedAt > oldest) break;
      this.versionsHead++;
      // The oldest of its chain: whoever points to it finds nothing from now on.
      this.unlink(version.entry, index);
      versions[index] = undefined;
      this.freeVersions.push(index);
      if (version.length >= 0) this.release(version.address, version.capacity);
    }
    if (this.versionsHead > 1024 && this.versionsHead * 2 > versionQueue.length) {
      this.versionQueue = versionQueue.slice(this.versionsHead);
      this.versionsHead = 0;
    }
  }

  /** Versions kept for snapshots. */
  get versionCount(): number {
    return this.versionQueue.length - this.versionsHead;
  }

  // --- ordering ------------------------------------------------------------------------------------------------------

  compare(a: number, b: number): number {
    const { entries } = this;
    const aAt = a << fieldBits;
    const bAt = b << fieldBits;
    const aLength = entries[aAt + keyLength] as number;
    const bLength = entries[bAt + keyLength] as number;
    const aAddress = entries[aAt + keyAddress] as number;
    const bAddress = entries[bAt + keyAddress] as number;
    const aChunk = this.block(aAddress);
    const bChunk = this.block(bAddress);
    const aOffset = aAddress < 0 ? 0 : this.arena.offset(aAddress);
    const bOffset = bAddress < 0 ? 0 : this.arena.offset(bAddress);
    const common = Math.min(aLength, bLength);
    for (let i = 0; i < common; i++) {
      const difference = (aChunk[aOffset + i] as number) - (bChunk[bOffset + i] as number);
      if (difference !== 0) return difference;
    }
    return aLength - bLength;
  }

  compareKey(entry: number, key: Key): number {
    const { entries } = this;
    const at = entry << fieldBits;
    const length = entries[at + keyLength] as number;
    const address = entries[at + keyAddress] as number;
    const chunk = this.block(address);
    const offset = address < 0 ? 0 : this.arena.offset(address);
    const common = Math.min(length, key.length);
    for (let i = 0; i < common; i++) {
      const difference = (chunk[offset + i] as number) - key.charCodeAt(i);
      if (difference !== 0) return difference;
    }
    return length - key.length;
  }

  // --- storage -------------------------------------------------------------------------------------------------------

  /** The buffer that holds the block: a chunk, or a large value's own. */
  private block(address: number): Buffer {
    return address < 0 ? (this.large[-address - 1] as Buffer) : this.arena.chunk(address);
  }

  private view(address: number, length: number): Buffer {
    if (address >= 0) return this.arena.view(address, length);
    const buffer = this.large[-address - 1] as Buffer;
    return buffer.length === length ? buffer : buffer.subarray(0, length);
  }

  /** Gives the entry a new value block with `room`, filled with `value` when there is one. */
  private replace(entry: number, room: number, value: Buffer | undefined): Buffer {
    const { entries } = this;
    const at = entry << fieldBits;
    let target: Buffer;
    if (room > blockBytesMax) {
      // A buffer that is most of its allocation is taken as it is; a slice of something larger would keep it all alive.
      const own = value !== undefined && value.length * 2 > value.buffer.byteLength && !ownedMemory.has(value.buffer);
      target = own ? value : Buffer.allocUnsafeSlow(room);
      if (value !== undefined && !own) target.set(value);
      entries[at + valueAddress] = this.keepLarge(target);
      entries[at + valueCapacity] = target.length;
    } else {
      const address = this.arena.allocate(room);
      entries[at + valueAddress] = address;
      entries[at + valueCapacity] = blockCapacity(room);
      if (value === undefined) target = this.arena.view(address, room);
      else {
        target = this.arena.chunk(address);
        writeBytes(target, value, this.arena.offset(address));
      }
    }
    entries[at + valueLength] = room;
    entries[at + sequenceField] = this.current;
    return target;
  }

  private keepLarge(buffer: Buffer): number {
    this.largeBytes += buffer.length;
    ownedMemory.add(buffer.buffer);
    const index = this.freeLarge.pop() ?? this.large.length;
    this.large[index] = buffer;
    return -1 - index;
  }

  private release(address: number, capacity: number): void {
    if (address >= 0) {
      this.arena.release(address, capacity);
      return;
    }
    const index = -address - 1;
    this.largeBytes -= (this.large[index] as Buffer).length;
    this.large[index] = undefined;
    this.freeLarge.push(index);
  }

  private entryFor(key: Key): number {
    const found = this.find(key);
    if (found >= 0) return found;
    const entry = this.count++;
    if (entry << fieldBits === this.entries.length) {
      const larger = new Int32Array(this.entries.length * 2);
      larger.set(this.entries);
      this.entries = larger;
    }
    const { entries } = this;
    const at = entry << fieldBits;
    const { length } = key;
    if (length > blockBytesMax) entries[at + keyAddress] = this.keepLarge(Buffer.from(key, 'latin1'));
    else {
      const address = this.arena.extend(Math.max(1, length));
      writeKey(this.arena.chunk(address), key, this.arena.offset(address));
      entries[at + keyAddress] = address;
    }
    entries[at + keyLength] = length;
    entries[at + valueLength] = absent;
    if (this.count * 4 > this.table.length) this.growTable();
    if (this.outgrown !== undefined) this.moveSome(this.outgrown);
    this.occupy(this.lastHash, entry);
    this.order.add(entry);
    return entry;
  }

  private occupy(hash: number, entry: number): void {
    const { table, slotMask } = this;
    let slot = (hash << 1) & slotMask;
    while (table[slot + 1] !== 0) slot = (slot + 2) & slotMask;
    table[slot] = hash;
    table[slot + 1] = entry + 1;
  }

  private growTable(): void {
    while (this.outgrown !== undefined) this.moveSome(this.outgrown);
    this.outgrown = this.table;
    this.moved = 0;
    this.table = new Int32Array(this.table.length * 2);
    this.slotMask = this.table.length - 1;
  }

  /** Enough with each new entry to be done long before the new table is full. */
  private moveSome(outgrown: Int32Array): void {
    const until = Math.min(outgrown.length, this.moved + 2 * slotsMovedAtOnce);
    for (let slot = this.moved; slot < until; slot += 2) {
      const entry = outgrown[slot + 1] as number;
      if (entry !== 0) this.occupy(outgrown[slot] as number, entry - 1);
    }
    this.moved = until;
    if (until === outgrown.length) this.outgrown = undefined;
  }

  private remember(entry: number, kind: number): void {
    if (this.undone === this.undo.length) {
      const larger = new Int32Array(this.undo.length * 2);
      larger.set(this.undo);
      this.undo = larger;
    }
    const { undo, undone, entries } = this;
    const at = entry << fieldBits;
    undo[undone] = entry;
    undo[undone + 1] = entries[at + valueAddress] as number;
    undo[undone + 2] = entries[at + valueLength] as number;
    undo[undone + 3] = entries[at + valueCapacity] as number;
    undo[undone + 4] = entries[at + sequenceField] as number;
    undo[undone + 5] = kind;
    this.undone = undone + 6;
  }

  private endTransaction(): void {
    this.undone = 0;
    if (this.inverses.length > 0) this.inverses.length = 0;
    // A transaction of a million writes leaves a list that no later one needs.
    if (this.undo.length > 6 << 16) this.undo = new Int32Array(6 * 64);
  }

  private keepVersion(undoAt: number): void {
    const { undo, entries } = this;
    const entry = undo[undoAt] as number;
    const at = entry << fieldBits;
    const index = this.freeVersions.pop() ?? this.versions.length;
    this.versions[index] = {
      entry,
      address: undo[undoAt + 1] as number,
      length: undo[undoAt + 2] as number,
      capacity: undo[undoAt + 3] as number,
      sequence: undo[undoAt + 4] as number,
      replacedAt: this.current,
      older: entries[at + olderField] as number,
    };
    entries[at + olderField] = index + 1;
    this.versionQueue.push(index);
  }

  private unlink(entry: number, index: number): void {
    const at = (entry << fieldBits) + olderField;
    const { versions, entries } = this;
    let next = entries[at] as number;
    if (next === index + 1) {
      entries[at] = 0;
      return;
    }
    while (next !== 0) {
      const version = versions[next - 1];
      if (version === undefined) return;
      if (version.older === index + 1) {
        version.older = 0;
        return;
      }
      next = version.older;
    }
  }
}
