/**
 * Plans as trees. A plan says where documents come from and what is done to them; execute.ts runs it, explain.ts prints
 * it in MongoDB's shape.
 */
import type { Range } from '../../../engine/engine.js';
import type { Collection } from '../collection.js';
import type { Filter } from '../query/filter.js';
import type { Doc } from '../values.js';
import type { IndexBounds, KeyRange } from './index-bounds.js';
import type { Ranking } from './ranking.js';

/** All documents in record order (or a part of them, by record key). */
export interface CollectionScan {
  readonly stage: 'COLLSCAN' | 'CLUSTERED_IXSCAN' | 'IDHACK';
  readonly range: Range;
  readonly reverse: boolean;
}

export interface IndexScan {
  readonly stage: 'IXSCAN';
  readonly bounds: IndexBounds;
  readonly ranges: readonly KeyRange[];
  readonly reverse: boolean;
  /** A document may have several entries. */
  readonly multikey: readonly number[] | undefined;
}

/** Several scans one after another, each document once. */
export interface Or {
  readonly stage: 'OR';
  readonly branches: readonly (CollectionScan | IndexScan)[];
}

/** No document can match. */
export interface Nothing {
  readonly stage: 'EOF';
}

export type Access = CollectionScan | IndexScan | Or | Nothing;

export interface QueryPlan {
  readonly collection: Collection;
  readonly access: Access;
  /** Asked of every document; `undefined` when the bounds say all. */
  readonly filter: Filter | undefined;
  /** For explain: the filter as it was given. */
  readonly query: Doc;
  /** The order still to be made; `undefined` when there is none or the scan gives it. */
  readonly sort: Doc | undefined;
  /** Other plans that would have done. */
  readonly rejected: readonly Access[];
  readonly ranking?: Ranking | undefined;
}
