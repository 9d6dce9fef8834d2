/** Updating documents: one statement of an update command, and findAndModify. */
import { trimCapped } from './capped.js';
import type { Collection } from './collection.js';
import { collectionForWrite } from './collections.js';
import type { StatementOptions } from './deletes.js';
import { DocumentError } from './errors.js';
import { insertRecord, removeRecord, replaceRecord } from './records.js';
import { RetryRecord } from './retryable-writes.js';
import type { Storage } from './store.js';
import { changeAll, changeFirst, type TargetQuery } from './targets.js';
import { checkMeasurement } from './time-series.js';
import type { ApplyOptions, Update } from './update/update.js';
import { upsertDocument } from './update/upsert.js';
import { validate } from './validator.js';
import { DOCUMENT_BYTES_MAX, Doc, encodeDocument, Timestamp, type Value } from './values.js';
import type { WriteScope } from './write-scope.js';

export interface UpdateStatement {
  readonly target: TargetQuery;
  readonly update: Update;
  readonly upsert: boolean;
  readonly bypassValidation: boolean;
}

export interface UpdateOutcome {
  readonly matched: number;
  readonly modified: number;
  /** `_id` of the document that was inserted. */
  readonly upserted: Value | undefined;
  readonly retried: boolean;
}

/** Tries of an upsert that meets a document inserted at the same time. */
const UPSERTS_MAX = 10;

function applyOptions(scope: WriteScope, position: number | undefined): ApplyOptions {
  return {
    now: scope.tx.now,
    timestamp: () => {
      const { seconds, increment } = scope.store.clock.tick();
      return new Timestamp(seconds, increment);
    },
    ...(position === undefined ? {} : { position }),
  };
}

interface Changed {
  readonly modified: boolean;
  readonly before: Buffer;
  readonly after: Buffer;
}

function updateRecord(
  scope: WriteScope,
  statement: UpdateStatement,
  collection: Collection,
  record: string,
  stored: Buffer,
): Changed {
  const before = Buffer.from(stored);
  const position = statement.update.positional ? statement.target.filter.matchPosition(before) : undefined;
  const result = statement.update.apply(Doc.fromBytes(before), applyOptions(scope, position));
  if (!result.modified) return { modified: false, before, after: before };
  if (!statement.bypassValidation) validate(collection, result.bytes, before);
  replaceRecord(scope, collection, record, before, result.bytes, result.log);
  return { modified: true, before, after: result.bytes };
}

/** Inserts what the query and the update say; answers the document. */
function insertUpserted(scope: WriteScope, statement: UpdateStatement): { id: Value; document: Buffer } {
  const collection = collectionForWrite(scope, statement.target.namespace);
  const document = upsertDocument(statement.target.filter.predicate, statement.update, applyOptions(scope, undefined));
  const bytes = encodeDocument(document);
  if (bytes.length > DOCUMENT_BYTES_MAX) {
    throw new DocumentError(17420, `Document to upsert is larger than ${DOCUMENT_BYTES_MAX}`);
  }
  if (collection.timeSeries !== undefined) checkMeasurement(collection.timeSeries, bytes);
  if (!statement.bypassValidation) validate(collection, bytes, undefined);
  insertRecord(scope, collection, bytes);
  if (collection.capped) trimCapped(scope, collection);
  return { id: document.get('_id') ?? null, document: bytes };
}

function retryRecord(scope: WriteScope, options: StatementOptions): RetryRecord | undefined {
  return options.retryable === undefined ? undefined : RetryRecord.load(scope.tx, options.retryable);
}

function remember(scope: WriteScope, options: StatementOptions, result: Doc): void {
  const record = retryRecord(scope, options);
  record?.add(options.statement, result);
  record?.save();
}

/** Runs again when an upsert was beaten by somebody who inserted the same document. */
async function withUpsertRetries<T>(upsert: boolean, run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (thrown) {
      const beaten = thrown instanceof DocumentError && thrown.code === 11000 && upsert && attempt < UPSERTS_MAX;
      if (!beaten || !isWholeKey(thrown)) throw thrown;
    }
  }
}

/** A duplicate that a new search would find. */
function isWholeKey(error: DocumentError): boolean {
  return error.details?.keyValue instanceof Doc;
}

