/** `$derivative $integral $expMovingAvg $covariancePop $covarianceSamp`: numbers along a sorted field. */
import { DocumentError, failedToParse } from '../../errors.js';
import type { SortField } from '../../query/sort.js';
import {
  DateTime,
  Decimal,
  Doc,
  double,
  getPath,
  isArrayValue,
  isNumber,
  toDouble,
  toInteger,
  typeName,
  type Value,
} from '../../values.js';
import { addUnits, MILLISECONDS_OF, parseUnit } from '../expressions/dates/steps.js';
import { compileExpression, type Expression } from '../expressions/expression.js';
import { asDouble } from '../expressions/numbers.js';
import { enter, type Run } from '../stages/stage.js';
import type { CompileWindowFunction, WindowContext } from './functions.js';
import { windowPlaces } from './window.js';

interface Series {
  readonly input: Expression;
  /** Milliseconds of the unit; undefined when numbers are sorted by. */
  readonly unitMs: number | undefined;
  readonly by: SortField;
}

function parseSeries(argument: Value, { environment, sort }: WindowContext, name: string): Series {
  if (!(argument instanceof Doc)) throw failedToParse(`${name} requires an object`);
  for (const field of argument.keys()) {
    if (field !== 'input' && field !== 'unit') throw failedToParse(`${name} got unexpected argument: ${field}`);
  }
  const [input, unit] = [argument.get('input'), argument.get('unit')];
  if (input === undefined) throw failedToParse(`${name} requires an 'input' expression`);
  const [by] = sort?.fields ?? [];
  if (by === undefined || sort?.fields.length !== 1)
    throw failedToParse(`${name} requires a sortBy with exactly one element`);
  let unitMs: number | undefined;
  if (unit !== undefined) {
    if (typeof unit !== 'string') throw failedToParse(`${name} 'unit' must be a string`);
    const parsed = parseUnit(unit);
    unitMs = MILLISECONDS_OF[parsed] ?? (parsed === 'day' || parsed === 'week' ? addUnits(0, parsed, 1) : undefined);
    if (unitMs === undefined) {
      throw new DocumentError(5490704, `unit must be 'week' or smaller`);
    }
  }
  return { input: compileExpression(input, environment), unitMs, by };
}

interface Point {
  readonly x: number;
  readonly y: number | undefined;
  readonly decimal: boolean;
}

function pointsOf({ input, unitMs, by }: Series, partition: readonly Doc[], run: Run, name: string): Point[] {
  return partition.map((document) => {
    const value = getPath(document, by.path.split('.'));
    let x: number | undefined;
    if (unitMs !== undefined) {
      if (!(value instanceof DateTime)) {
        throw new DocumentError(5624900, `${name} with 'unit' expects the sortBy field to be a Date`);
      }
      x = value.ms / unitMs;
    } else {
      if (value instanceof DateTime) {
        throw new DocumentError(5624901, `${name} where the sortBy is a Date requires a 'unit'`);
      }
      x = toDouble(value);
      if (x === undefined)
        throw new DocumentError(
          5624902,
          `${name} expects the sortBy field to be numeric, but found ${typeName(value)}`,
        );
    }
    const y = input.evaluate(enter(run, document));
    return { x, y: isNumber(y) ? asDouble(y) : undefined, decimal: y instanceof Decimal };
  });
}

/** The slope between the first and the last document of the window. */
export const derivative: CompileWindowFunction = (argument, context, name) => {
  if (!context.hasWindow) throw failedToParse('$derivative requires explicit window bounds');
  const series = parseSeries(argument, context, name);
  return {
    compute: (partition, run) => {
      const points = pointsOf(series, partition, run, name);
      const places = windowPlaces(context.window, partition);
      return points.map((_, index) => {
        const [first, last] = places(index);
        const [from, to] = [points[first], points[last]];
        if (from === undefined || to === undefined || last <= first) return null;
        if (from.y === undefined || to.y === undefined || to.x === from.x) return null;
        return double((to.y - from.y) / (to.x - from.x));
      });
    },
  };
};

