/** `$and $or $not $cond $ifNull $switch`: later operands are evaluated only when they count. */
import { DocumentError } from '../../errors.js';
import { Doc, isArrayValue, isTrue, typeName, type Value } from '../../values.js';
import type { Environment } from '../scope.js';
import { type CompileOperator, compileExpression, derived, type Expression } from './expression.js';
import { isNullish, operandsOf, unary } from './operator.js';

const and: CompileOperator = (argument, environment) => {
  const operands = operandsOf(argument, environment);
  return derived(operands, (scope) => operands.every((operand) => isTrue(operand.evaluate(scope))), environment);
};

const or: CompileOperator = (argument, environment) => {
  const operands = operandsOf(argument, environment);
  return derived(operands, (scope) => operands.some((operand) => isTrue(operand.evaluate(scope))), environment);
};

const cond: CompileOperator = (argument, environment) => {
  const [condition, then, otherwise] = branches(argument, environment);
  return derived(
    [condition, then, otherwise],
    (scope) => (isTrue(condition.evaluate(scope)) ? then : otherwise).evaluate(scope),
    environment,
  );
};

function branches(argument: Value, environment: Environment): readonly [Expression, Expression, Expression] {
  const compile = (value: Value): Expression => compileExpression(value, environment);
  if (argument instanceof Doc) {
    for (const name of argument.keys()) {
      if (name !== 'if' && name !== 'then' && name !== 'else') {
        throw new DocumentError(17083, `Unrecognized parameter to $cond: ${name}`);
      }
    }
    const [condition, then, otherwise] = [argument.get('if'), argument.get('then'), argument.get('else')];
    if (condition === undefined) throw new DocumentError(17080, "Missing 'if' parameter to $cond");
    if (then === undefined) throw new DocumentError(17081, "Missing 'then' parameter to $cond");
    if (otherwise === undefined) throw new DocumentError(17082, "Missing 'else' parameter to $cond");
    return [compile(condition), compile(then), compile(otherwise)];
  }
  const values = isArrayValue(argument) ? argument : [argument];
  const [condition, then, otherwise] = values;
  if (values.length !== 3 || condition === undefined || then === undefined || otherwise === undefined) {
    throw new DocumentError(16020, `Expression $cond takes exactly 3 arguments. ${values.length} were passed in.`);
  }
  return [compile(condition), compile(then), compile(otherwise)];
}

const ifNull: CompileOperator = (argument, environment) => {
  const operands = operandsOf(argument, environment);
  if (operands.length < 2) {
    throw new DocumentError(1257300, `$ifNull needs at least two arguments, had: ${operands.length}`);
  }
  const last = operands[operands.length - 1];
  return derived(
    operands,
    (scope) => {
      for (const operand of operands) {
        const value = operand.evaluate(scope);
        if (operand === last || !isNullish(value)) return value;
      }
      return undefined;
    },
    environment,
  );
};

const switchOperator: CompileOperator = (argument, environment) => {
  if (!(argument instanceof Doc)) {
    throw new DocumentError(40060, `$switch requires an object as an argument, found: ${typeName(argument)}`);
  }
  for (const name of argument.keys()) {
    if (name !== 'branches' && name !== 'default')
      throw new DocumentError(40067, `$switch found an unknown argument: ${name}`);
  }
  const list = argument.get('branches');
  if (list !== undefined && !isArrayValue(list)) {
    throw new DocumentError(40061, `$switch expected an array for 'branches', found: ${typeName(list)}`);
  }
  const cases = (list ?? []).map((branch) => caseOf(branch, environment));
  if (cases.length === 0) throw new DocumentError(40068, '$switch requires at least one branch.');
  const fallback = argument.get('default');
  const otherwise = fallback === undefined ? undefined : compileExpression(fallback, environment);
  const parts = [
    ...cases.flatMap(({ when, result }) => [when, result]),
    ...(otherwise === undefined ? [] : [otherwise]),
  ];
  return derived(
    parts,
    (scope) => {
      for (const { when, result } of cases) if (isTrue(when.evaluate(scope))) return result.evaluate(scope);
      if (otherwise !== undefined) return otherwise.evaluate(scope);
      throw new DocumentError(
        40066,
        '$switch could not find a matching branch for an input, and no default was specified.',
      );
    },
    environment,
  );
};

function caseOf(branch: Value, environment: Environment): { when: Expression; result: Expression } {
  if (!(branch instanceof Doc)) {
    throw new DocumentError(40062, `$switch expected each branch to be an object, found: ${typeName(branch)}`);
  }
  for (const name of branch.keys()) {
    if (name !== 'case' && name !== 'then') {
      throw new DocumentError(40063, `$switch found an unknown argument to a branch: ${name}`);
    }
  }
  const [when, then] = [branch.get('case'), branch.get('then')];
  if (when === undefined) throw new DocumentError(40064, "$switch requires each branch have a 'case' expression");
  if (then === undefined) throw new DocumentError(40065, "$switch requires each branch have a 'then' expression.");
  return { when: compileExpression(when, environment), result: compileExpression(then, environment) };
}

export const conditional: Readonly<Record<string, CompileOperator>> = {
  $and: and,
  $or: or,
  $not: unary((value) => !isTrue(value)),
  $cond: cond,
  $ifNull: ifNull,
  $switch: switchOperator,
};
