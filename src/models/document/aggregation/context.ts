/** What a pipeline needs of the store while it runs. */

import type { Collation } from '../collation.js';
import type { Namespace } from '../collections.js';
import type { DocumentSource } from '../cursor.js';
import type { Filter } from '../query/filter.js';
import type { Doc, Value } from '../values.js';

/** A read of one collection, for the planner. */
export interface ReadQuery {
  readonly filter: Filter;
  /** The filter as it was written. */
  readonly query: Doc;
  readonly sort?: Doc | undefined;
  readonly skip?: number;
  /** 0: all. */
  readonly limit?: number;
  readonly collation?: Collation | undefined;
}

/** What a name stands for: a collection, perhaps missing, and the stages of the views on the way to it. */
export interface ResolvedNamespace {
  readonly namespace: Namespace;
  readonly stages: readonly Doc[];
  readonly kind: 'collection' | 'view' | 'missing';
  /** Of the collection or view. */
  readonly collation: Collation | undefined;
}

export type MergeMatched = 'replace' | 'keepExisting' | 'merge' | 'fail' | ((existing: Doc) => Doc);
export type MergeNotMatched = 'insert' | 'discard' | 'fail';

/** One document that `$merge` brings. */
export interface MergeOperation {
  /** Without an `_id` one is made when it is inserted. */
  readonly document: Doc;
  /** The target document has these values: `on` field to value, `_id` alone by default. */
  readonly key: readonly (readonly [path: string, value: Value])[];
  readonly whenMatched: MergeMatched;
  /** `fail` is code 13113: `$merge could not find a matching document in the target collection for at least one document in the source collection`. */
  readonly whenNotMatched: MergeNotMatched;
}

/** A collection that is filled beside the one it will replace. */
export interface Replacement {
  insert(documents: readonly Doc[]): Promise<void>;
  /** Puts it in the place of the target, with the target's options and indexes. */
  commit(): Promise<void>;
  /** Forgets it. Harmless after `commit`. */
  abort(): Promise<void>;
}

export interface AggregationWriter {
  /** Whether a unique index has exactly these paths, so that no two documents can match one key. */
  hasUniqueIndex(target: Namespace, paths: readonly string[]): Promise<boolean>;
  /** In order; the target is created when it is missing. */
  merge(target: Namespace, operations: readonly MergeOperation[]): Promise<void>;
  /** Throws 17152 for a capped target, 166 for a view. `timeSeries` as in `$out`. */
  replace(target: Namespace, timeSeries: Doc | undefined): Promise<Replacement>;
}

/** All reads of one pipeline see one state of the store. */
export interface AggregationContext {
  readonly database: string;
  /** What the command was about; undefined for `aggregate: 1`. */
  readonly collection: string | undefined;
  resolve(namespace: Namespace): Promise<ResolvedNamespace>;
  /** Documents of a collection; none when it is missing. */
  read(namespace: Namespace, query: ReadQuery): Promise<DocumentSource>;
  /** Whether looking for values of a path is cheap. */
  hasIndex(namespace: Namespace, path: string): Promise<boolean>;
  /** Paths that 2d and 2dsphere indexes of a collection are on, for `$geoNear` without `key`. */
  geoIndexes?(namespace: Namespace): Promise<readonly string[]>;
  /** First stages that tell about the server or a collection, such as `$collStats`: their documents. */
  serverStage?(name: string, argument: Value, namespace: Namespace | undefined): Promise<DocumentSource | undefined>;
  /** Absent where nothing may be written. */
  readonly writer?: AggregationWriter | undefined;
  readonly allowDiskUse: boolean;
  /** Where blocking stages put what does not fit into memory; the system's directory by default. */
  readonly spillDirectory?: string | undefined;
  /** Bytes a blocking stage holds; 100 MiB by default. */
  readonly stageBytesMax?: number | undefined;
  /** Called between batches: throws when the operation was interrupted, may promise a turn for others. */
  breathe(): Promise<void> | undefined;
}
