/**
 * One request: where its words lie in a buffer. Words are taken out only when a command asks for them, so that a
 * pipelined batch costs no array and no string it does not need.
 *
 * A request that is being read lies in a buffer shared with other connections; {@link Request.detach} makes a copy that
 * stays (MULTI's queue, blocked commands).
 */
import { notAFloat, notAnInteger } from './errors.js';
import { parseInteger, parseScore } from './numbers.js';

export class Request {
  bytes: Buffer = emptyBuffer;
  /** Number of words, the command's name included. */
  count = 0;
  /** Bounds of the words: start and end of word i at 2i and 2i+1. */
  readonly bounds: number[] = [];

  /** A request of the given words (byte strings or buffers): scripts, tests, commands that stand for others. */
  static of(words: readonly (string | Uint8Array)[]): Request {
    const request = new Request();
    let size = 0;
    for (const word of words) size += word.length;
    const bytes = Buffer.allocUnsafe(size);
    let at = 0;
    for (const word of words) {
      request.bounds.push(at);
      if (typeof word === 'string') bytes.latin1Write(word, at);
      else bytes.set(word, at);
      at += word.length;
      request.bounds.push(at);
    }
    request.bytes = bytes;
    request.count = words.length;
    return request;
  }

  start(index: number): number {
    return this.bounds[2 * index] ?? 0;
  }

  end(index: number): number {
    return this.bounds[2 * index + 1] ?? 0;
  }

  /** Length of a word in bytes. */
  length(index: number): number {
    return this.end(index) - this.start(index);
  }

  /** A word as a byte string: keys, members, fields. */
  text(index: number): string {
    return this.bytes.latin1Slice(this.start(index), this.end(index));
  }

  /** A view of a word, valid as long as the request: copy what you keep. */
  view(index: number): Buffer {
    return this.bytes.subarray(this.start(index), this.end(index));
  }

  /** A copy of a word with `room` bytes left before it. */
  copy(index: number, room = 0): Buffer {
    const start = this.start(index);
    const end = this.end(index);
    const copy = Buffer.allocUnsafe(room + end - start);
    this.bytes.copy(copy, room, start, end);
    return copy;
  }

  /** A word in lower case: option names. */
  lower(index: number): string {
    return this.text(index).toLowerCase();
  }

  /** Whether a word is `option`, which is in lower case, ignoring case. */
  is(index: number, option: string): boolean {
    const start = this.start(index);
    if (this.end(index) - start !== option.length) return false;
    for (let i = 0; i < option.length; i++) {
      const byte = this.bytes[start + i] ?? 0;
      const lower = byte >= 65 && byte <= 90 ? byte + 32 : byte;
      if (lower !== option.charCodeAt(i)) return false;
    }
    return true;
  }

  /** A word as a 64-bit integer in a JavaScript number: exact up to 2^53, else see {@link bigint}. Throws Redis' error. */
  integer(index: number): number {
    const value = parseInteger(this.bytes, this.start(index), this.end(index));
    if (value === undefined) throw notAnInteger();
    return typeof value === 'bigint' ? Number(value) : value;
  }

  /** A word as an exact 64-bit integer. Throws `value is not an integer or out of range`. */
  bigint(index: number): bigint {
    const value = parseInteger(this.bytes, this.start(index), this.end(index));
    if (value === undefined) throw notAnInteger();
    return BigInt(value);
  }

  /** A word as a double, `inf` and hexadecimal included, NaN not. Throws `value is not a valid float`. */
  float(index: number): number {
    const value = parseScore(this.text(index));
    if (value === undefined) throw notAFloat();
    return value;
  }

  /** All words from `from` on, as byte strings. */
  texts(from: number, to = this.count): string[] {
    const words: string[] = [];
    for (let i = from; i < to; i++) words.push(this.text(i));
    return words;
  }

  /** A copy that does not share its bytes with the connection's buffer. */
  detach(): Request {
    const copy = new Request();
    const start = this.count === 0 ? 0 : this.start(0);
    const end = this.count === 0 ? 0 : this.end(this.count - 1);
    copy.bytes = Buffer.from(this.bytes.subarray(start, end));
    copy.count = this.count;
    for (let i = 0; i < 2 * this.count; i++) copy.bounds.push((this.bounds[i] ?? 0) - start);
    return copy;
  }
}

const emptyBuffer = Buffer.alloc(0);
