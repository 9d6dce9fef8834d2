/**
 * A collection, view or time-series collection as the catalog knows it. Immutable: a change makes another one.
 */

import { Doc } from './bson/document.js';
import { encodeDocument } from './bson/encode.js';
import { isArrayValue, type Value } from './bson/types.js';
import type { CollectionType } from './catalog.js';
import { type Collation, parseCollation, sameCollation } from './collation.js';
import { Index } from './indexes/index.js';
import { type CollectionId, type RecordKey, recordPrefix } from './keys.js';
import { numberOf, truthOf } from './scalars.js';

export interface TimeSeriesOptions {
  readonly timeField: string;
  readonly metaField: string | undefined;
  readonly granularity: string | undefined;
}

export class Collection {
  readonly namespace: string;
  /** Beginning of the documents' engine keys. */
  readonly prefix: string;
  readonly capped: boolean;
  /** Largest size in bytes of a capped collection. */
  readonly cappedBytes: number;
  /** Most documents of a capped collection; 0 for any number. */
  readonly cappedDocuments: number;
  readonly viewOn: string | undefined;
  readonly pipeline: readonly Value[];
  readonly collation: Collation | undefined;
  readonly validator: Doc | undefined;
  readonly validationLevel: 'off' | 'strict' | 'moderate';
  readonly validationAction: 'error' | 'warn';
  readonly clustered: boolean;
  readonly timeSeries: TimeSeriesOptions | undefined;
  /** Seconds after which documents of a time-series or clustered collection expire. */
  readonly expireAfterSeconds: number | undefined;
  readonly changeStreamImages: boolean;
  /** Documents whose `_id`s are strings with a collation of the collection are found by its keys. */
  readonly idIndex: Index | undefined;
  /** Secondary indexes, those that are being built included. */
  readonly secondary: readonly Index[];

  constructor(
    readonly database: string,
    readonly name: string,
    readonly id: CollectionId,
    readonly uuid: Buffer,
    readonly type: CollectionType,
    /** As listCollections prints them. */
    readonly options: Doc,
    readonly indexes: readonly Index[],
    /** The number of the next index. */
    readonly nextIndex: number,
  ) {
    this.namespace = `${database}.${name}`;
    this.prefix = recordPrefix(id);
    this.capped = truthOf(options.get('capped')) === true;
    this.cappedBytes = numberOf(options.get('size')) ?? 0;
    this.cappedDocuments = numberOf(options.get('max')) ?? 0;
    const viewOn = options.get('viewOn');
    this.viewOn = typeof viewOn === 'string' ? viewOn : undefined;
    const pipeline = options.get('pipeline');
    this.pipeline = isArrayValue(pipeline) ? pipeline : [];
    const collation = documentIn(options, 'collation');
    this.collation = collation === undefined ? undefined : parseCollation(collation);
    const validator = documentIn(options, 'validator');
    this.validator = validator === undefined || validator.isEmpty ? undefined : validator;
    const level = options.get('validationLevel');
    this.validationLevel = level === 'off' || level === 'moderate' ? level : 'strict';
    this.validationAction = options.get('validationAction') === 'warn' ? 'warn' : 'error';
    this.clustered = options.has('clusteredIndex');
    const timeSeries = documentIn(options, 'timeseries');
    this.timeSeries = timeSeries === undefined ? undefined : timeSeriesOptions(timeSeries);
    this.expireAfterSeconds = numberOf(options.get('expireAfterSeconds'));
    const images = documentIn(options, 'changeStreamPreAndPostImages');
    this.changeStreamImages = images !== undefined && truthOf(images.get('enabled')) === true;
    this.idIndex = indexes.find(({ isId }) => isId);
    this.secondary = indexes.filter(({ isId }) => !isId || this.insertionOrder);
  }

  /** Documents lie in the order of their insertion, and `_id` is an index; else they lie in `_id` order. */
  get insertionOrder(): boolean {
    return this.capped || this.timeSeries !== undefined;
  }

  /** The engine key of a document. */
  documentKey(record: RecordKey): string {
    return this.prefix + record;
  }

  /** The ready, visible indexes a query may use. */
  usable(): Index[] {
    const usable = this.indexes.filter(({ ready, hidden }) => ready && !hidden);
    // A clustered collection has no index on _id: its documents lie in that order.
    if (this.clustered && this.idIndex === undefined) usable.unshift(clusteredIndex());
    return usable;
  }

  /** A document can be found by the key of its `_id`. */
  get findsById(): boolean {
    return !this.insertionOrder || this.idIndex !== undefined;
  }

  indexNamed(name: string): Index | undefined {
    return this.indexes.find((index) => index.name === name);
  }

  sharesCollation(collation: Collation | undefined): boolean {
    return sameCollation(this.collation, collation);
  }

  renamed(database: string, name: string): Collection {
    return new Collection(database, name, this.id, this.uuid, this.type, this.options, this.indexes, this.nextIndex);
  }

  withIndexes(indexes: readonly Index[], nextIndex = this.nextIndex): Collection {
    return new Collection(this.database, this.name, this.id, this.uuid, this.type, this.options, indexes, nextIndex);
  }

  withOptions(options: Doc): Collection {
    return new Collection(
      this.database,
      this.name,
      this.id,
      this.uuid,
      this.type,
      options,
      this.indexes,
      this.nextIndex,
    );
  }
}

function clusteredIndex(): Index {
  return new Index(
    0,
    encodeDocument(Doc.of({ v: 2, key: Doc.of({ _id: 1 }), name: '_id_', unique: true, clustered: true })),
    true,
  );
}

function documentIn(options: Doc, name: string): Doc | undefined {
  const value = options.get(name);
  return value instanceof Doc ? value : undefined;
}

function timeSeriesOptions(options: Doc): TimeSeriesOptions {
  const text = (name: string): string | undefined => {
    const value = options.get(name);
    return typeof value === 'string' ? value : undefined;
  };
  return { timeField: text('timeField') ?? '', metaField: text('metaField'), granularity: text('granularity') };
}
