/**
 * Tailable cursors: what is appended to a capped collection (or the oplog) after what has been given already. The engine
 * is read as it is at each batch, not as it was at the first.
 */
import { prefixEnd } from '../../encoding/byte-strings.js';
import { CAPPED_TOPIC } from './capped.js';
import { waitForTopic } from './change-streams/stream.js';
import type { Collection } from './collection.js';
import type { DocumentStream, StreamBatch } from './cursor.js';
import { DocumentError } from './errors.js';
import type { DocumentStore } from './store.js';

const ENTRIES_AT_ONCE = 500;

export interface TailSource {
  /** Engine keys from here … */
  readonly prefix: string;
  /** … as documents. */
  readonly documentOf: (value: Buffer) => Buffer;
  /** Told when something is appended. */
  readonly topic: string;
  /** Says whether the collection is still the one that is followed. */
  readonly alive: () => Promise<boolean>;
}

export function cappedTail(store: DocumentStore, collection: Collection): TailSource {
  const { database, name, id } = collection;
  return {
    prefix: collection.prefix,
    documentOf: (value) => Buffer.from(value),
    topic: `${CAPPED_TOPIC}${id}`,
    alive: async () => (await store.engine.read((view) => store.catalog.find(view, database, name)))?.id === id,
  };
}

export class TailStream implements DocumentStream {
  private after: string | undefined;
  private held: Buffer[] = [];

  constructor(
    private readonly store: DocumentStore,
    private readonly source: TailSource,
    private readonly matches: (document: Buffer) => boolean,
    private readonly project: (document: Buffer) => Buffer,
  ) {}

  async next(count: number, bytes: number): Promise<StreamBatch> {
    while (this.held.length < Math.min(count, ENTRIES_AT_ONCE)) if (!(await this.read())) break;
    const documents: Buffer[] = [];
    let size = 0;
    while (documents.length < count) {
      const [next] = this.held;
      if (next === undefined || (documents.length > 0 && size + next.length > bytes)) break;
      this.held.shift();
      documents.push(next);
      size += next.length;
    }
    return { documents, exhausted: this.held.length === 0 };
  }

  /** Whether anything has been read yet: a cursor on an empty collection is dead from the start. */
  get empty(): boolean {
    return this.after === undefined;
  }

  wait(milliseconds: number, onWake: (wake: () => void) => () => void): Promise<void> {
    return waitForTopic(this.store, this.source.topic, milliseconds, onWake);
  }

  close(): void {
    this.held = [];
  }

  private async read(): Promise<boolean> {
    const { source } = this;
    if (!(await source.alive())) throw new DocumentError(175, 'collection dropped');
    const range = {
      start: this.after === undefined ? source.prefix : `${this.after}\0`,
      end: prefixEnd(source.prefix),
    };
    const entries = await this.store.engine.read((view) => {
      if (this.after !== undefined && view.get(this.after) === undefined) {
        throw new DocumentError(
          136,
          'CollectionScan died due to position in capped collection being deleted. Last seen record id: RecordId',
        );
      }
      return [...view.scan(range, { limit: ENTRIES_AT_ONCE })].map(({ key, value }) => ({
        key,
        document: source.documentOf(value),
      }));
    });
    for (const { document } of entries) if (this.matches(document)) this.held.push(this.project(document));
    this.after = entries.at(-1)?.key ?? this.after;
    return entries.length === ENTRIES_AT_ONCE;
  }
}
