/** `$sort`: in memory, or by merging sorted runs from disk. Documents that compare equal keep their order. */
import { DocumentError } from '../../errors.js';
import { Sort, type SortKey } from '../../query/sort.js';
import { Doc, encodeDocument } from '../../values.js';
import { documentBytes, STAGE_BYTES_MAX } from '../memory.js';
import { SpillFile } from '../spill.js';
import { BATCH_DOCUMENTS, type CompileStage, type DocSource, inBatches, type Run, stageOf } from './stage.js';

interface Entry {
  readonly key: SortKey;
  readonly document: Doc;
  readonly position: number;
}

/** Entries of a top-k sort beyond the limit before they are cut. */
const SLACK = 1024;

export const sort: CompileStage = (argument, { environment }, specification) => {
  if (!(argument instanceof Doc)) throw new DocumentError(15973, 'the $sort key specification must be an object');
  if (argument.isEmpty) throw new DocumentError(15976, '$sort stage must have at least one sort key');
  const order = Sort.parse(argument, environment.collation);
  for (const { meta } of order.fields) if (meta !== undefined) environment.dependencies.metadata.add(meta);
  return stageOf(specification, {
    passes: () => true,
    open: (input, run) => sorted(input, run, order, undefined),
    openLimited: (input, run, limit) => sorted(input, run, order, limit),
  });
};

/** Sorts a source; with a limit it holds no more than about so many documents. */
export function sorted(input: DocSource, run: Run, order: Sort, limit: number | undefined): DocSource {
  let sorter: Sorter | undefined;
  let batches: AsyncIterator<readonly Doc[]> | undefined;
  return {
    async next() {
      if (sorter === undefined) {
        const started = new Sorter(run, order, limit);
        sorter = started;
        for (let batch = await input.next(); batch !== undefined; batch = await input.next()) {
          for (const document of batch) {
            const full = started.add(document);
            if (full) await started.spill();
          }
          const turn = run.context.breathe();
          if (turn !== undefined) await turn;
        }
        batches = started.batches();
      }
      const step = await batches?.next();
      return step === undefined || step.done === true ? undefined : step.value;
    },
    close() {
      sorter?.close();
      input.close();
    },
  };
}

class Sorter {
  private entries: Entry[] = [];
  private bytes = 0;
  private position = 0;
  private readonly runs: SpillFile[] = [];
  private readonly bytesMax: number;

  constructor(
    private readonly run: Run,
    private readonly order: Sort,
    private readonly limit: number | undefined,
  ) {
    this.bytesMax = run.context.stageBytesMax ?? STAGE_BYTES_MAX;
  }

  /** Says whether memory is used up. */
  add(document: Doc): boolean {
    const metadata = this.run.hasMetadata ? this.run.metadata.get(document) : undefined;
    const key = this.order.key(document.source ?? encodeDocument(document), 0, metadata);
    this.entries.push({ key, document, position: this.position++ });
    this.bytes += documentBytes(document) + 100;
    if (this.limit !== undefined && this.entries.length > 2 * this.limit + SLACK) {
      this.sortEntries();
      this.bytes = this.entries.reduce((sum, entry) => sum + documentBytes(entry.document) + 100, 0);
    }
    return this.bytes > this.bytesMax;
  }

  private sortEntries(): void {
    this.entries.sort((a, b) => this.order.compare(a.key, b.key) || a.position - b.position);
    if (this.limit !== undefined && this.entries.length > this.limit) this.entries.length = this.limit;
  }

  async spill(): Promise<void> {
    const { context } = this.run;
    if (!context.allowDiskUse) {
      throw new DocumentError(
        292,
        `Sort exceeded memory limit of ${this.bytesMax} bytes, but did not opt in to external sorting.`,
      );
    }
    this.sortEntries();
    const file = await SpillFile.create(context.spillDirectory);
    this.runs.push(file);
    for (const { document } of this.entries) await file.write(encodeDocument(document));
    await file.finish();
    this.entries = [];
    this.bytes = 0;
  }

  async *batches(): AsyncGenerator<readonly Doc[]> {
    this.sortEntries();
    if (this.runs.length === 0) {
      yield* inBatches(this.entries.map(({ document }) => document));
      return;
    }
    yield* this.merged();
  }

  /** Runs are in the order they were written, so that the first of equal keys is the earliest document. */
  private async *merged(): AsyncGenerator<readonly Doc[]> {
    interface Head {
      key: SortKey;
      document: Doc;
      next: () => Promise<Doc | undefined>;
    }
    const heads: Head[] = [];
    const begin = async (next: () => Promise<Doc | undefined>): Promise<void> => {
      const document = await next();
      if (document !== undefined) heads.push({ key: this.keyOf(document), document, next });
    };
    for (const file of this.runs) {
      const reader = file.read();
      await begin(async () => {
        const step = await reader.next();
        return step.done === true ? undefined : Doc.fromBytes(step.value);
      });
    }
    let position = 0;
    await begin(async () => this.entries[position++]?.document);
    let batch: Doc[] = [];
    let left = this.limit ?? Number.POSITIVE_INFINITY;
    while (heads.length > 0 && left > 0) {
      let least = 0;
      for (let i = 1; i < heads.length; i++) {
        if (this.order.compare(heads[i]?.key ?? [], heads[least]?.key ?? []) < 0) least = i;
      }
      const head = heads[least];
      if (head === undefined) break;
      batch.push(head.document);
      left--;
      const following = await head.next();
      if (following === undefined) heads.splice(least, 1);
      else {
        head.document = following;
        head.key = this.keyOf(following);
      }
      if (batch.length >= BATCH_DOCUMENTS) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  }

  private keyOf(document: Doc): SortKey {
    return this.order.key(document.source ?? encodeDocument(document));
  }

  close(): void {
    this.entries = [];
    for (const file of this.runs) file.remove();
  }
}
