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
  const queue: { readonly bytes: number; readonly done: Promise<unknown> }[] = [];
  let queued = 0;
  try {
    const position = { leaf: 0, slot: 0 };
    let entry = memtable.order.at(position);
    while (entry >= 0) {
      const until = performance.now() + sliceMs;
      let bytes = 0;
      let done: Promise<unknown> = Promise.resolve();
      for (let count = 1; entry >= 0; count++) {
        const length = memtable.lengthOf(entry);
        if (length >= 0) done = store.put(memtable.keyOf(entry), memtable.valueOf(entry));
        else if (length === deleted) done = store.remove(memtable.keyOf(entry));
        bytes += 64 + Math.max(0, length);
        position.slot++;
        entry = memtable.order.at(position);
        if (bytes > queuedBytesMax || (count % entriesPerLook === 0 && performance.now() >= until)) break;
      }
      probe('slice');
      queue.push({ bytes, done });
      queued += bytes;
      for (let first = queue[0]; first !== undefined && queued > queuedBytesMax; first = queue[0]) {
        queue.shift();
        queued -= first.bytes;
        await first.done;
      }
      await turn();
    }
    for (const { done } of queue.splice(0)) await done;
    probe('record');
    await store.putCheckpoint(record);
    probe('recorded');
  } catch (thrown) {
    // The library rejects all writes of a failed commit, and one more promise that holds the reason.
    const failures = await Promise.allSettled(queue.map(({ done }) => done));
    const reasons = [
      thrown,
      ...failures.map((failure) => (failure.status === 'rejected' ? failure.reason : undefined)),
    ];
    const causes = await Promise.all(reasons.map((reason) => commitError(reason)));
    throw causes.find((cause) => cause !== undefined) ?? thrown;
  }
}

async function commitError(thrown: unknown): Promise<unknown> {
  const { commitError: reason } = (thrown ?? {}) as { commitError?: Promise<never> };
  if (reason === undefined) return undefined;
  return reason.then(undefined, (cause: unknown) => cause);
}
