/**
 * The main record of a key, under {@link recordKey}:
 *
 *   byte 0      bits 0–2 type · bit 3 has a deadline · bit 4 has item flags · bits 5–6 encoding
 *   bytes 1–7   version: changes with every change of the value; memcached's CAS id, and what WATCH compares
 *   6 bytes     deadline, milliseconds since 1970 (when bit 3)
 *   4 bytes     item flags of memcached (when bit 4)
 *   the rest    payload: the whole value when it is small, else what describes its parts
 *
 * Strings are their payload. A collection in its small encoding ("listpack", "intset") lives whole in the payload; in its
 * large one the payload begins with the ten bytes of a collection id, and the elements live under {@link partPrefix}
 * of that id, so that renaming, moving or deleting a collection of any size changes the main record alone.
 */
import { hash32, uint32, uint64 } from '../../encoding/byte-strings.js';
import type { Key } from '../../engine/engine.js';

export const ValueType = { string: 0, list: 1, set: 2, zset: 3, hash: 4, stream: 5 } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];

/** Names as TYPE answers them, by number. */
export const valueTypeNames = ['string', 'list', 'set', 'zset', 'hash', 'stream'] as const;

/** Encoding numbers by type; those from `large` up keep their elements in parts. */
export const Encoding = {
  stringNatural: 0,
  stringRaw: 1,
  listListpack: 0,
  listQuicklist: 1,
  setIntset: 0,
  setListpack: 1,
  setHashtable: 2,
  zsetListpack: 0,
  zsetSkiplist: 1,
  hashListpack: 0,
  hashHashtable: 1,
  stream: 1,
} as const;

const hasDeadline = 0x08;
const hasItemFlags = 0x10;

/** Bytes before the payload of a record without deadline and item flags. */
export const plainHeaderBytes = 8;

export interface RecordHeader {
  readonly type: ValueType;
  readonly encoding: number;
  /** Milliseconds since 1970; 0 when the key does not expire. */
  readonly deadline: number;
  /** Memcached's client flags; 0 by default. */
  readonly itemFlags: number;
}

/** A main record as it was read. `bytes` is the engine's: read-only, valid until the body ends or the key is written. */
export class KeyRecord implements RecordHeader {
  readonly type: ValueType;
  readonly encoding: number;
  readonly deadline: number;
  readonly itemFlags: number;
  readonly payloadOffset: number;

  constructor(
    readonly key: string,
    readonly engineKey: Key,
    readonly bytes: Buffer,
  ) {
    const kind = bytes[0] ?? 0;
    this.type = (kind & 7) as ValueType;
    this.encoding = (kind >>> 5) & 3;
    let offset = plainHeaderBytes;
    if ((kind & hasDeadline) !== 0) {
      this.deadline = bytes.readUIntBE(offset, 6);
      offset += 6;
    } else this.deadline = 0;
    if ((kind & hasItemFlags) !== 0) {
      this.itemFlags = bytes.readUInt32BE(offset);
      offset += 4;
    } else this.itemFlags = 0;
    this.payloadOffset = offset;
  }

  get version(): number {
    return readVersion(this.bytes);
  }

  get payloadLength(): number {
    return this.bytes.length - this.payloadOffset;
  }

  /** A view of the payload, as short-lived as `bytes`. */
  payload(): Buffer {
    return this.bytes.subarray(this.payloadOffset);
  }

  /** The id of a large collection, as a byte string. */
  collectionId(): string {
    return this.bytes.latin1Slice(this.payloadOffset, this.payloadOffset + collectionIdBytes);
  }
}

/** The type of a stored main record, without parsing the rest of it. */
export function typeOf(bytes: Buffer): ValueType {
  return ((bytes[0] ?? 0) & 7) as ValueType;
}

/** 0 when the record has no deadline. */
export function deadlineOf(bytes: Buffer): number {
  return ((bytes[0] ?? 0) & hasDeadline) === 0 ? 0 : bytes.readUIntBE(plainHeaderBytes, 6);
}

