/** `$pull` and `$pullAll`: take the elements away that satisfy a condition, or equal one of the values given. */
import { badValue } from '../../errors.js';
import { compileFilter } from '../../query/filter.js';
import {
  type Collation,
  Doc,
  encodeDocument,
  equalityKey,
  isArrayValue,
  Regex,
  typeName,
  type Value,
  valuesEqual,
} from '../../values.js';
import { type OperatorParser, SAME, set, type UpdateOperator } from '../operator.js';

export const pull: OperatorParser = (argument, _path, collation) => culling('$pull', condition(argument, collation));

export const pullAll: OperatorParser = (argument, _path, collation) => {
  if (!isArrayValue(argument))
    throw badValue(`$pullAll requires an array argument but was given a ${typeName(argument)}`);
  const keys = new Set(argument.map((value) => equalityKey(value, collation)));
  return culling('$pullAll', (element) => keys.has(equalityKey(element, collation)));
};

function culling(name: string, goes: (element: Value) => boolean): UpdateOperator {
  return {
    name,
    unreachable: 'refuse',
    create: () => undefined,
    update: (value) => {
      if (!isArrayValue(value)) throw badValue('Cannot apply $pull to a non-array value');
      const left = value.filter((element) => !goes(element));
      return left.length === value.length ? SAME : set(left);
    },
  };
}

const NO_SPECIAL_FEATURES = { text: false, where: false, near: false, expr: false, jsonSchema: false } as const;

function condition(argument: Value, collation: Collation | undefined): (element: Value) => boolean {
  const options = { collation, allow: NO_SPECIAL_FEATURES };
  if (argument instanceof Doc && !isOperatorDocument(argument)) {
    const filter = compileFilter(argument, options);
    return (element) => element instanceof Doc && filter.matchesDocument(element);
  }
  if (argument instanceof Doc || argument instanceof Regex) {
    const filter = compileFilter(Doc.fromEntries([['', argument]]), options);
    return (element) => filter.matches(encodeDocument(new Doc().append('', element)));
  }
  return (element) => valuesEqual(element, argument, collation);
}

/** `{$gt: 1}` is a condition on the element itself, `{$or: [...]}` and `{a: 1}` on the element's fields. */
function isOperatorDocument(document: Doc): boolean {
  const first = document.nameAt(0) ?? '';
  return first.startsWith('$') && !['$and', '$or', '$nor', '$ref', '$id', '$db', '$comment'].includes(first);
}
