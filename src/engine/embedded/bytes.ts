/** Copying a few bytes in a loop is faster than a call out of JavaScript; these choose by length. */
import type { Key } from '../engine.js';

const keyLoopBytesMax = 40;
const byteLoopBytesMax = 8;

export function writeKey(target: Buffer, key: Key, at: number): void {
  const { length } = key;
  if (length > keyLoopBytesMax) {
    target.latin1Write(key, at, length);
    return;
  }
  for (let i = 0; i < length; i++) target[at + i] = key.charCodeAt(i);
}

export function writeBytes(target: Buffer, bytes: Uint8Array, at: number): void {
  const { length } = bytes;
  if (length > byteLoopBytesMax) {
    target.set(bytes, at);
    return;
  }
  for (let i = 0; i < length; i++) target[at + i] = bytes[i] as number;
}

/** LEB128, up to 2^53. Returns the position behind it. */
export function writeVarint(target: Buffer, value: number, at: number): number {
  let rest = value;
  let position = at;
  while (rest > 127) {
    target[position++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  target[position++] = rest;
  return position;
}

/** Longest varint, in bytes. */
export const varintBytesMax = 8;

/** Replaces bytes of the value that lies in `block` from `start` on. */
export function spliceBytes(
  block: Buffer,
  start: number,
  length: number,
  offset: number,
  removed: number,
  inserted: Uint8Array,
): void {
  if (inserted.length !== removed) {
    block.copyWithin(start + offset + inserted.length, start + offset + removed, start + length);
  }
  writeBytes(block, inserted, start + offset);
}
