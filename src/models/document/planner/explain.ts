/** Plans as MongoDB's explain prints them. */
import type { Collection } from '../collection.js';
import { type Plain, plainDocument } from '../plain.js';
import type { Predicate } from '../query/predicate.js';
import { Doc, type Value } from '../values.js';
import type { ExecutionStatistics } from './execute.js';
import { conjuncts } from './index-bounds.js';
import { intervalText } from './intervals.js';
import type { CollectionScan, IndexScan, QueryPlan } from './plan.js';

export interface ExplainedQuery {
  readonly plan: QueryPlan;
  readonly skip: number;
  readonly limit: number;
  readonly projection: Doc | undefined;
  /** What stands above the query's stages: COUNT, UPDATE, DELETE. */
  readonly top?: string;
}

export interface ExecutionFigures extends ExecutionStatistics {
  readonly milliseconds: number;
  /** Documents after skip and limit. */
  readonly given: number;
}

type Stage = Record<string, Plain>;

export function queryPlanner(query: ExplainedQuery, collection: Collection, parsed: Doc): Doc {
  return plainDocument({
    namespace: collection.namespace,
    indexFilterSet: false,
    parsedQuery: parsed,
    queryHash: hashOf(query, 'shape'),
    planCacheKey: hashOf(query, 'plan'),
    maxIndexedOrSolutionsReached: false,
    maxIndexedAndSolutionsReached: false,
    maxScansToExplodeReached: false,
    winningPlan: stageTree(query, undefined),
    rejectedPlans: query.plan.rejected.map((access) =>
      stageTree({ ...query, plan: { ...query.plan, access } }, undefined),
    ),
  });
}

export function executionStats(query: ExplainedQuery, figures: ExecutionFigures, all: boolean): Doc {
  return plainDocument({
    executionSuccess: true,
    nReturned: figures.given,
    executionTimeMillis: Math.round(figures.milliseconds),
    totalKeysExamined: figures.keysExamined,
    totalDocsExamined: figures.documentsExamined,
    executionStages: stageTree(query, figures),
    ...(all ? { allPlansExecution: [] } : {}),
  });
}

