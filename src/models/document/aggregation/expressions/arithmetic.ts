/** `$add $subtract $multiply $divide $mod`. Dates move by milliseconds; null in, null out. */
import { badValue, DocumentError, typeMismatch } from '../../errors.js';
import {
  DateTime,
  Decimal,
  double,
  INT64_MAX,
  INT64_MIN,
  isNumber,
  type NumberValue,
  toInteger,
  typeName,
} from '../../values.js';
import type { CompileOperator } from './expression.js';
import { asBigInt, asDecimal, asDouble, integerValue, kindOf, Summation, widerKind } from './numbers.js';
import { type Argument, binary, isNullish, variadic } from './operator.js';

/** Milliseconds of a number, rounded half away from zero. */
function milliseconds(value: NumberValue): bigint {
  const whole = toInteger(value);
  if (whole !== undefined) return whole;
  const number = asDouble(value);
  return Number.isFinite(number) ? BigInt(Math.sign(number) * Math.round(Math.abs(number))) : 0n;
}

function dateOf(ms: bigint, operator: string): DateTime {
  if (ms > INT64_MAX || ms < INT64_MIN) throw new DocumentError(15, `date overflow in ${operator}`);
  return DateTime.fromBigInt(ms);
}

function add(values: readonly Argument[]): Argument {
  const sum = new Summation();
  let date: DateTime | undefined;
  for (const value of values) {
    if (isNumber(value)) sum.add(value);
    else if (value instanceof DateTime) {
      if (date !== undefined) throw new DocumentError(16612, 'only one date allowed in an $add expression');
      date = value;
    } else if (isNullish(value)) return null;
    else throw typeMismatch(`$add only supports numeric or date types, not ${typeName(value)}`);
  }
  return date === undefined ? sum.value : dateOf(date.bigint + milliseconds(sum.value), '$add');
}

export function subtract(left: Argument, right: Argument): Argument {
  if (isNullish(left) || isNullish(right)) return null;
  if (isNumber(left) && isNumber(right)) return subtractNumbers(left, right);
  if (left instanceof DateTime) {
    if (right instanceof DateTime) return BigInt.asIntN(64, left.bigint - right.bigint);
    if (isNumber(right)) return dateOf(left.bigint - milliseconds(right), '$subtract');
  }
  throw typeMismatch(`can't $subtract ${typeName(right)} from ${typeName(left)}`);
}

function subtractNumbers(left: NumberValue, right: NumberValue): NumberValue {
  const kind = widerKind(kindOf(left), kindOf(right));
  if (kind === 'decimal') return asDecimal(left).subtract(asDecimal(right));
  if (kind === 'double') return double(asDouble(left) - asDouble(right));
  return integerValue(asBigInt(left as number | bigint) - asBigInt(right as number | bigint), kind);
}

export function multiplyNumbers(left: NumberValue, right: NumberValue): NumberValue {
  const kind = widerKind(kindOf(left), kindOf(right));
  if (kind === 'decimal') return asDecimal(left).multiply(asDecimal(right));
  if (kind === 'double') return double(asDouble(left) * asDouble(right));
  return integerValue(asBigInt(left as number | bigint) * asBigInt(right as number | bigint), kind);
}

function multiply(values: readonly Argument[]): Argument {
  let product: NumberValue = 1;
  for (const value of values) {
    if (isNumber(value)) product = multiplyNumbers(product, value);
    else if (isNullish(value)) return null;
    else throw typeMismatch(`$multiply only supports numeric types, not ${typeName(value)}`);
  }
  return product;
}

export function divide(left: Argument, right: Argument): Argument {
  if (isNumber(left) && isNumber(right)) {
    const isZero = right instanceof Decimal ? right.isZero : asDouble(right) === 0;
    if (isZero) throw badValue("can't $divide by zero");
    if (left instanceof Decimal || right instanceof Decimal) return asDecimal(left).divide(asDecimal(right));
    return double(asDouble(left) / asDouble(right));
  }
  if (isNullish(left) || isNullish(right)) return null;
  throw typeMismatch(`$divide only supports numeric types, not ${typeName(left)} and ${typeName(right)}`);
}

function mod(left: Argument, right: Argument): Argument {
  if (isNumber(left) && isNumber(right)) {
    const isZero = right instanceof Decimal ? right.isZero : asDouble(right) === 0;
    if (isZero) throw new DocumentError(16610, "can't $mod by zero");
    const kind = widerKind(kindOf(left), kindOf(right));
    if (kind === 'decimal') return asDecimal(left).remainder(asDecimal(right));
    if (kind === 'double') return double(asDouble(left) % asDouble(right));
    return integerValue(asBigInt(left as number | bigint) % asBigInt(right as number | bigint), kind);
  }
  if (isNullish(left) || isNullish(right)) return null;
  throw new DocumentError(16611, `$mod only supports numeric types, not ${typeName(left)} and ${typeName(right)}`);
}

export const arithmetic: Readonly<Record<string, CompileOperator>> = {
  $add: variadic(add),
  $subtract: binary(subtract),
  $multiply: variadic(multiply),
  $divide: binary(divide),
  $mod: binary(mod),
};
