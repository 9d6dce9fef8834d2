/** `$pop`: takes away the last element of an array, or the first. */
import { failedToParse, typeMismatch } from '../../errors.js';
import { parseInteger } from '../../query/integers.js';
import { formatField, isArrayValue, typeName } from '../../values.js';
import { type OperatorParser, SAME, set } from '../operator.js';

export const pop: OperatorParser = (argument, path) => {
  const end = parseInteger(path, argument);
  if (end !== 1n && end !== -1n)
    throw failedToParse(`$pop expects 1 or -1, found: ${formatField(path, argument).slice(path.length + 2)}`);
  return {
    name: '$pop',
    unreachable: 'refuse',
    create: () => undefined,
    update: (value, place) => {
      if (!isArrayValue(value)) {
        throw typeMismatch(`Path '${place.path}' contains an element of non-array type '${typeName(value)}'`);
      }
      if (value.length === 0) return SAME;
      return set(end === 1n ? value.slice(0, -1) : value.slice(1));
    },
  };
};
