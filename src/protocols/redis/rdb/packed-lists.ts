/** The compact lists inside RDB values: listpack, ziplist, zipmap, intset. See listpack.c, ziplist.c, zipmap.c, intset.c. */
import { RdbError } from './errors.js';

const damaged = (what: string): RdbError => new RdbError(`a ${what} is damaged`);

function take(bytes: Buffer, at: number, size: number, what: string): Buffer {
  if (at < 0 || at + size > bytes.length) throw damaged(what);
  return bytes.subarray(at, at + size);
}

const decimal = (value: number | bigint): Buffer => Buffer.from(String(value));

/** Bytes of a listpack entry's trailing length. */
function backLengthBytes(size: number): number {
  if (size <= 127) return 1;
  if (size < 16383) return 2;
  if (size < 2097151) return 3;
  return size < 268435455 ? 4 : 5;
}

/** The elements of a listpack; integers as decimal text. */
export function readListpack(bytes: Buffer): Buffer[] {
  const what = 'listpack';
  if (bytes.length < 7 || bytes.readUInt32LE(0) !== bytes.length) throw damaged(what);
  const elements: Buffer[] = [];
  let at = 6;
  for (;;) {
    const first = take(bytes, at, 1, what)[0] ?? 0;
    if (first === 0xff) {
      if (at !== bytes.length - 1) throw damaged(what);
      return elements;
    }
    const { element, size } = listpackElement(bytes, at, first);
    elements.push(element);
    at += size + backLengthBytes(size);
  }
}

function listpackElement(bytes: Buffer, at: number, first: number): { element: Buffer; size: number } {
  const what = 'listpack';
  if (first < 0x80) return { element: decimal(first), size: 1 };
  if (first < 0xc0) {
    const length = first & 63;
    return { element: Buffer.from(take(bytes, at + 1, length, what)), size: 1 + length };
  }
  if (first < 0xe0) {
    const value = ((first & 31) << 8) | (take(bytes, at + 1, 1, what)[0] ?? 0);
    return { element: decimal(value >= 4096 ? value - 8192 : value), size: 2 };
  }
  if (first < 0xf0) {
    const length = ((first & 15) << 8) | (take(bytes, at + 1, 1, what)[0] ?? 0);
    return { element: Buffer.from(take(bytes, at + 2, length, what)), size: 2 + length };
  }
  switch (first) {
    case 0xf0: {
      const length = take(bytes, at + 1, 4, what).readUInt32LE(0);
      return { element: Buffer.from(take(bytes, at + 5, length, what)), size: 5 + length };
    }
    case 0xf1:
      return { element: decimal(take(bytes, at + 1, 2, what).readInt16LE(0)), size: 3 };
    case 0xf2:
      return { element: decimal(take(bytes, at + 1, 3, what).readIntLE(0, 3)), size: 4 };
    case 0xf3:
      return { element: decimal(take(bytes, at + 1, 4, what).readInt32LE(0)), size: 5 };
    case 0xf4:
      return { element: decimal(take(bytes, at + 1, 8, what).readBigInt64LE(0)), size: 9 };
    default:
      throw damaged(what);
  }
}

/** A listpack of the elements; canonical integers in their compact forms, as Redis packs them. */
export function writeListpack(elements: readonly Uint8Array[]): Buffer {
  const parts: Buffer[] = [];
  let size = 7;
  for (const element of elements) {
    const entry = encodeListpackElement(element);
    const back = encodeBackLength(entry.length);
    parts.push(entry, back);
    size += entry.length + back.length;
  }
  const header = Buffer.alloc(6);
  header.writeUInt32LE(size, 0);
  header.writeUInt16LE(Math.min(65535, elements.length), 4);
  return Buffer.concat([header, ...parts, Buffer.from([0xff])], size);
}

function encodeListpackElement(element: Uint8Array): Buffer {
  const integer = element.length <= 20 ? canonicalInteger(element) : undefined;
  if (integer !== undefined) return encodeListpackInteger(integer);
  const { length } = element;
  if (length < 64) return Buffer.concat([Buffer.from([0x80 | length]), element]);
  if (length < 4096) return Buffer.concat([Buffer.from([0xe0 | (length >> 8), length & 255]), element]);
  const header = Buffer.alloc(5);
  header[0] = 0xf0;
  header.writeUInt32LE(length, 1);
  return Buffer.concat([header, element]);
}

function encodeListpackInteger(value: bigint): Buffer {
  if (value >= 0n && value <= 127n) return Buffer.from([Number(value)]);
  if (value >= -4096n && value <= 4095n) {
    const bits = Number(BigInt.asUintN(13, value));
    return Buffer.from([0xc0 | (bits >> 8), bits & 255]);
  }
  for (const [tag, size] of [
    [0xf1, 2],
    [0xf2, 3],
    [0xf3, 4],
    [0xf4, 8],
  ] as const) {
    if (BigInt.asIntN(size * 8, value) !== value) continue;
    const bytes = Buffer.alloc(1 + size);
    bytes[0] = tag;
    if (size === 8) bytes.writeBigInt64LE(value, 1);
    else bytes.writeIntLE(Number(value), 1, size);
    return bytes;
  }
  throw damaged('number');
}

