/** `$locf` and `$linearFill`: values where there are none. */
import { DocumentError } from '../../errors.js';
import { DateTime, double, getPath, isNumber, toDouble, typeName, type Value } from '../../values.js';
import { compileExpression } from '../expressions/expression.js';
import { asDouble } from '../expressions/numbers.js';
import { isNullish } from '../expressions/operator.js';
import { enter } from '../stages/stage.js';
import type { CompileWindowFunction } from './functions.js';

/** The last value that was there; null before the first. */
const locf: CompileWindowFunction = (argument, { environment, hasWindow }) => {
  if (hasWindow) throw new DocumentError(9, "'window' field is not allowed in $locf");
  const { evaluate } = compileExpression(argument, environment);
  return {
    compute: (partition, run) => {
      let last: Value = null;
      return partition.map((document) => {
        const value = evaluate(enter(run, document));
        if (!isNullish(value)) last = value;
        return last;
      });
    },
  };
};

/** Between two values that are there, on the line between them. */
const linearFill: CompileWindowFunction = (argument, { environment, sort, hasWindow }) => {
  if (hasWindow) throw new DocumentError(9, "'window' field is not allowed in $linearFill");
  const [by] = sort?.fields ?? [];
  if (by === undefined || sort?.fields.length !== 1) {
    throw new DocumentError(
      605001,
      '$linearFill must be specified with a top level sortBy expression with exactly one element',
    );
  }
  const { evaluate } = compileExpression(argument, environment);
  return {
    compute: (partition, run) => {
      const xs = partition.map((document) => {
        const value = getPath(document, by.path.split('.'));
        const x = value instanceof DateTime ? value.ms : toDouble(value);
        if (x === undefined) {
          throw new DocumentError(
            605001,
            `The sortBy value of $linearFill must be numeric or a date, found ${typeName(value)}`,
          );
        }
        return x;
      });
      for (let i = 1; i < xs.length; i++) {
        if (xs[i] === xs[i - 1]) throw new DocumentError(6050106, 'There can be no repeated values in the sort field');
      }
      const values = partition.map((document): Value => {
        const value = evaluate(enter(run, document)) ?? null;
        if (!isNullish(value) && !isNumber(value)) {
          throw new DocumentError(
            6050201,
            `Value to be filled must be numeric or nullish, but found: ${typeName(value)}`,
          );
        }
        return value;
      });
      return filled(xs, values);
    },
  };
};

function filled(xs: readonly number[], values: readonly Value[]): Value[] {
  const result = [...values];
  let left = -1;
  for (let right = 0; right < values.length; right++) {
    const [to, from] = [values[right], values[left]];
    if (!isNumber(to)) continue;
    if (isNumber(from)) {
      const [x0, y0] = [xs[left] ?? 0, asDouble(from)];
      const slope = (asDouble(to) - y0) / ((xs[right] ?? 0) - x0);
      for (let i = left + 1; i < right; i++) result[i] = double(y0 + ((xs[i] ?? 0) - x0) * slope);
    }
    left = right;
  }
  return result.map((value) => (isNullish(value) ? null : value));
}

export const fillers: Readonly<Record<string, CompileWindowFunction>> = { $locf: locf, $linearFill: linearFill };
