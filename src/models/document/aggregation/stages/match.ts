/** `$match`: the query language. */
import { DocumentError } from '../../errors.js';
import { compileFilter, type Filter } from '../../query/filter.js';
import { visitPredicates } from '../../query/predicate.js';
import { Doc, encodeDocument } from '../../values.js';
import { compileExpression } from '../expressions/expression.js';
import { type Environment, newDependencies } from '../scope.js';
import { type CompileStage, enter, mapBatches, stageOf } from './stage.js';

/** A filter whose `$expr` sees the environment's variables. */
export function compileMatch(filter: Doc, environment: Environment): Filter {
  const { scope } = environment;
  return compileFilter(filter, {
    collation: environment.collation,
    hooks: {
      random: () => environment.random(),
      ...environment.settings.filterHooks,
      expression: (expression) => {
        const { evaluate } = compileExpression(expression, environment);
        return (document) => {
          const { root, current } = scope;
          scope.enter(document);
          const value = evaluate(scope);
          scope.root = root;
          scope.current = current;
          return value;
        };
      },
    },
  });
}

/** Paths that a filter looks at; undefined when it may look anywhere. */
export function pathsOf(filter: Filter, environment: Environment): ReadonlySet<string> | undefined {
  const paths = new Set(environment.dependencies.paths);
  let anywhere = environment.dependencies.whole || environment.dependencies.metadata.size > 0;
  visitPredicates(filter.predicate, (node) => {
    if ('path' in node) paths.add(node.path);
    if (['where', 'text', 'jsonSchema', 'near', 'sampleRate'].includes(node.op)) anywhere = true;
  });
  return anywhere ? undefined : paths;
}

export const match: CompileStage = (argument, context, specification) => {
  if (!(argument instanceof Doc)) {
    throw new DocumentError(15959, 'the match filter must be an expression in an object');
  }
  const environment = context.environment.withDependencies(newDependencies());
  const filter = compileMatch(argument, environment);
  const reads = pathsOf(filter, environment);
  return stageOf(specification, {
    ...(reads === undefined ? {} : { reads }),
    passes: () => reads !== undefined,
    open: (input, run) =>
      mapBatches(input, (batch) =>
        batch.filter((document) => {
          enter(run, document);
          return filter.matches(document.source ?? encodeDocument(document));
        }),
      ),
  });
};
