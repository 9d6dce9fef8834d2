/** Reads and writes the primitives of RDB: lengths, strings, numbers. See Redis' rdb.c. */
import { RdbError } from './errors.js';
import { lzfDecompress } from './lzf.js';

const stringBytesMax = 512 * 1024 * 1024;

export class RdbReader {
  at = 0;

  constructor(readonly bytes: Buffer) {}

  get finished(): boolean {
    return this.at >= this.bytes.length;
  }

  take(size: number): Buffer {
    if (size < 0 || this.at + size > this.bytes.length) throw new RdbError('the data ends too early');
    const taken = this.bytes.subarray(this.at, this.at + size);
    this.at += size;
    return taken;
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  /** A plain length. */
  length(): number {
    const { value, encoded } = this.lengthOrEncoding();
    if (encoded) throw new RdbError('a length is missing');
    return value;
  }

  private lengthOrEncoding(): { value: number; encoded: boolean } {
    const first = this.byte();
    switch (first >> 6) {
      case 0:
        return { value: first & 63, encoded: false };
      case 1:
        return { value: ((first & 63) << 8) | this.byte(), encoded: false };
      case 2:
        if (first === 0x80) return { value: this.take(4).readUInt32BE(0), encoded: false };
        if (first === 0x81) {
          const value = Number(this.take(8).readBigUInt64BE(0));
          if (!Number.isSafeInteger(value)) throw new RdbError('a length is absurd');
          return { value, encoded: false };
        }
        throw new RdbError('a length is damaged');
      default:
        return { value: first & 63, encoded: true };
    }
  }

  /** A string, as a copy. */
  string(): Buffer {
    const { value, encoded } = this.lengthOrEncoding();
    if (!encoded) return Buffer.from(this.take(value));
    switch (value) {
      case 0:
        return Buffer.from(String(this.take(1).readInt8(0)));
      case 1:
        return Buffer.from(String(this.take(2).readInt16LE(0)));
      case 2:
        return Buffer.from(String(this.take(4).readInt32LE(0)));
      case 3: {
        const compressed = this.length();
        const plain = this.length();
        if (plain > stringBytesMax) throw new RdbError('a string is too long');
        return lzfDecompress(this.take(compressed), plain);
      }
      default:
        throw new RdbError('a string has an unknown encoding');
    }
  }

  text(): string {
    return this.string().latin1Slice();
  }

  /** A double as text, of old sorted sets. */
  textDouble(): number {
    const length = this.byte();
    if (length === 255) return Number.NEGATIVE_INFINITY;
    if (length === 254) return Number.POSITIVE_INFINITY;
    if (length === 253) return Number.NaN;
    return Number(this.take(length).latin1Slice());
  }

  double(): number {
    return this.take(8).readDoubleLE(0);
  }

  /** Milliseconds since 1970, eight bytes little-endian. */
  milliseconds(): number {
    return Number(this.take(8).readBigInt64LE(0));
  }
}

export class RdbWriter {
  private bytes = Buffer.allocUnsafe(256);
  private used = 0;

  take(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.used));
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.used++] = value;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.used);
    this.used += bytes.length;
  }

  length(value: number): void {
    this.reserve(9);
    if (value < 64) this.byte(value);
    else if (value < 16384) {
      this.byte(0x40 | (value >> 8));
      this.byte(value & 255);
    } else if (value <= 0xffffffff) {
      this.byte(0x80);
      this.used = this.bytes.writeUInt32BE(value, this.used);
    } else {
      this.byte(0x81);
      this.used = this.bytes.writeBigUInt64BE(BigInt(value), this.used);
    }
  }

  /** A string; short canonical integers in their compact form, as Redis writes them. */
  string(bytes: Uint8Array): void {
    const integer = bytes.length <= 11 ? canonicalInt32(bytes) : undefined;
    if (integer === undefined) {
      this.length(bytes.length);
      this.raw(bytes);
      return;
    }
    this.reserve(5);
    if (integer >= -128 && integer <= 127) {
      this.byte(0xc0);
      this.used = this.bytes.writeInt8(integer, this.used);
    } else if (integer >= -32768 && integer <= 32767) {
      this.byte(0xc1);
      this.used = this.bytes.writeInt16LE(integer, this.used);
    } else {
      this.byte(0xc2);
      this.used = this.bytes.writeInt32LE(integer, this.used);
    }
  }

  text(text: string): void {
    this.string(Buffer.from(text, 'latin1'));
  }

  double(value: number): void {
    this.reserve(8);
    this.used = this.bytes.writeDoubleLE(value, this.used);
  }

  milliseconds(value: number): void {
    this.reserve(8);
    this.used = this.bytes.writeBigInt64LE(BigInt(value), this.used);
  }

  private reserve(size: number): void {
    if (this.used + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.bytes.length, this.used + size));
    this.bytes.copy(grown, 0, 0, this.used);
    this.bytes = grown;
  }
}

function canonicalInt32(bytes: Uint8Array): number | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).latin1Slice();
  if (!/^-?(?:0|[1-9]\d*)$/.test(text) || text === '-0') return undefined;
  const value = Number(text);
  return value >= -(2 ** 31) && value < 2 ** 31 ? value : undefined;
}
