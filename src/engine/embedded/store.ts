/**
 * The checkpointed records, in LMDB: `store/data.mdb` with the tables
 *
 *   entries  stored key → checksum (4 bytes), value
 *   meta     'checkpoint' → which log is not needed any more; 'empty' → the value of the empty key
 *
 * LMDB takes keys of 1 to 1 978 bytes. A key of up to 1 900 bytes is stored as it is. A longer one is stored as its first
 * 1 900 bytes, a zero byte and a hash, and its value holds the whole key: all keys with one such prefix lie together,
 * behind the prefix itself and before everything else, and a scan sorts them when it comes there.
 *
 * The checksum covers a value together with its key, so that a flipped bit in either, or a page that lies in the wrong
 * place, is noticed when the record is read. LMDB's own pages have no checksums: damage to their pointers is noticed when
 * it leads to a wrong record or out of the file, and may otherwise hide records or end the process. Against that help a
 * file system with checksums, and backups.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { open, type RootDatabase } from 'lmdb';
import { hash32 } from '../../encoding/byte-strings.js';
import type { Entry, Key, Range } from '../engine.js';
import { CorruptionError, FormatError } from '../errors.js';
import { writeBytes, writeKey } from './bytes.js';
import { checkMeta } from './lmdb-meta.js';

/** Longer keys are stored by prefix and hash. */
export const plainKeyBytesMax = 1900;
const hashBytes = 16;
const checksumBytes = 4;
/** Entries and value bytes that one step of a scan fetches. */
const fetchEntriesMax = 256;
const fetchBytesMax = 256 << 10;
const readersMax = 1024;

/** A read transaction as the library really has it. */
export interface ReadTransaction {
  use(): void;
  done(): void;
}

/** A table as the library really has it: its types lack what a read may be told. */
interface Table {
  /** The bytes count until the next read, and only `lastSize` of them. */
  getBinaryFast(key: Key, options?: { transaction: ReadTransaction }): Uint8Array | undefined;
  getRange(options: {
    start: Key;
    end: Key;
    reverse?: boolean;
    exclusiveStart?: boolean;
    inclusiveEnd?: boolean;
    transaction: ReadTransaction | undefined;
  }): Iterable<Entry>;
  put(key: Key, value: Uint8Array): Promise<boolean>;
  remove(key: Key): Promise<boolean>;
  batch(writes: () => void): Promise<boolean>;
  useReadTransaction(): ReadTransaction;
  resetReadTxn(): void;
  getStats(): unknown;
  lastSize: number;
}

export interface CheckpointRecord {
  /** Sequence of the last commit that the store holds. */
  readonly sequence: number;
  /** Number of the first log segment that recovery needs. */
  readonly firstSegment: number;
}

/**
 * How the library turns keys and values into bytes and back: without the copies that its own binary encoding makes. In a
 * scan it reads a key just before the value, which is then checked against it.
 */
class RecordEncoding {
  private key: Key = '';
  readonly keyEncoder = {
    writeKey: (key: Key, target: Buffer, start: number): number => {
      writeKey(target, key, start);
      return start + key.length;
    },
    readKey: (source: Buffer, start: number, end: number): Key => {
      this.key = source.latin1Slice(start, end);
      return this.key;
    },
  };
  readonly encoder = {
    encode: (packed: Buffer): Buffer => packed,
    decode: (bytes: Uint8Array, length: number): Buffer => unpack(this.key, bytes, length),
  };
}

function isLong(key: Key): boolean {
  return key.length > plainKeyBytesMax;
}

function storedKey(key: Key): Key {
  if (!isLong(key)) return key;
  const hash = createHash('sha256').update(key, 'latin1').digest().latin1Slice(0, hashBytes);
  return `${key.slice(0, plainKeyBytesMax)}\0${hash}`;
}

function checksum(stored: Key, value: Uint8Array): number {
  return crc32(value, hash32(stored));
}

export class Store {
  /** What the snapshots since the last checkpoint share, so that there are never many of them. */
  private shared: { readonly transaction: ReadTransaction; users: number } | undefined;

  private constructor(
    private readonly root: RootDatabase<Buffer, Key>,
    private readonly entries: Table,
    private readonly meta: Table,
  ) {}

  static open(path: string, mapBytes: number): Store {
    checkMeta(join(path, 'data.mdb'));
    try {
      const root = open<Buffer, Key>({
        path,
        noSubdir: false,
        // A commit is on disk when its promise resolves: the log goes away afterwards.
        overlappingSync: false,
        // Its batches have promises that nobody gets to see, and whose rejection would end the process.
        eventTurnBatching: false,
        mapSize: mapBytes,
        maxDbs: 4,
        maxReaders: readersMax,
        ...new RecordEncoding(),
      });
      const entries = root.openDB<Buffer, Key>({ name: 'entries', ...new RecordEncoding() });
      const meta = root.openDB<Buffer, Key>({ name: 'meta', ...new RecordEncoding() });
      return new Store(root, entries as unknown as Table, meta as unknown as Table);
    } catch (thrown) {
      const { message } = thrown as Error;
      if (message.includes('MDB_VERSION_MISMATCH')) throw new FormatError(`the store: ${message}`, { cause: thrown });
      throw asDamage(thrown);
    }
  }

