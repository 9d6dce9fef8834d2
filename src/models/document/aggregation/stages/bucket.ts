/** `$bucket`: groups by ranges of a value. */

import { DocumentError } from '../../errors.js';
import { Sort } from '../../query/sort.js';
import {
  bsonTypeOf,
  compareValues,
  Doc,
  formatValue,
  isArrayValue,
  typeName,
  typeOrder,
  type Value,
} from '../../values.js';
import { compileAccumulator } from '../accumulators/registry.js';
import { Sum } from '../accumulators/statistics.js';
import { compileExpression } from '../expressions/expression.js';
import type { Environment } from '../scope.js';
import { type GroupField, grouping } from './group.js';
import { sorted } from './sort.js';
import { type CompileStage, stageOf } from './stage.js';

export const bucket: CompileStage = (argument, { environment }, specification) => {
  if (!(argument instanceof Doc)) {
    throw new DocumentError(
      40201,
      `Argument to $bucket stage must be an object, but found type: ${typeName(argument)}.`,
    );
  }
  for (const name of argument.keys()) {
    if (!['groupBy', 'boundaries', 'default', 'output'].includes(name)) {
      throw new DocumentError(40197, `Unrecognized option to $bucket: ${name}.`);
    }
  }
  const groupBy = argument.get('groupBy');
  const list = argument.get('boundaries');
  if (groupBy === undefined || list === undefined) {
    throw new DocumentError(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.");
  }
  checkGroupBy('$bucket', groupBy, 40202);
  const boundaries = boundariesOf(list, environment);
  const otherwise = argument.get('default');
  const fallback = otherwise === undefined ? undefined : defaultOf(otherwise, boundaries, environment);
  const by = compileExpression(groupBy, environment);
  const fields = outputFields(argument.get('output'), environment, 40196);
  const grouped = grouping(
    specification,
    (scope) => {
      const value = by.evaluate(scope);
      const index = value === undefined ? -1 : lastNotAbove(boundaries, value);
      const lower = boundaries[index];
      if (lower !== undefined && index < boundaries.length - 1) return lower;
      if (fallback !== undefined) return fallback;
      throw new DocumentError(
        40066,
        '$switch could not find a matching branch for an input, and no default was specified.',
      );
    },
    fields,
    environment,
  );
  const order = Sort.parse(Doc.of({ _id: 1 }));
  return stageOf(specification, { open: (input, run) => sorted(grouped.open(input, run), run, order, undefined) });
};

export function checkGroupBy(stage: string, value: Value, code: number): void {
  const isPath = typeof value === 'string' && value.startsWith('$');
  const isExpression = value instanceof Doc && (value.nameAt(0) ?? '').startsWith('$');
  if (isPath || isExpression) return;
  throw new DocumentError(
    code,
    `The ${stage} 'groupBy' field must be defined as a $-prefixed path or an expression object, but found: ${formatValue(value)}.`,
  );
}

/** `{count: {$sum: 1}}` by default. */
export function outputFields(value: Value | undefined, environment: Environment, code: number): readonly GroupField[] {
  if (value === undefined) return [{ name: 'count', plan: { evaluate: () => 1, create: () => new Sum() } }];
  if (!(value instanceof Doc)) {
    throw new DocumentError(code, `The 'output' field must be an object, but found type: ${typeName(value)}.`);
  }
  return [...value].map(([name, accumulator]) => ({ name, plan: compileAccumulator(name, accumulator, environment) }));
}

function boundariesOf(list: Value, environment: Environment): readonly Value[] {
  if (!isArrayValue(list)) {
    throw new DocumentError(
      40200,
      `The $bucket 'boundaries' field must be an array, but found type: ${typeName(list)}.`,
    );
  }
  if (list.length < 2) {
    throw new DocumentError(
      40192,
      `The $bucket 'boundaries' field must have at least 2 values, but found ${list.length} value(s).`,
    );
  }
  const boundaries = list.map((value) =>
    constantOf(value, environment, 40191, "The $bucket 'boundaries' field must be an array of constant values"),
  );
  for (let i = 1; i < boundaries.length; i++) {
    const [low, high] = [boundaries[i - 1] ?? null, boundaries[i] ?? null];
    if (typeOrder(bsonTypeOf(low)) !== typeOrder(bsonTypeOf(high))) {
      throw new DocumentError(
        40193,
        `All values in the the 'boundaries' option to $bucket must have the same type. Found conflicting types ${typeName(low)} and ${typeName(high)}.`,
      );
    }
    if (compareValues(low, high, environment.collation) >= 0) {
      throw new DocumentError(
        40194,
        `The 'boundaries' option to $bucket must be sorted, but elements ${i - 1} and ${i} are not in ascending order (${formatValue(low)} is not less than ${formatValue(high)}).`,
      );
    }
  }
  return boundaries;
}

function constantOf(value: Value, environment: Environment, code: number, message: string): Value {
  const found = compileExpression(value, environment).constant;
  if (found?.value === undefined) throw new DocumentError(code, `${message}, but found value: ${formatValue(value)}.`);
  return found.value;
}

function defaultOf(value: Value, boundaries: readonly Value[], environment: Environment): Value {
  const fallback = constantOf(value, environment, 40195, "The $bucket 'default' field must be a constant value");
  const [low = null, high = null] = [boundaries[0], boundaries[boundaries.length - 1]];
  if (compareValues(fallback, low) >= 0 && compareValues(fallback, high) < 0) {
    throw new DocumentError(
      40199,
      "The $bucket 'default' field must be less than the lowest boundary or greater than or equal to the highest boundary.",
    );
  }
  return fallback;
}

/** Position of the greatest boundary that is not above the value; -1 if all are. */
function lastNotAbove(boundaries: readonly Value[], value: Value): number {
  let [low, high] = [0, boundaries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareValues(boundaries[middle], value) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
