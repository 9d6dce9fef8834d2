import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DocumentError } from '../errors.js';
import { arbitraryValue } from '../testing/arbitrary.js';
import { doc, type Plain } from '../testing/plain.js';
import {
  Binary,
  type Collation,
  compareValues,
  DateTime,
  Decimal,
  Doc,
  double,
  encodeDocument,
  isArrayValue,
  MAX_KEY,
  MIN_KEY,
  ObjectId,
  parseCollation,
  Regex,
  Timestamp,
  UNDEFINED,
  type Value,
} from '../values.js';
import { compileFilter } from './filter.js';

function matches(filter: Plain, document: Plain, collation?: Collation): boolean {
  return compileFilter(doc(filter), { collation }).matches(encodeDocument(doc(document)));
}

const id = ObjectId.fromHex('0123456789abcdef01234567');

describe('filters', () => {
  test.each<[Plain, Plain, boolean]>([
    // Equality and arrays.
    [{ a: 1 }, { a: 1 }, true],
    [{ a: 1 }, { a: double(1) }, true],
    [{ a: 1 }, { a: 1n }, true],
    [{ a: 1 }, { a: Decimal.fromNumber(1) }, true],
    [{ a: 2n ** 53n + 1n }, { a: 2 ** 53 }, false],
    [{ a: 1 }, { a: '1' }, false],
    [{ a: 1 }, { a: [1, 2] }, true],
    [{ a: [1, 2] }, { a: [1, 2] }, true],
    [{ a: [1, 2] }, { a: [[1, 2]] }, true],
    [{ a: [1, 2] }, { a: [2, 1] }, false],
    [{ a: { b: 1, c: 2 } }, { a: { b: 1, c: 2 } }, true],
    [{ a: { b: 1, c: 2 } }, { a: { c: 2, b: 1 } }, false],
    [{ a: {} }, { a: { b: 1 } }, false],
    [{ 'a.b': 1 }, { a: { b: 1 } }, true],
    [{ 'a.b': 1 }, { a: [{ b: 1 }, { b: 2 }] }, true],
    [{ 'a.b': 1 }, { a: [{ b: [1, 2] }] }, true],
    [{ 'a.b': 1 }, { a: [[{ b: 1 }]] }, false],
    [{ 'a.0': 1 }, { a: [1, 2] }, true],
    [{ 'a.1': 1 }, { a: [1, 2] }, false],
    [{ 'a.0.b': 1 }, { a: [{ b: 1 }] }, true],
    [{ 'a.0': 1 }, { a: { 0: 1 } }, true],
    [{ 'a.0': 1 }, { a: [{ 0: 1 }] }, true],
    [{ 'a.0.b': 1 }, { a: [[{ b: 1 }]] }, true],
    [{ 'a.0': 1 }, { a: [[1, 2]] }, false],
    [{ 'a.0.0': 1 }, { a: [[1, 2]] }, true],
    [{ 'a.00': 1 }, { a: [1] }, false],
    [{ a: id }, { a: id }, true],
    [{ a: id }, { a: ObjectId.fromHex('0123456789abcdef01234568') }, false],
    [{ a: new DateTime(5) }, { a: new DateTime(5) }, true],
    [{ a: new DateTime(5) }, { a: new Timestamp(0, 5) }, false],
    [{ a: Number.NaN }, { a: Number.NaN }, true],
    [{ a: -0 }, { a: 0 }, true],
    [{}, { a: 1 }, true],
    [{ '': 1 }, { '': 1 }, true],
    // null, missing, undefined.
    [{ a: null }, {}, true],
    [{ a: null }, { a: null }, true],
    [{ a: null }, { a: UNDEFINED }, true],
    [{ a: null }, { a: 1 }, false],
    [{ a: null }, { a: [null] }, true],
    [{ a: null }, { a: [] }, false],
    [{ 'a.b': null }, { a: 1 }, true],
    [{ 'a.b': null }, { a: [1, 2] }, false],
    [{ 'a.b': null }, { a: [] }, false],
    [{ 'a.b': null }, { a: [{ b: 1 }, {}] }, true],
    [{ a: { $gte: null } }, {}, true],
    [{ a: { $gt: null } }, {}, false],
    [{ a: { $in: [null, 1] } }, {}, true],
    [{ a: { $ne: null } }, {}, false],
    // Ranges stay within their kind.
    [{ a: { $gt: 1 } }, { a: 2 }, true],
    [{ a: { $gt: 1 } }, { a: '2' }, false],
    [{ a: { $lt: 'b' } }, { a: 'a' }, true],
    [{ a: { $gt: 1, $lt: 3 } }, { a: [0, 5] }, true],
    [{ a: { $lt: Number.NaN } }, { a: 1 }, false],
    [{ a: { $lt: 5 } }, { a: Number.NaN }, false],
    [{ a: { $lte: Number.NaN } }, { a: Number.NaN }, true],
    [{ a: { $gt: MIN_KEY } }, { a: 1 }, true],
    [{ a: { $gt: MIN_KEY } }, {}, true],
    [{ a: { $lt: MAX_KEY } }, { a: 'x' }, true],
    [{ a: { $gte: MIN_KEY } }, { a: MIN_KEY }, true],
    [{ a: MAX_KEY }, { a: 1 }, false],
    [{ a: { $gt: { b: 1 } } }, { a: { b: 2 } }, true],
    [{ a: { $gt: [1] } }, { a: [1, 0] }, true],
    [{ a: { $lt: new DateTime(-5) } }, { a: new DateTime(-6) }, true],
    [{ a: { $gt: false } }, { a: true }, true],
    // Negations mean "no element".
    [{ a: { $ne: 1 } }, { a: [1, 2] }, false],
    [{ a: { $ne: 1 } }, {}, true],
    [{ a: { $nin: [1, 2] } }, { a: [2, 3] }, false],
    [{ a: { $not: { $gt: 1 } } }, { a: [0, 2] }, false],
    [{ a: { $not: { $gt: 1 } } }, { a: 'x' }, true],
    [{ a: { $not: new Regex('^x') } }, { a: 'xy' }, false],
    // $in.
    [{ a: { $in: [1, 'x', new Regex('^y')] } }, { a: 'yes' }, true],
    [{ a: { $in: [] } }, { a: 1 }, false],
    [{ a: { $in: [1, 2, 3, 4, 5, 6] } }, { a: double(5) }, true],
    [{ a: { $in: [1, 2, 3, 4, 5, null] } }, {}, true],
    [{ a: { $in: [1, 2, 3, 4, 5, 6] } }, {}, false],
    [{ a: { $in: [[1, 2]] } }, { a: [1, 2] }, true],
    // Logic.
    [{ $or: [{ a: 1 }, { b: 1 }] }, { b: 1 }, true],
    [{ $nor: [{ a: 1 }, { b: 1 }] }, { b: 1 }, false],
    [{ $and: [{ a: 1 }, { b: 1 }] }, { a: 1, b: 1 }, true],
    [{ a: 1, $comment: 'x' }, { a: 1 }, true],
    [{ $alwaysFalse: 1 }, {}, false],
    // Presence, types.
    [{ a: { $exists: true } }, { a: null }, true],
    [{ a: { $exists: false } }, { a: null }, false],
    [{ 'a.b': { $exists: false } }, { a: [1] }, true],
    [{ a: { $type: 'string' } }, { a: ['x', 1] }, true],
    [{ a: { $type: 'array' } }, { a: [] }, true],
    [{ a: { $type: 'array' } }, { a: [[1]] }, true],
    [{ a: { $type: ['int', 'long'] } }, { a: 1.5 }, false],
    [{ a: { $type: 'number' } }, { a: Decimal.ZERO }, true],
    [{ a: { $type: -1 } }, { a: MIN_KEY }, true],
    // Arrays.
    [{ a: { $size: 2 } }, { a: [1, 2] }, true],
    [{ a: { $size: 1 } }, { a: [[1, 2]] }, true],
    [{ a: { $size: 2 } }, { a: [[1, 2]] }, false],
    [{ a: { $size: 0 } }, {}, false],
    [{ a: { $all: [1, 2] } }, { a: [2, 1, 3] }, true],
    [{ a: { $all: [1, 2] } }, { a: [1, 3] }, false],
    [{ a: { $all: [1] } }, { a: 1 }, true],
    [{ a: { $all: [] } }, { a: [] }, false],
    [{ a: { $all: [[1, 2]] } }, { a: [1, 2] }, true],
    [{ a: { $elemMatch: { b: 1, c: 2 } } }, { a: [{ b: 1, c: 2 }] }, true],
    [{ a: { $elemMatch: { b: 1, c: 2 } } }, { a: [{ b: 1 }, { c: 2 }] }, false],
    [{ 'a.b': 1, 'a.c': 2 }, { a: [{ b: 1 }, { c: 2 }] }, true],
    [{ a: { $elemMatch: { $gt: 1, $lt: 3 } } }, { a: [0, 5] }, false],
    [{ a: { $elemMatch: { $gt: 1, $lt: 3 } } }, { a: [0, 2] }, true],
    [{ a: { $elemMatch: { $gt: 1 } } }, { a: 2 }, false],
    [{ a: { $elemMatch: { $not: { $gt: 1 } } } }, { a: [2, 0] }, true],
    [{ a: { $elemMatch: { $elemMatch: { $gt: 1 } } } }, { a: [[0, 2]] }, true],
    [{ a: { $elemMatch: { 0: 1 } } }, { a: [[1, 2]] }, true],
    [{ a: { $elemMatch: { $or: [{ b: 1 }, { c: 1 }] } } }, { a: [{ c: 1 }] }, true],
    [{ 'a.b': { $elemMatch: { c: 1 } } }, { a: [{ b: [{ c: 1 }] }] }, true],
    [{ a: { $all: [{ $elemMatch: { b: 1 } }, { $elemMatch: { b: 2 } }] } }, { a: [{ b: 2 }, { b: 1 }] }, true],
    // Numbers.
    [{ a: { $mod: [4, 1] } }, { a: 5 }, true],
    [{ a: { $mod: [4, 1] } }, { a: 5.9 }, true],
    [{ a: { $mod: [4, -1] } }, { a: -5 }, true],
    [{ a: { $mod: [4, 0] } }, { a: Number.POSITIVE_INFINITY }, false],
    [{ a: { $mod: [4, 0] } }, { a: 2n ** 62n }, true],
    [{ a: { $bitsAllSet: [0, 2] } }, { a: 5 }, true],
    [{ a: { $bitsAllSet: 6 } }, { a: 5 }, false],
    [{ a: { $bitsAnySet: 6 } }, { a: 5 }, true],
    [{ a: { $bitsAllClear: [1] } }, { a: 5 }, true],
    [{ a: { $bitsAllSet: [200] } }, { a: -1 }, true],
    [{ a: { $bitsAllSet: [8] } }, { a: new Binary(Buffer.from([0, 1])) }, true],
    [{ a: { $bitsAllClear: [100] } }, { a: new Binary(Buffer.from([0, 1])) }, true],
    [{ a: { $bitsAnyClear: 1 } }, { a: 1.5 }, false],
    // Regular expressions.
    [{ a: new Regex('^ab') }, { a: 'abc' }, true],
    [{ a: new Regex('^AB', 'i') }, { a: 'abc' }, true],
    [{ a: { $regex: '^AB', $options: 'i' } }, { a: ['x', 'abc'] }, true],
    [{ a: { $options: 's', $regex: 'a.b' } }, { a: 'a\nb' }, true],
    [{ a: { $regex: 'a.b' } }, { a: 'a\nb' }, false],
    [{ a: new Regex('x') }, { a: new Regex('x') }, true],
    [{ a: new Regex('b$') }, { a: 'ab\n' }, true],
    [{ a: new Regex('1') }, { a: 1 }, false],
    // Geometry.
    [
      {
        a: {
          $geoWithin: {
            $box: [
              [0, 0],
              [2, 2],
            ],
          },
        },
      },
      { a: [1, 1] },
      true,
    ],
    [
      {
        a: {
          $geoWithin: {
            $box: [
              [0, 0],
              [2, 2],
            ],
          },
        },
      },
      {
        a: [
          [5, 5],
          [1, 1],
        ],
      },
      true,
    ],
    [{ a: { $geoWithin: { $center: [[0, 0], 1] } } }, { a: { x: 1, y: 1 } }, false],
    [
      {
        a: {
          $geoWithin: {
            $polygon: [
              [0, 0],
              [4, 0],
              [0, 4],
            ],
          },
        },
      },
      { a: [1, 1] },
      true,
    ],
    [{ a: { $geoWithin: { $centerSphere: [[0, 0], 0.1] } } }, { a: [5, 0] }, true],
    [{ a: { $geoWithin: { $centerSphere: [[0, 0], 0.1] } } }, { a: [6, 0] }, false],
    [
      {
        a: {
          $geoIntersects: {
            $geometry: {
              type: 'LineString',
              coordinates: [
                [-1, 0],
                [1, 0],
              ],
            },
          },
        },
      },
      {
        a: {
          type: 'LineString',
          coordinates: [
            [0, -1],
            [0, 1],
          ],
        },
      },
      true,
    ],
  ])('%#: %o on %o: %s', (filter, document, expected) => {
    expect(matches(filter, document)).toBe(expected);
  });

  test('a collation decides about strings', () => {
    const collation = parseCollation(doc({ locale: 'en', strength: 2 }));
    expect(matches({ a: 'ABC' }, { a: 'abc' }, collation)).toBe(true);
    expect(matches({ a: { $in: ['x', 'y', 'z', 'w', 'v', 'ABC'] } }, { a: 'abc' }, collation)).toBe(true);
    expect(matches({ a: { $gt: 'A' } }, { a: 'b' }, collation)).toBe(true);
    expect(matches({ a: new Regex('ABC') }, { a: 'abc' }, collation)).toBe(false);
  });

  test('agree with a naive evaluation on decoded documents', () => {
    const operators = ['$eq', '$gt', '$gte', '$lt', '$lte', '$ne'] as const;
    const operand = arbitraryValue.filter((candidate) => candidate !== UNDEFINED && !(candidate instanceof Regex));
    fc.assert(
      fc.property(fc.constantFrom(...operators), operand, arbitraryValue, (operator, right, left) => {
        const filter = Doc.of({ a: Doc.fromEntries([[operator, right]]) });
        const compiled = compileFilter(filter);
        const elements: Value[] = isArrayValue(left) ? [...left, left] : [left];
        const naive = elements.some((element) => compares(operator === '$ne' ? '$eq' : operator, element, right));
        expect(compiled.matches(encodeDocument(Doc.of({ a: left })))).toBe(operator === '$ne' ? !naive : naive);
      }),
      { numRuns: 2000 },
    );
  });

  test('say through which element they matched', () => {
    const position = (filter: Plain, document: Plain): number | undefined =>
      compileFilter(doc(filter)).matchPosition(encodeDocument(doc(document)));
    expect(position({ a: 5 }, { a: [3, 5] })).toBe(1);
    expect(position({ 'a.b': 5 }, { a: [{ b: 1 }, { b: 5 }] })).toBe(1);
    expect(position({ 'a.b': 2 }, { a: [{ b: [1, 2] }] })).toBe(0);
    expect(position({ a: { $elemMatch: { b: 5 } } }, { a: [{ b: 1 }, { b: 5 }] })).toBe(1);
    expect(position({ x: 1, a: { $gte: 4 } }, { x: 1, a: [1, 4, 5] })).toBe(1);
    expect(position({ x: 1 }, { x: 1 })).toBe(-1);
    expect(position({ $or: [{ a: 5 }, { a: 6 }] }, { a: [3, 5] })).toBe(-1);
    expect(position({ a: 5 }, { a: [1] })).toBeUndefined();
  });
});

