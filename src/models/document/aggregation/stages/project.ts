/** `$project` and `$unset`. */
import { DocumentError } from '../../errors.js';
import { compileProjection, type Projection } from '../../query/projection.js';
import { Doc, isArrayValue, type Value } from '../../values.js';
import { compileExpression, isOperator } from '../expressions/expression.js';
import type { Environment } from '../scope.js';
import { type CompileStage, pathsOverlap, type Stage, transforming, withPrefix } from './stage.js';

/** A projection whose expressions see the environment's variables. */
export function compileStageProjection(specification: Doc, environment: Environment): Projection {
  const { scope } = environment;
  const projection = compileProjection(specification, {
    aggregation: true,
    collation: environment.collation,
    isExpression: isOperator,
    expression: (expression) => {
      const { evaluate } = compileExpression(expression, environment);
      return (document) => evaluate(scope.enter(document));
    },
  });
  for (const kind of projection.metadata) environment.dependencies.metadata.add(kind);
  return projection;
}

export const project: CompileStage = (argument, { environment }, specification) => {
  if (!(argument instanceof Doc)) throw new DocumentError(15969, '$project specification must be an object');
  return withPrefix('Invalid $project', () => {
    if (argument.isEmpty) throw new DocumentError(51272, 'projection specification must have at least one field');
    return projecting(compileStageProjection(argument, environment), specification, argument);
  });
};

export const unset: CompileStage = (argument, { environment }, specification) => {
  const fields = isArrayValue(argument) ? argument : [argument];
  if (typeof argument !== 'string' && !isArrayValue(argument)) {
    throw new DocumentError(31002, '$unset specification must be a string or an array');
  }
  if (fields.length === 0) {
    throw new DocumentError(31119, '$unset specification must be a string or an array with at least one field');
  }
  const excluded = new Doc();
  for (const field of fields) {
    if (typeof field !== 'string') {
      throw new DocumentError(31120, '$unset specification must be a string or an array containing only string values');
    }
    excluded.append(field, 0);
  }
  return withPrefix('Invalid $unset', () =>
    projecting(compileStageProjection(excluded, environment), specification, excluded),
  );
};

function projecting(projection: Projection, specification: Doc, argument: Doc): Stage {
  const kept = projection.kind === 'inclusion' ? includedPaths(argument) : undefined;
  const dropped = projection.kind === 'exclusion' ? pathsIn(argument) : [];
  return transforming(
    specification,
    (document, scope) => projection.apply(document, scope.metadata),
    (paths) =>
      [...paths].every((path) =>
        kept === undefined
          ? !dropped.some((other) => pathsOverlap(path, other))
          : kept.some((included) => path === included || path.startsWith(`${included}.`)),
      ),
  );
}

/** Top-level paths that an inclusion leaves as they are. */
function includedPaths(specification: Doc): string[] {
  const paths = isWanted(specification.get('_id')) ? ['_id'] : [];
  for (const [path, value] of specification) {
    if (path !== '_id' && (typeof value === 'boolean' || typeof value === 'number')) paths.push(path);
  }
  return paths;
}

function isWanted(value: Value | undefined): boolean {
  return value === undefined || value === true || value === 1;
}

function pathsIn(specification: Doc): string[] {
  return [...specification.keys()];
}
