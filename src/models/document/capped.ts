/** Capped collections: a fixed size, the oldest documents give way to the newest. */

import type { Collection } from './collection.js';
import { countKey, rangeOf, sizeKey } from './keys.js';
import { removeRecord } from './records.js';
import type { WriteScope } from './write-scope.js';

/** Topic of the messages that wake those who wait at a collection's end; the id follows. */
export const CAPPED_TOPIC = 'document/capped/';

/** Removes the oldest documents until the collection is within its limits again, and wakes who waits for new ones. */
export function trimCapped(scope: WriteScope, collection: Collection): void {
  scope.tx.publish(`${CAPPED_TOPIC}${collection.id}`, Buffer.alloc(0));
  const before = storedTotals(scope, collection);
  for (const { key, value } of scope.tx.scan(rangeOf(collection.prefix))) {
    const added = scope.counted(collection.id);
    const documents = before.documents + added.documents;
    const bytes = before.bytes + added.bytes;
    const tooMany = collection.cappedDocuments > 0 && documents > collection.cappedDocuments;
    if (!tooMany && (bytes <= collection.cappedBytes || documents <= 1)) return;
    removeRecord(scope, collection, key.slice(collection.prefix.length), value, true);
  }
}

/** The counters at hand; a capped collection is small enough to be counted where they are not. */
function storedTotals(scope: WriteScope, collection: Collection): { documents: number; bytes: number } {
  const documents = scope.store.engine.counter(countKey(collection.id));
  const bytes = scope.store.engine.counter(sizeKey(collection.id));
  if (typeof documents === 'number' && typeof bytes === 'number') return { documents, bytes };
  const added = scope.counted(collection.id);
  let count = -added.documents;
  let size = -added.bytes;
  for (const { value } of scope.tx.scan(rangeOf(collection.prefix))) {
    count++;
    size += value.length;
  }
  return { documents: count, bytes: size };
}
