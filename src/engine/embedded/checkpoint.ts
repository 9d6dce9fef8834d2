/** Merging a frozen memtable into the store, in key order, without holding up the event loop. */
import { deleted, type Memtable } from './memtable.js';
import type { CheckpointRecord, Store } from './store.js';

/** The event loop is given back after this long. */
const sliceMs = 1;
/** Clock readings are this many entries apart. */
const entriesPerLook = 16;
/** Handed to LMDB's writer thread and not committed yet. */
const queuedBytesMax = 8 << 20;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Called before each step of a checkpoint with its name; tests fail there. */
export type CheckpointProbe = (step: string) => void;

/**
 * Resolves when the store, on disk, holds everything the memtable does and `record`. May be repeated after a failure: the
 * memtable stays readable above whatever part of it has reached the store.
 */
export async function mergeIntoStore(
  memtable: Memtable,
  store: Store,
  record: CheckpointRecord,
  probe: CheckpointProbe,
): Promise<void> {
  probe('sort');
  for (let until = performance.now() + sliceMs; memtable.order.unsorted > 0; memtable.order.sortIn(entriesPerLook)) {
    if (performance.now() < until) continue;
    await turn();
    until = performance.now() + sliceMs;
  }
  /** Batches under way, oldest first. */
  const queue: { readonly bytes: number; readonly done: Promise<void> }[] = [];
  let queued = 0;
  const drain = async (most: number): Promise<void> => {
    for (let first = queue[0]; first !== undefined && (queued > most || most === 0); first = queue[0]) {
      await first.done;
      queue.shift();
      queued -= first.bytes;
    }
  };
  try {
    const position = { leaf: 0, slot: 0 };
    let entry = memtable.order.at(position);
    while (entry >= 0) {
      const until = performance.now() + sliceMs;
      let bytes = 0;
      const done = store.batch(() => {
        for (let count = 1; entry >= 0; count++) {
          const length = memtable.lengthOf(entry);
          if (length >= 0) store.put(memtable.keyOf(entry), memtable.valueOf(entry));
          else if (length === deleted) store.remove(memtable.keyOf(entry));
          bytes += 64 + Math.max(0, length);
          position.slot++;
          entry = memtable.order.at(position);
          if (bytes > queuedBytesMax || (count % entriesPerLook === 0 && performance.now() >= until)) break;
        }
      });
      // Whether it failed is asked later; until then a rejection is no unhandled one.
      done.catch(() => {});
      queue.push({ bytes, done });
      queued += bytes;
      probe('slice');
      await drain(queuedBytesMax);
      await turn();
    }
    await drain(0);
    probe('record');
    await store.batch(() => store.putCheckpoint(record));
    probe('recorded');
  } catch (thrown) {
    await Promise.allSettled(queue.map(({ done }) => done));
    throw thrown;
  }
}