export function payloadOffsetOf(bytes: Buffer): number {
  const kind = bytes[0] ?? 0;
  return plainHeaderBytes + ((kind & hasDeadline) === 0 ? 0 : 6) + ((kind & hasItemFlags) === 0 ? 0 : 4);
}

/** Whether elements live in parts. */
export function isLarge(type: ValueType, encoding: number): boolean {
  if (type === ValueType.string) return false;
  return encoding >= (type === ValueType.set ? Encoding.setHashtable : 1);
}

export const collectionIdBytes = 10;

/** Bytes before the payload of a record with this header. */
export function headerBytes(header: RecordHeader): number {
  return plainHeaderBytes + (header.deadline === 0 ? 0 : 6) + (header.itemFlags === 0 ? 0 : 4);
}

/** Writes a header at the start of `into`; returns the payload's offset. */
export function writeHeader(into: Buffer, header: RecordHeader, version: number): number {
  into[0] =
    header.type |
    (header.encoding << 5) |
    (header.deadline === 0 ? 0 : hasDeadline) |
    (header.itemFlags === 0 ? 0 : hasItemFlags);
  writeVersion(into, 1, version);
  let offset = plainHeaderBytes;
  if (header.deadline !== 0) {
    into.writeUIntBE(header.deadline, offset, 6);
    offset += 6;
  }
  if (header.itemFlags !== 0) {
    into.writeUInt32BE(header.itemFlags, offset);
    offset += 4;
  }
  return offset;
}

export const versionBytes = 7;

export function writeVersion(into: Buffer, offset: number, version: number): void {
  const high = Math.floor(version / 0x1_0000_0000);
  const low = version >>> 0;
  into[offset] = (high >>> 16) & 255;
  into[offset + 1] = (high >>> 8) & 255;
  into[offset + 2] = high & 255;
  into[offset + 3] = low >>> 24;
  into[offset + 4] = (low >>> 16) & 255;
  into[offset + 5] = (low >>> 8) & 255;
  into[offset + 6] = low & 255;
}

function readVersion(bytes: Buffer): number {
  const high = ((bytes[1] ?? 0) << 16) | ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0);
  return high * 0x1_0000_0000 + bytes.readUInt32BE(4);
}

// --- engine keys of the model; its first byte is 'k' (see encoding/key-prefixes.ts) -----------------------------------

/** Main records of a physical database begin with this; then four bytes of `hash32(key)`, then the key. */
export function recordPrefix(physicalDatabase: number): string {
  return `km${uint32(physicalDatabase)}`;
}

/**
 * Keys lie in the order of a hash, so that SCAN's cursor is a position in it (stateless, valid for ever and on every
 * server), and a random key is an entry near a random position.
 */
export function recordKey(prefix: string, hash: number, key: string): Key {
  return prefix + String.fromCharCode((hash >>> 24) & 255, (hash >>> 16) & 255, (hash >>> 8) & 255, hash & 255) + key;
}

/** Bytes of a record's engine key before the key itself. */
export const recordKeyPrefixBytes = 10;

export function keyHash(key: string): number {
  return hash32(key);
}

/** Elements of a large collection. */
export function partPrefix(collectionId: string): string {
  return `kc${collectionId}`;
}

/** The expiry index: deadline, physical database, key; empty values. */
export const deadlinePrefix = 'ke';

/** Collections and databases that were dropped and wait to be deleted: kind, then id; empty values. */
export const garbagePrefix = 'kg';

/** Logical database number → physical one, where they differ. */
export function mappingKey(index: number): Key {
  return `kd${uint32(index)}`;
}

/** Number of keys, and of keys with a deadline, in a physical database. */
export function keyCounter(physicalDatabase: number): Key {
  return `kn${uint32(physicalDatabase)}`;
}
export function deadlineCounter(physicalDatabase: number): Key {
  return `kx${uint32(physicalDatabase)}`;
}

/** Server-wide records of the model: functions, settings. */
export const settingsPrefix = 'ks';

/** The id of the `serial`-th collection that the transaction `version` creates: ten bytes, never used again. */
export function newCollectionId(version: number, serial: number): string {
  return uint64(version).slice(1) + uint32(serial).slice(1);
}