/** Eight hexadecimal digits that are the same for the same shape of query. */
function hashOf({ plan }: ExplainedQuery, kind: string): string {
  const text = `${kind}${shapeOf(plan.query)}${plan.sort?.keys().join() ?? ''}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).toUpperCase().padStart(8, '0');
}

function shapeOf(document: Doc): string {
  return document.keys().join(',');
}

function stageTree(query: ExplainedQuery, figures: ExecutionFigures | undefined): Stage {
  const { plan, skip, limit, projection, top } = query;
  let stage = accessStage(plan, figures);
  const found = figures?.returned ?? 0;
  if (plan.sort !== undefined) {
    stage = {
      stage: 'SORT',
      sortPattern: plan.sort,
      memLimit: 104_857_600,
      ...(limit > 0 ? { limitAmount: limit + skip } : {}),
      type: 'simple',
      ...runFigures(figures, found),
      inputStage: stage,
    };
  }
  if (skip > 0)
    stage = { stage: 'SKIP', skipAmount: skip, ...runFigures(figures, figures?.given ?? 0), inputStage: stage };
  if (limit > 0 && plan.sort === undefined) {
    stage = { stage: 'LIMIT', limitAmount: limit, ...runFigures(figures, figures?.given ?? 0), inputStage: stage };
  }
  if (projection !== undefined && !projection.isEmpty) {
    stage = {
      stage: isSimple(projection) ? 'PROJECTION_SIMPLE' : 'PROJECTION_DEFAULT',
      transformBy: projection,
      ...runFigures(figures, figures?.given ?? 0),
      inputStage: stage,
    };
  }
  if (top !== undefined) stage = { stage: top, ...runFigures(figures, figures?.given ?? 0), inputStage: stage };
  return stage;
}

function isSimple(projection: Doc): boolean {
  return [...projection].every(([name, value]) => typeof value === 'number' && !name.includes('.'));
}

function runFigures(figures: ExecutionFigures | undefined, advanced: number): Stage {
  if (figures === undefined) return {};
  return {
    nReturned: advanced,
    executionTimeMillisEstimate: Math.round(figures.milliseconds),
    works: figures.works + 1,
    advanced,
    needTime: Math.max(0, figures.works - advanced),
    needYield: 0,
    saveState: 0,
    restoreState: 0,
    isEOF: 1,
  };
}

function accessStage(plan: QueryPlan, figures: ExecutionFigures | undefined): Stage {
  const { access } = plan;
  const found = figures?.returned ?? 0;
  const filter = plan.filter === undefined ? undefined : printedFilter(plan.filter.predicate);
  switch (access.stage) {
    case 'EOF':
      return { stage: 'EOF', ...runFigures(figures, 0) };
    case 'OR': {
      const or: Stage = {
        stage: 'OR',
        ...runFigures(figures, found),
        inputStages: access.branches.map((branch) => scanStage(branch, figures)),
      };
      return fetchStage(or, filter, figures, found);
    }
    case 'IXSCAN':
      return fetchStage(scanStage(access, figures), filter, figures, found);
    default:
      return { ...scanStage(access, figures, filter) };
  }
}

function fetchStage(
  input: Stage,
  filter: Doc | undefined,
  figures: ExecutionFigures | undefined,
  found: number,
): Stage {
  const stage: Stage = { stage: 'FETCH' };
  if (filter !== undefined) stage.filter = filter;
  return {
    ...stage,
    ...runFigures(figures, found),
    ...(figures === undefined ? {} : { docsExamined: figures.documentsExamined, alreadyHasObj: 0 }),
    inputStage: input,
  };
}

function scanStage(scan: CollectionScan | IndexScan, figures: ExecutionFigures | undefined, filter?: Doc): Stage {
  const direction = scan.reverse ? 'backward' : 'forward';
  if (scan.stage !== 'IXSCAN') {
    return {
      stage: scan.stage,
      ...(filter === undefined ? {} : { filter }),
      ...runFigures(figures, figures?.returned ?? 0),
      direction,
      ...(figures === undefined ? {} : { docsExamined: figures.documentsExamined }),
    };
  }
  const { index, fields } = scan.bounds;
  const bounds = new Doc();
  const paths = new Doc();
  index.parts.forEach(({ path, parts }, i) => {
    const descending = (index.parts[i]?.descending === true) !== scan.reverse;
    const texts = (fields[i]?.intervals ?? []).map((interval) => intervalText(interval, descending));
    bounds.append(path, descending ? texts.reverse() : texts);
    const bits = scan.multikey?.[i] ?? 0;
    paths.append(
      path,
      parts.flatMap((_, part) => ((bits & (1 << part)) === 0 ? [] : [parts.slice(0, part + 1).join('.')])),
    );
  });
  return {
    stage: 'IXSCAN',
    ...runFigures(figures, figures?.keysExamined ?? 0),
    keyPattern: index.keyPattern,
    indexName: index.name,
    ...(index.collation === undefined ? {} : { collation: Doc.of({ ...index.collation.spec }) }),
    isMultiKey: scan.multikey !== undefined,
    multiKeyPaths: paths,
    isUnique: index.unique || index.isId,
    isSparse: index.sparse,
    isPartial: index.partialFilter !== undefined,
    indexVersion: 2,
    direction,
    indexBounds: bounds,
    ...(figures === undefined
      ? {}
      : { keysExamined: figures.keysExamined, seeks: scan.ranges.length, dupsTested: 0, dupsDropped: 0 }),
  };
}

/** The filter as MongoDB prints it after parsing: every operator written out. */
export function printedFilter(predicate: Predicate): Doc {
  const children = conjuncts(predicate);
  if (predicate.op === 'and') {
    if (children.length === 0) return new Doc();
    return Doc.of({ $and: children.map(printedFilter) });
  }
  if (predicate.op === 'or' || predicate.op === 'nor') {
    return Doc.of({ [`$${predicate.op}`]: predicate.children.map(printedFilter) });
  }
  if (predicate.op === 'eq') return Doc.of({ [predicate.path]: Doc.of({ $eq: predicate.value }) });
  if (predicate.op === 'not' && 'path' in predicate) {
    const inner = printedFilter(predicate.child).at(0) as Value | undefined;
    return Doc.of({ [predicate.path]: Doc.of({ $not: inner }) });
  }
  return 'specified' in predicate ? predicate.specified.as : Doc.of({ [`$${predicate.op}`]: true });
}
