import type { Key } from '../engine.js';

/** New in each process, so that nobody can prepare keys that collide. */
const hashSeed = (Math.random() * 0x1_0000_0000) | 0;

/** 32 bits, well mixed, four bytes of the key at a time. Lives in memory only. */
export function hashOf(key: Key): number {
  const { length } = key;
  let hash = hashSeed ^ length;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const word =
      key.charCodeAt(i) | (key.charCodeAt(i + 1) << 8) | (key.charCodeAt(i + 2) << 16) | (key.charCodeAt(i + 3) << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash = (hash << 13) | (hash >>> 19);
  }
  for (; i < length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
