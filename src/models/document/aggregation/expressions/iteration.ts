/** `$map $filter $reduce`: an expression for each element of an array. */
import { DocumentError } from '../../errors.js';
import { isArrayValue, isTrue, typeName, type Value } from '../../values.js';
import { countOf } from '../accumulators/registry.js';
import { checkVariableName, type Environment } from '../scope.js';
import { type CompileOperator, compileExpression, type Expression } from './expression.js';
import { isNullish, namedValues } from './operator.js';

/** The name in `as`, `this` by default. Throws when users may not name a variable so. */
function elementName(as: Value | undefined): string {
  if (as === undefined) return 'this';
  const name = typeof as === 'string' ? as : '';
  checkVariableName(name);
  return name;
}

interface Loop {
  readonly input: Expression;
  readonly body: Expression;
  readonly slot: number;
}

function compileLoop(input: Value, as: Value | undefined, body: Value, environment: Environment): Loop {
  const { environment: inner, slot } = environment.withVariable(elementName(as));
  return { input: compileExpression(input, environment), body: compileExpression(body, inner), slot };
}

const map: CompileOperator = (argument, environment, name) => {
  const fields = namedValues(argument, name, {
    required: ['input', 'in'],
    optional: ['as'],
    notObject: () => new DocumentError(16878, '$map only supports an object as its argument'),
    unknown: (_, field) => new DocumentError(16879, `Unrecognized parameter to $map: ${field}`),
    missing: (_, field) => new DocumentError(field === 'input' ? 16880 : 16882, `Missing '${field}' parameter to $map`),
  });
  const { input, body, slot } = compileLoop(fields.input ?? null, fields.as, fields.in ?? null, environment);
  return {
    evaluate: (scope) => {
      const array = input.evaluate(scope);
      if (isNullish(array)) return null;
      if (!isArrayValue(array)) throw new DocumentError(16883, `input to $map must be an array not ${typeName(array)}`);
      const result: Value[] = [];
      for (const element of array) {
        scope.variables[slot] = element;
        result.push(body.evaluate(scope) ?? null);
      }
      return result;
    },
  };
};

const filter: CompileOperator = (argument, environment, name) => {
  const fields = namedValues(argument, name, {
    required: ['input', 'cond'],
    optional: ['as', 'limit'],
    notObject: () => new DocumentError(28646, '$filter only supports an object as its argument'),
    unknown: (_, field) => new DocumentError(28647, `Unrecognized parameter to $filter: ${field}`),
    missing: (_, field) =>
      new DocumentError(field === 'input' ? 28648 : 28650, `Missing '${field}' parameter to $filter`),
  });
  const { input, body, slot } = compileLoop(fields.input ?? null, fields.as, fields.cond ?? null, environment);
  const limit = fields.limit === undefined ? undefined : compileExpression(fields.limit, environment);
  return {
    evaluate: (scope) => {
      const array = input.evaluate(scope);
      if (isNullish(array)) return null;
      if (!isArrayValue(array)) {
        throw new DocumentError(28651, `input to $filter must be an array not ${typeName(array)}`);
      }
      const most = limit?.evaluate(scope);
      let left = isNullish(most) ? Number.POSITIVE_INFINITY : limitOf(most);
      const result: Value[] = [];
      for (const element of array) {
        if (left <= 0) break;
        scope.variables[slot] = element;
        if (!isTrue(body.evaluate(scope))) continue;
        result.push(element);
        left--;
      }
      return result;
    },
  };
};

function limitOf(value: Value): number {
  try {
    return countOf(value);
  } catch (thrown) {
    if (!(thrown instanceof DocumentError)) throw thrown;
    const code = thrown.code === 5787908 ? 327392 : 327391;
    throw new DocumentError(
      code,
      code === 327392
        ? `$filter: limit must be greater than 0`
        : `$filter: limit must be represented as a 32-bit integral value`,
    );
  }
}

const reduce: CompileOperator = (argument, environment, name) => {
  const fields = namedValues(argument, name, {
    required: ['input', 'initialValue', 'in'],
    notObject: (_, value) =>
      new DocumentError(40075, `$reduce requires an object as an argument, found: ${typeName(value)}`),
    unknown: (_, field) => new DocumentError(40076, `$reduce found an unknown argument: ${field}`),
    missing: (_, field) =>
      new DocumentError(
        field === 'input' ? 40077 : field === 'initialValue' ? 40078 : 40079,
        `$reduce requires '${field}' to be specified`,
      ),
  });
  const input = compileExpression(fields.input ?? null, environment);
  const initial = compileExpression(fields.initialValue ?? null, environment);
  const { environment: withThis, slot: thisSlot } = environment.withVariable('this');
  const { environment: inner, slot: valueSlot } = withThis.withVariable('value');
  const body = compileExpression(fields.in ?? null, inner);
  return {
    evaluate: (scope) => {
      const array = input.evaluate(scope);
      if (isNullish(array)) return null;
      if (!isArrayValue(array)) {
        throw new DocumentError(40080, `$reduce requires that 'input' be an array, found: ${typeName(array)}`);
      }
      let value = initial.evaluate(scope);
      for (const element of array) {
        scope.variables[thisSlot] = element;
        scope.variables[valueSlot] = value;
        value = body.evaluate(scope);
      }
      return value;
    },
  };
};

export const iteration: Readonly<Record<string, CompileOperator>> = { $map: map, $filter: filter, $reduce: reduce };
