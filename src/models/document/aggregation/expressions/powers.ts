/** `$exp $ln $log $log10 $pow $sqrt`. Decimals keep their type; transcendental results have a double's precision. */
import { DocumentError } from '../../errors.js';
import {
  Decimal,
  double,
  formatValue,
  INT64_MAX,
  INT64_MIN,
  isNumber,
  type NumberValue,
  toInteger,
  typeName,
} from '../../values.js';
import type { CompileOperator } from './expression.js';
import { asDecimal, asDouble, integerValue, kindOf, widerKind } from './numbers.js';
import { type Argument, binary, isNullish } from './operator.js';
import { numeric } from './rounding.js';

/** The function's value in the argument's kind: decimal or double. */
export function transcendental(value: NumberValue, apply: (number: number) => number): NumberValue {
  const result = apply(asDouble(value));
  return value instanceof Decimal ? Decimal.fromDoubleExactly(result) : double(result);
}

function isPositive(value: NumberValue): boolean {
  const number = asDouble(value);
  return (
    number > 0 ||
    Number.isNaN(number) ||
    (value instanceof Decimal && value.isFinite && !value.isZero && !value.negative)
  );
}

function ln(value: NumberValue): NumberValue {
  if (!isPositive(value)) {
    throw new DocumentError(28766, `$ln's argument must be a positive number, but is ${formatValue(value)}`);
  }
  return transcendental(value, Math.log);
}

/** Logarithms to base 10 are exact for powers of 10. */
function log10(value: NumberValue): NumberValue {
  if (!isPositive(value)) {
    throw new DocumentError(28761, `$log10's argument must be a positive number, but is ${formatValue(value)}`);
  }
  return transcendental(value, Math.log10);
}

function log(value: Argument, base: Argument): Argument {
  if (isNullish(value) || isNullish(base)) return null;
  if (!isNumber(value)) throw new DocumentError(28756, `$log's argument must be numeric, not ${typeName(value)}`);
  if (!isNumber(base)) throw new DocumentError(28757, `$log's base must be numeric, not ${typeName(base)}`);
  if (!isPositive(value)) {
    throw new DocumentError(28758, `$log's argument must be a positive number, but is ${formatValue(value)}`);
  }
  const number = asDouble(base);
  if (number <= 0 || number === 1) {
    throw new DocumentError(28759, `$log's base must be a positive number not equal to 1, but is ${formatValue(base)}`);
  }
  const result = Math.log(asDouble(value)) / Math.log(number);
  return value instanceof Decimal || base instanceof Decimal ? Decimal.fromDoubleExactly(result) : double(result);
}

function pow(base: Argument, exponent: Argument): Argument {
  if (isNullish(base) || isNullish(exponent)) return null;
  if (!isNumber(base)) throw new DocumentError(28762, `$pow's base must be numeric, not ${typeName(base)}`);
  if (!isNumber(exponent)) throw new DocumentError(28763, `$pow's exponent must be numeric, not ${typeName(exponent)}`);
  if (asDouble(base) === 0 && asDouble(exponent) < 0) {
    throw new DocumentError(28764, '$pow cannot take a base of 0 and a negative exponent');
  }
  const kind = widerKind(kindOf(base), kindOf(exponent));
  if (kind === 'decimal') return decimalPower(asDecimal(base), asDecimal(exponent));
  if (kind === 'double') return double(asDouble(base) ** asDouble(exponent));
  const power = toInteger(exponent) ?? 0n;
  const whole = toInteger(base) ?? 0n;
  const approximate = asDouble(base) ** asDouble(exponent);
  if (power < 0n || Math.abs(approximate) > 2 ** 64) return double(approximate);
  // Exponents are small here unless the base is 0, 1 or -1.
  const exact =
    whole === 0n || whole === 1n
      ? power === 0n
        ? 1n
        : whole
      : whole === -1n
        ? power % 2n === 0n
          ? 1n
          : -1n
        : whole ** power;
  if (exact > INT64_MAX || exact < INT64_MIN) return double(approximate);
  return integerValue(exact, kind);
}

/** By squaring for whole exponents within reason; else by way of doubles. */
function decimalPower(base: Decimal, exponent: Decimal): Decimal {
  const whole = exponent.isInteger ? exponent.toBigInt() : undefined;
  if (whole === undefined || whole > 10_000n || whole < -10_000n) {
    return Decimal.fromDoubleExactly(base.toNumber() ** exponent.toNumber());
  }
  let result = Decimal.fromNumber(1);
  let square = base;
  for (let rest = whole < 0n ? -whole : whole; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = result.multiply(square);
    if (rest > 1n) square = square.multiply(square);
  }
  return whole < 0n ? Decimal.fromNumber(1).divide(result) : result;
}

function sqrt(value: NumberValue): NumberValue {
  if (value instanceof Decimal ? value.negative && !value.isZero && !value.isNaN : asDouble(value) < 0) {
    throw new DocumentError(28714, "$sqrt's argument must be greater than or equal to 0");
  }
  return value instanceof Decimal ? value.squareRoot() : double(Math.sqrt(asDouble(value)));
}

export const powers: Readonly<Record<string, CompileOperator>> = {
  $exp: numeric((value) => transcendental(value, Math.exp)),
  $ln: numeric(ln),
  $log: binary(log),
  $log10: numeric(log10),
  $pow: binary(pow),
  $sqrt: numeric(sqrt),
};
