/**
 * Sorting what a plan finds. The order of a document is the least of its keys under the sort pattern, as an index on that
 * pattern would have them; sort keys are byte strings, so that comparing two documents is comparing two strings.
 *
 * Documents are held up to a limit of memory; beyond it only their keys are, and the documents are read again from the
 * same state when their turn has come.
 */
import type { Awaitable, View } from '../../../engine/engine.js';
import type { Collation } from '../collation.js';
import { badValue, DocumentError } from '../errors.js';
import { type IndexPart, joinedKey, partsOfPath } from '../indexes/index.js';
import { pathKeys } from '../indexes/path-keys.js';
import type { RecordKey } from '../keys.js';
import { Sort, type SortKey } from '../query/sort.js';
import { numberOf } from '../scalars.js';
import type { Reader } from '../store.js';
import { Doc } from '../values.js';
import type { FoundRecord, PlanRun } from './execute.js';
import type { QueryPlan } from './plan.js';

/** Bytes of documents that a sort holds (`internalQueryMaxBlockingSortMemoryUsageBytes`). */
export const SORT_BYTES_MAX = 104_857_600;
const BATCH_RECORDS = 200;

/** Compares documents by something made of each once. */
interface SortOrder<K> {
  keyOf(found: FoundRecord): K;
  compare(a: K, b: K): number;
}

export function sortOrder(sort: Doc, collation: Collation | undefined): SortOrder<unknown> {
  const plain = collation === undefined && ![...sort].some(([, value]) => value instanceof Doc);
  return (plain ? byteOrder(sort) : valueOrder(sort, collation)) as SortOrder<unknown>;
}

function byteOrder(sort: Doc): SortOrder<string> {
  const parts = [...sort].map(
    ([path, value]): IndexPart => ({
      path,
      parts: partsOfPath(path),
      kind: 'plain',
      descending: (numberOf(value) ?? 1) < 0,
    }),
  );
  return {
    keyOf({ document }) {
      const { keys } = sortKeys(document, parts);
      let least: string | undefined;
      for (const values of keys) {
        const key = joinedKey(parts, values);
        if (least === undefined || key < least) least = key;
      }
      return least ?? '';
    },
    compare: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
  };
}

function sortKeys(document: Buffer, parts: readonly IndexPart[]): ReturnType<typeof pathKeys> {
  try {
    return pathKeys(document, parts);
  } catch (thrown) {
    if (thrown instanceof DocumentError && thrown.code === 171)
      throw badValue('cannot sort with keys that are parallel arrays');
    throw thrown;
  }
}

/** By values: for collations and metadata, which byte strings do not have. */
function valueOrder(sort: Doc, collation: Collation | undefined): SortOrder<SortKey> {
  const order = Sort.parse(sort, collation);
  return {
    keyOf: ({ document, metadata }) => order.key(document, 0, metadata),
    compare: (a, b) => order.compare(a, b),
  };
}

/** The nearest first. */
const byDistance: SortOrder<unknown> = {
  keyOf: ({ distance }) => distance ?? 0,
  compare: (a, b) => (a as number) - (b as number),
};

interface Sorted {
  readonly key: unknown;
  readonly record: RecordKey;
  readonly position: number;
  document: Buffer | undefined;
  readonly metadata: FoundRecord['metadata'];
}

export interface SortOptions {
  readonly collation: Collation | undefined;
  /** Only the first so many are wanted. */
  readonly limit?: number | undefined;
  /** `false`: more than the limit of memory is error 292. */
  readonly allowDiskUse?: boolean;
  readonly bytesMax?: number;
}

export interface SortedRecords {
  next(): Promise<readonly FoundRecord[] | undefined>;
  /** Bytes of the documents that were sorted. */
  readonly bytes: number;
}

/** Takes everything from the run, and gives it in order. Ties stay in the order of the plan. */
export async function sortRecords(
  run: PlanRun,
  reader: Reader,
  plan: QueryPlan,
  options: SortOptions,
): Promise<SortedRecords> {
  const { collation, limit, allowDiskUse = true, bytesMax = SORT_BYTES_MAX } = options;
  const order =
    plan.sort === undefined && plan.ranking?.ordered === true
      ? byDistance
      : sortOrder(plan.sort ?? new Doc(), collation);
  const compare = (a: Sorted, b: Sorted): number => order.compare(a.key, b.key) || a.position - b.position;
  let held: Sorted[] = [];
  let bytes = 0;
  let keepDocuments = true;
  let position = 0;
  const cut = (): void => {
    if (limit === undefined || held.length < Math.max(limit * 2, BATCH_RECORDS)) return;
    held.sort(compare);
    held = held.slice(0, limit);
    bytes = held.reduce((sum, { document }) => sum + (document?.length ?? 0), 0);
  };
  for (let batch = await run.next(); batch !== undefined; batch = await run.next()) {
    for (const found of batch) {
      const { record, document } = found;
      held.push({
        key: order.keyOf(found),
        metadata: found.metadata,
        record,
        position: position++,
        document: keepDocuments ? document : undefined,
      });
      bytes += document.length;
    }
    cut();
    if (bytes <= bytesMax || !keepDocuments) continue;
    if (!allowDiskUse) {
      throw new DocumentError(
        292,
        `Executor error during find command :: caused by :: Sort exceeded memory limit of ${bytesMax} bytes, but did not opt in to external sorting.`,
      );
    }
    keepDocuments = false;
    for (const entry of held) entry.document = undefined;
  }
  held.sort(compare);
  if (limit !== undefined) held.length = Math.min(held.length, limit);
  let next = 0;
  return {
    bytes,
    next: async () => {
      if (next >= held.length) return undefined;
      const part = held.slice(next, next + BATCH_RECORDS);
      next += part.length;
      return withDocuments(part, reader, plan);
    },
  };
}

async function withDocuments(part: readonly Sorted[], reader: Reader, plan: QueryPlan): Promise<FoundRecord[]> {
  const missing = part.filter(({ document }) => document === undefined);
  const keys = missing.map(({ record }) => plan.collection.documentKey(record));
  const read: Awaitable<(Buffer | undefined)[]> =
    keys.length === 0
      ? []
      : reader.read((view: View) => {
          view.prefetch(keys);
          return keys.map((key) => view.get(key));
        });
  const documents = await read;
  let taken = 0;
  return part.flatMap(({ record, document, metadata }) => {
    const found = document ?? documents[taken++];
    return found === undefined
      ? []
      : [{ record, document: found, entry: undefined, ...(metadata === undefined ? {} : { metadata }) }];
  });
}
