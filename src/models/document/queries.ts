/** Queries: from a filter, a sort, a projection and limits to a stream of documents. */

import type { Collation } from './collation.js';
import type { Collection } from './collection.js';
import type { Namespace } from './collections.js';
import type { DocumentSource } from './cursor.js';
import { choosePlan, type QueryShape } from './planner/choose.js';
import { type FoundRecord, PlanRun } from './planner/execute.js';
import type { QueryPlan } from './planner/plan.js';
import { type SortedRecords, sortRecords } from './planner/sort.js';
import type { Filter } from './query/filter.js';
import type { Reader, Storage } from './store.js';
import type { Doc } from './values.js';

export interface Query {
  readonly namespace: Namespace;
  readonly filter: Filter;
  /** The filter as it was written. */
  readonly query: Doc;
  readonly sort: Doc | undefined;
  readonly skip: number;
  /** 0: all. */
  readonly limit: number;
  readonly collation: Collation | undefined;
  readonly hint: string | Doc | undefined;
  readonly min?: Doc | undefined;
  readonly max?: Doc | undefined;
  readonly allowDiskUse?: boolean;
  readonly noTableScan?: boolean;
  /** Turns a record into what the client gets; all of it by default. */
  readonly project?: ((found: FoundRecord, collection: Collection) => Buffer) | undefined;
  readonly breathe: () => Promise<void> | undefined;
}

/** A query that has been planned and runs. */
export class QuerySource implements DocumentSource {
  private toSkip: number;
  private left: number;
  private sorted: SortedRecords | undefined;
  private closed = false;

  constructor(
    private readonly reader: Reader,
    readonly run: PlanRun,
    readonly plan: QueryPlan,
    private readonly query: Query,
  ) {
    this.toSkip = query.skip;
    this.left = query.limit === 0 ? Number.POSITIVE_INFINITY : query.limit;
  }

  async next(): Promise<readonly Buffer[] | undefined> {
    const found = await this.nextRecords();
    if (found === undefined) return undefined;
    const { project } = this.query;
    return project === undefined
      ? found.map(({ document }) => document)
      : found.map((record) => project(record, this.plan.collection));
  }

  /** Records after skip and limit, before projection. */
  async nextRecords(): Promise<readonly FoundRecord[] | undefined> {
    for (;;) {
      if (this.left <= 0 || this.closed) return undefined;
      let found = await this.more();
      if (found === undefined) return undefined;
      if (this.toSkip > 0) {
        const skipped = Math.min(this.toSkip, found.length);
        this.toSkip -= skipped;
        found = found.slice(skipped);
      }
      if (found.length > this.left) found = found.slice(0, this.left);
      this.left -= found.length;
      if (found.length > 0) return found;
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.run.close();
    this.reader.close();
  }

  private async more(): Promise<readonly FoundRecord[] | undefined> {
    if (!needsSort(this.plan)) return this.run.next();
    const { query } = this;
    this.sorted ??= await sortRecords(this.run, this.reader, this.plan, {
      collation: query.collation ?? this.plan.collection.collation,
      limit: query.limit === 0 ? undefined : query.limit + query.skip,
      ...(query.allowDiskUse === undefined ? {} : { allowDiskUse: query.allowDiskUse }),
    });
    return this.sorted.next();
  }
}

function needsSort(plan: QueryPlan): boolean {
  return plan.sort !== undefined || plan.ranking?.ordered === true;
}

/** Plans and opens a query on a state of its own; `undefined` when the collection is missing. */
export async function openQuery(storage: Storage, query: Query): Promise<QuerySource | undefined> {
  const opened = storage.reader();
  const reader = opened instanceof Promise ? await opened : opened;
  try {
    const planned = reader.read((view) => {
      const { database, name } = query.namespace;
      const collection = storage.store.catalog.find(view, database, name);
      return collection === undefined ? undefined : choosePlan(view, shapeOf(query, collection));
    });
    const plan = planned instanceof Promise ? await planned : planned;
    if (plan === undefined) {
      reader.close();
      return undefined;
    }
    const limit = query.limit === 0 || needsSort(plan) ? undefined : query.limit + query.skip;
    return new QuerySource(reader, new PlanRun(reader, plan, { breathe: query.breathe, limit }), plan, query);
  } catch (thrown) {
    reader.close();
    throw thrown;
  }
}

function shapeOf(query: Query, collection: Collection): QueryShape {
  return {
    collection,
    filter: query.filter,
    query: query.query,
    sort: query.sort,
    collation: query.collation ?? collection.collation,
    hint: query.hint,
    min: query.min,
    max: query.max,
    noTableScan: query.noTableScan === true,
  };
}
