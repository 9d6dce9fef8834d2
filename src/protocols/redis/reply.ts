/**
 * Writes replies in RESP2 or RESP3, one after the other, into a growing buffer.
 *
 * Shapes that differ between the two protocols have a method of their own: a command says what it means (`map`, `set`,
 * `double`, `null`) and the writer chooses the bytes. Aggregates are announced with their count and followed by that many
 * replies. See the RESP specification at redis.io/docs/reference/protocol-spec.
 */
import { formatDouble } from './numbers.js';

/** A writer that has grown beyond this gives its buffer back after use. */
const keptBytesMax = 1 << 20;
const initialBytes = 16 * 1024;

const smallBulk: Buffer[] = [];
for (let i = 0; i < 1024; i++) smallBulk.push(Buffer.from(`$${i}\r\n`));

export class ReplyWriter {
  /** 2 or 3. */
  protocol: 2 | 3 = 2;
  private buffer: Buffer;
  private used = 0;

  constructor(size = initialBytes) {
    this.buffer = Buffer.allocUnsafeSlow(size);
  }

  /** Bytes written so far; pass it to {@link rewind} to take back what follows. */
  get length(): number {
    return this.used;
  }

  rewind(length: number): void {
    this.used = length;
  }

  /** A copy of everything written; the writer is empty afterwards. */
  take(): Buffer {
    const bytes = Buffer.allocUnsafe(this.used);
    this.buffer.copy(bytes, 0, 0, this.used);
    this.used = 0;
    if (this.buffer.length > keptBytesMax) this.buffer = Buffer.allocUnsafeSlow(initialBytes);
    return bytes;
  }

  /** A view of what was written from `start` on, valid until the next write. */
  peek(start = 0): Buffer {
    return this.buffer.subarray(start, this.used);
  }

  /** `+OK` */
  ok(): void {
    this.reserve(5);
    const { buffer } = this;
    let at = this.used;
    buffer[at++] = 43;
    buffer[at++] = 79;
    buffer[at++] = 75;
    buffer[at++] = 13;
    buffer[at++] = 10;
    this.used = at;
  }

  simple(text: string): void {
    this.line(43, text);
  }

  /** An error's whole text without the leading `-`; line breaks become spaces. */
  error(text: string): void {
    this.line(45, /[\r\n]/.test(text) ? text.replace(/[\r\n]/g, ' ') : text);
  }

  integer(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value < 10) {
      this.reserve(4);
      const { buffer } = this;
      let at = this.used;
      buffer[at++] = 58;
      buffer[at++] = 48 + value;
      buffer[at++] = 13;
      buffer[at++] = 10;
      this.used = at;
      return;
    }
    this.line(58, typeof value === 'number' && !Number.isInteger(value) ? String(Math.trunc(value)) : String(value));
  }

  /** A bulk string of the bytes `[start, end)`. */
  bulk(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    const length = end - start;
    this.reserve(length + 16);
    this.bulkHeader(length);
    const { buffer } = this;
    let at = this.used;
    if (length <= 24) for (let i = start; i < end; i++) buffer[at++] = bytes[i] ?? 0;
    else {
      (bytes as Buffer).copy !== undefined
        ? (bytes as Buffer).copy(buffer, at, start, end)
        : buffer.set(bytes.subarray(start, end), at);
      at += length;
    }
    buffer[at++] = 13;
    buffer[at++] = 10;
    this.used = at;
  }

  /** A bulk string of a byte string. */
  bulkText(text: string): void {
    this.reserve(text.length + 16);
    this.bulkHeader(text.length);
    this.buffer.latin1Write(text, this.used);
    let at = this.used + text.length;
    this.buffer[at++] = 13;
    this.buffer[at++] = 10;
    this.used = at;
  }

  /** RESP3 `_`, RESP2 `$-1`. */
  null(): void {
    this.raw(this.protocol === 3 ? '_\r\n' : '$-1\r\n');
  }

  /** RESP3 `_`, RESP2 `*-1`. */
  nullArray(): void {
    this.raw(this.protocol === 3 ? '_\r\n' : '*-1\r\n');
  }

  array(count: number): void {
    this.aggregate(42, count);
  }

  /** `count` pairs: in RESP2 a flat array. */
  map(count: number): void {
    if (this.protocol === 3) this.aggregate(37, count);
    else this.aggregate(42, 2 * count);
  }

  /** In RESP2 an array. */
  set(count: number): void {
    this.aggregate(this.protocol === 3 ? 126 : 42, count);
  }

  /** Out-of-band data: in RESP2 an array. */
  push(count: number): void {
    this.aggregate(this.protocol === 3 ? 62 : 42, count);
  }

  /** RESP3 `,1.5`, RESP2 a bulk string. */
  double(value: number): void {
    const text = formatDouble(value);
    if (this.protocol === 3) this.line(44, text);
    else this.bulkText(text);
  }

  /** RESP3 `#t`, RESP2 an integer. */
  boolean(value: boolean): void {
    this.raw(this.protocol === 3 ? (value ? '#t\r\n' : '#f\r\n') : value ? ':1\r\n' : ':0\r\n');
  }

  /** RESP3 `=`, RESP2 a bulk string. `format` has three letters. */
  verbatim(text: string, format: 'txt' | 'mkd' = 'txt'): void {
    if (this.protocol === 3) {
      this.raw(`=${text.length + 4}\r\n${format}:`);
      this.raw(text);
      this.raw('\r\n');
    } else this.bulkText(text);
  }

  /** RESP3 `(`, RESP2 a bulk string. */
  bigNumber(digits: string): void {
    if (this.protocol === 3) this.line(40, digits);
    else this.bulkText(digits);
  }

  /** Bytes that are a reply, or part of one, already. */
  raw(text: string): void {
    this.reserve(text.length);
    this.used += this.buffer.latin1Write(text, this.used);
  }

  rawBytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.used);
    this.used += bytes.length;
  }

  private bulkHeader(length: number): void {
    const header = smallBulk[length];
    if (header === undefined) {
      this.used += this.buffer.latin1Write(`$${length}\r\n`, this.used);
      return;
    }
    const { buffer } = this;
    let at = this.used;
    for (let i = 0; i < header.length; i++) buffer[at++] = header[i] ?? 0;
    this.used = at;
  }

  private aggregate(kind: number, count: number): void {
    this.line(kind, String(count));
  }

  private line(kind: number, text: string): void {
    this.reserve(text.length + 3);
    const { buffer } = this;
    buffer[this.used] = kind;
    let at = this.used + 1 + buffer.latin1Write(text, this.used + 1);
    buffer[at++] = 13;
    buffer[at++] = 10;
    this.used = at;
  }

  private reserve(bytes: number): void {
    const needed = this.used + bytes;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.used);
    this.buffer = grown;
  }
}