function compares(operator: string, left: Value, right: Value): boolean {
  const nothing = (v: Value): boolean => v === null || v === UNDEFINED;
  if (right === null) return nothing(left) && ['$eq', '$gte', '$lte'].includes(operator);
  const order = compareValues(left, right);
  const equal = operator === '$eq' || operator.endsWith('e');
  const isNaNValue = (v: Value): boolean =>
    (typeof v === 'number' && Number.isNaN(v)) || (v instanceof Decimal && v.isNaN);
  if (isNaNValue(left) !== isNaNValue(right) && sameKind(left, right)) return false;
  if (isNaNValue(left) && sameKind(left, right)) return equal;
  if (right === MIN_KEY || right === MAX_KEY || sameKind(left, right)) {
    return (order === 0 && equal) || (operator.startsWith('$g') ? order > 0 : operator.startsWith('$l') && order < 0);
  }
  return false;
}

/** Two values of one kind compare the same way with values of any other kind. */
function sameKind(left: Value, right: Value): boolean {
  const probes: Value[] = [
    MIN_KEY,
    UNDEFINED,
    null,
    0,
    '',
    new Doc(),
    [],
    new Binary(Buffer.alloc(0)),
    id,
    false,
    new DateTime(0),
    new Timestamp(0, 0),
    new Regex(''),
    MAX_KEY,
  ];
  const kind = (v: Value): number => {
    if (v instanceof Object && 'bsonType' in v && [12, 13, 15].includes(v.bsonType)) return 100 + v.bsonType;
    if (v instanceof Object && 'bsonType' in v && v.bsonType === 14) return 4;
    if (v instanceof Object && 'bsonType' in v && (v.bsonType === 19 || v.bsonType === 1)) return 3;
    if (typeof v === 'number' || typeof v === 'bigint') return 3;
    if (typeof v === 'string') return 4;
    return probes.findIndex((probe) => {
      if (Array.isArray(probe)) return Array.isArray(v);
      if (v === null || probe === null) return v === probe;
      return typeof v === typeof probe && (typeof v !== 'object' || v.constructor === probe.constructor);
    });
  };
  return kind(left) === kind(right);
}

