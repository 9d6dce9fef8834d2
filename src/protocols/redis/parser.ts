/**
 * Reads requests from bytes that arrive in any fragmentation: RESP arrays of bulk strings, and inline commands. The state
 * of a request that is not complete is kept, so that a large one is not read from its start again with every piece.
 * See the RESP specification, and `processMultibulkBuffer` for the order of refusals.
 */
import { Request } from './request.js';

/** A line (inline command, array or bulk header) may have this many bytes. */
export const inlineBytesMax = 64 * 1024;
/** Words of one request. */
export const wordsMax = 0x7fff_ffff;
/** Before authentication a stranger may send this many words, of this many bytes. */
const wordsBeforeLoginMax = 10;
const wordBytesBeforeLoginMax = 16_384;

export type Parsed = 'request' | 'incomplete';

/** A violation of the protocol: the reply's text; the connection closes after it. */
export class ProtocolError extends Error {
  constructor(text: string) {
    super(`ERR Protocol error: ${text}`);
  }
}

export class RequestParser {
  readonly request = new Request();
  /** Where the next unread byte is; everything before it may be forgotten after a complete request. */
  position = 0;
  /** While incomplete: how many bytes the buffer must have at least before it is worth parsing again. */
  wanted = 0;
  private wordsLeft = 0;
  private words = 0;
  /** Length of the bulk string whose header was read, or -1. */
  private bulkLength = -1;

  /** Whether a request has begun and waits for more bytes. */
  get midway(): boolean {
    return this.wordsLeft > 0;
  }

  /** The buffer's first `shift` bytes are gone (or it begins so many bytes earlier, when negative). */
  moved(shift: number): void {
    this.position -= shift;
    this.wanted -= shift;
    if (shift !== 0 && this.wordsLeft > 0) {
      const { bounds } = this.request;
      for (let i = 0; i < 2 * this.words; i++) bounds[i] = (bounds[i] ?? 0) - shift;
    }
  }

  /** The first byte that must be kept for the request being read. */
  get keepFrom(): number {
    return this.wordsLeft > 0 && this.words > 0 ? Math.min(this.position, this.request.start(0)) : this.position;
  }

  /**
   * Reads on from `position` in `bytes[0, length)`. On `'request'`, `request` holds it (empty requests have count 0).
   * Throws {@link ProtocolError}.
   */
  next(bytes: Buffer, length: number, bulkBytesMax: number, loggedIn: boolean): Parsed {
    const { request } = this;
    if (this.wordsLeft === 0) {
      if (this.position >= length) return this.incomplete(this.position + 1);
      if (bytes[this.position] !== 42) return this.inline(bytes, length);
      const count = this.line(bytes, length, 'too big mbulk count string');
      if (count === incompleteLine) return 'incomplete';
      if (!Number.isInteger(count) || count > wordsMax) throw new ProtocolError('invalid multibulk length');
      if (count > wordsBeforeLoginMax && !loggedIn) throw new ProtocolError('unauthenticated multibulk length');
      request.bytes = bytes;
      request.count = 0;
      this.words = 0;
      if (count <= 0) return 'request';
      this.wordsLeft = count;
      this.bulkLength = -1;
    }
    const { bounds } = request;
    while (this.wordsLeft > 0) {
      if (this.bulkLength < 0) {
        if (this.position >= length) return this.incomplete(this.position + 1);
        const marker = bytes[this.position];
        if (marker !== 36) {
          // Redis looks for the line's end first, and complains about a long line before a wrong marker.
          if (this.lineEnd(bytes, length) < 0) return this.unfinishedLine(length, 'too big bulk count string');
          throw new ProtocolError(`expected '$', got '${String.fromCharCode(marker ?? 0)}'`);
        }
        const size = this.line(bytes, length, 'too big bulk count string');
        if (size === incompleteLine) return 'incomplete';
        if (!Number.isInteger(size) || size < 0 || size > bulkBytesMax) throw new ProtocolError('invalid bulk length');
        if (size > wordBytesBeforeLoginMax && !loggedIn) throw new ProtocolError('unauthenticated bulk length');
        this.bulkLength = size;
      }
      const end = this.position + this.bulkLength;
      if (end + 2 > length) return this.incomplete(end + 2);
      bounds[2 * this.words] = this.position;
      bounds[2 * this.words + 1] = end;
      this.words++;
      this.wordsLeft--;
      this.position = end + 2;
      this.bulkLength = -1;
    }
    request.bytes = bytes;
    request.count = this.words;
    return 'request';
  }

