/** Ways to define an operator: by the number of its arguments, or by their names. */
import { DocumentError } from '../../errors.js';
import { BsonUndefined, Doc, isArrayValue, type Value } from '../../values.js';
import type { Environment } from '../scope.js';
import { type CompileOperator, compileExpression, constant, derived, type Expression } from './expression.js';

export type Argument = Value | undefined;

/** Null, undefined or missing: most operators then give null. */
export function isNullish(value: Argument): value is undefined | null | BsonUndefined {
  return value === undefined || value === null || value instanceof BsonUndefined;
}

/** A single argument may stand without brackets. */
export function operandsOf(argument: Value, environment: Environment): Expression[] {
  return isArrayValue(argument)
    ? argument.map((element) => compileExpression(element, environment))
    : [compileExpression(argument, environment)];
}

function checkCount(name: string, count: number, min: number, max: number): void {
  if (count >= min && count <= max) return;
  if (min === max) {
    throw new DocumentError(16020, `Expression ${name} takes exactly ${min} arguments. ${count} were passed in.`);
  }
  throw new DocumentError(
    28667,
    `Expression ${name} takes at least ${min} arguments, and at most ${max}, but ${count} were passed in.`,
  );
}

export function unary(apply: (value: Argument, name: string, environment: Environment) => Argument): CompileOperator {
  return (argument, environment, name) => {
    const [only = constant(undefined), ...others] = operandsOf(argument, environment);
    const count = isArrayValue(argument) ? argument.length : 1 + others.length;
    checkCount(name, count, 1, 1);
    return derived([only], (scope) => apply(only.evaluate(scope), name, environment), environment);
  };
}

export function binary(
  apply: (left: Argument, right: Argument, name: string, environment: Environment) => Argument,
): CompileOperator {
  return (argument, environment, name) => {
    const operands = operandsOf(argument, environment);
    checkCount(name, operands.length, 2, 2);
    const [left = constant(null), right = constant(null)] = operands;
    return derived(
      [left, right],
      (scope) => apply(left.evaluate(scope), right.evaluate(scope), name, environment),
      environment,
    );
  };
}

/** Any number of arguments between two bounds. */
export function variadic(
  apply: (values: readonly Argument[], name: string, environment: Environment) => Argument,
  min = 0,
  max = Number.POSITIVE_INFINITY,
): CompileOperator {
  return (argument, environment, name) => {
    const operands = operandsOf(argument, environment);
    checkCount(name, operands.length, min, max);
    return derived(
      operands,
      (scope) =>
        apply(
          operands.map((operand) => operand.evaluate(scope)),
          name,
          environment,
        ),
      environment,
    );
  };
}

export interface NamedArguments<N extends string> {
  /** Names that must be there. */
  readonly required: readonly N[];
  readonly optional?: readonly N[];
  /** Refusals: not an object, an unknown name, a missing one. */
  readonly notObject: (name: string, argument: Value) => DocumentError;
  readonly unknown: (name: string, field: string) => DocumentError;
  readonly missing: (name: string, field: string) => DocumentError;
}

/** The expressions of `{input: ..., as: ...}`; absent optional ones are absent. */
export function namedExpressions<N extends string>(
  argument: Value,
  environment: Environment,
  name: string,
  spec: NamedArguments<N>,
): Partial<Record<N, Expression>> {
  const fields = namedValues(argument, name, spec);
  const expressions: Partial<Record<N, Expression>> = {};
  for (const field of [...spec.required, ...(spec.optional ?? [])]) {
    const value = fields[field];
    if (value !== undefined) expressions[field] = compileExpression(value, environment);
  }
  return expressions;
}

/** The same before compiling. */
export function namedValues<N extends string>(
  argument: Value,
  name: string,
  spec: NamedArguments<N>,
): Partial<Record<N, Value>> {
  if (!(argument instanceof Doc)) throw spec.notObject(name, argument);
  const known = [...spec.required, ...(spec.optional ?? [])];
  const values: Partial<Record<N, Value>> = {};
  for (const [field, value] of argument) {
    const found = known.find((candidate) => candidate === field);
    if (found === undefined) throw spec.unknown(name, field);
    values[found] = value;
  }
  for (const field of spec.required) if (values[field] === undefined) throw spec.missing(name, field);
  return values;
}

/** An operator whose arguments have names; each is evaluated before it runs. */
export function named<N extends string>(
  spec: NamedArguments<N>,
  apply: (
    values: { readonly [name in N]: Argument },
    present: (name: N) => boolean,
    name: string,
    environment: Environment,
  ) => Argument,
): CompileOperator {
  return (argument, environment, name) => {
    const expressions = namedExpressions(argument, environment, name, spec);
    const names = [...spec.required, ...(spec.optional ?? [])];
    const parts = names.flatMap((field) => expressions[field] ?? []);
    const present = (field: N): boolean => expressions[field] !== undefined;
    return derived(
      parts,
      (scope) => {
        const values = {} as { [name in N]: Argument };
        for (const field of names) values[field] = expressions[field]?.evaluate(scope);
        return apply(values, present, name, environment);
      },
      environment,
    );
  };
}

/** The usual refusals with three codes. */
export function refusals(
  notObject: number,
  unknown: number,
  missing: number,
): Pick<NamedArguments<string>, 'notObject' | 'unknown' | 'missing'> {
  return {
    notObject: (name) => new DocumentError(notObject, `${name} only supports an object as its argument`),
    unknown: (name, field) => new DocumentError(unknown, `${name} found an unknown argument: ${field}`),
    missing: (name, field) => new DocumentError(missing, `Missing '${field}' parameter to ${name}`),
  };
}