describe('refusals', () => {
  test.each<[Plain, number, string]>([
    [
      { $x: 1 },
      2,
      "unknown top level operator: $x. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.",
    ],
    [{ a: { $x: 1 } }, 2, 'unknown operator: $x'],
    [{ $and: [] }, 2, '$and/$or/$nor must be a nonempty array'],
    [{ $or: 1 }, 2, '$or must be an array'],
    [{ $or: [1] }, 2, '$or/$and/$nor entries need to be full objects'],
    [{ a: { $gt: UNDEFINED } }, 2, 'cannot compare to undefined'],
    [{ a: { $gt: new Regex('x') } }, 2, "Can't have RegEx as arg to predicate over field 'a'."],
    [{ a: { $ne: new Regex('x') } }, 2, "Can't have regex as arg to $ne."],
    [{ a: { $in: 1 } }, 2, '$in needs an array'],
    [{ a: { $in: [{ $x: 1 }] } }, 2, 'cannot nest $ under $in'],
    [{ a: { $size: -1 } }, 2, 'Failed to parse $size. Expected a non-negative number in: $size: -1'],
    [{ a: { $size: 1.5 } }, 2, 'Failed to parse $size. Expected an integer: $size: 1.5'],
    [{ a: { $type: 'x' } }, 2, 'Unknown type name alias: x'],
    [{ a: { $type: 0 } }, 2, 'Invalid numerical type code: 0. Instead use {$exists:false}.'],
    [{ a: { $type: 99 } }, 2, 'Invalid numerical type code: 99'],
    [{ a: { $type: [] } }, 9, 'a must match at least one type'],
    [{ a: { $mod: 1 } }, 2, 'malformed mod, needs to be an array'],
    [{ a: { $mod: [1] } }, 2, 'malformed mod, not enough elements'],
    [{ a: { $mod: [1, 2, 3] } }, 2, 'malformed mod, too many elements'],
    [{ a: { $mod: [0, 1] } }, 2, 'divisor cannot be 0'],
    [{ a: { $options: 'i' } }, 2, '$options needs a $regex'],
    [{ a: { $regex: new Regex('x', 'i'), $options: 'i' } }, 51075, 'options set in both $regex and $options'],
    [{ a: { $regex: 'x', $options: 'g' } }, 51108, ' invalid flag in regex options: g'],
    [{ a: { $bitsAllSet: -1 } }, 9, 'Expected a non-negative number in: $bitsAllSet: -1'],
    [{ a: { $bitsAllSet: 1.2 } }, 9, 'Expected an integer: $bitsAllSet: 1.2'],
    [{ a: { $bitsAllSet: [-1] } }, 2, 'Failed to parse bit position. Expected a non-negative number in: 0: -1'],
    [{ v: { $bitsAllSet: 'x' } }, 2, 'v takes an Array, a number, or a BinData but received: $bitsAllSet: "x"'],
    [{ a: { $not: 1 } }, 2, '$not needs a regex or a document'],
    [{ a: { $not: {} } }, 2, '$not cannot be empty'],
    [{ a: { $elemMatch: 1 } }, 2, '$elemMatch needs an Object'],
    [{ a: { $all: 1 } }, 2, '$all needs an array'],
    [{ a: { $all: [{ $gt: 1 }] } }, 2, 'no $ expressions in $all'],
    [{ $jsonSchema: { x: 1 } }, 9, 'Unknown $jsonSchema keyword: x'],
    [{ $jsonSchema: { format: 1 } }, 9, "$jsonSchema keyword 'format' is not currently supported"],
    [{ $expr: 1 }, 2, '$expr is not allowed in this context'],
  ])('%o: code %d', (filter, code, message) => {
    try {
      compileFilter(doc(filter));
    } catch (error) {
      expect(error).toBeInstanceOf(DocumentError);
      expect(error).toMatchObject({ code, message });
      return;
    }
    throw new Error('was accepted');
  });

  test('a broken pattern', () => {
    expect(() => compileFilter(doc({ a: new Regex('(') }))).toThrow(
      /^Regular expression is invalid: missing closing parenthesis$/,
    );
  });
});
