/** Parts and properties of arrays: `$arrayElemAt $concatArrays $in $indexOfArray $isArray $range $reverseArray $size $slice`. */
import { DocumentError } from '../../errors.js';
import { formatValue, isArrayValue, isNumber, toDouble, typeName, type Value, valuesEqual } from '../../values.js';
import type { CompileOperator } from './expression.js';
import { int32Of } from './numbers.js';
import { type Argument, binary, isNullish, unary, variadic } from './operator.js';

function shown(value: Argument): string {
  return value === undefined ? 'missing' : formatValue(value);
}

function arrayElemAt(array: Argument, index: Argument): Argument {
  if (isNullish(array) || isNullish(index)) return null;
  if (!isArrayValue(array)) {
    throw new DocumentError(28689, `$arrayElemAt's first argument must be an array, but is ${typeName(array)}`);
  }
  if (!isNumber(index)) {
    throw new DocumentError(28690, `$arrayElemAt's second argument must be a numeric value, but is ${typeName(index)}`);
  }
  const position = int32Of(index);
  if (position === undefined) {
    throw new DocumentError(
      28691,
      `$arrayElemAt's second argument must be representable as a 32-bit integer: ${toDouble(index)}`,
    );
  }
  return array[position < 0 ? array.length + position : position];
}

function concatArrays(values: readonly Argument[]): Argument {
  const result: Value[] = [];
  for (const value of values) {
    if (isNullish(value)) return null;
    if (!isArrayValue(value)) {
      throw new DocumentError(28664, `$concatArrays only supports arrays, not ${typeName(value)}`);
    }
    for (const element of value) result.push(element);
  }
  return result;
}

const isIn: CompileOperator = binary((value, array, _, { collation }) => {
  if (!isArrayValue(array)) {
    throw new DocumentError(40081, `$in requires an array as a second argument, found: ${typeName(array)}`);
  }
  return array.some((element) => value !== undefined && valuesEqual(value, element, collation));
});

const indexOfArray: CompileOperator = variadic(
  (values, _, { collation }) => {
    const [array, wanted] = values;
    if (isNullish(array)) return null;
    if (!isArrayValue(array)) {
      throw new DocumentError(40090, `$indexOfArray requires an array as a first argument, found: ${typeName(array)}`);
    }
    const bound = (index: number): number | undefined => {
      if (values.length <= index) return undefined;
      const number = int32Of(values[index]);
      const which = index === 2 ? 'starting' : 'ending';
      if (number === undefined) {
        throw new DocumentError(
          40096,
          `$indexOfArray requires an integral ${which} index, found a value of type: ${typeName(values[index])}, with value: ${shown(values[index])}`,
        );
      }
      if (number < 0) {
        throw new DocumentError(40097, `$indexOfArray requires a nonnegative ${which} index, found: ${number}`);
      }
      return number;
    };
    const from = bound(2) ?? 0;
    const to = Math.min(bound(3) ?? array.length, array.length);
    for (let i = from; i < to; i++) {
      if (wanted !== undefined && valuesEqual(array[i], wanted, collation)) return i;
    }
    return -1;
  },
  2,
  4,
);

/** Elements that `$range` makes at most, by the memory they take. */
const RANGE_MAX = 6_500_000;

function range(values: readonly Argument[]): Argument {
  const [start, end, step] = [0, 1, 2].map((index) => rangeArgument(values, index));
  const [from, to, by] = [start ?? 0, end ?? 0, step ?? 1];
  if (by === 0) throw new DocumentError(34449, '$range requires a non-zero step value');
  if ((to - from) / by > RANGE_MAX) {
    throw new DocumentError(
      146,
      `$range would use too much memory and cannot spill to disk. Memory limit: 104857600 bytes`,
    );
  }
  const result: Value[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) result.push(i);
  return result;
}

function rangeArgument(values: readonly Argument[], index: number): number | undefined {
  if (index >= values.length) return undefined;
  const value = values[index];
  const [kind, notNumber, notInt] = (
    [
      ['starting', 34443, 34444],
      ['ending', 34445, 34446],
      ['step', 34447, 34448],
    ] as const
  )[index] ?? ['step', 34447, 34448];
  if (!isNumber(value)) {
    throw new DocumentError(
      notNumber,
      `$range requires a numeric ${kind} value, found value of type: ${typeName(value)}`,
    );
  }
  const number = int32Of(value);
  if (number === undefined) {
    throw new DocumentError(
      notInt,
      `$range requires a${kind === 'ending' ? 'n' : ''} ${kind} value that can be represented as a 32-bit integer, found value: ${formatValue(value)}`,
    );
  }
  return number;
}

function reverseArray(value: Argument): Argument {
  if (isNullish(value)) return null;
  if (!isArrayValue(value)) {
    throw new DocumentError(
      34435,
      `The argument to $reverseArray must be an array, but was of type: ${typeName(value)}`,
    );
  }
  return [...value].reverse();
}

function size(value: Argument): Argument {
  if (isArrayValue(value)) return value.length;
  throw new DocumentError(17124, `The argument to $size must be an array, but was of type: ${typeName(value)}`);
}

function slice([array, first, second]: readonly Argument[], hasCount: boolean): Argument {
  if (isNullish(array) || isNullish(first) || (hasCount && isNullish(second))) return null;
  if (!isArrayValue(array)) {
    throw new DocumentError(28724, `First argument to $slice must be an array, but is of type: ${typeName(array)}`);
  }
  const start = sliceArgument(first, 'Second', 28725, 28726);
  if (!hasCount) return start >= 0 ? array.slice(0, start) : array.slice(start);
  const count = sliceArgument(second, 'Third', 28727, 28728);
  if (count <= 0) throw new DocumentError(28729, `Third argument to $slice must be positive: ${count}`);
  const from = start < 0 ? Math.max(0, array.length + start) : start;
  return array.slice(from, from + count);
}

function sliceArgument(value: Argument, which: string, notNumber: number, notInt: number): number {
  if (!isNumber(value)) {
    throw new DocumentError(
      notNumber,
      `${which} argument to $slice must be numeric, but is of type: ${typeName(value)}`,
    );
  }
  const number = int32Of(value);
  if (number === undefined) {
    throw new DocumentError(
      notInt,
      `${which} argument to $slice can't be represented as a 32-bit integer: ${formatValue(value)}`,
    );
  }
  return number;
}

export const arrays: Readonly<Record<string, CompileOperator>> = {
  $arrayElemAt: binary(arrayElemAt),
  $concatArrays: variadic(concatArrays),
  $in: isIn,
  $indexOfArray: indexOfArray,
  $isArray: unary((value) => isArrayValue(value)),
  $range: variadic(range, 2, 3),
  $reverseArray: unary(reverseArray),
  $size: unary(size),
  $slice: variadic((values) => slice(values, values.length === 3), 2, 3),
};