export async function updateOne(
  storage: Storage,
  statement: UpdateStatement,
  options: StatementOptions,
): Promise<UpdateOutcome> {
  return withUpsertRetries(statement.upsert, () =>
    changeFirst<UpdateOutcome>(storage, statement.target, {
      prepare: (scope) => {
        scope.statement = options.retryable === undefined ? undefined : options.statement;
        const done = retryRecord(scope, options)?.done(options.statement);
        return done === undefined ? undefined : rememberedOutcome(done);
      },
      change: (scope, collection, record, document) => {
        const { modified } = updateRecord(scope, statement, collection, record, document);
        remember(scope, options, Doc.of({ n: 1, m: modified ? 1 : 0 }));
        return { matched: 1, modified: modified ? 1 : 0, upserted: undefined, retried: false };
      },
      missing: (scope) => {
        if (!statement.upsert) {
          remember(scope, options, Doc.of({ n: 0, m: 0 }));
          return { matched: 0, modified: 0, upserted: undefined, retried: false };
        }
        const { id } = insertUpserted(scope, statement);
        remember(scope, options, Doc.of({ n: 1, m: 0, u: id }));
        return { matched: 0, modified: 0, upserted: id, retried: false };
      },
      breathe: options.breathe,
    }),
  );
}

function rememberedOutcome(done: Doc): UpdateOutcome {
  const upserted = done.get('u');
  return {
    matched: done.get('n') === 1 && upserted === undefined ? 1 : 0,
    modified: done.get('m') === 1 ? 1 : 0,
    upserted,
    retried: true,
  };
}

export async function updateMany(
  storage: Storage,
  statement: UpdateStatement,
  breathe: () => Promise<void> | undefined,
): Promise<UpdateOutcome> {
  const changed = await changeAll(storage, statement.target, {
    change: (scope, collection, record, document) =>
      updateRecord(scope, statement, collection, record, document).modified,
    breathe,
  });
  if (changed.length === 0 && statement.upsert) {
    const { id } = await storage.write((scope) => insertUpserted(scope, statement));
    return { matched: 0, modified: 0, upserted: id, retried: false };
  }
  const modified = changed.filter((wasModified) => wasModified).length;
  return { matched: changed.length, modified, upserted: undefined, retried: false };
}

export interface FindAndModify {
  readonly target: TargetQuery;
  /** `undefined`: the document is removed. */
  readonly update: Update | undefined;
  readonly upsert: boolean;
  readonly bypassValidation: boolean;
}

export interface FoundAndModified {
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
  readonly upserted: Value | undefined;
  readonly retried: boolean;
}

/** Updates or removes the first document of a query, and gives it as it was and as it is. */
export async function findAndModify(
  storage: Storage,
  request: FindAndModify,
  options: StatementOptions,
): Promise<FoundAndModified> {
  const { update, target, upsert, bypassValidation } = request;
  return withUpsertRetries(upsert, () =>
    changeFirst<FoundAndModified>(storage, target, {
      prepare: (scope) => {
        scope.statement = options.retryable === undefined ? undefined : options.statement;
        const done = retryRecord(scope, options)?.done(options.statement);
        return done === undefined ? undefined : rememberedImages(done);
      },
      change: (scope, collection, record, document) => {
        if (update === undefined) {
          const before = Buffer.from(document);
          removeRecord(scope, collection, record, before);
          remember(scope, options, Doc.of({ b: Doc.fromBytes(before) }));
          return { before, after: undefined, upserted: undefined, retried: false };
        }
        const { before, after } = updateRecord(
          scope,
          { target, update, upsert, bypassValidation },
          collection,
          record,
          document,
        );
        remember(scope, options, Doc.of({ b: Doc.fromBytes(before), a: Doc.fromBytes(after) }));
        return { before, after, upserted: undefined, retried: false };
      },
      missing: (scope) => {
        if (update === undefined || !upsert) {
          remember(scope, options, new Doc());
          return { before: undefined, after: undefined, upserted: undefined, retried: false };
        }
        const { id, document } = insertUpserted(scope, { target, update, upsert, bypassValidation });
        remember(scope, options, Doc.of({ a: Doc.fromBytes(document), u: id }));
        return { before: undefined, after: document, upserted: id, retried: false };
      },
      breathe: options.breathe,
    }),
  );
}

function rememberedImages(done: Doc): FoundAndModified {
  const image = (name: string): Buffer | undefined => {
    const value = done.get(name);
    return value instanceof Doc ? encodeDocument(value) : undefined;
  };
  return { before: image('b'), after: image('a'), upserted: done.get('u'), retried: true };
}
