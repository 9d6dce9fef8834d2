/**
 * Byte strings: strings whose every UTF-16 unit is one byte (0–255). Engine keys are byte strings; numbers inside them
 * are big-endian, so that string order is number order.
 */

/** 32 bits, big-endian, four characters. */
export function uint32(value: number): string {
  return String.fromCharCode((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** An integer in [0, 2^48), big-endian, six characters. */
export function uint48(value: number): string {
  const high = Math.floor(value / 0x1_0000_0000);
  return String.fromCharCode((high >>> 8) & 255, high & 255) + uint32(value >>> 0);
}

/** An integer in [0, 2^53], big-endian, eight characters. */
export function uint64(value: number): string {
  const high = Math.floor(value / 0x1_0000_0000);
  return uint32(high) + uint32(value >>> 0);
}

export function readUint32(bytes: string, offset: number): number {
  return (
    ((bytes.charCodeAt(offset) << 24) |
      (bytes.charCodeAt(offset + 1) << 16) |
      (bytes.charCodeAt(offset + 2) << 8) |
      bytes.charCodeAt(offset + 3)) >>>
    0
  );
}

export function readUint48(bytes: string, offset: number): number {
  const high = (bytes.charCodeAt(offset) << 8) | bytes.charCodeAt(offset + 1);
  return high * 0x1_0000_0000 + readUint32(bytes, offset + 2);
}

export function readUint64(bytes: string, offset: number): number {
  return readUint32(bytes, offset) * 0x1_0000_0000 + readUint32(bytes, offset + 4);
}

/** The smallest byte string greater than every string that begins with `prefix`; `prefix` must not be all 0xff. */
export function prefixEnd(prefix: string): string {
  let end = prefix.length;
  while (end > 0 && prefix.charCodeAt(end - 1) === 0xff) end--;
  if (end === 0) throw new RangeError('a prefix of 0xff bytes has no end');
  return prefix.slice(0, end - 1) + String.fromCharCode(prefix.charCodeAt(end - 1) + 1);
}

/** The bytes of a byte string. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** A well-mixed 32-bit hash of a byte string: FNV-1a with MurmurHash3's finalizer. Stored in keys: never change it. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
