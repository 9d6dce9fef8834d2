/** SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP, BITFIELD: bits of strings, the highest of a byte first. */
import { EventClass } from '../../../models/key-value/changes.js';
import { ValueType } from '../../../models/key-value/record.js';
import { editRaw, findString, loadString } from '../../../models/key-value/strings.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { parseIntegerText } from '../numbers.js';

const bitsInByte = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
});

/** A bit offset; `#n` counts in widths. */
function bitOffset(c: CommandContext, index: number, width = 0): number {
  const text = c.request.text(index);
  const scaled = width > 0 && text.startsWith('#');
  const value = parseIntegerText(scaled ? text.slice(1) : text);
  const offset = value === undefined ? -1 : Number(value) * (scaled ? width : 1);
  if (offset < 0 || offset >= c.server.settings.protoMaxBulkLen * 8) {
    throw new RedisError('ERR bit offset is not an integer or out of range');
  }
  return offset;
}

/** Puts bytes into a string at `at`, zeros before them where it was shorter. */
function writeBytes(c: CommandContext, key: string, at: number, bytes: Uint8Array): void {
  const record = findString(c.db, key);
  if (record === undefined) {
    const payload = Buffer.alloc(at + bytes.length);
    payload.set(bytes, at);
    c.db.replace(key, undefined, ValueType.string, payload, { encoding: 1 });
    return;
  }
  const length = record.payloadLength;
  if (at > length) {
    const padded = Buffer.alloc(at - length + bytes.length);
    padded.set(bytes, at - length);
    editRaw(c.db, record, length, 0, padded);
  } else editRaw(c.db, record, at, Math.min(bytes.length, length - at), bytes);
}

function setbit(c: CommandContext): void {
  const { request } = c;
  const offset = bitOffset(c, 2);
  const bit = request.text(3);
  if (bit !== '0' && bit !== '1') throw new RedisError('ERR bit is not an integer or out of range');
  const key = request.text(1);
  const found = loadString(c.db, key);
  const byteAt = Math.floor(offset / 8);
  const mask = 0x80 >> (offset & 7);
  const length = found === undefined ? 0 : found.bytes.length - found.start;
  const old = found === undefined || byteAt >= length ? 0 : (found.bytes[found.start + byteAt] ?? 0);
  const before = (old & mask) !== 0 ? 1 : 0;
  const grows = byteAt >= length;
  if (grows || before !== Number(bit)) {
    writeBytes(c, key, byteAt, Uint8Array.of(bit === '1' ? old | mask : old & ~mask));
    c.db.changed(key, EventClass.string, 'setbit');
  }
  c.reply.integer(before);
}

function getbit(c: CommandContext): void {
  const offset = bitOffset(c, 2);
  const found = loadString(c.db, c.request.text(1));
  const byte = found === undefined ? 0 : (found.bytes[found.start + Math.floor(offset / 8)] ?? 0);
  c.reply.integer((byte >> (7 - (offset & 7))) & 1);
}

/** The bit range of BITCOUNT and BITPOS: `[start, end]` in bits. */
function bitRange(start: number, end: number, byBit: boolean, bytes: number): { from: number; to: number } | undefined {
  const total = byBit ? bytes * 8 : bytes;
  let from = start < 0 ? Math.max(0, total + start) : start;
  let to = end < 0 ? Math.max(0, total + end) : end;
  to = Math.min(to, total - 1);
  if (from > to) return undefined;
  if (!byBit) {
    from *= 8;
    to = to * 8 + 7;
  }
  return { from, to };
}

function countBits(bytes: Buffer, start: number, from: number, to: number): number {
  let count = 0;
  let bit = from;
  const at = (offset: number): number => bytes[start + (offset >>> 3)] ?? 0;
  while (bit <= to && (bit & 7) !== 0) {
    count += (at(bit) >> (7 - (bit & 7))) & 1;
    bit++;
  }
  while (bit + 7 <= to) {
    count += bitsInByte[at(bit)] ?? 0;
    bit += 8;
  }
  while (bit <= to) {
    count += (at(bit) >> (7 - (bit & 7))) & 1;
    bit++;
  }
  return count;
}

function readUnit(c: CommandContext, index: number): boolean {
  if (c.request.is(index, 'bit')) return true;
  if (c.request.is(index, 'byte')) return false;
  throw syntaxError();
}

