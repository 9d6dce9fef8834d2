/** Accumulators by name, for `$group`, `$bucket` and windows. */
import { DocumentError } from '../../errors.js';
import { Sort } from '../../query/sort.js';
import {
  Doc,
  encodeDocument,
  formatDocument,
  formatValue,
  INT64_MAX,
  isArrayValue,
  isNumber,
  toDouble,
  toInteger,
  typeName,
  type Value,
} from '../../values.js';
import { compileExpression, constant, type Expression } from '../expressions/expression.js';
import type { Environment, Scope } from '../scope.js';
import type { Accumulator, AccumulatorPlan, CompileAccumulator } from './accumulator.js';
import { AddToSet, End, Ends, Extreme, Extremes, MergeObjects, Push, Top } from './collections.js';
import { scriptedAccumulator } from './scripted.js';
import { Average, Percentiles, StandardDeviation, Sum } from './statistics.js';

/** One argument, the same start for all groups. */
function plain(create: (environment: Environment) => Accumulator): CompileAccumulator {
  return (argument, environment, name) => {
    if (isArrayValue(argument)) throw new DocumentError(40237, `The ${name} accumulator is a unary operator`);
    const { evaluate } = compileExpression(argument, environment);
    return { evaluate, create: () => create(environment) };
  };
}

const count: CompileAccumulator = (argument) => {
  if (!(argument instanceof Doc) || !argument.isEmpty) {
    throw new DocumentError(9, '$count takes no arguments, i.e. $count:{}');
  }
  return { evaluate: () => 1, create: () => new Sum() };
};

/** `{input, n}`. */
function several(create: (n: number, environment: Environment) => Accumulator): CompileAccumulator {
  return (argument, environment, name) => {
    const { input, n } = parseInputAndCount(argument, environment, name);
    return { evaluate: input.evaluate, create: (scope) => create(countOf(n.evaluate(scope)), environment) };
  };
}

export function parseInputAndCount(
  argument: Value,
  environment: Environment,
  name: string,
): { readonly input: Expression; readonly n: Expression } {
  if (!(argument instanceof Doc)) {
    throw new DocumentError(5787900, `specification must be an object; found ${name}: ${formatValue(argument)}`);
  }
  let input: Expression | undefined;
  let n: Expression | undefined;
  for (const [field, value] of argument) {
    if (field === 'input') input = compileExpression(value, environment);
    else if (field === 'n') n = compileExpression(value, environment);
    else throw new DocumentError(5787901, `Unknown argument for 'n' operator: ${field}`);
  }
  if (n === undefined) throw new DocumentError(5787906, "Missing value for 'n'");
  if (input === undefined) throw new DocumentError(5787907, "Missing value for 'input'");
  return { input, n };
}

/** Throws 5787902, 5787903, 5787908. */
export function countOf(value: Value | undefined): number {
  if (!isNumber(value)) {
    throw new DocumentError(
      5787902,
      `Value for 'n' must be of integral type, but found ${value === undefined ? 'missing' : formatValue(value)}`,
    );
  }
  const whole = toInteger(value);
  if (whole === undefined || whole > INT64_MAX) {
    throw new DocumentError(5787903, `Value for 'n' must be of integral type, but found ${formatValue(value)}`);
  }
  if (whole <= 0n) throw new DocumentError(5787908, `'n' must be greater than 0, found ${whole}`);
  return Number(whole);
}

function top(single: boolean, bottom: boolean): CompileAccumulator {
  return (argument, environment, name) => {
    if (!(argument instanceof Doc)) {
      throw new DocumentError(5788001, `specification must be an object; found ${name}: ${formatValue(argument)}`);
    }
    let n: Expression | undefined = single ? constant(1) : undefined;
    let output: Expression | undefined;
    let order: Sort | undefined;
    for (const [field, value] of argument) {
      if (field === 'n' && !single) n = compileExpression(value, environment);
      else if (field === 'output') output = compileExpression(value, environment);
      else if (field === 'sortBy') {
        if (!(value instanceof Doc)) {
          throw new DocumentError(5788604, `expected 'sortBy' to already be an object in the arguments to ${name}`);
        }
        order = Sort.parse(value, environment.collation);
      } else throw new DocumentError(5788002, `Unknown argument to ${name} '${field}'`);
    }
    if (n === undefined) throw new DocumentError(5788003, `Missing value for 'n'`);
    if (output === undefined)
      throw new DocumentError(5788004, `Missing value for 'output' in ${formatDocument(argument)}`);
    if (order === undefined)
      throw new DocumentError(5788005, `Missing value for 'sortBy' in ${formatDocument(argument)}`);
    for (const { path } of order.fields) environment.dependencies.paths.add(path);
    const [sort, shown, count] = [order, output, n];
    return {
      evaluate: (scope) => [[...keyOf(sort, scope)], shown.evaluate(scope) ?? null],
      create: (scope) => new Top(countOf(count.evaluate(scope)), single, bottom, (a, b) => sort.compare(a, b)),
    };
  };
}

