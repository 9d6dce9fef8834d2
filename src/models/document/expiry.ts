/**
 * Expiry: documents whose date in a TTL index (or whose time, in time-series and clustered collections) has passed are
 * removed, some hundred a body, with everything that removing a document means.
 */

import { prefixEnd } from '../../encoding/byte-strings.js';
import type { Range } from '../../engine/engine.js';
import type { Collection } from './collection.js';
import { DocumentError } from './errors.js';
import type { Index } from './indexes/index.js';
import { invert } from './indexes/number-keys.js';
import { Kind, valueKey } from './indexes/value-keys.js';
import { indexPrefix, rangeOf } from './keys.js';
import { recordOfEntry, removeRecord } from './records.js';
import type { DocumentStore } from './store.js';
import { DateTime, Doc, encodeValue } from './values.js';
import type { WriteScope } from './write-scope.js';

const CHUNK_DOCUMENTS = 200;
/** Expiry times beyond this many seconds are taken for milliseconds gone wrong, and never pass. */
const EXPIRE_SECONDS_MAX = 2_147_483_647;

/** One pass over all collections; answers how many documents it removed. */
export async function expireDocuments(store: DocumentStore): Promise<number> {
  const collections = await store.engine.read((view) => store.catalog.list(view));
  let removed = 0;
  for (const collection of collections) {
    for (const index of collection.secondary) {
      if (index.expireAfterSeconds === undefined || !index.ready || index.parts.length !== 1) continue;
      if (index.expireAfterSeconds > EXPIRE_SECONDS_MAX) continue;
      removed += await chunks(() => expireByIndex(store, collection, index));
    }
    if (collection.expireAfterSeconds !== undefined) removed += await chunks(() => expireByTime(store, collection));
  }
  return removed;
}

/** Repeats until a body finds nothing more to remove. */
async function chunks(step: () => Promise<number>): Promise<number> {
  let total = 0;
  for (;;) {
    const removed = await step();
    total += removed;
    if (removed < CHUNK_DOCUMENTS) return total;
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

function current(scope: WriteScope, collection: Collection): Collection | undefined {
  const found = scope.store.catalog.find(scope.tx, collection.database, collection.name);
  return found?.id === collection.id ? found : undefined;
}

/** Keys of the dates up to `time`, and of nothing that is no date. */
function expiredRange(prefix: string, index: Index, time: number): Range {
  const bytes = encodeValue(new DateTime(time));
  const last = valueKey(bytes, bytes[4] ?? 0, 6);
  const first = String.fromCharCode(Kind.date);
  if (index.parts[0]?.descending !== true) return { start: prefix + first, end: prefixEnd(prefix + last) };
  return { start: prefix + invert(last), end: prefixEnd(prefix + invert(first)) };
}

async function expireByIndex(store: DocumentStore, collection: Collection, index: Index): Promise<number> {
  return ignoringConflicts(() =>
    store.storage().write((scope) => {
      const found = current(scope, collection);
      const own = found?.indexes.find(({ id }) => id === index.id);
      if (found === undefined || own?.expireAfterSeconds === undefined) return 0;
      const range = expiredRange(indexPrefix(found.id, own.id), own, scope.tx.now - own.expireAfterSeconds * 1000);
      const records = [...scope.tx.scan(range, { limit: CHUNK_DOCUMENTS })].map(({ key, value }) =>
        recordOfEntry(own, key, value),
      );
      let removed = 0;
      for (const record of new Set(records)) {
        const document = scope.tx.get(found.documentKey(record));
        if (document === undefined) continue;
        removeRecord(scope, found, record, document);
        removed++;
      }
      return records.length === CHUNK_DOCUMENTS ? CHUNK_DOCUMENTS : removed;
    }),
  );
}

/** Time series by their time field, clustered collections by an `_id` that is a date: the oldest lie in front. */
async function expireByTime(store: DocumentStore, collection: Collection): Promise<number> {
  const field = collection.timeSeries?.timeField ?? '_id';
  return ignoringConflicts(() =>
    store.storage().write((scope) => {
      const found = current(scope, collection);
      if (found?.expireAfterSeconds === undefined) return 0;
      const limit = scope.tx.now - found.expireAfterSeconds * 1000;
      const entries = [...scope.tx.scan(rangeOf(found.prefix), { limit: CHUNK_DOCUMENTS })];
      let removed = 0;
      for (const { key, value } of entries) {
        const time = Doc.fromBytes(value).get(field);
        if (!(time instanceof DateTime) || time.ms >= limit) break;
        removeRecord(scope, found, key.slice(found.prefix.length), value);
        removed++;
      }
      return removed;
    }),
  );
}

async function ignoringConflicts(run: () => number | Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (thrown) {
    if (thrown instanceof DocumentError) return 0;
    throw thrown;
  }
}