function bitcount(c: CommandContext): void {
  const { request, reply } = c;
  const found = loadString(c.db, request.text(1));
  if (found === undefined) {
    reply.integer(0);
    return;
  }
  if (request.count === 3 || request.count > 5) throw syntaxError();
  const ranged = request.count > 3;
  const start = ranged ? request.integer(2) : 0;
  const end = ranged ? request.integer(3) : -1;
  const byBit = request.count === 5 && readUnit(c, 4);
  const reversed = start < 0 && end < 0 && start > end;
  const range = reversed ? undefined : bitRange(start, end, byBit, found.bytes.length - found.start);
  reply.integer(range === undefined ? 0 : countBits(found.bytes, found.start, range.from, range.to));
}

function bitpos(c: CommandContext): void {
  const { request, reply } = c;
  const wanted = request.integer(2);
  if (wanted !== 0 && wanted !== 1) throw new RedisError('ERR The bit argument must be 1 or 0.');
  if (request.count > 6) throw syntaxError();
  const start = request.count > 3 ? request.integer(3) : 0;
  const endGiven = request.count > 4;
  const end = endGiven ? request.integer(4) : -1;
  const byBit = request.count === 6 && readUnit(c, 5);
  const found = loadString(c.db, request.text(1));
  if (found === undefined) {
    reply.integer(wanted === 1 ? -1 : 0);
    return;
  }
  const length = found.bytes.length - found.start;
  const range = bitRange(start, end, byBit, length);
  if (range === undefined) {
    reply.integer(-1);
    return;
  }
  const skip = wanted === 1 ? 0 : 255;
  for (let bit = range.from; bit <= range.to; ) {
    const byte = found.bytes[found.start + (bit >>> 3)] ?? 0;
    if ((bit & 7) === 0 && byte === skip) {
      bit += 8;
      continue;
    }
    if (((byte >> (7 - (bit & 7))) & 1) === wanted) {
      reply.integer(bit);
      return;
    }
    bit++;
  }
  reply.integer(wanted === 0 && !endGiven ? length * 8 : -1);
}

function bitop(c: CommandContext): void {
  const { request, db } = c;
  const operation = request.lower(1);
  if (!['and', 'or', 'xor', 'not'].includes(operation)) throw syntaxError();
  if (operation === 'not' && request.count !== 4) {
    throw new RedisError('ERR BITOP NOT must be called with a single source key.');
  }
  const sources: Buffer[] = [];
  for (let i = 3; i < request.count; i++) {
    const found = loadString(db, request.text(i));
    sources.push(found === undefined ? Buffer.alloc(0) : Buffer.from(found.bytes.subarray(found.start)));
  }
  const length = Math.max(...sources.map((source) => source.length));
  const result = Buffer.alloc(length);
  const [first = Buffer.alloc(0), ...others] = sources;
  for (let i = 0; i < length; i++) {
    let byte = first[i] ?? 0;
    if (operation === 'not') byte = ~byte;
    for (const other of others) {
      const right = other[i] ?? 0;
      byte = operation === 'and' ? byte & right : operation === 'or' ? byte | right : byte ^ right;
    }
    result[i] = byte;
  }
  const target = request.text(2);
  const old = db.find(target);
  if (length === 0) {
    if (old !== undefined) {
      db.remove(old);
      db.changed(target, EventClass.generic, 'del');
    }
  } else {
    db.replace(target, old, ValueType.string, result, { encoding: 1 });
    db.changed(target, EventClass.string, 'set');
  }
  c.reply.integer(length);
}

// --- BITFIELD ---------------------------------------------------------------------------------------------------------

type Overflow = 'wrap' | 'sat' | 'fail';

interface FieldOperation {
  readonly verb: 'get' | 'set' | 'incrby';
  readonly signed: boolean;
  readonly bits: number;
  readonly offset: number;
  readonly value: bigint;
  readonly overflow: Overflow;
}

function readFieldType(text: string): { signed: boolean; bits: number } {
  const match = /^([iuIU])(\d{1,2})$/.exec(text);
  const signed = match?.[1]?.toLowerCase() === 'i';
  const bits = Number(match?.[2] ?? 0);
  if (match === null || bits < 1 || bits > (signed ? 64 : 63)) {
    throw new RedisError(
      'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
    );
  }
  return { signed, bits };
}

