/**
 * Runs the access part of a plan: records in plan order that satisfy the filter, in batches. Everything is read from one
 * state of the store, so that no document is missed or seen twice, whatever is written meanwhile.
 */
import type { Awaitable, Batches, Entry, View } from '../../../engine/engine.js';
import { indexPrefix, type RecordKey } from '../keys.js';
import { entryIsUnique, recordOfEntry } from '../records.js';
import type { Reader } from '../store.js';
import type { Value } from '../values.js';
import type { CollectionScan, IndexScan, QueryPlan } from './plan.js';

/** A document where it is stored. */
export interface FoundRecord {
  readonly record: RecordKey;
  readonly document: Buffer;
  /** Engine key of the index entry that led to it, if one did. */
  readonly entry: string | undefined;
  /** Scores and distances, by `$meta` name. */
  readonly metadata?: ReadonlyMap<string, Value>;
  /** From the point of a `$near`. */
  readonly distance?: number;
}

/** What explain and the profiler tell. */
export interface ExecutionStatistics {
  keysExamined: number;
  documentsExamined: number;
  returned: number;
  works: number;
}

/** Entries of the first batch of a scan; later ones are larger. */
const FIRST_BATCH_ENTRIES = 128;
const BATCH_ENTRIES = 1_000;
/** Ranges that are read in one go. */
const RANGES_AT_ONCE = 100;

export interface ExecuteOptions {
  readonly breathe: () => Promise<void> | undefined;
  /** As many records as will be asked for at most, when there is no filter in between. */
  readonly limit: number | undefined;
}

interface Located {
  readonly record: RecordKey;
  readonly document: Buffer | undefined;
  readonly entry: string | undefined;
}

export class PlanRun {
  readonly statistics: ExecutionStatistics = { keysExamined: 0, documentsExamined: 0, returned: 0, works: 0 };
  private readonly scans: (CollectionScan | IndexScan)[];
  private readonly seen: Set<RecordKey> | undefined;
  private current: Scan | undefined;

  constructor(
    private readonly reader: Reader,
    readonly plan: QueryPlan,
    private readonly options: ExecuteOptions,
  ) {
    const { access } = plan;
    this.scans = access.stage === 'OR' ? [...access.branches] : access.stage === 'EOF' ? [] : [access];
    const repeats = access.stage === 'OR' || (access.stage === 'IXSCAN' && access.multikey !== undefined);
    this.seen = repeats ? new Set() : undefined;
  }

  /** The next records that match; `undefined` at the end. */
  async next(): Promise<readonly FoundRecord[] | undefined> {
    for (;;) {
      this.current ??= this.open();
      if (this.current === undefined) return undefined;
      const turn = this.options.breathe();
      if (turn !== undefined) await turn;
      const next = this.current.next();
      const located = next instanceof Promise ? await next : next;
      if (located === undefined) {
        this.current.close();
        this.current = undefined;
        continue;
      }
      const fetched = this.fetch(located);
      const found = fetched instanceof Promise ? await fetched : fetched;
      if (found.length > 0) return found;
    }
  }

  close(): void {
    this.scans.length = 0;
    this.current?.close();
    this.current = undefined;
  }

  private open(): Scan | undefined {
    const scan = this.scans.shift();
    if (scan === undefined) return undefined;
    const limit = this.plan.filter === undefined && this.seen === undefined ? this.options.limit : undefined;
    return scan.stage === 'IXSCAN'
      ? new IndexRun(this.reader, this.plan, scan, limit)
      : new CollectionRun(this.reader, this.plan, scan, limit);
  }

  private fetch(located: readonly Located[]): Awaitable<FoundRecord[]> {
    const { plan, seen, statistics } = this;
    const wanted = seen === undefined ? located : located.filter(({ record }) => !seen.has(record) && seen.add(record));
    statistics.works += located.length;
    if (located.some(({ entry }) => entry !== undefined)) statistics.keysExamined += located.length;
    if (wanted.every(({ document }) => document !== undefined)) return this.select(wanted as readonly FoundRecord[]);
    const keys = wanted.map(({ record }) => plan.collection.documentKey(record));
    const read = this.reader.read((view: View) => {
      view.prefetch(keys);
      return keys.map((key) => view.get(key));
    });
    const join = (documents: (Buffer | undefined)[]): FoundRecord[] => {
      const found: FoundRecord[] = [];
      wanted.forEach(({ record, entry }, i) => {
        const document = documents[i];
        if (document !== undefined) found.push({ record, document, entry });
      });
      return this.select(found);
    };
    return read instanceof Promise ? read.then(join) : join(read);
  }

