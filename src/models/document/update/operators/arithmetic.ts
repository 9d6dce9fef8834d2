/**
 * `$inc` and `$mul`. The wider type of the two wins (int, long, double, decimal); an int that overflows becomes a long, a
 * long that overflows is an error.
 */
import { badValue, typeMismatch } from '../../errors.js';
import {
  BsonType,
  bsonTypeOf,
  Decimal,
  double,
  formatField,
  formatValue,
  INT64_MAX,
  INT64_MIN,
  identical,
  isNumber,
  type NumberValue,
  toDouble,
  typeName,
  type Value,
} from '../../values.js';
import { type OperatorParser, SAME, set, type UpdateContext, type UpdateOperator } from '../operator.js';

type Operation = 'add' | 'multiply';

export const inc: OperatorParser = (argument, path) => arithmetic('$inc', 'increment', 'add', argument, path);
export const mul: OperatorParser = (argument, path) => arithmetic('$mul', 'multiply', 'multiply', argument, path);

function arithmetic(name: string, verb: string, operation: Operation, argument: Value, path: string): UpdateOperator {
  if (!isNumber(argument))
    throw typeMismatch(`Cannot ${verb} with non-numeric argument: {${formatField(path, argument)}}`);
  return {
    name,
    unreachable: 'create',
    create: () => (operation === 'add' ? argument : (calculate('multiply', argument, 0) ?? argument)),
    update: (value, place, context) => {
      if (!isNumber(value)) {
        throw typeMismatch(
          `Cannot apply ${name} to a value of non-numeric type. {${idOf(context)}} has the field '${place.name}' of non-numeric type ${typeName(value)}`,
        );
      }
      const result = calculate(operation, value, argument);
      if (result === undefined) {
        throw badValue(
          `Failed to apply ${name} operations to current value ((${numberName(value)})${formatValue(value)}) for document {${idOf(context)}}`,
        );
      }
      return identical(result, value) ? SAME : set(result);
    },
  };
}

/** `_id: 1`, for messages. */
export function idOf(context: UpdateContext): string {
  const id = context.root.get('_id');
  return id === undefined ? 'no id' : formatField('_id', id);
}

function numberName(value: NumberValue): string {
  const names: Record<number, string> = {
    [BsonType.int]: 'NumberInt',
    [BsonType.long]: 'NumberLong',
    [BsonType.double]: 'NumberDouble',
    [BsonType.decimal]: 'NumberDecimal',
  };
  return names[bsonTypeOf(value)] ?? 'Number';
}

/** Undefined when a long overflows. */
export function calculate(operation: Operation, a: NumberValue, b: NumberValue): NumberValue | undefined {
  if (a instanceof Decimal || b instanceof Decimal) {
    const [left, right] = [decimalOf(a), decimalOf(b)];
    return operation === 'add' ? left.add(right) : left.multiply(right);
  }
  const types = [bsonTypeOf(a), bsonTypeOf(b)];
  if (types.includes(BsonType.double)) {
    const [left, right] = [toDouble(a) ?? 0, toDouble(b) ?? 0];
    return double(operation === 'add' ? left + right : left * right);
  }
  const [left, right] = [integerOf(a), integerOf(b)];
  const result = operation === 'add' ? left + right : left * right;
  if (!types.includes(BsonType.long) && BigInt.asIntN(32, result) === result) return Number(result);
  return result > INT64_MAX || result < INT64_MIN ? undefined : result;
}

function integerOf(value: NumberValue): bigint {
  return typeof value === 'bigint' ? value : BigInt(toDouble(value) ?? 0);
}

function decimalOf(value: NumberValue): Decimal {
  if (value instanceof Decimal) return value;
  if (typeof value === 'bigint') return Decimal.fromBigInt(value);
  const number = toDouble(value) ?? 0;
  return bsonTypeOf(value) === BsonType.int ? Decimal.fromNumber(number) : Decimal.fromDouble(number);
}
