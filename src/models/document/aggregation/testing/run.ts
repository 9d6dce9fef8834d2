/** Runs pipelines on plain documents, for tests: collections are lists in memory. */
import { ListSource } from '../../cursor.js';
import { type Plain, type PlainRecord, plainDocument, plainValue } from '../../plain.js';
import { Doc, encodeDocument, type Value } from '../../values.js';
import type { AggregationContext, MergeOperation, ResolvedNamespace } from '../context.js';
import { compileExpression } from '../expressions/operators.js';
import { compilePipeline, environmentOf, type PipelineOptions } from '../pipeline.js';
import type { AggregationSettings } from '../scope.js';

export interface Collections {
  readonly [name: string]: readonly PlainRecord[];
}

export interface MemoryContext extends AggregationContext {
  readonly merged: MergeOperation[];
  readonly replaced: Map<string, Doc[]>;
  /** Filters of the reads that were done. */
  readonly reads: Doc[];
}

/** A context on lists of documents. `indexed` are paths that {@link AggregationContext.hasIndex} knows. */
export function memoryContext(
  collections: Collections,
  options: Partial<AggregationContext> & {
    indexed?: readonly string[];
    views?: Readonly<Record<string, ResolvedNamespace>>;
  } = {},
): MemoryContext {
  const { indexed = [], views = {}, ...rest } = options;
  const merged: MergeOperation[] = [];
  const replaced = new Map<string, Doc[]>();
  const reads: Doc[] = [];
  return {
    database: 'test',
    collection: 'c',
    allowDiskUse: true,
    breathe: () => undefined,
    resolve: async (namespace) =>
      views[namespace.name] ?? { namespace, stages: [], kind: 'collection', collation: undefined },
    read: async ({ name }, { filter, query, skip = 0, limit = 0 }) => {
      reads.push(query);
      const all = (collections[name] ?? []).map((record) => encodeDocument(plainDocument(record)));
      const found = all.filter((document) => filter.matches(document));
      return new ListSource(found.slice(skip, limit === 0 ? undefined : skip + limit));
    },
    hasIndex: async (_, path) => indexed.includes(path),
    writer: {
      hasUniqueIndex: async (_, paths) => paths.join() === '_id' || indexed.includes(paths.join()),
      merge: async (_, operations) => {
        merged.push(...operations);
      },
      replace: async ({ name }) => {
        const documents: Doc[] = [];
        return {
          insert: async (more) => {
            documents.push(...more);
          },
          commit: async () => {
            replaced.set(name, documents);
          },
          abort: async () => undefined,
        };
      },
    },
    merged,
    replaced,
    reads,
    ...rest,
  };
}

/** What a pipeline makes of the documents. */
export async function aggregate(
  documents: readonly PlainRecord[],
  stages: readonly PlainRecord[],
  options: PipelineOptions = {},
  context: AggregationContext = memoryContext({}),
): Promise<Doc[]> {
  const pipeline = compilePipeline(
    stages.map((stage) => plainDocument(stage)),
    options,
  );
  const input = new ListSource(documents.map((record) => encodeDocument(plainDocument(record))));
  const source = pipeline.open(context, input, { pushedDown: false });
  const results: Doc[] = [];
  try {
    for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
      results.push(...batch.map((bytes) => Doc.fromBytes(bytes)));
    }
  } finally {
    source.close();
  }
  return results;
}

/** An expression's value for a document; undefined is missing. */
export function evaluate(
  expression: Plain,
  document: PlainRecord = {},
  settings: AggregationSettings = {},
): Value | undefined {
  const environment = environmentOf(settings);
  const compiled = compileExpression(plainValue(expression) ?? null, environment);
  return compiled.evaluate(environment.scope.enter(Doc.fromBytes(encodeDocument(plainDocument(document)))));
}
