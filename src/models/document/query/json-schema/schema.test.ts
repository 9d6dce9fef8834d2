import { describe, expect, test } from 'vitest';
import { doc, type Plain } from '../../testing/plain.js';
import { double, encodeDocument, formatValue } from '../../values.js';
import { compileFilter } from '../filter.js';
import { parseJsonSchema } from './schema.js';

function accepts(schema: Plain, document: Plain): boolean {
  return compileFilter(doc({ $jsonSchema: schema })).matches(encodeDocument(doc(document)));
}

describe('a schema', () => {
  test.each<[Plain, Plain, boolean]>([
    [{ required: ['a'] }, { a: 1 }, true],
    [{ required: ['a'] }, {}, false],
    [{ properties: { a: { bsonType: 'int' } } }, { a: double(1) }, false],
    [{ properties: { a: { bsonType: 'int' } } }, {}, true],
    [{ properties: { a: { bsonType: ['int', 'null'] } } }, { a: null }, true],
    [{ properties: { a: { type: 'number', minimum: 3, exclusiveMinimum: true } } }, { a: 3 }, false],
    [{ properties: { a: { type: 'string', pattern: '^x' } } }, { a: 'xy' }, true],
    [{ properties: { a: { minLength: 2 } } }, { a: 5 }, true],
    [{ properties: { a: { minLength: 2 } } }, { a: '\u{1f600}' }, false],
    [{ properties: { a: { type: 'string', minimum: 5 } } }, { a: 'x' }, true],
    [{ properties: { a: { multipleOf: 0.1 } } }, { a: 0.3 }, true],
    [{ properties: { a: { enum: [1, { x: 1, y: 2 }] } } }, { a: { y: 2, x: 1 } }, true],
    [{ properties: { a: { items: { bsonType: 'int' } } } }, { a: [1, 'x'] }, false],
    [{ properties: { a: { items: [{ bsonType: 'int' }], additionalItems: false } } }, { a: [1, 2] }, false],
    [
      { properties: { a: { uniqueItems: true } } },
      {
        a: [
          { x: 1, y: 1 },
          { y: 1, x: 1 },
        ],
      },
      false,
    ],
    [{ properties: { a: { minItems: 1, maxItems: 2 } } }, { a: [1, 2, 3] }, false],
    [{ additionalProperties: false, properties: { a: {} } }, { a: 1, b: 2 }, false],
    [{ patternProperties: { '^s_': { bsonType: 'string' } } }, { s_x: 1 }, false],
    [{ minProperties: 2 }, { a: 1 }, false],
    [{ dependencies: { a: ['b'] } }, { a: 1 }, false],
    [{ dependencies: { a: { required: ['c'] } } }, { a: 1, c: 1 }, true],
    [{ anyOf: [{ required: ['a'] }, { required: ['b'] }] }, { b: 1 }, true],
    [{ oneOf: [{ required: ['a'] }, { required: ['b'] }] }, { a: 1, b: 1 }, false],
    [{ not: { required: ['a'] } }, { a: 1 }, false],
    [{ type: 'array' }, {}, false],
    [{ minimum: 5 }, { a: 1 }, true],
  ])('%o on %o: %s', (schema, document, expected) => {
    expect(accepts(schema, document)).toBe(expected);
  });

  /** Expectations follow MongoDB's own tests of validation errors. */
  test.each<[Plain, Plain, string]>([
    [
      { properties: { a: { type: 'string', minLength: 4 } } },
      { a: 1 },
      '[ { operatorName: "properties", propertiesNotSatisfied: [ { propertyName: "a", details: [ { operatorName: "minLength", specifiedAs: { minLength: 4 }, reason: "type did not match", consideredType: "int", expectedType: "string", consideredValue: 1 }, { operatorName: "type", specifiedAs: { type: "string" }, reason: "type did not match", consideredValue: 1, consideredType: "int" } ] } ] } ]',
    ],
    [
      { properties: { a: { bsonType: 'object', description: 'must be an object', properties: { b: {} } } } },
      { a: 1 },
      '[ { operatorName: "properties", propertiesNotSatisfied: [ { propertyName: "a", description: "must be an object", details: [ { operatorName: "bsonType", specifiedAs: { bsonType: "object" }, reason: "type did not match", consideredValue: 1, consideredType: "int" } ] } ] } ]',
    ],
    [
      { required: ['b', 'a'] },
      {},
      '[ { operatorName: "required", specifiedAs: { required: [ "b", "a" ] }, missingProperties: [ "a", "b" ] } ]',
    ],
    [
      { properties: { a: { items: [{ type: 'number' }, { type: 'string' }] } } },
      { a: [1, 2] },
      '[ { operatorName: "properties", propertiesNotSatisfied: [ { propertyName: "a", details: [ { operatorName: "items", details: [ { itemIndex: 1, details: [ { operatorName: "type", specifiedAs: { type: "string" }, reason: "type did not match", consideredValue: 2, consideredType: "int" } ] } ] } ] } ] } ]',
    ],
    [
      { properties: { a: { oneOf: [{ minimum: 1 }, { maximum: 3 }] } } },
      { a: 2 },
      '[ { operatorName: "properties", propertiesNotSatisfied: [ { propertyName: "a", details: [ { operatorName: "oneOf", reason: "more than one subschema matched", matchingSchemaIndexes: [ 0, 1 ] } ] } ] } ]',
    ],
    [
      { additionalProperties: false, properties: { a: {} } },
      { a: 1, b: 2 },
      '[ { operatorName: "additionalProperties", specifiedAs: { additionalProperties: false }, additionalProperties: [ "b" ] } ]',
    ],
  ])('%o explains %o', (schema, document, expected) => {
    expect(formatValue(parseJsonSchema(doc(schema)).explain(doc(document)))).toBe(expected);
  });

  test.each<[Plain, number]>([
    [{ foo: 1 }, 9],
    [{ $ref: 'x' }, 9],
    [{ type: 'string', bsonType: 'string' }, 9],
    [{ type: 'integer' }, 9],
    [{ bsonType: 'foo' }, 2],
    [{ required: [] }, 9],
    [{ required: ['a', 'a'] }, 9],
    [{ enum: [] }, 9],
    [{ properties: 1 }, 14],
    [{ minLength: -1 }, 9],
    [{ exclusiveMinimum: true }, 9],
    [{ anyOf: [] }, 2],
    [{ title: 1 }, 14],
    [{ multipleOf: 0 }, 9],
  ])('%o is refused with %d', (schema, code) => {
    expect(() => parseJsonSchema(doc(schema))).toThrow(expect.objectContaining({ code }));
  });
});
