/** Window functions by name: accumulators over windows, and those that know of their neighbours. */

import { DocumentError, failedToParse } from '../../errors.js';
import type { Sort } from '../../query/sort.js';
import { Doc, encodeDocument, formatDocument, type Value } from '../../values.js';
import type { AccumulatorPlan } from '../accumulators/accumulator.js';
import { ACCUMULATORS } from '../accumulators/registry.js';
import type { Environment } from '../scope.js';
import { enter, type Run } from '../stages/stage.js';
import { fillers } from './fill.js';
import { covariance, derivative, expMovingAverage, integral } from './series.js';
import { shift } from './shift.js';
import { parseWindow, type Window, windowPlaces } from './window.js';

/** The value for each document of a sorted partition. */
export interface WindowFunction {
  compute(partition: readonly Doc[], run: Run): readonly (Value | undefined)[];
}

export interface WindowContext {
  readonly environment: Environment;
  readonly sort: Sort | undefined;
  readonly window: Window;
  /** `window` was written. */
  readonly hasWindow: boolean;
}

export type CompileWindowFunction = (argument: Value, context: WindowContext, name: string) => WindowFunction;

/** `$rank $denseRank $documentNumber`. */
function ranking(next: (rank: number, index: number, tie: boolean) => number): CompileWindowFunction {
  return (argument, { sort, hasWindow }, name) => {
    if (!(argument instanceof Doc) || !argument.isEmpty) {
      throw new DocumentError(5371601, `(None) ${name} must be specified with '{}' as the value`);
    }
    if (hasWindow) throw new DocumentError(5371601, `Rank style window functions take no other arguments`);
    if (sort === undefined)
      throw new DocumentError(
        5371602,
        `${name} must be specified with a top level sortBy expression with exactly one element`,
      );
    if (name !== '$documentNumber' && sort.fields.length !== 1) {
      throw new DocumentError(
        5371602,
        `${name} must be specified with a top level sortBy expression with exactly one element`,
      );
    }
    return {
      compute: (partition) => {
        const keys = partition.map((document) => sort.key(document.source ?? encodeDocument(document)));
        let rank = 0;
        return keys.map((key, index) => {
          const before = keys[index - 1];
          rank = next(rank, index, before !== undefined && sort.compare(before, key) === 0);
          return rank;
        });
      },
    };
  };
}

const FUNCTIONS: Readonly<Record<string, CompileWindowFunction>> = {
  $rank: ranking((rank, index, tie) => (tie ? rank : index + 1)),
  $denseRank: ranking((rank, _, tie) => (tie ? rank : rank + 1)),
  $documentNumber: ranking((_, index) => index + 1),
  $shift: shift,
  $derivative: derivative,
  $integral: integral,
  $expMovingAvg: expMovingAverage,
  $covariancePop: covariance(false),
  $covarianceSamp: covariance(true),
  ...fillers,
};

/** Reads `{<function>: <argument>, window: {...}}`. */
export function compileWindowFunction(
  field: string,
  specification: Value,
  environment: Environment,
  sort: Sort | undefined,
): WindowFunction {
  if (!(specification instanceof Doc)) {
    throw failedToParse(`The field '${field}' must be an object`);
  }
  let name: string | undefined;
  for (const key of specification.keys()) {
    if (key.startsWith('$')) {
      if (name !== undefined)
        throw failedToParse(`Cannot specify two functions in window function spec: ${formatDocument(specification)}`);
      name = key;
    } else if (key !== 'window') {
      throw failedToParse(`Window function found an unknown argument: ${key}`);
    }
  }
  if (name === undefined)
    throw failedToParse(`Expected a $-prefixed window function, ${formatDocument(specification)}`);
  const hasWindow = specification.has('window');
  const context: WindowContext = {
    environment,
    sort,
    window: parseWindow(specification.get('window'), sort),
    hasWindow,
  };
  const argument = specification.get(name) ?? null;
  const own = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (own !== undefined) return own(argument, context, name);
  const accumulator = ACCUMULATORS.get(name);
  if (accumulator === undefined || name === '$accumulator' || name === '$mergeObjects') {
    throw failedToParse(`Unrecognized window function, ${name}`);
  }
  return accumulating(accumulator(argument, environment, name), context.window);
}

/** A window that only grows keeps its accumulator; others are gathered anew for each document. */
function accumulating(plan: AccumulatorPlan, window: Window): WindowFunction {
  return {
    compute: (partition, run) => {
      const values = partition.map((document) => plan.evaluate(enter(run, document)));
      const places = windowPlaces(window, partition);
      const begin = () => plan.create(run.scope.enter(partition[0] ?? new Doc()));
      if (window.lower === 'unbounded') {
        const state = begin();
        let taken = 0;
        return partition.map((_, index) => {
          const [, last] = places(index);
          for (; taken <= last; taken++) state.add(values[taken]);
          return state.result;
        });
      }
      return partition.map((_, index) => {
        const [first, last] = places(index);
        const state = begin();
        for (let i = first; i <= last; i++) state.add(values[i]);
        return state.result;
      });
    },
  };
}
