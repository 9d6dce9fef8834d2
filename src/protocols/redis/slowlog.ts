/** SLOWLOG: the last commands that took longer than `slowlog-log-slower-than`. */
import type { Client } from './client.js';
import { peerOf } from './peer.js';
import type { Request } from './request.js';

const wordsMax = 32;
const wordBytesMax = 128;

export interface SlowEntry {
  readonly id: number;
  /** Seconds since 1970. */
  readonly time: number;
  readonly microseconds: number;
  readonly words: readonly string[];
  readonly peer: string;
  readonly name: string;
}

export class SlowLog {
  entries: SlowEntry[] = [];
  private nextId = 0;

  add(client: Client, words: readonly string[], microseconds: number, entriesMax: number): void {
    this.entries.unshift({
      id: this.nextId++,
      time: Math.floor(Date.now() / 1000),
      microseconds: Math.round(microseconds),
      words,
      peer: peerOf(client),
      name: client.name,
    });
    if (this.entries.length > entriesMax) this.entries.length = entriesMax;
  }
}

/** A request's words as SLOWLOG keeps them. */
export function abbreviated(request: Request): string[] {
  const words: string[] = [];
  const kept = request.count > wordsMax ? wordsMax - 1 : request.count;
  for (let i = 0; i < kept; i++) {
    const word = request.text(i);
    words.push(
      word.length > wordBytesMax
        ? `${word.slice(0, wordBytesMax)}... (${word.length - wordBytesMax} more bytes)`
        : word,
    );
  }
  if (kept < request.count) words.push(`... (${request.count - kept} more arguments)`);
  return words;
}
