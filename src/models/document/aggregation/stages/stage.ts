/**
 * Stages: each is compiled once and then opened on a source of documents, which it turns into another. Documents come
 * in batches; those from the store are views of their bytes, of which a stage decodes only what it looks at.
 */
import { DocumentError } from '../../errors.js';
import type { Metadata } from '../../query/projection.js';
import { Doc, type Value } from '../../values.js';
import type { AggregationContext } from '../context.js';
import type { Environment, Scope } from '../scope.js';

export interface DocSource {
  /** The next documents; undefined at the end. A batch may be empty. */
  next(): Promise<readonly Doc[] | undefined>;
  close(): void;
}

/** One execution of a pipeline. */
export interface Run {
  readonly context: AggregationContext;
  readonly scope: Scope;
  /** `$meta` of documents, as far as there is any. */
  readonly metadata: WeakMap<Doc, Metadata>;
  /** The stage's metadata is asked for somewhere: keep it when a document becomes another. */
  hasMetadata: boolean;
}

export interface Stage {
  readonly name: string;
  /** As it was written: `{$match: ...}`. */
  readonly specification: Doc;
  /** Opens it on its input. Closing the result closes the input. */
  open(input: DocSource, run: Run): DocSource;
  /** Of `$sort`: the same when only the first `limit` documents are wanted. */
  openLimited?(input: DocSource, run: Run, limit: number): DocSource;
  /** One document out for each one in, whatever stands beside it: `$limit` and `$skip` may go first. */
  readonly oneToOne?: boolean;
  /** A `$match` that looks at these paths only means the same before this stage. */
  passes?(paths: ReadonlySet<string>): boolean;
  /** Of a `$match` that may be moved: what it looks at. */
  readonly reads?: ReadonlySet<string>;
  /** Makes its own documents and looks at no input. */
  readonly source?: boolean;
  /** Of `$out` and `$merge`. */
  readonly writes?: boolean;
  /** One document to another, for stages that pipeline updates may use. */
  readonly transform?: (document: Doc, scope: Scope) => Doc;
}

/** Where a pipeline stands. */
export type PipelinePlace = 'top' | 'facet' | 'lookup' | 'unionWith' | 'update' | 'view';

export interface StageContext {
  readonly environment: Environment;
  readonly place: PipelinePlace;
  /** Levels of sub-pipelines above. */
  readonly depth: number;
}

export type CompileStage = (argument: Value, context: StageContext, specification: Doc) => Stage;

export function stageOf(specification: Doc, rest: Omit<Stage, 'name' | 'specification'>): Stage {
  return { name: specification.nameAt(0) ?? '', specification, ...rest };
}

/** A source that turns batches into batches. */
export function mapBatches(
  input: DocSource,
  apply: (batch: readonly Doc[]) => readonly Doc[] | Promise<readonly Doc[]>,
): DocSource {
  return {
    async next() {
      const batch = await input.next();
      return batch === undefined ? undefined : apply(batch);
    },
    close: () => input.close(),
  };
}

/** A stage that makes one document of another. */
export function transforming(
  specification: Doc,
  transform: (document: Doc, scope: Scope) => Doc,
  passes?: Stage['passes'],
): Stage {
  return stageOf(specification, {
    oneToOne: true,
    transform,
    ...(passes === undefined ? {} : { passes }),
    open: (input, run) =>
      mapBatches(input, (batch) =>
        batch.map((document) => {
          const result = transform(document, enter(run, document));
          keepMetadata(run, document, result);
          return result;
        }),
      ),
  });
}

/** Makes the document, with its metadata, the one that expressions are about. */
export function enter(run: Run, document: Doc): Scope {
  run.scope.metadata = run.hasMetadata ? run.metadata.get(document) : undefined;
  return run.scope.enter(document);
}

export function keepMetadata(run: Run, from: Doc, to: Doc): void {
  if (!run.hasMetadata || from === to) return;
  const metadata = run.metadata.get(from);
  if (metadata !== undefined) run.metadata.set(to, metadata);
}

/** A source whose documents are made when the first is asked for. */
export function lazySource(make: () => Promise<Iterator<readonly Doc[]>>, close: () => void): DocSource {
  let batches: Iterator<readonly Doc[]> | undefined;
  let closed = false;
  return {
    async next() {
      if (closed) return undefined;
      batches ??= await make();
      const { done, value } = batches.next();
      return done === true ? undefined : value;
    },
    close() {
      if (closed) return;
      closed = true;
      close();
    },
  };
}

/** Documents handed on at a time by stages that made them all. */
export const BATCH_DOCUMENTS = 256;

export function* inBatches(documents: readonly Doc[]): Generator<readonly Doc[]> {
  for (let i = 0; i < documents.length; i += BATCH_DOCUMENTS) yield documents.slice(i, i + BATCH_DOCUMENTS);
}

/** Everything a source gives. */
export async function drain(source: DocSource, run: Run, visit: (document: Doc) => void): Promise<void> {
  for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
    for (const document of batch) visit(document);
    const turn = run.context.breathe();
    if (turn !== undefined) await turn;
  }
}

export const emptySource: DocSource = { next: async () => undefined, close: () => undefined };

/** Whether one path is the other or inside of it. */
export function pathsOverlap(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);
}

export function disjoint(paths: ReadonlySet<string>, changed: Iterable<string>): boolean {
  for (const path of changed) for (const other of paths) if (pathsOverlap(path, other)) return false;
  return true;
}

/** The stage's argument as a document. */
export function documentArgument(argument: Value, code: number, message: string): Doc {
  if (!(argument instanceof Doc)) throw new DocumentError(code, message);
  return argument;
}

/** The same refusal with the stage's name in front, as MongoDB words those of projections. */
export function withPrefix<T>(prefix: string, body: () => T): T {
  try {
    return body();
  } catch (thrown) {
    if (!(thrown instanceof DocumentError)) throw thrown;
    throw new DocumentError(thrown.code, `${prefix} :: caused by :: ${thrown.message}`, thrown.details);
  }
}