function parseFields(c: CommandContext, readOnly: boolean): FieldOperation[] {
  const { request } = c;
  const operations: FieldOperation[] = [];
  let overflow: Overflow = 'wrap';
  for (let i = 2; i < request.count; ) {
    const verb = request.lower(i);
    const left = request.count - 1 - i;
    if (verb === 'overflow' && left >= 1) {
      const mode = request.lower(i + 1);
      if (mode !== 'wrap' && mode !== 'sat' && mode !== 'fail')
        throw new RedisError('ERR Invalid OVERFLOW type specified');
      overflow = mode;
      i += 2;
    } else if (verb === 'get' && left >= 2) {
      const field = readFieldType(request.text(i + 1));
      operations.push({ verb, ...field, offset: bitOffset(c, i + 2, field.bits), value: 0n, overflow });
      i += 3;
    } else if ((verb === 'set' || verb === 'incrby') && left >= 3) {
      const field = readFieldType(request.text(i + 1));
      const offset = bitOffset(c, i + 2, field.bits);
      if (readOnly) throw new RedisError('ERR BITFIELD_RO only supports the GET subcommand');
      operations.push({ verb, ...field, offset, value: request.bigint(i + 3), overflow });
      i += 4;
    } else throw syntaxError();
  }
  return operations;
}

function readField(bytes: Buffer, { offset, bits, signed }: FieldOperation): bigint {
  let value = 0n;
  const firstByte = Math.floor(offset / 8);
  const lastByte = Math.floor((offset + bits - 1) / 8);
  for (let at = firstByte; at <= lastByte; at++) value = (value << 8n) | BigInt(bytes[at] ?? 0);
  value >>= BigInt((lastByte + 1) * 8 - offset - bits);
  value = BigInt.asUintN(bits, value);
  return signed ? BigInt.asIntN(bits, value) : value;
}

function writeField(bytes: Buffer, { offset, bits }: FieldOperation, value: bigint): void {
  const unsigned = BigInt.asUintN(bits, value);
  for (let i = 0; i < bits; i++) {
    const bit = offset + i;
    const mask = 0x80 >> (bit & 7);
    const at = Math.floor(bit / 8);
    const on = ((unsigned >> BigInt(bits - 1 - i)) & 1n) === 1n;
    bytes[at] = on ? (bytes[at] ?? 0) | mask : (bytes[at] ?? 0) & ~mask;
  }
}

/** What becomes of `value` in a field too small for it; `undefined`: OVERFLOW FAIL. */
function confine(value: bigint, { signed, bits, overflow }: FieldOperation): bigint | undefined {
  const min = signed ? -(1n << BigInt(bits - 1)) : 0n;
  const max = signed ? (1n << BigInt(bits - 1)) - 1n : (1n << BigInt(bits)) - 1n;
  if (value >= min && value <= max) return value;
  if (overflow === 'fail') return undefined;
  if (overflow === 'sat') return value < min ? min : max;
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

function bitfield(readOnly: boolean) {
  return (c: CommandContext): void => {
    const operations = parseFields(c, readOnly);
    const key = c.request.text(1);
    const found = loadString(c.db, key);
    let bytes: Buffer = found === undefined ? Buffer.alloc(0) : Buffer.from(found.bytes.subarray(found.start));
    const writes = operations.filter(({ verb }) => verb !== 'get');
    const needed = Math.max(0, ...writes.map(({ offset, bits }) => Math.ceil((offset + bits) / 8)));
    const grown = needed > bytes.length;
    if (grown) bytes = Buffer.concat([bytes, Buffer.alloc(needed - bytes.length)]);
    let first = Number.POSITIVE_INFINITY;
    let last = -1;
    const replies: (bigint | undefined)[] = [];
    for (const operation of operations) {
      const old = readField(bytes, operation);
      if (operation.verb === 'get') {
        replies.push(old);
        continue;
      }
      const value = confine(operation.verb === 'set' ? operation.value : old + operation.value, operation);
      replies.push(value === undefined ? undefined : operation.verb === 'set' ? old : value);
      if (value === undefined) continue;
      writeField(bytes, operation, value);
      first = Math.min(first, Math.floor(operation.offset / 8));
      last = Math.max(last, Math.floor((operation.offset + operation.bits - 1) / 8));
    }
    if (writes.length > 0 && (last >= 0 || grown)) {
      const from = grown ? Math.min(first, found === undefined ? 0 : found.bytes.length - found.start) : first;
      const to = grown ? bytes.length - 1 : last;
      writeBytes(c, key, from, Buffer.from(bytes.subarray(from, to + 1)));
      c.db.changed(key, EventClass.string, 'setbit');
    }
    c.reply.array(replies.length);
    for (const reply of replies) {
      if (reply === undefined) c.reply.null();
      else c.reply.integer(reply);
    }
  };
}

export const bitmapCommands: Commands = {
  setbit,
  getbit,
  bitcount,
  bitpos,
  bitop,
  bitfield: bitfield(false),
  bitfield_ro: bitfield(true),
};
