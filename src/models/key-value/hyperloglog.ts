/**
 * HyperLogLogs as Redis stores them: `HYLL`, an encoding byte (0 dense, 1 sparse), three zero bytes, a cached cardinality
 * (8 bytes, little-endian; the highest bit: not valid), then 16 384 registers of 6 bits, dense, or run-length coded. See
 * hyperloglog.c. Elements are hashed with MurmurHash64A, seed 0xadc83b19.
 */

const registers = 16_384;
const registerBits = 6;
const headerBytes = 16;
export const denseBytes = headerBytes + (registers * registerBits) / 8;
const hashBits = 64 - 14;
const sparseValueMax = 32;
const mask64 = (1n << 64n) - 1n;

export type Registers = Uint8Array;

/** MurmurHash64A of bytes. */
function murmur64(bytes: Uint8Array): bigint {
  const m = 0xc6a4a7935bd1e995n;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let h = 0xadc83b19n ^ ((BigInt(bytes.length) * m) & mask64);
  const whole = bytes.length - (bytes.length % 8);
  for (let at = 0; at < whole; at += 8) {
    let k = (view.readBigUInt64LE(at) * m) & mask64;
    k ^= k >> 47n;
    k = (k * m) & mask64;
    h = ((h ^ k) * m) & mask64;
  }
  if (whole < bytes.length) {
    for (let i = bytes.length - 1; i >= whole; i--) h ^= BigInt(bytes[i] ?? 0) << BigInt(8 * (i - whole));
    h = (h * m) & mask64;
  }
  h ^= h >> 47n;
  h = (h * m) & mask64;
  return h ^ (h >> 47n);
}

/** The register an element falls into, and the length of the pattern 000…1 in its hash. */
function place(element: Uint8Array): { readonly index: number; readonly count: number } {
  const hash = murmur64(element);
  const index = Number(hash & BigInt(registers - 1));
  let rest = (hash >> 14n) | (1n << BigInt(hashBits));
  let count = 1;
  while ((rest & 1n) === 0n) {
    count++;
    rest >>= 1n;
  }
  return { index, count };
}

export function isHyperLogLog(bytes: Uint8Array): boolean {
  if (bytes.length < headerBytes || Buffer.from(bytes.subarray(0, 4)).latin1Slice() !== 'HYLL') return false;
  if ((bytes[4] ?? 9) > 1) return false;
  return bytes[4] === 1 || bytes.length === denseBytes;
}

/** `undefined`: the bytes are damaged. */
export function readRegisters(bytes: Uint8Array): Registers | undefined {
  const values = new Uint8Array(registers);
  if (bytes[4] === 0) {
    for (let i = 0; i < registers; i++) {
      const bit = i * registerBits;
      const at = headerBytes + (bit >> 3);
      const word = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
      values[i] = (word >> (bit & 7)) & 63;
    }
    return values;
  }
  let index = 0;
  for (let at = headerBytes; at < bytes.length; at++) {
    const op = bytes[at] ?? 0;
    if (op >> 6 === 0) index += (op & 63) + 1;
    else if (op >> 6 === 1) index += (((op & 63) << 8) | (bytes[++at] ?? 0)) + 1;
    else {
      const run = (op & 3) + 1;
      if (index + run > registers) return undefined;
      values.fill(((op >> 2) & 31) + 1, index, index + run);
      index += run;
    }
  }
  return index === registers ? values : undefined;
}

export function isSparse(bytes: Uint8Array): boolean {
  return bytes[4] === 1;
}

function header(sparse: boolean): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.latin1Write('HYLL', 0);
  bytes[4] = sparse ? 1 : 0;
  bytes[15] = 0x80; // the cached cardinality is not valid
  return bytes;
}

export function writeDense(values: Registers): Buffer {
  const bytes = Buffer.alloc(denseBytes);
  header(false).copy(bytes);
  for (let i = 0; i < registers; i++) {
    const bit = i * registerBits;
    const at = headerBytes + (bit >> 3);
    const shifted = (values[i] ?? 0) << (bit & 7);
    bytes[at] = (bytes[at] ?? 0) | (shifted & 255);
    if (shifted > 255) bytes[at + 1] = (bytes[at + 1] ?? 0) | (shifted >> 8);
  }
  return bytes;
}

/** Sparse while it can be and takes no more than `sparseBytesMax`, else dense; dense ones stay dense. */
export function writeRegisters(values: Registers, sparse: boolean, sparseBytesMax: number): Buffer {
  if (!sparse || values.some((value) => value > sparseValueMax)) return writeDense(values);
  const codes: number[] = [];
  for (let i = 0; i < registers; ) {
    const value = values[i] ?? 0;
    let end = i;
    while (end < registers && values[end] === value) end++;
    let run = end - i;
    i = end;
    while (run > 0) {
      if (value === 0) {
        const length = Math.min(run, registers);
        if (length > 64) codes.push(0x40 | ((length - 1) >> 8), (length - 1) & 255);
        else codes.push(length - 1);
        run -= length;
      } else {
        const length = Math.min(run, 4);
        codes.push(0x80 | ((value - 1) << 2) | (length - 1));
        run -= length;
      }
    }
  }
  if (headerBytes + codes.length > sparseBytesMax) return writeDense(values);
  return Buffer.concat([header(true), Buffer.from(codes)]);
}

export function emptyRegisters(): Registers {
  return new Uint8Array(registers);
}

/** Whether a register grew. */
export function addElement(values: Registers, element: Uint8Array): boolean {
  const { index, count } = place(element);
  if (count <= (values[index] ?? 0)) return false;
  values[index] = count;
  return true;
}

export function mergeRegisters(into: Registers, from: Registers): void {
  for (let i = 0; i < registers; i++) into[i] = Math.max(into[i] ?? 0, from[i] ?? 0);
}

function sigma(value: number): number {
  if (value === 1) return Number.POSITIVE_INFINITY;
  let x = value;
  let y = 1;
  let z = x;
  let previous: number;
  do {
    x *= x;
    previous = z;
    z += x * y;
    y += y;
  } while (previous !== z);
  return z;
}

function tau(value: number): number {
  if (value === 0 || value === 1) return 0;
  let x = value;
  let y = 1;
  let z = 1 - x;
  let previous: number;
  do {
    x = Math.sqrt(x);
    previous = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  } while (previous !== z);
  return z / 3;
}

/** Otmar Ertl's estimate, as Redis computes it ("New cardinality estimation algorithms for HyperLogLog sketches", 2017). */
export function cardinality(values: Registers): number {
  const histogram = new Array<number>(64).fill(0);
  for (const value of values) histogram[value] = (histogram[value] ?? 0) + 1;
  let z = registers * tau((registers - (histogram[hashBits + 1] ?? 0)) / registers);
  for (let j = hashBits; j >= 1; j--) z = 0.5 * (z + (histogram[j] ?? 0));
  z += registers * sigma((histogram[0] ?? 0) / registers);
  return Math.round((0.7213475204444817 * registers * registers) / z);
}
