/** `$zip`: arrays side by side. */
import { DocumentError } from '../../errors.js';
import { isArrayValue, typeName, type Value } from '../../values.js';
import { type CompileOperator, compileExpression, derived } from './expression.js';
import { isNullish, namedValues } from './operator.js';

const zip: CompileOperator = (argument, environment, name) => {
  const fields = namedValues(argument, name, {
    required: ['inputs'],
    optional: ['useLongestLength', 'defaults'],
    notObject: (_, value) =>
      new DocumentError(34460, `$zip only supports an object as an argument, found ${typeName(value)}`),
    unknown: (_, field) => new DocumentError(34464, `$zip found an unknown argument: ${field}`),
    missing: () => new DocumentError(34465, '$zip requires at least one input array'),
  });
  const { inputs, useLongestLength: longest = false, defaults } = fields;
  if (!isArrayValue(inputs)) {
    throw new DocumentError(34461, `inputs must be an array of expressions, found ${typeName(inputs)}`);
  }
  if (inputs.length === 0) throw new DocumentError(34465, '$zip requires at least one input array');
  if (typeof longest !== 'boolean') {
    throw new DocumentError(34463, `useLongestLength must be a bool, found ${typeName(longest)}`);
  }
  if (defaults !== undefined && !isArrayValue(defaults)) {
    throw new DocumentError(34462, `defaults must be an array of expressions, found ${typeName(defaults)}`);
  }
  if (defaults !== undefined && defaults.length > 0) {
    if (!longest) {
      throw new DocumentError(34466, 'cannot specify defaults unless useLongestLength is true');
    }
    if (defaults.length !== inputs.length) {
      throw new DocumentError(34467, 'defaults and inputs must have the same length');
    }
  }
  const arrays = inputs.map((input) => compileExpression(input, environment));
  const fill = (defaults ?? []).map((value) => compileExpression(value, environment));
  return derived(
    [...arrays, ...fill],
    (scope) => {
      const columns: (readonly Value[])[] = [];
      for (const array of arrays) {
        const value = array.evaluate(scope);
        if (isNullish(value)) return null;
        if (!isArrayValue(value)) {
          throw new DocumentError(34468, `$zip found a non-array expression in input: ${typeName(value)}`);
        }
        columns.push(value);
      }
      const lengths = columns.map(({ length }) => length);
      const size = longest ? Math.max(...lengths) : Math.min(...lengths);
      const missing = fill.map((value) => value.evaluate(scope) ?? null);
      return Array.from(
        { length: size },
        (_, row): Value =>
          columns.map(
            (column, index): Value => (row < column.length ? (column[row] ?? null) : (missing[index] ?? null)),
          ),
      );
    },
    environment,
  );
};

export const zips: Readonly<Record<string, CompileOperator>> = { $zip: zip };