function encodeBackLength(size: number): Buffer {
  const count = backLengthBytes(size);
  const bytes = Buffer.alloc(count);
  for (let i = 0; i < count; i++) {
    const group = Math.floor(size / 128 ** (count - 1 - i)) & 127;
    bytes[i] = i === 0 ? group : group | 128;
  }
  return bytes;
}

function canonicalInteger(bytes: Uint8Array): bigint | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).latin1Slice();
  if (!/^(?:0|-?[1-9]\d*)$/.test(text)) return undefined;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** The elements of a ziplist (RDB before version 10). */
export function readZiplist(bytes: Buffer): Buffer[] {
  const what = 'ziplist';
  if (bytes.length < 11 || bytes.readUInt32LE(0) !== bytes.length) throw damaged(what);
  const elements: Buffer[] = [];
  let at = 10;
  for (;;) {
    const previous = take(bytes, at, 1, what)[0] ?? 0;
    if (previous === 0xff) return elements;
    at += previous === 0xfe ? 5 : 1;
    const first = take(bytes, at, 1, what)[0] ?? 0;
    let length = -1;
    if (first >> 6 === 0) {
      length = first & 63;
      at += 1;
    } else if (first >> 6 === 1) {
      length = ((first & 63) << 8) | (take(bytes, at + 1, 1, what)[0] ?? 0);
      at += 2;
    } else if (first >> 6 === 2) {
      length = take(bytes, at + 1, 4, what).readUInt32BE(0);
      at += 5;
    }
    if (length >= 0) {
      elements.push(Buffer.from(take(bytes, at, length, what)));
      at += length;
      continue;
    }
    at += 1;
    const sizes: Readonly<Record<number, number>> = { 192: 2, 208: 4, 224: 8, 240: 3, 254: 1 };
    const size = sizes[first];
    if (size === undefined) {
      if (first < 0xf1 || first > 0xfd) throw damaged(what);
      elements.push(decimal((first & 15) - 1));
      continue;
    }
    const integer = take(bytes, at, size, what);
    elements.push(decimal(size === 8 ? integer.readBigInt64LE(0) : integer.readIntLE(0, size)));
    at += size;
  }
}

/** Fields and values of a zipmap (RDB of Redis 2.4). */
export function readZipmap(bytes: Buffer): Buffer[] {
  const what = 'zipmap';
  const elements: Buffer[] = [];
  let at = 1;
  const length = (): number | undefined => {
    const first = take(bytes, at, 1, what)[0] ?? 0;
    if (first === 0xff) return undefined;
    if (first === 254) {
      const value = take(bytes, at + 1, 4, what).readUInt32LE(0);
      at += 5;
      return value;
    }
    at += 1;
    return first;
  };
  for (;;) {
    const field = length();
    if (field === undefined) return elements;
    elements.push(Buffer.from(take(bytes, at, field, what)));
    at += field;
    const value = length();
    if (value === undefined) throw damaged(what);
    const free = take(bytes, at, 1, what)[0] ?? 0;
    at += 1;
    elements.push(Buffer.from(take(bytes, at, value, what)));
    at += value + free;
  }
}

/** The members of an intset, ascending. */
export function readIntset(bytes: Buffer): bigint[] {
  const what = 'intset';
  if (bytes.length < 8) throw damaged(what);
  const size = bytes.readUInt32LE(0);
  const count = bytes.readUInt32LE(4);
  if (![2, 4, 8].includes(size) || bytes.length !== 8 + size * count) throw damaged(what);
  const members: bigint[] = [];
  for (let i = 0; i < count; i++) {
    const at = 8 + i * size;
    members.push(size === 8 ? bytes.readBigInt64LE(at) : BigInt(bytes.readIntLE(at, size)));
  }
  return members;
}

/** An intset of ascending members in the smallest size that holds them all. */
export function writeIntset(members: readonly bigint[]): Buffer {
  const fits = (bits: number): boolean => members.every((member) => BigInt.asIntN(bits, member) === member);
  const size = fits(16) ? 2 : fits(32) ? 4 : 8;
  const bytes = Buffer.alloc(8 + size * members.length);
  bytes.writeUInt32LE(size, 0);
  bytes.writeUInt32LE(members.length, 4);
  members.forEach((member, i) => {
    if (size === 8) bytes.writeBigInt64LE(member, 8 + i * 8);
    else bytes.writeIntLE(Number(member), 8 + i * size, size);
  });
  return bytes;
}
