/** `$abs $ceil $floor $round $trunc`. */
import { DocumentError } from '../../errors.js';
import {
  Decimal,
  Double,
  double,
  INT64_MIN,
  isInt32,
  isNumber,
  type NumberValue,
  toInteger,
  typeName,
} from '../../values.js';
import type { Environment } from '../scope.js';
import type { CompileOperator } from './expression.js';
import { integerValue } from './numbers.js';
import { type Argument, isNullish, unary, variadic } from './operator.js';

/** An operator on one number; null in, null out. */
export function numeric(apply: (value: NumberValue, name: string) => Argument): CompileOperator {
  return unary((value, name) => {
    if (isNumber(value)) return apply(value, name);
    if (isNullish(value)) return null;
    throw new DocumentError(28765, `${name} only supports numeric types, not ${typeName(value)}`);
  });
}

function abs(value: NumberValue): NumberValue {
  if (typeof value === 'number') {
    if (!isInt32(value)) return double(Math.abs(value));
    return value === -0x8000_0000 ? 0x8000_0000n : Math.abs(value);
  }
  if (typeof value === 'bigint') {
    if (value === INT64_MIN) throw new DocumentError(28680, "can't take $abs of long long min");
    return value < 0n ? -value : value;
  }
  return value instanceof Double ? double(Math.abs(value.value)) : value.abs();
}

type Direction = 'floor' | 'ceiling' | 'towardZero' | 'halfEven';

function roundDouble(value: number, direction: Direction): number {
  if (direction === 'floor') return Math.floor(value);
  if (direction === 'ceiling') return Math.ceil(value);
  if (direction === 'towardZero') return Math.trunc(value);
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5)
    return rest < 0.5 ? (floor === 0 && value < 0 ? -0 : floor) : Object.is(value, -0) ? -0 : Math.ceil(value);
  const even = floor % 2 === 0 ? floor : floor + 1;
  return even === 0 && value < 0 ? -0 : even;
}

/** Rounds to a multiple of 10^-place. */
function roundTo(value: NumberValue, place: number, direction: Direction): NumberValue {
  if (value instanceof Decimal) return value.quantize(-place, direction);
  if (typeof value === 'bigint' || (typeof value === 'number' && isInt32(value))) {
    if (place >= 0) return value;
    const rounded = Decimal.fromBigInt(BigInt(value)).quantize(-place, direction).toBigInt() ?? 0n;
    return integerValue(rounded, typeof value === 'bigint' ? 'long' : 'int');
  }
  const number = value instanceof Double ? value.value : value;
  if (!Number.isFinite(number)) return number;
  if (place === 0) return double(roundDouble(number, direction));
  // Through the exact decimal, as MongoDB does, so that 1.005 is what it is: a little less.
  return double(Decimal.fromDoubleExactly(number).quantize(-place, direction).toNumber());
}

function towardInteger(direction: Direction): CompileOperator {
  return numeric((value) => roundTo(value, 0, direction));
}

/** `[number, place]`; place from -20 to 100. */
function places(direction: Direction): CompileOperator {
  return variadic(
    ([value, place]: readonly Argument[], name: string, _: Environment): Argument => {
      if (isNullish(value)) return null;
      if (!isNumber(value))
        throw new DocumentError(51081, `${name} only supports numeric types, not ${typeName(value)}`);
      if (place === undefined) return roundTo(value, 0, direction);
      if (isNullish(place)) return null;
      const digits = toInteger(place);
      if (!isNumber(place) || digits === undefined) {
        throw new DocumentError(51082, `precision argument to  ${name} must be a integral value`);
      }
      if (digits < -20n || digits > 100n) {
        throw new DocumentError(
          51083,
          `cannot apply ${name} with precision value ${digits} value must be in [-20, 100]`,
        );
      }
      return roundTo(value, Number(digits), direction);
    },
    1,
    2,
  );
}

export const rounding: Readonly<Record<string, CompileOperator>> = {
  $abs: numeric(abs),
  $ceil: towardInteger('ceiling'),
  $floor: towardInteger('floor'),
  $round: places('halfEven'),
  $trunc: places('towardZero'),
};