  private incomplete(wanted: number): 'incomplete' {
    this.wanted = wanted;
    return 'incomplete';
  }

  /** The number in the header line at `position` (after its marker); NaN when it is none. */
  private line(bytes: Buffer, length: number, tooLong: string): number {
    let at = this.position + 1;
    let value = 0;
    const negative = bytes[at] === 45;
    if (negative) at++;
    const first = at;
    // A number of ten digits is beyond every limit: whatever has more is refused without adding it up.
    while (at < length) {
      const digit = (bytes[at] ?? 0) - 48;
      if (digit < 0 || digit > 9 || at - first > 10) break;
      value = value * 10 + digit;
      at++;
    }
    if (at < length && bytes[at] === 13 && at > first) {
      if (at + 1 >= length) {
        this.unfinishedLine(length, tooLong);
        return incompleteLine;
      }
      this.position = at + 2;
      return negative ? -value : value;
    }
    const end = this.lineEnd(bytes, length);
    if (end < 0 || end + 1 >= length) {
      this.unfinishedLine(length, tooLong);
      return incompleteLine;
    }
    return Number.NaN;
  }

  private lineEnd(bytes: Buffer, length: number): number {
    const end = bytes.indexOf(13, this.position);
    return end < 0 || end >= length ? -1 : end;
  }

  private unfinishedLine(length: number, tooLong: string): 'incomplete' {
    if (length - this.position > inlineBytesMax) throw new ProtocolError(tooLong);
    return this.incomplete(length + 1);
  }

  /** An inline command: words split at blanks, with quotes as in a shell. */
  private inline(bytes: Buffer, length: number): Parsed {
    const { request } = this;
    const newline = bytes.indexOf(10, this.position);
    if (newline < 0 || newline >= length) {
      if (length - this.position > inlineBytesMax) throw new ProtocolError('too big inline request');
      return this.incomplete(length + 1);
    }
    let end = newline;
    if (end > this.position && bytes[end - 1] === 13) end--;
    const line = bytes.latin1Slice(this.position, end);
    this.position = newline + 1;
    const words = splitInline(line);
    if (words === undefined) throw new ProtocolError('unbalanced quotes in request');
    const parsed = Request.of(words);
    request.bytes = parsed.bytes;
    request.count = parsed.count;
    for (let i = 0; i < 2 * parsed.count; i++) request.bounds[i] = parsed.bounds[i] ?? 0;
    return 'request';
  }
}

const incompleteLine = Number.MIN_SAFE_INTEGER;

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

/** Splits a line as `sdssplitargs` does; `undefined` for unbalanced quotes. Also reads redis.conf lines. */
export function splitInline(line: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isBlank(line[at])) at++;
    if (at >= line.length) return words;
    let word = '';
    let quote = '';
    for (;;) {
      const char = line[at];
      if (quote !== '') {
        if (char === undefined) return undefined;
        if (quote === '"' && char === '\\' && at + 1 < line.length) {
          const hex = /^x([0-9a-fA-F]{2})/.exec(line.slice(at + 1, at + 4));
          if (hex?.[1] !== undefined) {
            word += String.fromCharCode(Number.parseInt(hex[1], 16));
            at += 4;
          } else {
            const escaped = line[at + 1] ?? '';
            word += escapes[escaped] ?? escaped;
            at += 2;
          }
        } else if (quote === "'" && char === '\\' && line[at + 1] === "'") {
          word += "'";
          at += 2;
        } else if (char === quote) {
          const after = line[at + 1];
          if (after !== undefined && !isBlank(after)) return undefined;
          at++;
          break;
        } else {
          word += char;
          at++;
        }
      } else {
        if (char === undefined || isBlank(char) || char === '\0') break;
        if (char === '"' || char === "'") quote = char;
        else word += char;
        at++;
      }
    }
    words.push(word);
    if (line[at] === '\0') return words;
  }
}

function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\t' || char === '\n' || char === '\r' || char === '\v' || char === '\f';
}