/** The area under the lines between the documents of the window. */
export const integral: CompileWindowFunction = (argument, context, name) => {
  const series = parseSeries(argument, context, name);
  return {
    compute: (partition, run) => {
      const points = pointsOf(series, partition, run, name).map((point, index) => ({ ...point, index }));
      const places = windowPlaces(context.window, partition);
      return points.map((_, index) => {
        const [first, last] = places(index);
        const known = points.slice(first, last + 1).filter(({ y }) => y !== undefined);
        if (known.length === 0) return null;
        let area = 0;
        for (let i = 1; i < known.length; i++) {
          const [a, b] = [known[i - 1], known[i]];
          if (a?.y !== undefined && b?.y !== undefined) area += ((a.y + b.y) * (b.x - a.x)) / 2;
        }
        return double(area);
      });
    },
  };
};

export const expMovingAverage: CompileWindowFunction = (argument, { environment, sort, hasWindow }) => {
  const usage =
    "$expMovingAvg sub object must have exactly two fields: An 'input' field, and either an 'N' field or an 'alpha' field";
  if (!(argument instanceof Doc)) throw failedToParse(usage);
  if (sort === undefined) throw failedToParse("$expMovingAvg requires an explicit 'sortBy'");
  if (hasWindow) throw failedToParse("$expMovingAvg does not accept a 'window' field");
  const [input, n, alpha] = [argument.get('input'), argument.get('N'), argument.get('alpha')];
  if (argument.size !== 2 || input === undefined || (n === undefined) === (alpha === undefined))
    throw failedToParse(usage);
  const weight = n === undefined ? toDouble(alpha) : 2 / (Number(positive(n)) + 1);
  if (weight === undefined) throw failedToParse(`'alpha' must be a number, but was type ${typeName(alpha)}`);
  if (n === undefined && (weight <= 0 || weight >= 1)) {
    throw failedToParse(`'alpha' must be between 0 and 1 (exclusive), found ${weight}`);
  }
  const { evaluate } = compileExpression(input, environment);
  return {
    compute: (partition, run) => {
      let average: number | undefined;
      return partition.map((document) => {
        const value = evaluate(enter(run, document));
        // What is no number leaves the average as it is.
        if (isNumber(value)) {
          const number = asDouble(value);
          average = average === undefined ? number : number * weight + average * (1 - weight);
        }
        return average === undefined ? null : double(average);
      });
    },
  };
};

function positive(value: Value): bigint {
  const whole = toInteger(value);
  if (whole === undefined) throw failedToParse(`'N' field must be an integer, but found type ${typeName(value)}`);
  if (whole <= 0n) throw failedToParse(`'N' must be greater than zero. Got ${whole}`);
  return whole;
}

export function covariance(sample: boolean): CompileWindowFunction {
  return (argument, { environment, window }) => {
    const parts = isArrayValue(argument) ? argument.map((part) => compileExpression(part, environment)) : [];
    return {
      compute: (partition, run) => {
        const pairs = partition.map((document) => {
          const scope = enter(run, document);
          const [x, y] = parts.map((part) => part.evaluate(scope));
          return parts.length === 2 && isNumber(x) && isNumber(y) ? ([asDouble(x), asDouble(y)] as const) : undefined;
        });
        const places = windowPlaces(window, partition);
        return partition.map((_, index) => {
          const [first, last] = places(index);
          const known = pairs.slice(first, last + 1).filter((pair) => pair !== undefined);
          const divisor = sample ? known.length - 1 : known.length;
          if (divisor <= 0) return null;
          const meanX = known.reduce((sum, [x]) => sum + x, 0) / known.length;
          const meanY = known.reduce((sum, [, y]) => sum + y, 0) / known.length;
          return double(known.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / divisor);
        });
      },
    };
  };
}
