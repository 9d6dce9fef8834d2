/** Every limit of the embedded engine, with its unit. */
export interface EmbeddedLimits {
  /** A memtable of this size is frozen and merged into the store. At most two are alive: twice this much memory. */
  readonly memtableBytesMax: number;
  /** As much log since the last checkpoint starts another one, however small the memtable is (hot keys overwritten). */
  readonly logBytesMax: number;
  /** Size of one preallocated log segment. */
  readonly segmentBytes: number;
  /** Commits larger than this are refused with `TooLargeError`: a 512 MiB value and some room. */
  readonly commitBytesMax: number;
  /** Longest key. */
  readonly keyBytesMax: number;
  /** Written but unsynced commits reach the disk after this long, whatever durability was asked for. */
  readonly syncIntervalMs: number;
  /** Merged memtables kept for open transactions to be checked against; older transactions conflict at commit. */
  readonly retainedMemtablesMax: number;
  /** Address space reserved for the store's memory map, not disk or memory. */
  readonly mapBytes: number;
  /** A failed checkpoint is tried again after this long. */
  readonly checkpointRetryMs: number;
}

export const defaultLimits: EmbeddedLimits = {
  memtableBytesMax: 64 << 20,
  logBytesMax: 256 << 20,
  segmentBytes: 16 << 20,
  commitBytesMax: 576 << 20,
  keyBytesMax: 16 << 20,
  syncIntervalMs: 1000,
  retainedMemtablesMax: 2,
  mapBytes: 2 ** 40,
  checkpointRetryMs: 1000,
};
