/** A long scan inside of an open transaction: each batch is a body of its own that begins behind the last entry. */
import type { Batches, Entry, OpenTransaction, Range, ScanOptions } from '../../engine/engine.js';

const BATCH_ENTRIES = 1000;

export function transactionBatches(
  open: OpenTransaction,
  range: Range,
  options: ScanOptions & { readonly batchSize?: number } = {},
): Batches {
  const { reverse = false, batchSize = BATCH_ENTRIES } = options;
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let rest: Range | undefined = range;
  const take = (entries: readonly Entry[]): readonly Entry[] | undefined => {
    const last = entries.at(-1);
    left -= entries.length;
    if (last === undefined || rest === undefined) {
      rest = undefined;
      return undefined;
    }
    // The key behind `last` in byte order is `last` and a zero.
    rest = reverse ? { start: rest.start, end: last.key } : { start: `${last.key}\0`, end: rest.end };
    return entries;
  };
  return {
    next: () => {
      const from = rest;
      if (from === undefined || left <= 0) return undefined;
      const read = open.run((tx) =>
        [...tx.scan(from, { reverse, limit: Math.min(batchSize, left) })].map(({ key, value }) => ({
          key,
          value: Buffer.from(value),
        })),
      );
      return read instanceof Promise ? read.then(take) : take(read);
    },
    close: () => {
      rest = undefined;
    },
  };
}
