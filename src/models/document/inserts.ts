/** Inserting documents, many at a time. */
import { Doc } from './bson/document.js';
import { encodeDocument } from './bson/encode.js';
import { BsonType, findField } from './bson/raw.js';
import { ObjectId, Timestamp } from './bson/types.js';
import { DOCUMENT_BYTES_MAX } from './bson/validate.js';
import { trimCapped } from './capped.js';
import type { LogicalClock } from './clock.js';
import type { Collection } from './collection.js';
import { collectionForWrite, type Namespace } from './collections.js';
import { DocumentError } from './errors.js';
import { checkIdValue, insertRecord } from './records.js';
import { type RetryableWrite, RetryRecord, statementOf } from './retryable-writes.js';
import type { Storage } from './store.js';
import { checkMeasurement } from './time-series.js';
import { validate } from './validator.js';
import type { WriteScope } from './write-scope.js';

/** Documents of one transaction body; the next ones wait for their turn on the event loop. */
const CHUNK_DOCUMENTS = 500;
const CHUNK_BYTES = 4 * 1024 * 1024;

export interface StatementFailure {
  readonly index: number;
  readonly error: DocumentError;
}

export interface InsertOutcome {
  readonly inserted: number;
  readonly failures: readonly StatementFailure[];
  /** Numbers of statements that had been done before. */
  readonly retried: readonly number[];
}

export interface InsertOptions {
  readonly ordered: boolean;
  readonly bypassValidation: boolean;
  readonly retryable?: RetryableWrite | undefined;
  /** Called between bodies: may throw, or promise a turn for others. */
  readonly breathe: () => Promise<void> | undefined;
}

export async function insertDocuments(
  storage: Storage,
  namespace: Namespace,
  documents: readonly Doc[],
  options: InsertOptions,
): Promise<InsertOutcome> {
  const failures: StatementFailure[] = [];
  const retried: number[] = [];
  let inserted = 0;
  let next = 0;
  while (next < documents.length) {
    const chunk = prepareChunk(documents, next, storage.store.clock);
    const done = storage.write((scope) => insertChunk(scope, namespace, chunk, options));
    const outcome = done instanceof Promise ? await done : done;
    inserted += outcome.inserted;
    failures.push(...outcome.failures);
    retried.push(...outcome.retried);
    if (failures.length > 0 && (options.ordered || storage.inTransaction)) break;
    next += chunk.length;
    const turn = next < documents.length ? options.breathe() : undefined;
    if (turn !== undefined) await turn;
  }
  return { inserted, failures, retried };
}

interface Prepared {
  readonly index: number;
  readonly document: Buffer | DocumentError;
}

function prepareChunk(documents: readonly Doc[], from: number, clock: LogicalClock): Prepared[] {
  const chunk: Prepared[] = [];
  let bytes = 0;
  for (let index = from; index < documents.length && chunk.length < CHUNK_DOCUMENTS && bytes < CHUNK_BYTES; index++) {
    const document = documents[index] ?? new Doc();
    try {
      const prepared = prepareDocument(encodeDocument(document), clock);
      bytes += prepared.length;
      chunk.push({ index, document: prepared });
    } catch (thrown) {
      if (!(thrown instanceof DocumentError)) throw thrown;
      chunk.push({ index, document: thrown });
    }
  }
  return chunk;
}

function insertChunk(
  scope: WriteScope,
  namespace: Namespace,
  chunk: readonly Prepared[],
  options: InsertOptions,
): InsertOutcome {
  const { retryable } = options;
  const record = retryable === undefined ? undefined : RetryRecord.load(scope.tx, retryable);
  const failures: StatementFailure[] = [];
  const retried: number[] = [];
  let inserted = 0;
  let collection: Collection | undefined;
  for (const { index, document } of chunk) {
    const statement = retryable === undefined ? index : statementOf(retryable, index);
    if (record?.done(statement) !== undefined) {
      retried.push(statement);
      inserted++;
      continue;
    }
    try {
      if (document instanceof DocumentError) throw document;
      collection ??= collectionForWrite(scope, namespace);
      scope.statement = retryable === undefined ? undefined : statement;
      insertOne(scope, collection, document, options.bypassValidation);
      record?.add(statement);
      inserted++;
    } catch (thrown) {
      if (!(thrown instanceof DocumentError) || stops(thrown)) throw thrown;
      failures.push({ index, error: thrown });
      if (options.ordered) break;
    }
  }
  if (collection?.capped === true) trimCapped(scope, collection);
  record?.save();
  return { inserted, failures, retried };
}

/** Failures of the whole command rather than of one statement. */
export function stops(error: DocumentError): boolean {
  return error.code === 112 || error.code === 225 || error.code === 73 || error.code === 166 || error.code === 13297;
}

function insertOne(scope: WriteScope, collection: Collection, document: Buffer, bypassValidation: boolean): void {
  if (collection.timeSeries !== undefined) checkMeasurement(collection.timeSeries, document);
  if (!bypassValidation) validate(collection, document, undefined);
  insertRecord(scope, collection, document);
}

/** Types whose fields at the front need no look: everything but `_id` and empty timestamps stays as it is. */
const ID_AT_FRONT = 4;

/**
 * The document as it is stored: `_id` first and made if it is missing, empty timestamps filled in. Throws 2 for a size
 * beyond 16 MiB and 53 for an `_id` that cannot be.
 */
export function prepareDocument(document: Buffer, clock: LogicalClock): Buffer {
  const id = findField(document, 0, '_id');
  const type = id < 0 ? BsonType.objectId : (document[id] ?? 0);
  checkIdValue(type);
  let prepared = document;
  if (id !== ID_AT_FRONT) prepared = withIdInFront(document, id);
  if (type === BsonType.object) checkIdFields(prepared);
  if (mayHoldTimestamp(prepared)) prepared = withTimestamps(prepared, clock);
  if (prepared.length > DOCUMENT_BYTES_MAX) {
    throw new DocumentError(
      2,
      `object to insert too large. size in bytes: ${prepared.length}, max size: ${DOCUMENT_BYTES_MAX}`,
    );
  }
  return prepared;
}

function withIdInFront(document: Buffer, id: number): Buffer {
  const source = Doc.fromBytes(document);
  const moved = new Doc();
  moved.append('_id', id < 0 ? ObjectId.generate() : (source.get('_id') ?? null));
  let first = true;
  for (const [name, value] of source) {
    if (name === '_id' && first) first = false;
    else moved.append(name, value);
  }
  return encodeDocument(moved);
}

function checkIdFields(document: Buffer): void {
  const id = Doc.fromBytes(document).get('_id');
  if (!(id instanceof Doc)) return;
  for (const name of id.keys()) {
    if (name.startsWith('$')) {
      throw new DocumentError(52, `_id fields may not contain '$'-prefixed fields: ${name} is not valid for storage.`);
    }
  }
}

function mayHoldTimestamp(document: Buffer): boolean {
  return document.includes(BsonType.timestamp, 4);
}

function withTimestamps(document: Buffer, clock: LogicalClock): Buffer {
  const changed = Doc.fromBytes(document).copy();
  let any = false;
  for (const [name, value] of Doc.fromBytes(document)) {
    if (name === '_id' || !(value instanceof Timestamp) || value.seconds !== 0 || value.increment !== 0) continue;
    const now = clock.tick();
    changed.set(name, new Timestamp(now.seconds, now.increment));
    any = true;
  }
  return any ? encodeDocument(changed) : document;
}
