/** Pipelines: the part the planner does, the stages that follow, and views on the way. */
import { type DocumentSource, ListSource } from '../../models/document/cursor.js';
import { countStage, pushDown } from '../../models/document/pushdown.js';
import { openQuery } from '../../models/document/queries.js';
import { parseSort } from '../../models/document/query/sort.js';
import { Doc, encodeDocument } from '../../models/document/values.js';
import { resolveView } from '../../models/document/views.js';
import type { CommandContext } from './command.js';
import { failed } from './errors.js';
import { collationOf, filterOf, lookUp } from './query-options.js';
import { serverStage } from './server-stages.js';
import { virtualDocuments } from './virtual-collections.js';

export interface PipelineRequest {
  /** `undefined`: the pipeline is about the database. */
  readonly collection: string | undefined;
  readonly stages: readonly Doc[];
  readonly collation: Doc | undefined;
  readonly hint: string | Doc | undefined;
  readonly allowDiskUse: boolean;
  readonly variables: Doc | undefined;
  readonly bypassValidation: boolean;
}

/** What a query on a view leaves at its default. */
export const VIEW_OPTIONS = {
  hint: undefined,
  allowDiskUse: true,
  variables: undefined,
  bypassValidation: false,
} as const;

export async function openPipeline(context: CommandContext, request: PipelineRequest): Promise<DocumentSource> {
  const special = await serverStage(context, request.collection, request.stages[0]);
  if (special !== undefined) return followed(context, new ListSource(special), request.stages.slice(1), request);
  if (request.collection === undefined) return followed(context, new ListSource([]), request.stages, request);
  const found = await lookUp(context, request.collection);
  const resolved =
    found?.type === 'view'
      ? await context.storage.read((view) => resolveView(context.storage.store.catalog, view, found))
      : { name: request.collection, stages: [] };
  const name = resolved.name;
  const stages = [...resolved.stages, ...request.stages];
  const collection = resolved.stages.length > 0 || found?.type === 'view' ? await lookUp(context, name) : found;
  const virtual = collection === undefined ? await virtualDocuments(context, name) : undefined;
  if (virtual !== undefined) return followed(context, new ListSource(virtual), stages, request);
  const { match, sort, skip, limit, rest } = pushDown(stages);
  if (sort !== undefined) parseSort(sort);
  const collation = collationOf(request.collation ?? undefined, found ?? collection);
  const source = await openQuery(context.storage, {
    namespace: { database: context.database, name },
    filter: filterOf(match, collation, request.variables),
    query: match,
    sort,
    skip,
    limit,
    collation,
    hint: request.hint,
    allowDiskUse: request.allowDiskUse,
    breathe: () => context.operation.breathe(),
  });
  if (source === undefined) return followed(context, new ListSource([]), rest, request);
  const count = countStage(rest);
  if (count === undefined) return followed(context, source, rest, request);
  let n = 0;
  try {
    for (let batch = await source.nextRecords(); batch !== undefined; batch = await source.nextRecords())
      n += batch.length;
  } finally {
    source.close();
  }
  if (n === 0) return new ListSource([]);
  const answer = count.id === undefined ? Doc.of({ [count.field]: n }) : Doc.of({ _id: count.id, [count.field]: n });
  return new ListSource([encodeDocument(answer)]);
}

/** The stages behind a source. */
async function followed(
  context: CommandContext,
  source: DocumentSource,
  stages: readonly Doc[],
  request: PipelineRequest,
): Promise<DocumentSource> {
  if (stages.length === 0) return source;
  source.close();
  void context;
  void request;
  throw failed(40324, `Unrecognized pipeline stage name: '${stages[0]?.nameAt(0) ?? ''}'`);
}
