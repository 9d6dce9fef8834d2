/** `$bit`: `and`, `or`, `xor` of integers; a long on either side gives a long. */
import { badValue } from '../../errors.js';
import { BsonType, bsonTypeOf, Doc, formatField, identical, typeName, type Value } from '../../values.js';
import { type OperatorParser, SAME, set } from '../operator.js';
import { idOf } from './arithmetic.js';

interface Step {
  readonly operation: string;
  readonly operand: number | bigint;
}

export const bit: OperatorParser = (argument) => {
  const steps = parseSteps(argument);
  return {
    name: '$bit',
    unreachable: 'create',
    create: () => applySteps(0, steps),
    update: (value, place, context) => {
      if (!isInteger(value)) {
        throw badValue(
          `Cannot apply $bit to a value of non-integral type.${idOf(context)} has the field ${place.name} of non-integer type ${typeName(value)}`,
        );
      }
      const result = applySteps(value, steps);
      return identical(result, value) ? SAME : set(result);
    },
  };
};

function isInteger(value: Value): value is number | bigint {
  const type = bsonTypeOf(value);
  return type === BsonType.int || type === BsonType.long;
}

function parseSteps(argument: Value): readonly Step[] {
  if (!(argument instanceof Doc)) {
    throw badValue(
      `The $bit modifier is not compatible with a ${typeName(argument)}. You must pass in an embedded document: {$bit: {field: {and/or/xor: #}}`,
    );
  }
  const steps: Step[] = [];
  for (const [operation, operand] of argument) {
    if (operation !== 'and' && operation !== 'or' && operation !== 'xor') {
      throw badValue(
        `The $bit modifier only supports 'and', 'or', and 'xor', not '${operation}' which is an unknown operator: {${formatField(operation, operand)}}`,
      );
    }
    if (!isInteger(operand)) {
      throw badValue(
        `The $bit modifier field must be an Integer(32/64 bit); a '${typeName(operand)}' is not supported here: {${formatField(operation, operand)}}`,
      );
    }
    steps.push({ operation, operand });
  }
  if (steps.length === 0) {
    throw badValue('You must pass in at least one bitwise operation. The format is: {$bit: {field: {and/or/xor: #}}');
  }
  return steps;
}

function applySteps(value: number | bigint, steps: readonly Step[]): number | bigint {
  let result = value;
  for (const { operation, operand } of steps) {
    if (typeof result === 'number' && typeof operand === 'number') {
      result = operation === 'and' ? result & operand : operation === 'or' ? result | operand : result ^ operand;
    } else {
      const [left, right] = [BigInt(result), BigInt(operand)];
      result = operation === 'and' ? left & right : operation === 'or' ? left | right : left ^ right;
    }
  }
  return result;
}
