/**
 * What a committed transaction changed, told to whoever follows keys: keyspace notifications, blocked clients, caches
 * of clients. The classes are those of Redis' `notify-keyspace-events`.
 */
export const EventClass = {
  generic: 1 << 0, // g
  string: 1 << 1, // $
  list: 1 << 2, // l
  set: 1 << 3, // s
  hash: 1 << 4, // h
  zset: 1 << 5, // z
  expired: 1 << 6, // x
  evicted: 1 << 7, // e
  stream: 1 << 8, // t
  keyMiss: 1 << 9, // m
  newKey: 1 << 10, // n
  module: 1 << 11, // d
  /** The value changed, with nothing to announce (SWAPDB moves whole databases): only blocked clients and caches care. */
  silent: 0,
} as const;

export interface Change {
  /** Logical database. */
  readonly database: number;
  /** `undefined`: every key of the database (FLUSHDB, SWAPDB). */
  readonly key: string | undefined;
  readonly eventClass: number;
  /** As published on `__keyevent@N__:event`; empty for silent changes. */
  readonly event: string;
}