  // --- reading -------------------------------------------------------------------------------------------------------

  /** The value, as a buffer of its own: in the newest state, or as `transaction` sees it. */
  get(key: Key, transaction?: ReadTransaction): Buffer | undefined {
    if (key.length === 0) return read(this.meta, 'empty', transaction);
    if (!isLong(key)) return read(this.entries, key, transaction);
    const packed = read(this.entries, storedKey(key), transaction);
    if (packed === undefined) return undefined;
    const entry = unpackLong(packed);
    if (entry.key !== key) throw new CorruptionError('the store holds another key in the place of a long one');
    return entry.value;
  }

  /** Keeps a state not older than the last {@link advance} readable until {@link release}. */
  retain(): ReadTransaction {
    if (this.shared === undefined) this.shared = { transaction: this.entries.useReadTransaction(), users: 1 };
    else {
      this.shared.transaction.use();
      this.shared.users++;
    }
    return this.shared.transaction;
  }

  release(transaction: ReadTransaction): void {
    if (this.shared?.transaction === transaction && --this.shared.users === 0) this.shared = undefined;
    transaction.done();
  }

  /** Every read from now on sees what has been committed. */
  advance(): void {
    this.shared = undefined;
    this.entries.resetReadTxn();
  }

  cursor(range: Range, reverse: boolean, most: number, transaction?: ReadTransaction): StoreCursor {
    return new StoreCursor(this.entries, transaction, range, reverse, most, () => this.get('', transaction));
  }

  get checkpoint(): CheckpointRecord | undefined {
    const record = read(this.meta, 'checkpoint', undefined);
    return record === undefined ? undefined : (JSON.parse(record.latin1Slice()) as CheckpointRecord);
  }

  /** Disk space in use, in bytes. */
  get bytes(): number {
    const { pageSize, lastPageNumber } = this.entries.getStats() as { pageSize: number; lastPageNumber: number };
    return pageSize * (lastPageNumber + 1);
  }

  // --- writing: queued for LMDB's writer thread ----------------------------------------------------------------------

  /** Queues the writes that `writes` makes, for one commit. Resolves when they are on disk. */
  async batch(writes: () => void): Promise<void> {
    try {
      await this.entries.batch(writes);
    } catch (failure) {
      // The library rejects with one error for all, and with another promise for the reason.
      const { commitError } = failure as { commitError?: Promise<never> };
      throw commitError === undefined ? failure : await commitError.catch((reason: unknown) => reason);
    }
  }

  /** Inside {@link batch} only, like the next two. */
  put(key: Key, value: Buffer): void {
    if (key.length === 0) {
      this.meta.put('empty', pack('empty', value));
      return;
    }
    const stored = storedKey(key);
    this.entries.put(stored, pack(stored, isLong(key) ? packLong(key, value) : value));
  }

  remove(key: Key): void {
    if (key.length === 0) this.meta.remove('empty');
    else this.entries.remove(storedKey(key));
  }

  putCheckpoint(record: CheckpointRecord): void {
    this.meta.put('checkpoint', pack('checkpoint', Buffer.from(JSON.stringify(record))));
  }

  async close(): Promise<void> {
    await this.root.close();
  }
}

/** LMDB's own words for pages that are not what they should be become {@link CorruptionError}. */
function asDamage(thrown: unknown): unknown {
  const { message } = thrown as Error;
  if (!/MDB_(INVALID|CORRUPTED|PAGE_NOTFOUND|PANIC|BAD_DBI|BAD_TXN)/.test(message)) return thrown;
  return new CorruptionError(`the store is damaged: ${message}`, { cause: thrown });
}

function read(table: Table, stored: Key, transaction: ReadTransaction | undefined): Buffer | undefined {
  let bytes: Uint8Array | undefined;
  try {
    bytes = table.getBinaryFast(stored, transaction === undefined ? undefined : { transaction });
  } catch (thrown) {
    throw asDamage(thrown);
  }
  return bytes === undefined ? undefined : unpack(stored, bytes, table.lastSize);
}

function pack(stored: Key, value: Uint8Array): Buffer {
  const packed = Buffer.allocUnsafe(checksumBytes + value.length);
  packed.writeUInt32LE(checksum(stored, value), 0);
  writeBytes(packed, value, checksumBytes);
  return packed;
}

/** The value in the first `length` of the library's bytes, as a buffer of its own. */
function unpack(stored: Key, bytes: Uint8Array, length: number): Buffer {
  if (length < checksumBytes) throw new CorruptionError('a stored record is too short');
  const value = Buffer.allocUnsafe(length - checksumBytes);
  // The library's buffer is longer than its `length` property says at times: `copy` goes by the real one.
  if (Buffer.isBuffer(bytes)) bytes.copy(value, 0, checksumBytes, length);
  else value.set(bytes.subarray(checksumBytes, length));
  const expected =
    ((bytes[0] as number) |
      ((bytes[1] as number) << 8) |
      ((bytes[2] as number) << 16) |
      ((bytes[3] as number) << 24)) >>>
    0;
  if (checksum(stored, value) !== expected) throw new CorruptionError('a stored record does not match its checksum');
  return value;
}

