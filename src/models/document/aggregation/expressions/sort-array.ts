/** `$sortArray`: by value (1 or -1) or by fields of documents. */
import { DocumentError } from '../../errors.js';
import { Sort } from '../../query/sort.js';
import {
  compareValues,
  Doc,
  encodeDocument,
  isArrayValue,
  isNumber,
  toDouble,
  typeName,
  type Value,
} from '../../values.js';
import type { Environment } from '../scope.js';
import { type CompileOperator, compileExpression, derived } from './expression.js';
import { isNullish, namedValues } from './operator.js';

const sortArray: CompileOperator = (argument, environment, name) => {
  const fields = namedValues(argument, name, {
    required: ['input', 'sortBy'],
    notObject: (_, value) =>
      new DocumentError(2942500, `$sortArray requires an object as an argument, found: ${typeName(value)}`),
    unknown: (_, field) => new DocumentError(2942501, `$sortArray found an unknown argument: ${field}`),
    missing: (_, field) =>
      new DocumentError(field === 'input' ? 2942502 : 2942503, `$sortArray requires '${field}' to be specified`),
  });
  const input = compileExpression(fields.input ?? null, environment);
  const order = orderOf(fields.sortBy ?? null, environment);
  return derived(
    [input],
    (scope) => {
      const array = input.evaluate(scope);
      if (isNullish(array)) return null;
      if (!isArrayValue(array)) {
        throw new DocumentError(
          2942504,
          `The input argument to $sortArray must be an array, but was of type: ${typeName(array)}`,
        );
      }
      return order(array);
    },
    environment,
  );
};

function orderOf(sortBy: Value, { collation }: Environment): (array: readonly Value[]) => readonly Value[] {
  if (isNumber(sortBy)) {
    const direction = toDouble(sortBy);
    if (direction !== 1 && direction !== -1) {
      throw new DocumentError(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
    }
    return (array) => [...array].sort((a, b) => compareValues(a, b, collation) * direction);
  }
  if (!(sortBy instanceof Doc) || sortBy.isEmpty) {
    throw new DocumentError(2942505, '$sortArray requires sortBy to be 1, -1 or an object');
  }
  const sort = Sort.parse(sortBy, collation);
  const nothing = encodeDocument(new Doc().append('', null));
  return (array) =>
    array
      .map((value) => ({
        value,
        key: sort.key(value instanceof Doc ? (value.source ?? encodeDocument(value)) : nothing),
      }))
      .sort((a, b) => sort.compare(a.key, b.key))
      .map(({ value }) => value);
}

export const sortArrays: Readonly<Record<string, CompileOperator>> = { $sortArray: sortArray };
