/**
 * A pipeline inside a stage, on a collection of its own: compiled once with the stage and opened again and again. What
 * its first stages filter, sort and cut is left to the planner; a view's stages come before its own.
 */

import type { Namespace } from '../collections.js';
import type { DocumentSource } from '../cursor.js';
import { pushDown } from '../pushdown.js';
import { Doc, isArrayValue, type Value } from '../values.js';
import { compileStages } from './compile-stages.js';
import type { ResolvedNamespace } from './context.js';
import { compileExpression, type Expression } from './expressions/expression.js';
import { openStages } from './open-stages.js';
import { optimise } from './optimise.js';
import { type Environment, newDependencies } from './scope.js';
import { documentsOf } from './sources.js';
import { compileMatch } from './stages/match.js';
import { type DocSource, emptySource, type PipelinePlace, type Run, type Stage } from './stages/stage.js';

export class SubPipeline {
  private readonly stages: readonly Stage[];
  /** With those of the views, once they are known. */
  private resolved: { readonly namespace: Namespace; readonly stages: readonly Stage[] } | undefined;

  constructor(
    readonly specifications: readonly Doc[],
    private readonly environment: Environment,
    private readonly place: PipelinePlace,
    private readonly depth: number,
  ) {
    this.stages = optimise(compileStages(specifications, environment, place, depth));
    const first = this.stages[0]?.specification.get('$match');
    this.equalities = first instanceof Doc ? equalitiesIn(first, environment) : [];
  }

  /** `$expr: {$eq: ["$path", ...]}` of the first `$match`: conditions that an index can help with. */
  private readonly equalities: readonly Equality[];

  get hasOwnSource(): boolean {
    return this.stages[0]?.source === true;
  }

  /** On the collection or view; `extra` is one more condition on its documents. */
  async open(run: Run, namespace: Namespace | undefined, extra?: Doc): Promise<DocSource> {
    if (namespace === undefined || this.hasOwnSource) return openStages(this.stages, emptySource, run);
    this.resolved ??= this.withViews(await run.context.resolve(namespace), namespace);
    const { stages } = this.resolved;
    const conditions = [...(extra === undefined ? [] : [extra]), ...this.prefilters(run)].map((condition) =>
      Doc.of({ $match: condition }),
    );
    const all = [...conditions, ...stages.map(({ specification }) => specification)];
    const { match, sort, skip, limit, rest } = pushDown(all);
    const environment = this.environment.withDependencies(newDependencies());
    const source: DocumentSource = await run.context.read(this.resolved.namespace, {
      filter: compileMatch(match, environment),
      query: match,
      sort,
      skip,
      limit,
      collation: this.environment.collation,
    });
    // The conditions come first in what was pushed down.
    return openStages(stages.slice(stages.length - rest.length), documentsOf(source), run);
  }

  /** They let through more than the `$expr`, never less; with views the fields may be others. */
  private prefilters({ scope }: Run): Doc[] {
    if (this.resolved?.stages !== this.stages) return [];
    return this.equalities.flatMap(({ path, value }) => {
      const wanted = value.evaluate(scope);
      if (wanted === undefined || isArrayValue(wanted)) return [];
      return [new Doc().append(path, Doc.of({ $eq: wanted }))];
    });
  }

  private withViews(found: ResolvedNamespace, asked: Namespace): { namespace: Namespace; stages: readonly Stage[] } {
    if (found.stages.length === 0)
      return { namespace: found.kind === 'view' ? found.namespace : asked, stages: this.stages };
    const stages = compileStages([...found.stages, ...this.specifications], this.environment, this.place, this.depth);
    return { namespace: found.namespace, stages: optimise(stages) };
  }
}

/** All documents of a source. */
export async function collect(source: DocSource, run: Run): Promise<Doc[]> {
  const documents: Doc[] = [];
  try {
    for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
      for (const document of batch) documents.push(document);
      const turn = run.context.breathe();
      if (turn !== undefined) await turn;
    }
  } finally {
    source.close();
  }
  return documents;
}

interface Equality {
  readonly path: string;
  readonly value: Expression;
}

function equalitiesIn(match: Doc, environment: Environment): Equality[] {
  const found: Equality[] = [];
  const visit = (expression: Value | undefined): void => {
    if (!(expression instanceof Doc) || expression.size !== 1) return;
    const operands = expression.at(0);
    if (!isArrayValue(operands)) return;
    if (expression.nameAt(0) === '$and') for (const operand of operands) visit(operand);
    if (expression.nameAt(0) !== '$eq' || operands.length !== 2) return;
    for (const [left, right] of [operands, [...operands].reverse()]) {
      const isPath = typeof left === 'string' && /^\$[^$]/.test(left) && !/\.\d+(\.|$)/.test(left);
      // The other side must not look at the document.
      const dependencies = newDependencies();
      const value = compileExpression(right ?? null, environment.withDependencies(dependencies));
      if (isPath && !dependencies.whole && dependencies.paths.size === 0) found.push({ path: left.slice(1), value });
    }
  };
  visit(match.get('$expr'));
  return found;
}
