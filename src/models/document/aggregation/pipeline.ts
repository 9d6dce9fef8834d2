/**
 * Pipelines: `compilePipeline(stages, settings)` refuses what MongoDB refuses, `pushdown` says what the planner should
 * do, and `open` runs the rest on what the planner gives.
 *
 * A pipeline is for one execution at a time: its variables and current document are part of it.
 */
import { type DocumentSource, ListSource } from '../cursor.js';
import { DocumentError } from '../errors.js';
import { type PushedDown, pushDown } from '../pushdown.js';
import type { FilterHooks } from '../query/filter.js';
import type { Computed, Metadata } from '../query/projection.js';
import { Doc, type Value } from '../values.js';
import { compileStages } from './compile-stages.js';
import type { AggregationContext } from './context.js';
import { compileExpression, isOperator } from './expressions/operators.js';
import { openStages } from './open-stages.js';
import { optimise } from './optimise.js';
import { type AggregationSettings, checkVariableName, Environment, newDependencies } from './scope.js';
import { bytesOf, documentsOf } from './sources.js';
import type { DocSource, PipelinePlace, Run, Stage } from './stages/stage.js';

export interface PipelineOptions extends AggregationSettings {
  readonly place?: PipelinePlace;
}

/** Throws a DocumentError with MongoDB's code for a pipeline that cannot be. */
export function compilePipeline(stages: readonly Doc[], options: PipelineOptions = {}): Pipeline {
  const environment = environmentOf(options);
  return new Pipeline(compileStages(stages, environment, options.place), environment);
}

/** With the command's `let` evaluated. Throws 4890500 when it reads a document. */
export function environmentOf(settings: AggregationSettings): Environment {
  let environment = Environment.create(settings);
  for (const [name, value] of settings.variables ?? new Doc()) {
    checkVariableName(name);
    const dependencies = newDependencies();
    const { evaluate } = compileExpression(value, environment.withDependencies(dependencies));
    if (dependencies.whole || dependencies.paths.size > 0) {
      throw new DocumentError(
        4890500,
        'Command let Expression tried to access a field,but this is not allowed because Command let Expressions run before the query examines any documents.',
      );
    }
    environment = environment.withConstant(name, evaluate(environment.scope.enter(new Doc())));
  }
  return environment;
}

export class Pipeline {
  /** In the order they run. */
  readonly stages: readonly Stage[];
  /** What the planner can do: leading `$match`, `$sort`, `$skip` and `$limit`. `rest` is for {@link open}. */
  readonly pushdown: PushedDown;

  constructor(
    stages: readonly Stage[],
    private readonly environment: Environment,
  ) {
    this.stages = optimise(stages);
    this.pushdown = pushDown(this.stages.map(({ specification }) => specification));
  }

  /** The first stage makes its own documents: nothing is to be read for it. */
  get hasOwnSource(): boolean {
    return this.stages[0]?.source === true;
  }

  /** Ends with `$out` or `$merge`. */
  get writes(): boolean {
    return this.stages[this.stages.length - 1]?.writes === true;
  }

  /** Kinds of `$meta` that are asked for, such as `textScore`. */
  get metadata(): ReadonlySet<string> {
    return this.environment.dependencies.metadata;
  }

  /**
   * Runs the stages that {@link pushdown} leaves on the documents it describes; all stages on any documents when
   * `pushedDown` is false. Give `metadata` when the planner has some.
   */
  open(
    context: AggregationContext,
    source: DocumentSource,
    { pushedDown = true, metadata }: { pushedDown?: boolean; metadata?: WeakMap<Doc, Metadata> } = {},
  ): DocumentSource {
    return bytesOf(this.openDocuments(context, documentsOf(source), { pushedDown, metadata }));
  }

  /** The same within a pipeline. */
  openDocuments(
    context: AggregationContext,
    input: DocSource,
    { pushedDown = false, metadata }: { pushedDown?: boolean; metadata?: WeakMap<Doc, Metadata> | undefined } = {},
  ): DocSource {
    const run: Run = {
      context,
      scope: this.environment.scope,
      metadata: metadata ?? new WeakMap<Doc, Metadata>(),
      hasMetadata: metadata !== undefined,
    };
    const skipped = pushedDown ? this.stages.length - this.pushdown.rest.length : 0;
    return openStages(this.stages.slice(skipped), input, run);
  }
}

/** What the query language asks of expressions: `$expr` in filters. */
export function expressionHook(settings: AggregationSettings = {}): NonNullable<FilterHooks['expression']> {
  const environment = environmentOf(settings);
  const { scope } = environment;
  return (expression) => {
    const { evaluate } = compileExpression(expression, environment);
    return (document) => evaluate(scope.enter(document));
  };
}

/** What projections of find ask: `expression` and `isExpression` of its options. */
export function projectionHooks(settings: AggregationSettings = {}): {
  readonly expression: (expression: Value) => Computed;
  readonly isExpression: (name: string) => boolean;
} {
  return { expression: expressionHook(settings), isExpression: isOperator };
}

/** What updates ask: a pipeline as a function of the document. `place: 'update'` keeps other stages out. */
export function updatePipeline(stages: readonly Doc[], settings: AggregationSettings = {}): (document: Doc) => Doc {
  const environment = environmentOf(settings);
  const { scope } = environment;
  const transforms = compileStages(stages, environment, 'update').flatMap(({ transform }) => transform ?? []);
  return (document) => {
    let result = document;
    for (const transform of transforms) result = transform(result, scope.enter(result));
    return result;
  };
}

/** The stages behind `$changeStream`, as a function of the events of a batch. Throws 20 for a stage that may not follow. */
export function eventTransform(
  stages: readonly Doc[],
  settings: AggregationSettings,
  context: AggregationContext,
): (events: readonly Buffer[]) => Promise<readonly Buffer[]> {
  const environment = environmentOf(settings);
  const opening = Doc.of({ $changeStream: new Doc() });
  const compiled = compileStages([opening, ...stages], environment).slice(1);
  return async (events) => {
    const run: Run = { context, scope: environment.scope, metadata: new WeakMap<Doc, Metadata>(), hasMetadata: false };
    const source = bytesOf(openStages(compiled, documentsOf(new ListSource(events)), run));
    const results: Buffer[] = [];
    for (let batch = await source.next(); batch !== undefined; batch = await source.next()) results.push(...batch);
    return results;
  };
}
