/** `$sin $cos $tan`, their inverses and hyperbolic relatives, degrees and radians. */
import { DocumentError } from '../../errors.js';
import { Decimal, double, formatValue, isNumber, type NumberValue, typeName } from '../../values.js';
import type { CompileOperator } from './expression.js';
import { asDouble } from './numbers.js';
import { binary, isNullish } from './operator.js';
import { transcendental } from './powers.js';
import { numeric } from './rounding.js';

/** A function defined between two bounds; NaN passes. */
function bounded(apply: (number: number) => number, low: number, high: number, closed = true): CompileOperator {
  return numeric((value, name) => {
    const number = asDouble(value);
    const outside = closed ? number < low || number > high : number <= low || number >= high;
    if (outside) {
      const [open, close] = closed ? ['[', ']'] : ['(', ')'];
      throw new DocumentError(
        50989,
        `cannot apply ${name} to ${formatValue(value)}, value must be in ${open}${bound(low)},${bound(high)}${close}`,
      );
    }
    return transcendental(value, apply);
  });
}

function bound(value: number): string {
  return Number.isFinite(value) ? String(value) : value < 0 ? '-inf' : 'inf';
}

function unbounded(apply: (number: number) => number): CompileOperator {
  return numeric((value) => transcendental(value, apply));
}

const PI = Decimal.parse('3.141592653589793238462643383279503') ?? Decimal.ZERO;
const HALF_TURN = Decimal.fromNumber(180);

function degreesToRadians(value: NumberValue): NumberValue {
  return value instanceof Decimal ? value.multiply(PI.divide(HALF_TURN)) : double(asDouble(value) * (Math.PI / 180));
}

function radiansToDegrees(value: NumberValue): NumberValue {
  return value instanceof Decimal ? value.multiply(HALF_TURN.divide(PI)) : double(asDouble(value) * (180 / Math.PI));
}

export const trigonometry: Readonly<Record<string, CompileOperator>> = {
  $sin: bounded(Math.sin, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, false),
  $cos: bounded(Math.cos, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, false),
  $tan: bounded(Math.tan, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, false),
  $asin: bounded(Math.asin, -1, 1),
  $acos: bounded(Math.acos, -1, 1),
  $atan: unbounded(Math.atan),
  $atanh: bounded(Math.atanh, -1, 1),
  $acosh: bounded(Math.acosh, 1, Number.POSITIVE_INFINITY),
  $asinh: unbounded(Math.asinh),
  $sinh: unbounded(Math.sinh),
  $cosh: unbounded(Math.cosh),
  $tanh: unbounded(Math.tanh),
  $atan2: binary((y, x) => {
    if (isNullish(y) || isNullish(x)) return null;
    for (const value of [y, x]) {
      if (!isNumber(value)) {
        throw new DocumentError(51044, `$atan2 only supports numeric types, not ${typeName(y)} and ${typeName(x)}`);
      }
    }
    if (!isNumber(y) || !isNumber(x)) return null;
    const result = Math.atan2(asDouble(y), asDouble(x));
    return y instanceof Decimal || x instanceof Decimal ? Decimal.fromDoubleExactly(result) : double(result);
  }),
  $degreesToRadians: numeric(degreesToRadians),
  $radiansToDegrees: numeric(radiansToDegrees),
};
