/**
 * The bytes of the write-ahead log.
 *
 * A segment is a file `log-<number, 12 digits>` of fixed, preallocated size: a header of 64 bytes, then frames.
 *
 *   header   0 "ROSETLOG"   8 format version (4)   12 salt (4)   16 number (8, float)   24 CRC-32 of bytes 0–23; then the
 *            same 32 bytes again, so that damage to one copy costs nothing
 *   frame    0 CRC-32 of the rest of the frame, seeded with the segment's salt   4 payload length (4)
 *            8 sequence of the last commit in it (8, float)   16 number of the segment that was on disk (8, float) up
 *            to offset   24 (4) when this frame was written   28 kind (4): 1 commits, 2 the segment's end,
 *            3 a mark that only says how far the log is on disk
 *   payload  operations: code (1), key length (varint), then by code
 *              1 put      value length (varint), key, value
 *              2 delete   key
 *              3 splice   offset, removed, inserted lengths (varints), key, inserted bytes
 *
 * All commits of one event-loop turn share a frame, so they are all there after a crash or none is. Integers are
 * little-endian. The salt is new whenever a file becomes a segment, so that the frames of a recycled file's former life
 * never count.
 *
 * Telling a torn tail from damage: after a crash, frames that were never synced may be missing or half there, in any
 * order, and are cut off. But a frame also says how far the log was on disk when it was written; an invalid frame before
 * such a place is damage.
 *
 * Replaying is idempotent and asks nothing of the store: a splice is logged as such only when the value that it changes
 * was written in the same generation of segments (since the memtable was last frozen), else as a put.
 */
import { crc32 } from 'node:zlib';
import type { Key } from '../engine.js';
import { CorruptionError, FormatError } from '../errors.js';

export const segmentHeaderBytes = 64;
export const frameHeaderBytes = 32;
export const logFormat = 1;
const magic = 'ROSETLOG';

export const frameKind = { commits: 1, end: 2, mark: 3 } as const;
export const operation = { put: 1, delete: 2, splice: 3 } as const;

export function segmentName(number: number): string {
  return `log-${String(number).padStart(12, '0')}`;
}

/** The number in a segment's name; undefined when it is not one. */
export function segmentNumber(name: string): number | undefined {
  const match = /^log-(\d{12,})$/.exec(name);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

export function encodeSegmentHeader(number: number, salt: number): Buffer {
  const header = Buffer.alloc(segmentHeaderBytes);
  header.latin1Write(magic, 0);
  header.writeUInt32LE(logFormat, 8);
  header.writeUInt32LE(salt, 12);
  header.writeDoubleLE(number, 16);
  header.writeUInt32LE(crc32(header.subarray(0, 24)), 24);
  header.copyWithin(32, 0, 32);
  return header;
}

/**
 * The salt of segment `number`; undefined when the file never became that segment: it is still all zeros at its start, or
 * has the header of its former life. Throws {@link CorruptionError} for anything else.
 */
export function decodeSegmentHeader(segment: Buffer, number: number): number | undefined {
  const name = segmentName(number);
  for (const at of [0, 32]) {
    if (segment.length < at + 32) break;
    const copy = segment.subarray(at, at + 32);
    if (copy.latin1Slice(0, 8) !== magic || crc32(copy.subarray(0, 24)) !== copy.readUInt32LE(24)) continue;
    if (copy.readUInt32LE(8) > logFormat) throw new FormatError(`${name} was written by a newer version`);
    return copy.readDoubleLE(16) === number ? copy.readUInt32LE(12) : undefined;
  }
  if (segment.length >= segmentHeaderBytes && segment.subarray(0, segmentHeaderBytes).every((byte) => byte === 0)) {
    return undefined;
  }
  throw new CorruptionError(`the header of ${name} is damaged`);
}

export interface FrameHeader {
  readonly payloadBytes: number;
  readonly sequence: number;
  readonly syncedSegment: number;
  readonly syncedOffset: number;
  readonly kind: number;
}

/** Fills in the header at the start of `frame`, whose payload is in place, and its checksum. */
export function sealFrame(frame: Buffer, salt: number, header: FrameHeader): void {
  frame.writeUInt32LE(header.payloadBytes, 4);
  frame.writeDoubleLE(header.sequence, 8);
  frame.writeDoubleLE(header.syncedSegment, 16);
  frame.writeUInt32LE(header.syncedOffset, 24);
  frame.writeUInt32LE(header.kind, 28);
  frame.writeUInt32LE(crc32(frame.subarray(4, frameHeaderBytes + header.payloadBytes), salt), 0);
}

/** The frame at `at`, or undefined when there is no whole, valid one. */
export function readFrame(segment: Buffer, at: number, salt: number): FrameHeader | undefined {
  if (at + frameHeaderBytes > segment.length) return undefined;
  const kind = segment.readUInt32LE(at + 28);
  const payloadBytes = segment.readUInt32LE(at + 4);
  const end = at + frameHeaderBytes + payloadBytes;
  if (kind < frameKind.commits || kind > frameKind.mark || end > segment.length) return undefined;
  const sequence = segment.readDoubleLE(at + 8);
  const syncedSegment = segment.readDoubleLE(at + 16);
  // The checksum decides; this spares it most of the places that are no frame.
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(syncedSegment)) return undefined;
  if (kind !== frameKind.commits && payloadBytes !== 0) return undefined;
  if (crc32(segment.subarray(at + 4, end), salt) !== segment.readUInt32LE(at)) return undefined;
  return { payloadBytes, sequence, syncedSegment, syncedOffset: segment.readUInt32LE(at + 24), kind };
}

export interface OperationSink {
  put(key: Key, value: Buffer): void;
  delete(key: Key): void;
  splice(key: Key, offset: number, removed: number, inserted: Buffer): void;
}

/** Hands the operations of a frame's payload to `sink`. Values are views of `payload`. */
export function readOperations(payload: Buffer, sink: OperationSink): void {
  let at = 0;
  const byte = (): number => {
    const value = payload[at++];
    if (value === undefined) throw new CorruptionError('the log holds an operation without an end');
    return value;
  };
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const next = byte();
      value += (next & 127) * scale;
      if (next < 128) return value;
    }
  };
  const bytes = (length: number): Buffer => {
    if (at + length > payload.length) throw new CorruptionError('the log holds an operation without an end');
    at += length;
    return payload.subarray(at - length, at);
  };
  while (at < payload.length) {
    const code = byte();
    const keyBytes = varint();
    if (code === operation.put) {
      const valueBytes = varint();
      const key = bytes(keyBytes).latin1Slice();
      sink.put(key, bytes(valueBytes));
    } else if (code === operation.delete) sink.delete(bytes(keyBytes).latin1Slice());
    else if (code === operation.splice) {
      const offset = varint();
      const removed = varint();
      const insertedBytes = varint();
      const key = bytes(keyBytes).latin1Slice();
      sink.splice(key, offset, removed, bytes(insertedBytes));
    } else throw new CorruptionError(`the log holds an unknown operation (${code})`);
  }
}
