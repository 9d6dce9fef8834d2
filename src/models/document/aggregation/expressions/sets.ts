/** Arrays as sets. Results are in the order of values, as MongoDB gives them. */
import { DocumentError } from '../../errors.js';
import { compareValues, equalityKey, isArrayValue, isTrue, typeName, type Value } from '../../values.js';
import type { Environment } from '../scope.js';
import type { CompileOperator } from './expression.js';
import { type Argument, binary, isNullish, unary, variadic } from './operator.js';

type ValueSet = Map<string | number, Value>;

function setOf(values: readonly Value[], { collation }: Environment): ValueSet {
  const set: ValueSet = new Map();
  for (const value of values) {
    const key = equalityKey(value, collation);
    if (!set.has(key)) set.set(key, value);
  }
  return set;
}

function sorted(set: ValueSet, { collation }: Environment): Value[] {
  return [...set.values()].sort((a, b) => compareValues(a, b, collation));
}

function arrayOf(value: Argument, code: number, message: string): readonly Value[] {
  if (isArrayValue(value)) return value;
  throw new DocumentError(code, message);
}

const setEquals: CompileOperator = variadic((values, _, environment) => {
  let first: ValueSet | undefined;
  for (const value of values) {
    const set = setOf(
      arrayOf(value, 17044, `All operands of $setEquals must be arrays. One argument is of type: ${typeName(value)}`),
      environment,
    );
    if (first === undefined) first = set;
    else if (set.size !== first.size || [...set.keys()].some((key) => first?.has(key) !== true)) return false;
  }
  return true;
}, 2);

const setIntersection: CompileOperator = variadic((values, _, environment) => {
  let result: ValueSet | undefined;
  for (const value of values) {
    if (isNullish(value)) return null;
    const elements = arrayOf(
      value,
      17047,
      `All operands of $setIntersection must be arrays. One argument is of type: ${typeName(value)}`,
    );
    const set = setOf(elements, environment);
    if (result === undefined) result = set;
    else for (const key of result.keys()) if (!set.has(key)) result.delete(key);
  }
  return result === undefined ? [] : sorted(result, environment);
});

const setUnion: CompileOperator = variadic((values, _, environment) => {
  const all: Value[] = [];
  for (const value of values) {
    if (isNullish(value)) return null;
    all.push(
      ...arrayOf(value, 17043, `All operands of $setUnion must be arrays. One argument is of type: ${typeName(value)}`),
    );
  }
  return sorted(setOf(all, environment), environment);
});

/** In the order of the first array. */
const setDifference: CompileOperator = binary((left, right, _, environment) => {
  if (isNullish(left) || isNullish(right)) return null;
  const wanted = arrayOf(
    left,
    17048,
    `both operands of $setDifference must be arrays. First argument is of type: ${typeName(left)}`,
  );
  const unwanted = setOf(
    arrayOf(
      right,
      17049,
      `both operands of $setDifference must be arrays. Second argument is of type: ${typeName(right)}`,
    ),
    environment,
  );
  const result = setOf(wanted, environment);
  for (const key of unwanted.keys()) result.delete(key);
  return [...result.values()];
});

const setIsSubset: CompileOperator = binary((left, right, _, environment) => {
  const part = arrayOf(
    left,
    17046,
    `both operands of $setIsSubset must be arrays. First argument is of type: ${typeName(left)}`,
  );
  const whole = setOf(
    arrayOf(
      right,
      17042,
      `both operands of $setIsSubset must be arrays. Second argument is of type: ${typeName(right)}`,
    ),
    environment,
  );
  return part.every((value) => whole.has(equalityKey(value, environment.collation)));
});

export const sets: Readonly<Record<string, CompileOperator>> = {
  $setEquals: setEquals,
  $setIntersection: setIntersection,
  $setUnion: setUnion,
  $setDifference: setDifference,
  $setIsSubset: setIsSubset,
  $allElementsTrue: unary((value) =>
    arrayOf(value, 17040, `$allElementsTrue's argument must be an array, but is ${typeName(value)}`).every((element) =>
      isTrue(element),
    ),
  ),
  $anyElementTrue: unary((value) =>
    arrayOf(value, 17041, `$anyElementTrue's argument must be an array, but is ${typeName(value)}`).some((element) =>
      isTrue(element),
    ),
  ),
};
