/** `$let $literal $const $meta $rand`. */
import { DocumentError } from '../../errors.js';
import { Doc, double, type Value } from '../../values.js';
import { checkVariableName } from '../scope.js';
import { type CompileOperator, compileExpression, constant, type Expression } from './expression.js';

const letOperator: CompileOperator = (argument, environment) => {
  if (!(argument instanceof Doc)) throw new DocumentError(16874, '$let only supports an object as its argument');
  let vars: Value | undefined;
  let body: Value | undefined;
  for (const [name, value] of argument) {
    if (name === 'vars') vars = value;
    else if (name === 'in') body = value;
    else throw new DocumentError(16875, `Unrecognized parameter to $let: ${name}`);
  }
  if (vars === undefined) throw new DocumentError(16876, "Missing 'vars' parameter to $let");
  if (body === undefined) throw new DocumentError(16877, "Missing 'in' parameter to $let");
  if (!(vars instanceof Doc)) {
    throw new DocumentError(10065, `invalid parameter: expected an object (vars)`);
  }
  const bound: { slot: number; expression: Expression }[] = [];
  let current: Expression | undefined;
  let inner = environment;
  for (const [name, value] of vars) {
    checkVariableName(name);
    const expression = compileExpression(value, environment);
    if (name === 'CURRENT') current = expression;
    else {
      const { environment: next, slot } = inner.withVariable(name);
      inner = next;
      bound.push({ slot, expression });
    }
  }
  const { evaluate } = compileExpression(body, inner);
  return {
    evaluate: (scope) => {
      for (const { slot, expression } of bound) scope.variables[slot] = expression.evaluate(scope);
      if (current === undefined) return evaluate(scope);
      const before = scope.current;
      scope.current = current.evaluate(scope);
      try {
        return evaluate(scope);
      } finally {
        scope.current = before;
      }
    },
  };
};

const META = new Set([
  'textScore',
  'randVal',
  'searchScore',
  'searchHighlights',
  'geoNearDistance',
  'geoNearPoint',
  'recordId',
  'indexKey',
  'sortKey',
  'searchScoreDetails',
  'vectorSearchScore',
]);

const meta: CompileOperator = (argument, environment) => {
  if (typeof argument !== 'string') throw new DocumentError(17307, '$meta only supports string arguments');
  if (!META.has(argument)) throw new DocumentError(17308, `Unsupported argument to $meta: ${argument}`);
  environment.dependencies.metadata.add(argument);
  return { evaluate: ({ metadata }) => metadata?.get(argument) };
};

const rand: CompileOperator = (argument, environment) => {
  if (!(argument instanceof Doc) && !Array.isArray(argument)) {
    throw new DocumentError(10065, `invalid parameter: expected an object ($rand)`);
  }
  if (argument instanceof Doc ? !argument.isEmpty : argument.length > 0) {
    throw new DocumentError(3040501, `$rand does not currently accept arguments`);
  }
  return { evaluate: () => double(environment.random()) };
};

export const variables: Readonly<Record<string, CompileOperator>> = {
  $let: letOperator,
  $literal: (argument) => constant(argument),
  $const: (argument) => constant(argument),
  $meta: meta,
  $rand: rand,
};
