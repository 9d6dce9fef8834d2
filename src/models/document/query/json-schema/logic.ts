/** Keywords that combine schemas, and `enum`. */
import { badValue, failedToParse, typeMismatch } from '../../errors.js';
import { Doc, isArrayValue, typeName, type Value } from '../../values.js';
import type { SchemaContext } from './context.js';
import { unorderedKey } from './unordered.js';

export function logicalKeywords(context: SchemaContext): void {
  for (const keyword of ['allOf', 'anyOf', 'oneOf'] as const) {
    const value = context.get(keyword);
    if (value !== undefined) logical(context, keyword, value);
  }
  const not = context.get('not');
  if (not !== undefined) {
    if (!(not instanceof Doc))
      throw typeMismatch(`$jsonSchema keyword 'not' must be an object, but found an element of type ${typeName(not)}`);
    const schema = context.compile(not, context.root);
    context.add({
      keyword: 'not',
      accepts: (value) => !schema.accepts(value),
      explain: () => ({ reason: 'child expression matched' }),
    });
  }
  enumeration(context);
}

function logical(context: SchemaContext, keyword: 'allOf' | 'anyOf' | 'oneOf', value: Value): void {
  if (!isArrayValue(value)) throw typeMismatch(`$jsonSchema keyword '${keyword}' must be an array`);
  if (value.length === 0) throw badValue(`$jsonSchema keyword '${keyword}' must be a non-empty array`);
  const schemas = value.map((element) => {
    if (!(element instanceof Doc)) {
      throw typeMismatch(
        `$jsonSchema keyword '${keyword}' must be an array of objects, but found an element of type ${typeName(element)}`,
      );
    }
    return context.compile(element, context.root);
  });
  const failures = (candidate: Value): Value[] =>
    schemas.flatMap((schema, index) =>
      schema.accepts(candidate) ? [] : [Doc.of({ index, ...schema.annotations, details: schema.explain(candidate) })],
    );
  const count = (candidate: Value): number => schemas.filter((schema) => schema.accepts(candidate)).length;
  context.add({
    keyword,
    accepts: (candidate) => {
      if (keyword === 'allOf') return schemas.every((schema) => schema.accepts(candidate));
      return keyword === 'anyOf' ? schemas.some((schema) => schema.accepts(candidate)) : count(candidate) === 1;
    },
    explain: (candidate) => {
      if (keyword === 'oneOf' && count(candidate) > 1) {
        const matching = [...schemas.keys()].filter((index) => schemas[index]?.accepts(candidate) === true);
        return { reason: 'more than one subschema matched', matchingSchemaIndexes: matching };
      }
      return { schemasNotSatisfied: failures(candidate) };
    },
  });
}

function enumeration(context: SchemaContext): void {
  const values = context.get('enum');
  if (values === undefined) return;
  if (!isArrayValue(values))
    throw typeMismatch(`$jsonSchema keyword 'enum' must be an array, but found an element of type ${typeName(values)}`);
  if (values.length === 0) throw failedToParse("$jsonSchema keyword 'enum' cannot be an empty array");
  const keys = new Set(values.map(unorderedKey));
  if (keys.size !== values.length)
    throw failedToParse("$jsonSchema keyword 'enum' array cannot contain duplicate values.");
  context.add({
    keyword: 'enum',
    specifiedAs: context.specified('enum'),
    accepts: (value) => keys.has(unorderedKey(value)),
    explain: (value) => ({ reason: 'value was not found in enum', consideredValue: value }),
  });
}
