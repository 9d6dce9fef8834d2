/** `$bitAnd $bitOr $bitXor $bitNot` on ints and longs. */
import { typeMismatch } from '../../errors.js';
import { isInt32, typeName } from '../../values.js';
import type { CompileOperator } from './expression.js';
import { type Argument, isNullish, unary, variadic } from './operator.js';

function combine(neutral: number, apply: (a: bigint, b: bigint) => bigint): CompileOperator {
  return variadic((values: readonly Argument[], name) => {
    let result = BigInt(neutral);
    let long = false;
    for (const value of values) {
      if (isNullish(value)) return null;
      if (typeof value === 'bigint') long = true;
      else if (typeof value !== 'number' || !isInt32(value)) {
        throw typeMismatch(`${name} only supports int and long operands.`);
      }
      result = apply(result, BigInt(value));
    }
    return long ? BigInt.asIntN(64, result) : Number(BigInt.asIntN(32, result));
  });
}

export const bits: Readonly<Record<string, CompileOperator>> = {
  $bitAnd: combine(-1, (a, b) => a & b),
  $bitOr: combine(0, (a, b) => a | b),
  $bitXor: combine(0, (a, b) => a ^ b),
  $bitNot: unary((value) => {
    if (isNullish(value)) return null;
    if (typeof value === 'bigint') return BigInt.asIntN(64, ~value);
    if (typeof value === 'number' && isInt32(value)) return ~value;
    throw typeMismatch(`$bitNot only supports int and long, not: ${typeName(value)}.`);
  }),
};