function keyOf(sort: Sort, { root, metadata }: Scope): readonly Value[] {
  return sort.key(root.source ?? encodeDocument(root), 0, metadata);
}

/** `{input, p, method: "approximate"}`, or without `p` for the median. */
export function parsePercentile(
  argument: Value,
  environment: Environment,
  name: string,
): { readonly input: Expression; readonly probabilities: readonly number[]; readonly single: boolean } {
  if (!(argument instanceof Doc)) {
    throw new DocumentError(7436100, `specification must be an object; found ${name} :${formatValue(argument)}`);
  }
  const median = name === '$median';
  const known = median ? ['input', 'method'] : ['input', 'p', 'method'];
  for (const field of argument.keys()) {
    if (!known.includes(field)) throw new DocumentError(40415, `BSON field '${name}.${field}' is an unknown field.`);
  }
  for (const field of known) {
    if (!argument.has(field)) {
      throw new DocumentError(40414, `BSON field '${name}.${field}' is missing but a required field`);
    }
  }
  const method = argument.get('method');
  if (method !== 'approximate') {
    throw new DocumentError(2, "Currently only 'approximate' can be used as percentile 'method'.");
  }
  const input = compileExpression(argument.get('input') ?? null, environment);
  if (median) return { input, probabilities: [0.5], single: true };
  const list = compileExpression(argument.get('p') ?? null, environment).constant?.value;
  if (list === undefined || !isArrayValue(list) || list.length === 0) {
    throw new DocumentError(
      7750300,
      `The $percentile 'p' field must be an array of constant values, but found value: ${formatValue(argument.get('p') ?? null)}.`,
    );
  }
  const probabilities = list.map((value) => {
    const number = isNumber(value) ? (toDouble(value) ?? Number.NaN) : Number.NaN;
    if (!isNumber(value)) {
      throw new DocumentError(
        7750302,
        `The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: ${formatValue(value)} of type ${typeName(value)}`,
      );
    }
    if (!(number >= 0 && number <= 1)) {
      throw new DocumentError(
        7750303,
        `The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: ${formatValue(value)}`,
      );
    }
    return number;
  });
  return { input, probabilities, single: false };
}

const percentile: CompileAccumulator = (argument, environment, name) => {
  const { input, probabilities, single } = parsePercentile(argument, environment, name);
  return { evaluate: input.evaluate, create: () => new Percentiles(probabilities, single) };
};

export const ACCUMULATORS: ReadonlyMap<string, CompileAccumulator> = new Map([
  ['$sum', plain(() => new Sum())],
  ['$avg', plain(() => new Average())],
  ['$min', plain(({ collation }) => new Extreme(1, collation))],
  ['$max', plain(({ collation }) => new Extreme(-1, collation))],
  ['$push', plain(() => new Push())],
  ['$addToSet', plain(({ collation }) => new AddToSet(collation))],
  ['$first', plain(() => new End('first'))],
  ['$last', plain(() => new End('last'))],
  ['$stdDevPop', plain(() => new StandardDeviation(false))],
  ['$stdDevSamp', plain(() => new StandardDeviation(true))],
  ['$mergeObjects', plain(() => new MergeObjects())],
  ['$count', count],
  ['$firstN', several((n) => new Ends('first', n))],
  ['$lastN', several((n) => new Ends('last', n))],
  ['$minN', several((n, { collation }) => new Extremes(1, n, collation))],
  ['$maxN', several((n, { collation }) => new Extremes(-1, n, collation))],
  ['$top', top(true, false)],
  ['$bottom', top(true, true)],
  ['$topN', top(false, false)],
  ['$bottomN', top(false, true)],
  ['$percentile', percentile],
  ['$median', percentile],
  ['$accumulator', scriptedAccumulator],
]);

/** Reads `{<name>: {<accumulator>: <argument>}}` as `$group` takes it. Throws 40234, 40238, 15952. */
export function compileAccumulator(field: string, specification: Value, environment: Environment): AccumulatorPlan {
  if (!(specification instanceof Doc) || specification.isEmpty) {
    throw new DocumentError(40234, `The field '${field}' must be an accumulator object`);
  }
  if (specification.size !== 1) {
    throw new DocumentError(40238, `The field '${field}' must specify one accumulator`);
  }
  const name = specification.nameAt(0) ?? '';
  const compile = ACCUMULATORS.get(name);
  if (compile === undefined) throw new DocumentError(15952, `unknown group operator '${name}'`);
  return compile(specification.at(0) ?? null, environment, name);
}
