/** Accumulators as expressions: over the elements of one array, or over several arguments. */

import { DocumentError } from '../../errors.js';
import { isArrayValue, typeName } from '../../values.js';
import type { Accumulator } from '../accumulators/accumulator.js';
import { Ends, Extreme, Extremes, MergeObjects } from '../accumulators/collections.js';
import { countOf, parseInputAndCount, parsePercentile } from '../accumulators/registry.js';
import { Average, Percentiles, StandardDeviation, Sum } from '../accumulators/statistics.js';
import type { Environment } from '../scope.js';
import { type CompileOperator, derived } from './expression.js';
import { type Argument, isNullish, operandsOf, unary } from './operator.js';

function over(create: (environment: Environment) => Accumulator): CompileOperator {
  return (argument, environment) => {
    const operands = operandsOf(argument, environment);
    const [only] = operands;
    return derived(
      operands,
      (scope) => {
        const accumulator = create(environment);
        if (operands.length === 1 && only !== undefined) {
          const value = only.evaluate(scope);
          if (isArrayValue(value)) for (const element of value) accumulator.add(element);
          else accumulator.add(value);
        } else for (const operand of operands) accumulator.add(operand.evaluate(scope));
        return accumulator.result;
      },
      environment,
    );
  };
}

/** `{input: <array>, n}`. */
function several(create: (n: number, environment: Environment) => Accumulator): CompileOperator {
  return (argument, environment, name) => {
    const { input, n } = parseInputAndCount(argument, environment, name);
    return derived(
      [input, n],
      (scope) => {
        const count = countOf(n.evaluate(scope));
        const value = input.evaluate(scope);
        if (isNullish(value)) return null;
        if (!isArrayValue(value)) throw notAnArray(value);
        const accumulator = create(count, environment);
        for (const element of value) accumulator.add(element);
        return accumulator.result;
      },
      environment,
    );
  };
}

function notAnArray(value: Argument): DocumentError {
  return new DocumentError(5788200, `Input must be an array, found ${typeName(value)}`);
}

function end(which: 'first' | 'last'): CompileOperator {
  return unary((value, name) => {
    if (isNullish(value)) return null;
    if (!isArrayValue(value)) {
      throw new DocumentError(28689, `${name}'s argument must be an array, but is ${typeName(value)}`);
    }
    return which === 'first' ? value[0] : value[value.length - 1];
  });
}

const percentile: CompileOperator = (argument, environment, name) => {
  const { input, probabilities, single } = parsePercentile(argument, environment, name);
  return derived(
    [input],
    (scope) => {
      const accumulator = new Percentiles(probabilities, single);
      const value = input.evaluate(scope);
      if (isArrayValue(value)) for (const element of value) accumulator.add(element);
      else accumulator.add(value);
      return accumulator.result;
    },
    environment,
  );
};

export const accumulating: Readonly<Record<string, CompileOperator>> = {
  $sum: over(() => new Sum()),
  $avg: over(() => new Average()),
  $min: over(({ collation }) => new Extreme(1, collation)),
  $max: over(({ collation }) => new Extreme(-1, collation)),
  $stdDevPop: over(() => new StandardDeviation(false)),
  $stdDevSamp: over(() => new StandardDeviation(true)),
  $mergeObjects: over(() => new MergeObjects()),
  $first: end('first'),
  $last: end('last'),
  $firstN: several((n) => new Ends('first', n)),
  $lastN: several((n) => new Ends('last', n)),
  $minN: several((n, { collation }) => new Extremes(1, n, collation)),
  $maxN: several((n, { collation }) => new Extremes(-1, n, collation)),
  $percentile: percentile,
  $median: percentile,
};
