/**
 * A change stream: reads the oplog from a position on and never ends by itself. Its position is told with every batch, and
 * survives restarts.
 */
import { prefixEnd } from '../../../encoding/byte-strings.js';
import type { Range } from '../../../engine/engine.js';
import { compareTimestamps, type Timestamp } from '../clock.js';
import type { DocumentStream, StreamBatch } from '../cursor.js';
import { DocumentError } from '../errors.js';
import { valueKey } from '../indexes/value-keys.js';
import { OPLOG_PREFIX, oplogKey } from '../keys.js';
import { recordOfId } from '../records.js';
import type { DocumentStore } from '../store.js';
import { Doc, encodeDocument, encodeValue, type Value } from '../values.js';
import { type ChangeEvent, eventsOf, invalidation, type StreamScope } from './events.js';
import { decodeOplog, OPLOG_TOPIC } from './oplog.js';
import { decodeToken, encodeTokenBytes, type OplogPosition, WHOLE_ENTRY } from './resume-token.js';

/** Oplog entries read at once. */
const ENTRIES_AT_ONCE = 1_000;

export type FullDocument = 'default' | 'updateLookup' | 'whenAvailable' | 'required';
export type FullDocumentBeforeChange = 'off' | 'whenAvailable' | 'required';

export interface ChangeStreamOptions {
  readonly scope: StreamScope;
  readonly fullDocument: FullDocument;
  readonly fullDocumentBeforeChange: FullDocumentBeforeChange;
  readonly showExpandedEvents: boolean;
  readonly resumeAfter: Doc | undefined;
  readonly startAfter: Doc | undefined;
  readonly startAtOperationTime: Timestamp | undefined;
  /** The stages behind `$changeStream`. */
  readonly transform: (events: readonly Buffer[]) => Promise<readonly Buffer[]>;
}

const FATAL_HISTORY = 'Resume of change stream was not possible, as the resume point may no longer be in the oplog.';

export class ChangeStream implements DocumentStream {
  private readonly held: { readonly document: Buffer; readonly token: Buffer }[] = [];
  private token: Buffer;
  private invalidated = false;

  private constructor(
    private readonly store: DocumentStore,
    private readonly options: ChangeStreamOptions,
    private position: OplogPosition,
  ) {
    this.token = encodeTokenBytes(position, 'mark');
  }

  static async open(store: DocumentStore, options: ChangeStreamOptions): Promise<ChangeStream> {
    const since = await store.engine.write((tx) => store.oplog.enable(tx));
    const start = startOf(options, store.clock.now);
    const wanted =
      options.resumeAfter !== undefined ||
      options.startAfter !== undefined ||
      options.startAtOperationTime !== undefined;
    if (wanted && compareTimestamps(start.time, since) < 0) {
      throw new DocumentError(286, FATAL_HISTORY);
    }
    return new ChangeStream(store, options, start);
  }

  /** Where the stream is: behind what the last batch has given. */
  resumeToken(): Buffer {
    return this.token;
  }

  async next(count: number, bytes: number): Promise<StreamBatch> {
    while (this.held.length === 0 && !this.invalidated) {
      if (!(await this.read())) break;
    }
    const documents: Buffer[] = [];
    let size = 0;
    while (documents.length < count) {
      const [next] = this.held;
      if (next === undefined || (documents.length > 0 && size + next.document.length > bytes)) break;
      this.held.shift();
      documents.push(next.document);
      size += next.document.length;
      this.token = next.token;
    }
    if (this.held.length === 0 && !this.invalidated) this.token = encodeTokenBytes(this.position, 'mark');
    return { documents, exhausted: this.invalidated && this.held.length === 0 };
  }

  wait(milliseconds: number, onWake: (wake: () => void) => () => void): Promise<void> {
    return waitForTopic(this.store, OPLOG_TOPIC, milliseconds, onWake);
  }

  close(): void {
    this.held.length = 0;
    this.invalidated = true;
  }

