/** `$addToSet`: adds values that an array does not have yet. */
import { badValue, typeMismatch } from '../../errors.js';
import { type ArrayValue, Doc, equalityKey, formatDocument, isArrayValue, typeName, type Value } from '../../values.js';
import { type OperatorParser, SAME } from '../operator.js';

export const addToSet: OperatorParser = (argument, _path, collation) => {
  const given = parseValues(argument);
  const missingFrom = (array: ArrayValue): Value[] => {
    const seen = new Set(array.map((element) => equalityKey(element, collation)));
    return given.filter((value) => {
      const key = equalityKey(value, collation);
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  };
  return {
    name: '$addToSet',
    unreachable: 'create',
    create: () => missingFrom([]),
    update: (value, place) => {
      if (!isArrayValue(value)) {
        throw badValue(
          `Cannot apply $addToSet to non-array field. Field named '${place.name}' has non-array type ${typeName(value)}`,
        );
      }
      const added = missingFrom(value);
      if (added.length === 0) return SAME;
      const result = { kind: 'set', value: [...value, ...added] } as const;
      return value.length === 0 ? result : { ...result, appended: added.length };
    },
  };
};

function parseValues(argument: Value): ArrayValue {
  if (!(argument instanceof Doc) || argument.nameAt(0) !== '$each') return [argument];
  const each = argument.at(0) ?? null;
  if (!isArrayValue(each)) {
    throw typeMismatch(`The argument to $each in $addToSet must be an array but it was of type ${typeName(each)}`);
  }
  if (argument.size > 1)
    throw badValue(`Found unexpected fields after $each in $addToSet: ${formatDocument(argument)}`);
  return each;
}