function packLong(key: Key, value: Buffer): Buffer {
  const packed = Buffer.allocUnsafe(4 + key.length + value.length);
  packed.writeUInt32LE(key.length, 0);
  packed.latin1Write(key, 4);
  packed.set(value, 4 + key.length);
  return packed;
}

function unpackLong(packed: Buffer): Entry {
  const end = 4 + packed.readUInt32LE(0);
  return { key: packed.latin1Slice(4, end), value: packed.subarray(end) };
}

/**
 * Walks a range of the store, a few entries at a time: no LMDB cursor stays open between steps, so that an iterator which
 * its reader forgets holds nothing.
 */
export class StoreCursor {
  private queue: Entry[] = [];
  private at = 0;
  private fetched: number;
  /** Where the next fetch begins: a stored key. */
  private from: Key;
  private excluded = false;
  private finished = false;
  private readonly low: Key;
  private readonly high: Key;

  constructor(
    private readonly entries: Table,
    private readonly transaction: ReadTransaction | undefined,
    private readonly range: Range,
    private readonly reverse: boolean,
    most: number,
    readEmptyKey: () => Buffer | undefined,
  ) {
    const { start, end } = range;
    this.low = isLong(start) ? `${start.slice(0, plainKeyBytesMax)}\0` : start;
    this.high = isLong(end) ? `${end.slice(0, plainKeyBytesMax)}\x01` : end;
    this.from = reverse ? this.high : this.low;
    this.fetched = most === Number.POSITIVE_INFINITY ? 16 : Math.max(1, Math.min(most, fetchEntriesMax));
    if (start >= end) {
      this.finished = true;
      return;
    }
    if (start === '') {
      const empty = readEmptyKey();
      if (this.low === '') this.low = '\0';
      if (!reverse) this.from = '\0';
      if (empty !== undefined) this.empty = { key: '', value: empty };
    }
    if (!reverse && this.empty !== undefined) {
      this.queue.push(this.empty);
      this.empty = undefined;
    }
    if (this.queue.length === 0) this.fetch();
  }

  private empty: Entry | undefined;

  /** The entry the cursor stands on. */
  get entry(): Entry | undefined {
    return this.queue[this.at];
  }

  get key(): Key | undefined {
    return this.queue[this.at]?.key;
  }

  value(): Buffer | null {
    return this.queue[this.at]?.value ?? null;
  }

  advance(): void {
    if (++this.at >= this.queue.length) this.fetch();
  }

  private fetch(): void {
    this.queue = [];
    this.at = 0;
    try {
      while (this.queue.length === 0 && !this.finished) this.fetchOnce();
    } catch (thrown) {
      throw asDamage(thrown);
    }
    if (this.queue.length === 0 && this.empty !== undefined) {
      this.queue.push(this.empty);
      this.empty = undefined;
    }
  }

  private fetchOnce(): void {
    const { reverse, transaction, low, high } = this;
    // Only a scan from below '\0' could ask for less than the smallest key LMDB has.
    if (low >= high) {
      this.finished = true;
      return;
    }
    const bounds = reverse
      ? { start: this.from, end: low, reverse, exclusiveStart: true, inclusiveEnd: true }
      : { start: this.from, end: high, exclusiveStart: this.excluded };
    let bytes = 0;
    let count = 0;
    let bucket: Key | undefined;
    let stopped = false;
    for (const { key, value } of this.entries.getRange({ ...bounds, transaction })) {
      if (isLong(key)) {
        bucket = key.slice(0, plainKeyBytesMax);
        stopped = true;
        break;
      }
      this.from = key;
      this.excluded = true;
      this.queue.push({ key, value });
      bytes += value.length;
      if (++count >= this.fetched || bytes >= fetchBytesMax) {
        stopped = true;
        break;
      }
    }
    this.fetched = Math.min(fetchEntriesMax, this.fetched * 4);
    if (!stopped) this.finished = true;
    if (bucket !== undefined) this.fetchBucket(bucket);
  }

  /** All long keys with one prefix, in their own order. */
  private fetchBucket(prefix: Key): void {
    const { range, reverse, transaction } = this;
    const found: Entry[] = [];
    const bounds = { start: `${prefix}\0`, end: `${prefix}\x01`, transaction };
    for (const { value } of this.entries.getRange(bounds)) {
      const entry = unpackLong(value);
      if (entry.key >= range.start && entry.key < range.end) found.push(entry);
    }
    found.sort((a, b) => (a.key < b.key ? -1 : 1));
    if (reverse) found.reverse();
    this.queue.push(...found);
    this.from = reverse ? `${prefix}\0` : `${prefix}\x01`;
    // The bucket's own keys are done; forward, the key `prefix\x01` itself could only be another bucket's bound.
    this.excluded = false;
  }
}