  private select(records: readonly FoundRecord[]): FoundRecord[] {
    const { filter } = this.plan;
    this.statistics.documentsExamined += records.length;
    let found = filter === undefined ? [...records] : records.filter(({ document }) => filter.matches(document));
    const { ranking } = this.plan;
    if (ranking !== undefined) {
      found = found.flatMap((record) => {
        const rank = ranking.rank(record.document);
        return rank === undefined ? [] : [{ ...record, metadata: rank.metadata, distance: rank.distance }];
      });
    }
    this.statistics.returned += found.length;
    return found;
  }
}

interface Scan {
  next(): Awaitable<readonly Located[] | undefined>;
  close(): void;
}

class CollectionRun implements Scan {
  private readonly batches: Batches;
  private readonly prefixLength: number;

  constructor(reader: Reader, plan: QueryPlan, scan: CollectionScan, limit: number | undefined) {
    this.prefixLength = plan.collection.prefix.length;
    this.batches = reader.batches(scan.range, {
      reverse: scan.reverse,
      batchSize: limit === undefined ? BATCH_ENTRIES : Math.min(BATCH_ENTRIES, Math.max(1, limit)),
      ...(limit === undefined ? {} : { limit }),
    });
  }

  next(): Awaitable<readonly Located[] | undefined> {
    const batch = this.batches.next();
    return batch instanceof Promise ? batch.then((entries) => this.located(entries)) : this.located(batch);
  }

  close(): void {
    this.batches.close();
  }

  private located(entries: readonly Entry[] | undefined): readonly Located[] | undefined {
    return entries?.map(({ key, value }) => ({
      record: key.slice(this.prefixLength),
      document: value,
      entry: undefined,
    }));
  }
}

/** Scans ranges of an index one after another; an index on `_id` of a collection in `_id` order is the records themselves. */
class IndexRun implements Scan {
  private readonly ranges: IndexScan['ranges'];
  private position = 0;
  private batches: Batches | undefined;
  private readonly records: boolean;
  private readonly prefixLength: number;
  private left: number;

  constructor(
    private readonly reader: Reader,
    plan: QueryPlan,
    private readonly scan: IndexScan,
    limit: number | undefined,
  ) {
    const { collection } = plan;
    const { index } = scan.bounds;
    this.ranges = scan.reverse ? [...scan.ranges].reverse() : scan.ranges;
    this.records = index.isId && !collection.insertionOrder;
    this.prefixLength = (this.records ? collection.prefix : indexPrefix(collection.id, index.id)).length;
    this.left = limit ?? Number.POSITIVE_INFINITY;
  }

  next(): Awaitable<readonly Located[] | undefined> {
    if (this.left <= 0) return undefined;
    if (this.batches === undefined) {
      if (this.position >= this.ranges.length) return undefined;
      if (this.onlyPoints()) return this.lookUp();
      const range = this.ranges[this.position++];
      if (range === undefined) return undefined;
      this.batches = this.reader.batches(range, {
        reverse: this.scan.reverse,
        batchSize: Math.min(this.left, FIRST_BATCH_ENTRIES),
      });
    }
    const batch = this.batches.next();
    return batch instanceof Promise ? batch.then((entries) => this.take(entries)) : this.take(batch);
  }

  close(): void {
    this.batches?.close();
  }

  /** The next ranges hold at most one entry each: reads instead of scans. */
  private onlyPoints(): boolean {
    const { index } = this.scan.bounds;
    const range = this.ranges[this.position];
    return range !== undefined && range.points === index.parts.length && (this.records || entryIsUnique(index));
  }

  private lookUp(): Awaitable<readonly Located[] | undefined> {
    const ranges = this.ranges.slice(this.position, this.position + Math.min(RANGES_AT_ONCE, this.left));
    this.position += ranges.length;
    const read = this.reader.read((view) => {
      view.prefetch(ranges.map(({ start }) => start));
      const entries: Entry[] = [];
      for (const { start } of ranges) {
        const value = view.get(start);
        if (value !== undefined) entries.push({ key: start, value });
      }
      return entries;
    });
    const take = (entries: readonly Entry[]): readonly Located[] => {
      this.left -= entries.length;
      return entries.map((entry) => this.locate(entry));
    };
    return read instanceof Promise ? read.then(take) : take(read);
  }

  private take(entries: readonly Entry[] | undefined): Awaitable<readonly Located[] | undefined> {
    if (entries === undefined) {
      this.batches?.close();
      this.batches = undefined;
      return this.next();
    }
    const taken = entries.length > this.left ? entries.slice(0, this.left) : entries;
    this.left -= taken.length;
    return taken.map((entry) => this.locate(entry));
  }

  private locate({ key, value }: Entry): Located {
    if (this.records) return { record: key.slice(this.prefixLength), document: value, entry: key };
    return { record: recordOfEntry(this.scan.bounds.index, key, value), document: undefined, entry: key };
  }
}
