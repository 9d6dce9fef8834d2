/** `$getField $setField $unsetField $objectToArray $arrayToObject $bsonSize $binarySize`. */
import { DocumentError } from '../../errors.js';
import { Binary, Doc, encodeDocument, formatValue, isArrayValue, typeName, type Value } from '../../values.js';
import type { Environment } from '../scope.js';
import { type CompileOperator, compileExpression, derived, type Expression } from './expression.js';
import { type Argument, isNullish, namedValues, unary } from './operator.js';

/** A field's name must be there before any document: a string or a constant expression. */
function nameOf(field: Value, operator: string, environment: Environment, codes: readonly [number, number]): string {
  if (typeof field === 'string' && field.startsWith('$')) {
    throw new DocumentError(
      codes[0],
      `A field path reference which is not allowed in this context. Did you mean {$literal: '${field}'}?`,
    );
  }
  const compiled = compileExpression(field, environment).constant;
  if (compiled === undefined) {
    throw new DocumentError(
      codes[0],
      `${operator} requires 'field' to evaluate to a constant, but got a non-constant argument`,
    );
  }
  if (typeof compiled.value !== 'string') {
    throw new DocumentError(
      codes[1],
      `${operator} requires 'field' to evaluate to type String, but got ${typeName(compiled.value)}`,
    );
  }
  return compiled.value;
}

const getField: CompileOperator = (argument, environment, name) => {
  let field: Value = argument;
  let input: Expression | undefined;
  if (argument instanceof Doc && !(argument.nameAt(0) ?? '$').startsWith('$')) {
    const fields = namedValues(argument, name, {
      required: ['field', 'input'],
      notObject: () => new DocumentError(3041701, '$getField requires an object'),
      unknown: (_, unknown) => new DocumentError(3041701, `$getField found an unknown argument: ${unknown}`),
      missing: (_, missing) =>
        new DocumentError(missing === 'field' ? 3041702 : 3041703, `$getField requires '${missing}' to be specified`),
    });
    field = fields.field ?? null;
    input = compileExpression(fields.input ?? null, environment);
  }
  const wanted = nameOf(field, '$getField', environment, [5654600, 5654602]);
  input ??= compileExpression('$$CURRENT', environment);
  const from = input;
  return derived(
    [from],
    (scope) => {
      const value = from.evaluate(scope);
      if (value instanceof Doc) return value.get(wanted);
      return value !== undefined && isNullish(value) ? null : undefined;
    },
    environment,
  );
};

const setField: CompileOperator = (argument, environment, name) => {
  const unset = name === '$unsetField';
  const required = unset ? (['field', 'input'] as const) : (['field', 'input', 'value'] as const);
  const fields = namedValues<'field' | 'input' | 'value'>(argument, name, {
    required,
    notObject: () => new DocumentError(4161100, `${name} only supports an object as its argument`),
    unknown: (_, unknown) => new DocumentError(4161101, `${name} found an unknown argument: ${unknown}`),
    missing: (_, missing) =>
      new DocumentError(
        missing === 'field' ? 4161102 : missing === 'value' ? 4161103 : 4161109,
        `${name} requires '${missing}' to be specified`,
      ),
  });
  const field = nameOf(fields.field ?? null, name, environment, [4161106, 4161107]);
  const input = compileExpression(fields.input ?? null, environment);
  const value = compileExpression(unset ? '$$REMOVE' : (fields.value ?? null), environment);
  return {
    evaluate: (scope) => {
      const document = input.evaluate(scope);
      if (isNullish(document)) return null;
      if (!(document instanceof Doc)) {
        throw new DocumentError(4161105, `${name} requires 'input' to evaluate to type Object`);
      }
      const replacement = value.evaluate(scope);
      const result = document.copy();
      if (replacement === undefined) result.delete(field);
      else result.set(field, replacement);
      return result;
    },
  };
};

function objectToArray(value: Argument): Argument {
  if (isNullish(value)) return null;
  if (!(value instanceof Doc)) {
    throw new DocumentError(40390, `$objectToArray requires a document input, found: ${typeName(value)}`);
  }
  return [...value].map(([name, field]): Value => new Doc().append('k', name).append('v', field));
}

function arrayToObject(value: Argument): Argument {
  if (isNullish(value)) return null;
  if (!isArrayValue(value)) {
    throw new DocumentError(40386, `$arrayToObject requires an array input, found: ${typeName(value)}`);
  }
  const result = new Doc();
  const pairs = isArrayValue(value[0]);
  for (const element of value) {
    const [name, field] = pairs ? pairOf(element) : keyAndValueOf(element);
    if (name.includes('\0')) {
      throw new DocumentError(4940400, `Key field cannot contain an embedded null byte`);
    }
    result.set(name, field);
  }
  return result;
}

function pairOf(element: Value): readonly [string, Value] {
  if (!isArrayValue(element)) {
    throw new DocumentError(
      40396,
      `$arrayToObject requires a consistent input format. Elements must all be arrays or all be objects. Array was detected, now found: ${typeName(element)}`,
    );
  }
  const [name, value] = element;
  if (element.length !== 2 || value === undefined) {
    throw new DocumentError(
      40397,
      `$arrayToObject requires an array of size 2 arrays,found array of size: ${element.length}`,
    );
  }
  if (typeof name !== 'string') {
    throw new DocumentError(
      40395,
      `$arrayToObject requires an array of key-value pairs, where the key must be of type string. Found key type: ${typeName(name)}`,
    );
  }
  return [name, value];
}

function keyAndValueOf(element: Value): readonly [string, Value] {
  if (!(element instanceof Doc)) {
    const consistent = isArrayValue(element);
    throw new DocumentError(
      consistent ? 40391 : 40398,
      consistent
        ? `$arrayToObject requires a consistent input format. Elements must all be arrays or all be objects. Object was detected, now found: ${typeName(element)}`
        : `Unrecognised input type format for $arrayToObject: ${typeName(element)}`,
    );
  }
  if (element.size !== 2) {
    throw new DocumentError(
      40392,
      `$arrayToObject requires an object keys of 'k' and 'v'. Found incorrect number of keys:${element.size}`,
    );
  }
  const [name, value] = [element.get('k'), element.get('v')];
  if (name === undefined || value === undefined) {
    throw new DocumentError(
      40393,
      `$arrayToObject requires an object with keys 'k' and 'v'. Missing either or both keys from: ${formatValue(element)}`,
    );
  }
  if (typeof name !== 'string') {
    throw new DocumentError(
      40394,
      `$arrayToObject requires an object with keys 'k' and 'v', where the value of 'k' must be of type string. Found type: ${typeName(name)}`,
    );
  }
  return [name, value];
}

export const objects: Readonly<Record<string, CompileOperator>> = {
  $getField: getField,
  $setField: setField,
  $unsetField: setField,
  $objectToArray: unary(objectToArray),
  $arrayToObject: unary(arrayToObject),
  $bsonSize: unary((value) => {
    if (isNullish(value)) return null;
    if (value instanceof Doc) return encodeDocument(value).length;
    throw new DocumentError(31393, `$bsonSize requires a document input, found: ${typeName(value)}`);
  }),
  $binarySize: unary((value) => {
    if (isNullish(value)) return null;
    if (typeof value === 'string') return Buffer.byteLength(value);
    if (value instanceof Binary) return value.bytes.length;
    throw new DocumentError(51276, `$binarySize requires a string or BinData argument, found: ${typeName(value)}`);
  }),
};
