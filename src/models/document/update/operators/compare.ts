/** `$min` and `$max`: the argument where it is less (greater) than what is there, in the order of all values. */
import { type Collation, compareValues, type Value } from '../../values.js';
import { type OperatorParser, SAME, set, type UpdateOperator } from '../operator.js';

export const min: OperatorParser = (argument, _path, collation) => bound('$min', -1, argument, collation);
export const max: OperatorParser = (argument, _path, collation) => bound('$max', 1, argument, collation);

function bound(name: string, sign: number, argument: Value, collation: Collation | undefined): UpdateOperator {
  return {
    name,
    unreachable: 'create',
    update: (value) => (compareValues(argument, value, collation) * sign > 0 ? set(argument) : SAME),
    create: () => argument,
  };
}
