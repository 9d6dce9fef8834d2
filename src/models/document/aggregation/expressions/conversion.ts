/** `$convert`, `$toInt` and its siblings, `$type`, `$isNumber`. */
import { DocumentError } from '../../errors.js';
import {
  BsonType,
  DateTime,
  Decimal,
  double,
  formatValue,
  INT64_MAX,
  INT64_MIN,
  isInt32,
  isNumber,
  isTrue,
  type NumberValue,
  nameOfType,
  ObjectId,
  Timestamp,
  typeName,
  typeOfName,
  typeOfNumber,
  type Value,
} from '../../values.js';
import { parseDate } from './dates/parse.js';
import { type CompileOperator, compileExpression } from './expression.js';
import { asDecimal, asDouble, int32Of } from './numbers.js';
import { isNullish, namedValues, unary } from './operator.js';
import { coerceToText } from './to-text.js';

function failure(reason: string): DocumentError {
  return new DocumentError(241, reason);
}

function unsupported(value: Value, target: string): DocumentError {
  return failure(`Unsupported conversion from ${typeName(value)} to ${target} in $convert with no onError value`);
}

const IN_CONVERT = 'in $convert with no onError value';

function parseFailure(text: string, reason: string): DocumentError {
  return failure(`Failed to parse number '${text}' ${IN_CONVERT}: ${reason}`);
}

/** The whole part of a number within bounds. */
function wholePart(value: NumberValue, min: bigint, max: bigint): bigint {
  if (typeof value === 'bigint' || (typeof value === 'number' && isInt32(value))) {
    const whole = BigInt(value);
    if (whole < min || whole > max) throw failure(`Conversion would overflow target type ${IN_CONVERT}: ${whole}`);
    return whole;
  }
  const number = asDouble(value);
  if (Number.isNaN(number)) throw failure(`Attempt to convert NaN value to integer type ${IN_CONVERT}`);
  if (value instanceof Decimal ? !value.isFinite : !Number.isFinite(number)) {
    throw failure(`Attempt to convert infinity value to integer type ${IN_CONVERT}`);
  }
  const whole = value instanceof Decimal ? value.toBigInt() : BigInt(Math.trunc(number));
  if (whole === undefined || whole < min || whole > max) {
    throw failure(`Conversion would overflow target type ${IN_CONVERT}: ${formatValue(value)}`);
  }
  return whole;
}

function parseWhole(text: string, min: bigint, max: bigint): bigint {
  if (text === '') throw parseFailure(text, 'No digits');
  const match = /^[+-]?\d+/.exec(text);
  if (match === null) throw parseFailure(text, 'Did not consume any digits');
  if (match[0].length !== text.length) throw parseFailure(text, 'Did not consume whole string.');
  const whole = BigInt(text.replace(/^\+/, ''));
  if (whole < min || whole > max) throw parseFailure(text, 'Overflow');
  return whole;
}

function toInt(value: Value): Value {
  const [min, max] = [-0x8000_0000n, 0x7fff_ffffn];
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (isNumber(value)) return Number(wholePart(value, min, max));
  if (typeof value === 'string') return Number(parseWhole(value, min, max));
  throw unsupported(value, 'int');
}

function toLong(value: Value): Value {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (isNumber(value)) return wholePart(value, INT64_MIN, INT64_MAX);
  if (typeof value === 'string') return parseWhole(value, INT64_MIN, INT64_MAX);
  if (value instanceof DateTime) return value.bigint;
  throw unsupported(value, 'long');
}

function toDoubleValue(value: Value): Value {
  if (typeof value === 'boolean') return double(value ? 1 : 0);
  if (value instanceof Decimal) {
    const number = value.toNumber();
    if (value.isFinite && !Number.isFinite(number)) {
      throw failure(`Conversion would overflow target type ${IN_CONVERT}: ${value.toString()}`);
    }
    return double(number);
  }
  if (isNumber(value)) return double(asDouble(value));
  if (typeof value === 'string') return double(parseDouble(value));
  if (value instanceof DateTime) return double(value.ms);
  throw unsupported(value, 'double');
}

function parseDouble(text: string): number {
  if (text === '') throw parseFailure(text, 'Empty string');
  const special = /^([+-])?(?:inf(?:inity)?|nan)$/i.exec(text);
  if (special !== null) {
    if (/nan/i.test(text)) return Number.NaN;
    return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) {
    const number = Number(text);
    if (!Number.isFinite(number)) throw parseFailure(text, 'Out of range');
    return number;
  }
  throw parseFailure(text, /^\s|^[+-]?\D/.test(text) ? 'Did not consume any digits' : 'Did not consume whole string.');
}

function toDecimal(value: Value): Value {
  if (typeof value === 'boolean') return Decimal.fromNumber(value ? 1 : 0);
  if (isNumber(value)) return asDecimal(value);
  if (typeof value === 'string') {
    const decimal = Decimal.parse(value);
    if (decimal !== undefined) return decimal;
    throw parseFailure(value, value === '' ? 'Empty string' : 'Failed to parse string to decimal');
  }
  if (value instanceof DateTime) return Decimal.fromBigInt(value.bigint);
  throw unsupported(value, 'decimal');
}

