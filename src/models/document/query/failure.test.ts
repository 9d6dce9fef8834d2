import { expect, test } from 'vitest';
import { doc, type Plain } from '../testing/plain.js';
import { encodeDocument, formatDocument, Regex } from '../values.js';
import { explainFailure } from './failure.js';
import { compileFilter } from './filter.js';
import { parseFilter } from './parse.js';

/** Expectations follow MongoDB's own tests of validation errors. */
test.each<[Plain, Plain, string]>([
  [
    { a: { $eq: 2 } },
    { a: 1 },
    '{ operatorName: "$eq", specifiedAs: { a: { $eq: 2 } }, reason: "comparison failed", consideredValue: 1 }',
  ],
  [
    { a: 2 },
    { a: 1 },
    '{ operatorName: "$eq", specifiedAs: { a: 2 }, reason: "comparison failed", consideredValue: 1 }',
  ],
  [{ a: 2 }, { b: 1 }, '{ operatorName: "$eq", specifiedAs: { a: 2 }, reason: "field was missing" }'],
  [
    { a: 2 },
    { a: [3, 4] },
    '{ operatorName: "$eq", specifiedAs: { a: 2 }, reason: "comparison failed", consideredValues: [ 3, 4 ] }',
  ],
  [
    { 'a.b': 2 },
    { a: [{ b: 3 }] },
    '{ operatorName: "$eq", specifiedAs: { a.b: 2 }, reason: "comparison failed", consideredValue: 3 }',
  ],
  [
    { a: [1] },
    { a: [] },
    '{ operatorName: "$eq", specifiedAs: { a: [ 1 ] }, reason: "comparison failed", consideredValues: [] }',
  ],
  [
    { a: { $ne: 2 } },
    { a: 2 },
    '{ operatorName: "$ne", specifiedAs: { a: { $ne: 2 } }, reason: "comparison succeeded", consideredValue: 2 }',
  ],
  [
    { a: { $in: [1] } },
    { a: 4 },
    '{ operatorName: "$in", specifiedAs: { a: { $in: [ 1 ] } }, reason: "no matching value found in array", consideredValue: 4 }',
  ],
  [
    { a: { $nin: [4] } },
    { a: 4 },
    '{ operatorName: "$nin", specifiedAs: { a: { $nin: [ 4 ] } }, reason: "matching value found in array", consideredValue: 4 }',
  ],
  [
    { a: { $exists: false } },
    { a: 4 },
    '{ operatorName: "$exists", specifiedAs: { a: { $exists: false } }, reason: "path does exist" }',
  ],
  [
    { a: { $exists: true } },
    {},
    '{ operatorName: "$exists", specifiedAs: { a: { $exists: true } }, reason: "path does not exist" }',
  ],
  [
    { a: { $type: 'int' } },
    { a: 'one' },
    '{ operatorName: "$type", specifiedAs: { a: { $type: "int" } }, reason: "type did not match", consideredValue: "one", consideredType: "string" }',
  ],
  [
    { a: { $mod: [2, 1] } },
    { a: 'two' },
    '{ operatorName: "$mod", specifiedAs: { a: { $mod: [ 2, 1 ] } }, reason: "type did not match", consideredType: "string", expectedTypes: [ "decimal", "double", "int", "long" ], consideredValue: "two" }',
  ],
  [
    { a: { $size: 2 } },
    { a: 3 },
    '{ operatorName: "$size", specifiedAs: { a: { $size: 2 } }, reason: "type did not match", consideredType: "int", expectedType: "array", consideredValue: 3 }',
  ],
  [
    { a: { $size: 2 } },
    { a: [1] },
    '{ operatorName: "$size", specifiedAs: { a: { $size: 2 } }, reason: "array length was not equal to given size", consideredValue: [ 1 ] }',
  ],
  [
    { a: { $all: [1, 2] } },
    { a: [1] },
    '{ operatorName: "$all", specifiedAs: { a: { $all: [ 1, 2 ] } }, reason: "array did not contain all specified values", consideredValue: [ 1 ] }',
  ],
  [
    { a: { $gt: 0, $lt: 10 } },
    { a: 11 },
    '{ operatorName: "$and", clausesNotSatisfied: [ { index: 1, details: { operatorName: "$lt", specifiedAs: { a: { $lt: 10 } }, reason: "comparison failed", consideredValue: 11 } } ] }',
  ],
  [
    { $or: [{ a: { $lt: 10 } }] },
    { a: 11 },
    '{ operatorName: "$or", clausesNotSatisfied: [ { index: 0, details: { operatorName: "$lt", specifiedAs: { a: { $lt: 10 } }, reason: "comparison failed", consideredValue: 11 } } ] }',
  ],
  [
    { $nor: [{ a: { $gt: 10 } }, { b: { $lt: 10 } }] },
    { a: 9, b: 9 },
    '{ operatorName: "$nor", clausesSatisfied: [ { index: 1, details: { operatorName: "$lt", specifiedAs: { b: { $lt: 10 } }, reason: "comparison succeeded", consideredValue: 9 } } ] }',
  ],
  [
    { a: { $not: { $not: { $lt: 10 } } } },
    { a: 11 },
    '{ operatorName: "$not", details: { operatorName: "$not", details: { operatorName: "$lt", specifiedAs: { a: { $lt: 10 } }, reason: "comparison failed", consideredValue: 11 } } }',
  ],
  [
    { a: { $not: new Regex('^S') } },
    { a: 'S' },
    '{ operatorName: "$not", details: { operatorName: "$regex", specifiedAs: { a: /^S/ }, reason: "regular expression did match", consideredValue: "S" } }',
  ],
  [
    { $jsonSchema: { properties: { a: { minimum: 1 } } } },
    { a: 0 },
    '{ operatorName: "$jsonSchema", schemaRulesNotSatisfied: [ { operatorName: "properties", propertiesNotSatisfied: [ { propertyName: "a", details: [ { operatorName: "minimum", specifiedAs: { minimum: 1 }, reason: "comparison failed", consideredValue: 0 } ] } ] } ] }',
  ],
])('%o refuses %o', (validator, document, expected) => {
  const bytes = encodeDocument(doc(document));
  expect(compileFilter(doc(validator)).matches(bytes)).toBe(false);
  expect(formatDocument(explainFailure(parseFilter(doc(validator), { asWritten: true }), bytes))).toBe(expected);
});