  /** Reads some entries; says whether there may be more now. */
  private async read(): Promise<boolean> {
    const now = this.store.clock.now;
    const range = rangeFrom(this.position);
    const entries = await this.store.engine.read((view) =>
      [...view.scan(range, { limit: ENTRIES_AT_ONCE })].map(({ key, value }) => decodeOplog(key, Buffer.from(value))),
    );
    for (const entry of entries) {
      const same = compareTimestamps(entry.time, this.position.time) === 0;
      for (const event of eventsOf(entry, this.options.scope, same ? this.position.index : -1)) {
        if (!event.expanded || this.options.showExpandedEvents) await this.give(event);
        const end = invalidation(event, this.options.scope);
        if (end === undefined) continue;
        await this.give(end);
        this.invalidated = true;
        return false;
      }
      this.position = { time: entry.time, index: WHOLE_ENTRY };
    }
    if (entries.length === ENTRIES_AT_ONCE) return true;
    // Nothing before this moment is missing: the mark may advance although nothing happened.
    if (compareTimestamps(now, this.position.time) > 0) this.position = { time: now, index: WHOLE_ENTRY };
    return false;
  }

  private async give(event: ChangeEvent): Promise<void> {
    const document = await this.withImages(event);
    const token = encodeTokenBytes(event.position, event.invalidates ? 'invalidate' : 'event');
    for (const transformed of await this.options.transform([encodeDocument(document)])) {
      this.held.push({ document: transformed, token });
    }
  }

  private async withImages(event: ChangeEvent): Promise<Doc> {
    const { fullDocument, fullDocumentBeforeChange, showExpandedEvents } = this.options;
    const { document, operationType } = event;
    if (!showExpandedEvents) document.delete('collectionUUID');
    if (operationType === 'update' && fullDocument !== 'default') {
      const after = fullDocument === 'updateLookup' ? await this.lookUp(event) : event.after;
      if (after === undefined && fullDocument === 'required') throw noImage('post-image', event);
      document.append('fullDocument', after ?? null);
    }
    if (fullDocumentBeforeChange !== 'off' && ['update', 'replace', 'delete'].includes(operationType)) {
      if (event.before === undefined && fullDocumentBeforeChange === 'required') throw noImage('pre-image', event);
      document.append('fullDocumentBeforeChange', event.before ?? null);
    }
    return document;
  }

  private async lookUp(event: ChangeEvent): Promise<Doc | undefined> {
    const id: Value | undefined = event.key;
    if (id === undefined) return undefined;
    const bytes = await this.store.engine.read((view) => {
      const collection = this.store.catalog.find(view, event.database, event.collection);
      if (collection === undefined) return undefined;
      const encoded = encodeValue(id);
      const record = recordOfId(view, collection, valueKey(encoded, encoded[4] ?? 0, 6));
      const found = record === undefined ? undefined : view.get(collection.documentKey(record));
      return found === undefined ? undefined : Buffer.from(found);
    });
    return bytes === undefined ? undefined : Doc.fromBytes(bytes);
  }
}

function noImage(kind: string, event: ChangeEvent): DocumentError {
  return new DocumentError(
    47,
    `Executor error during getMore :: caused by :: Change stream was configured to require a ${kind} for all update, delete and replace events, but the ${kind} was not found for event: ${event.operationType}`,
  );
}

function startOf(options: ChangeStreamOptions, now: Timestamp): OplogPosition {
  const { resumeAfter, startAfter, startAtOperationTime } = options;
  const token = resumeAfter ?? startAfter;
  if (token !== undefined) {
    const { position, kind } = decodeToken(token);
    if (kind === 'invalidate' && resumeAfter !== undefined) {
      throw new DocumentError(
        260,
        "Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate notification.",
      );
    }
    return position;
  }
  if (startAtOperationTime !== undefined) return { time: startAtOperationTime, index: -1 };
  return { time: now, index: WHOLE_ENTRY };
}

/** Entries that may have events behind a position: the entry at the position too, unless it is done. */
function rangeFrom({ time, index }: OplogPosition): Range {
  const key = oplogKey(time.seconds, time.increment);
  return { start: index === WHOLE_ENTRY ? prefixEnd(key) : key, end: prefixEnd(OPLOG_PREFIX) };
}

/** Resolves with the next message of a topic, after a time, or when woken. */
export function waitForTopic(
  store: DocumentStore,
  topic: string,
  milliseconds: number,
  onWake: (wake: () => void) => () => void,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    timer.unref();
    const unsubscribe = store.engine.subscribe(topic, done);
    const forget = onWake(done);
    function done(): void {
      clearTimeout(timer);
      unsubscribe();
      forget();
      resolve();
    }
  });
}
