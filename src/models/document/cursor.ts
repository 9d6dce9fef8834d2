/** What a query gives: documents in batches, for as long as somebody asks. */

export interface StreamBatch {
  readonly documents: readonly Buffer[];
  /** There are no more. */
  readonly exhausted: boolean;
}

export interface DocumentStream {
  /** Up to `count` documents and `bytes` bytes (one document may be larger). */
  next(count: number, bytes: number): Promise<StreamBatch>;
  /** Streams that may have more later: resolves when that may be so, or after the time; `onWake` gives a way to end it. */
  wait?(milliseconds: number, onWake: (wake: () => void) => () => void): Promise<void>;
  close(): void;
}

/** Batches of documents of any size, `undefined` at the end: what plans and pipelines produce inside. */
export interface DocumentSource {
  next(): Promise<readonly Buffer[] | undefined>;
  close(): void;
}

/** Cuts a source into the batches that clients ask for. */
export class SourceStream implements DocumentStream {
  private held: readonly Buffer[] = [];
  private position = 0;
  private ended = false;

  constructor(private readonly source: DocumentSource) {}

  async next(count: number, bytes: number): Promise<StreamBatch> {
    const documents: Buffer[] = [];
    let size = 0;
    for (;;) {
      while (this.position < this.held.length) {
        const document = this.held[this.position];
        if (document === undefined) break;
        const full = documents.length >= count || (documents.length > 0 && size + document.length > bytes);
        if (full) return { documents, exhausted: false };
        documents.push(document);
        size += document.length;
        this.position++;
      }
      if (documents.length >= count && !this.ended && documents.length > 0) {
        // One look ahead saves the client a getMore for nothing.
        if (!(await this.refill())) return { documents, exhausted: true };
        return { documents, exhausted: false };
      }
      if (count === 0) return { documents, exhausted: false };
      if (!(await this.refill())) return { documents, exhausted: true };
    }
  }

  close(): void {
    this.ended = true;
    this.held = [];
    this.source.close();
  }

  private async refill(): Promise<boolean> {
    while (!this.ended) {
      const batch = await this.source.next();
      if (batch === undefined) {
        this.ended = true;
        return false;
      }
      if (batch.length === 0) continue;
      this.held = batch;
      this.position = 0;
      return true;
    }
    return false;
  }
}

/** Documents that are all there. */
export class ListSource implements DocumentSource {
  private list: readonly Buffer[] | undefined;

  constructor(documents: readonly Buffer[]) {
    this.list = documents;
  }

  async next(): Promise<readonly Buffer[] | undefined> {
    const { list } = this;
    this.list = undefined;
    return list;
  }

  close(): void {
    this.list = undefined;
  }
}
