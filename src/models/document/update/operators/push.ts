/** `$push`: adds to an array; with `$each` several, at a `$position`, then `$sort`ed, then cut to `$slice`. */
import { badValue } from '../../errors.js';
import { parseInteger } from '../../query/integers.js';
import {
  type ArrayValue,
  type Collation,
  compareValues,
  Doc,
  isArrayValue,
  isNumber,
  toDouble,
  typeName,
  type Value,
} from '../../values.js';
import { type Change, type OperatorParser, SAME } from '../operator.js';
import { idOf } from './arithmetic.js';

interface Push {
  readonly values: ArrayValue;
  readonly position: number;
  readonly slice: number | undefined;
  readonly sort: ((a: Value, b: Value) => number) | undefined;
}

export const push: OperatorParser = (argument, _path, collation) => {
  const parsed = parsePush(argument, collation);
  return {
    name: '$push',
    unreachable: 'create',
    create: () => {
      const change = pushTo([], parsed);
      return change.kind === 'set' ? change.value : [];
    },
    update: (value, place, context) => {
      if (!isArrayValue(value)) {
        throw badValue(
          `The field '${place.path}' must be an array but is of type ${typeName(value)} in document {${idOf(context)}}`,
        );
      }
      return pushTo(value, parsed);
    },
  };
};

function pushTo(array: ArrayValue, { values, position, slice, sort }: Push): Change {
  const start = position < 0 ? Math.max(0, array.length + position) : Math.min(position, array.length);
  const appended = start === array.length;
  let result: ArrayValue = [...array.slice(0, start), ...values, ...array.slice(start)];
  if (sort !== undefined) result = [...result].sort(sort);
  const sliced = slice !== undefined && result.length > Math.abs(slice);
  if (sliced) result = slice >= 0 ? result.slice(0, slice) : result.slice(slice);
  if (values.length === 0 && !sliced && sort === undefined) return SAME;
  const plain = appended && sort === undefined && !sliced && array.length > 0;
  return plain ? { kind: 'set', value: result, appended: values.length } : { kind: 'set', value: result };
}

const CLAUSES = new Set(['$each', '$slice', '$sort', '$position']);

function parsePush(argument: Value, collation: Collation | undefined): Push {
  if (!(argument instanceof Doc) || !argument.has('$each')) {
    return { values: [argument], position: Number.POSITIVE_INFINITY, slice: undefined, sort: undefined };
  }
  const seen = new Set<string>();
  for (const name of argument.keys()) {
    if (!CLAUSES.has(name)) throw badValue(`Unrecognized clause in $push: ${name}`);
    if (seen.has(name)) throw badValue(`Only one ${name} is supported.`);
    seen.add(name);
  }
  const values = argument.get('$each') ?? null;
  if (!isArrayValue(values)) {
    throw badValue(`The argument to $each in $push must be an array but it was of type: ${typeName(values)}`);
  }
  const slice = argument.get('$slice');
  const sort = argument.get('$sort');
  const position = argument.get('$position');
  return {
    values,
    slice:
      slice === undefined
        ? undefined
        : integer(slice, `The value for $slice must be an integer value but was given type: ${typeName(slice)}`),
    sort: sort === undefined ? undefined : parseSort(sort, collation),
    position:
      position === undefined
        ? Number.POSITIVE_INFINITY
        : integer(position, `The value for $position must be an integer value, not of type: ${typeName(position)}`),
  };
}

function integer(value: Value, message: string): number {
  try {
    return Number(parseInteger('', value));
  } catch {
    throw badValue(message);
  }
}

function parseSort(sort: Value, collation: Collation | undefined): (a: Value, b: Value) => number {
  if (sort instanceof Doc) {
    if (sort.isEmpty) throw badValue('The $sort pattern is empty when it should be a set of fields.');
    const fields = [...sort].map(([path, order]) => ({ parts: sortPath(path), sign: direction(order) }));
    return (a, b) => {
      for (const { parts, sign } of fields) {
        const result = compareValues(at(a, parts), at(b, parts), collation) * sign;
        if (result !== 0) return result;
      }
      return 0;
    };
  }
  if (!isNumber(sort)) {
    throw badValue('The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields');
  }
  const sign = direction(sort);
  return (a, b) => compareValues(a, b, collation) * sign;
}

function direction(value: Value): number {
  const order = toDouble(value);
  if (order !== 1 && order !== -1) throw badValue('The $sort element value must be either 1 or -1');
  return order;
}

function sortPath(path: string): readonly string[] {
  if (path === '') throw badValue('The $sort field cannot be empty');
  const parts = path.split('.');
  if (parts.includes('')) throw badValue(`The $sort field is a dotted field but has an empty part: ${path}`);
  return parts;
}

/** The value at a path through documents and positions of arrays; null when missing. */
function at(value: Value, parts: readonly string[]): Value {
  let current: Value | undefined = value;
  for (const part of parts) {
    if (current instanceof Doc) current = current.get(part);
    else if (current !== undefined && isArrayValue(current)) current = current[Number(part)];
    else return null;
  }
  return current ?? null;
}