function toDate(value: Value): Value {
  if (value instanceof DateTime) return value;
  if (value instanceof ObjectId) return new DateTime((value.seconds | 0) * 1000);
  if (value instanceof Timestamp) return new DateTime(value.seconds * 1000);
  if (typeof value === 'string') return new DateTime(parseDate(value, undefined));
  if (isNumber(value) && !(typeof value === 'number' && isInt32(value))) {
    return DateTime.fromBigInt(wholePart(value, INT64_MIN, INT64_MAX));
  }
  throw unsupported(value, 'date');
}

function toObjectId(value: Value): Value {
  if (value instanceof ObjectId) return value;
  if (typeof value !== 'string') throw unsupported(value, 'objectId');
  if (value.length !== 24) {
    throw failure(
      `Failed to parse objectId '${value}' ${IN_CONVERT}: Invalid string length for parsing to OID, expected 24 but found ${value.length}`,
    );
  }
  const invalid = /[^0-9a-fA-F]/.exec(value)?.[0];
  if (invalid !== undefined) {
    throw failure(
      `Failed to parse objectId '${value}' ${IN_CONVERT}: Invalid character found in hex string: ${JSON.stringify(invalid).replaceAll('"', "'")}`,
    );
  }
  return ObjectId.fromHex(value);
}

function toText(value: Value): Value {
  if (value instanceof ObjectId) return value.toHex();
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string' || isNumber(value) || value instanceof DateTime) return coerceToText(value);
  throw unsupported(value, 'string');
}

const CONVERSIONS: ReadonlyMap<number, (value: Value) => Value> = new Map([
  [BsonType.double, toDoubleValue],
  [BsonType.string, toText],
  [BsonType.objectId, toObjectId],
  [BsonType.bool, (value: Value): Value => isTrue(value)],
  [BsonType.date, toDate],
  [BsonType.int, toInt],
  [BsonType.long, toLong],
  [BsonType.decimal, toDecimal],
]);

function convertTo(value: Value, type: number): Value {
  const conversion = CONVERSIONS.get(type);
  if (conversion === undefined) throw unsupported(value, nameOfType(type));
  return conversion(value);
}

const convert: CompileOperator = (argument, environment, name) => {
  const fields = namedValues(argument, name, {
    required: ['input', 'to'],
    optional: ['onError', 'onNull'],
    notObject: (_, value) =>
      new DocumentError(9, `$convert expects an object of named arguments but found: ${typeName(value)}`),
    unknown: (_, field) => new DocumentError(9, `$convert found an unknown argument: ${field}`),
    missing: (_, field) => new DocumentError(9, `Missing '${field}' parameter to $convert`),
  });
  const input = compileExpression(fields.input ?? null, environment);
  const to = compileExpression(fields.to ?? null, environment);
  const onError = fields.onError === undefined ? undefined : compileExpression(fields.onError, environment);
  const onNull = fields.onNull === undefined ? undefined : compileExpression(fields.onNull, environment);
  return {
    evaluate: (scope) => {
      const target = to.evaluate(scope);
      const value = input.evaluate(scope);
      if (isNullish(value)) {
        if (!isNullish(target)) targetType(target);
        return onNull === undefined ? null : onNull.evaluate(scope);
      }
      if (isNullish(target)) return null;
      const type = targetType(target);
      try {
        return convertTo(value, type);
      } catch (thrown) {
        if (onError === undefined || !(thrown instanceof DocumentError) || thrown.code !== 241) throw thrown;
        return onError.evaluate(scope);
      }
    },
  };
};

function targetType(value: Value): number {
  if (typeof value === 'string') {
    const type = typeOfName(value);
    if (type === undefined) throw new DocumentError(2, `Unknown type name: ${value}`);
    return type;
  }
  if (!isNumber(value))
    throw new DocumentError(9, `$convert's 'to' argument must be a string or number, but is ${typeName(value)}`);
  const number = int32Of(value);
  if (number === undefined) {
    throw new DocumentError(9, `In $convert, numeric 'to' argument is not an integer`);
  }
  const type = typeOfNumber(number);
  if (type === undefined) {
    throw new DocumentError(9, `In $convert, numeric value for 'to' does not correspond to a BSON type: ${number}`);
  }
  return type;
}

function shorthand(type: number): CompileOperator {
  return unary((value) => (isNullish(value) ? null : convertTo(value, type)));
}

export const conversion: Readonly<Record<string, CompileOperator>> = {
  $convert: convert,
  $toBool: shorthand(BsonType.bool),
  $toDate: shorthand(BsonType.date),
  $toDecimal: shorthand(BsonType.decimal),
  $toDouble: shorthand(BsonType.double),
  $toInt: shorthand(BsonType.int),
  $toLong: shorthand(BsonType.long),
  $toObjectId: shorthand(BsonType.objectId),
  $toString: shorthand(BsonType.string),
  $type: unary((value) => typeName(value)),
  $isNumber: unary((value) => isNumber(value)),
};
