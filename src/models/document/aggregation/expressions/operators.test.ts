// biome-ignore-all lint/suspicious/noThenProperty: `then` is an argument of $cond and $switch
import { describe, expect, test } from 'vitest';
import { DocumentError } from '../../errors.js';
import type { Plain, PlainRecord } from '../../plain.js';
import { Decimal, double, formatValue, ObjectId, Regex, Timestamp, type Value } from '../../values.js';
import { evaluate } from '../testing/run.js';

type Case = readonly [expression: Plain, expected: string, document?: PlainRecord];

/** As messages print it; longs with L. */
function shown(value: Value | undefined): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'bigint') return `${value}L`;
  return Array.isArray(value) ? `[${value.map((element: Value) => shown(element)).join(', ')}]` : formatValue(value);
}

function check(name: string, cases: readonly Case[]): void {
  test.each(
    cases.map(
      ([expression, expected, document]) =>
        [
          JSON.stringify(expression, (_, v) => (typeof v === 'bigint' ? `${v}n` : v)),
          expression,
          expected,
          document,
        ] as const,
    ),
  )(`${name}: %s`, (_, expression, expected, document) => {
    expect(shown(evaluate(expression, document))).toBe(expected);
  });
}

function codeOf(expression: Plain, document: PlainRecord = {}): number {
  try {
    evaluate(expression, document);
  } catch (thrown) {
    if (thrown instanceof DocumentError) return thrown.code;
    throw thrown;
  }
  return 0;
}

const at = (text: string): Date => new Date(text);
const d = (text: string): Decimal => Decimal.parse(text) ?? Decimal.NAN;

describe('numbers', () => {
  check('arithmetic', [
    [{ $add: [1, 2] }, '3'],
    [{ $add: [2147483647, 1] }, '2147483648L'],
    [{ $add: [1, 2n] }, '3L'],
    [{ $add: [2n ** 63n - 1n, 1] }, '9.223372036854776e+18'],
    [{ $add: [1, double(2)] }, '3.0'],
    [{ $add: [0.1, 0.2, 0.3] }, '0.6'],
    [{ $add: [d('0.1'), 1] }, '1.1'],
    [{ $add: ['$a', null] }, 'null'],
    [{ $add: [at('1970-01-01T00:00:00Z'), 1000] }, 'new Date(1000)'],
    [{ $subtract: [at('1970-01-01T00:00:01Z'), at('1970-01-01T00:00:00Z')] }, '1000L'],
    [{ $subtract: [5, 7] }, '-2'],
    [{ $multiply: [3, 4, double(2)] }, '24.0'],
    [{ $multiply: [65536, 65536] }, '4294967296L'],
    [{ $divide: [9, 3] }, '3.0'],
    [{ $divide: [1, d('3')] }, '0.3333333333333333333333333333333333'],
    [{ $mod: [-7, 3] }, '-1'],
    [{ $mod: [7.5, 2] }, '1.5'],
    [{ $abs: -5 }, '5'],
    [{ $ceil: 7.8 }, '8.0'],
    [{ $floor: -2.8 }, '-3.0'],
    [{ $round: [19.25, 1] }, '19.2'],
    [{ $round: [28.73, 1] }, '28.7'],
    [{ $round: 10.5 }, '10.0'],
    [{ $round: 11.5 }, '12.0'],
    [{ $round: [175, -1] }, '180'],
    [{ $round: [165, -1] }, '160'],
    [{ $trunc: [34.32, 1] }, '34.3'],
    [{ $trunc: -7.8 }, '-7.0'],
    [{ $pow: [5, 2] }, '25'],
    [{ $pow: [2, 31] }, '2147483648L'],
    [{ $pow: [5, -2] }, '0.04'],
    [{ $sqrt: 25 }, '5.0'],
    [{ $log: [100, 10] }, '2.0'],
    [{ $log10: 0.001 }, '-3.0'],
    [{ $ln: 1 }, '0.0'],
    [{ $exp: 0 }, '1.0'],
    [{ $sin: 0 }, '0.0'],
    [{ $degreesToRadians: 180 }, '3.141592653589793'],
    [{ $atan2: [0, 1] }, '0.0'],
    [{ $bitAnd: [3, 6] }, '2'],
    [{ $bitXor: [3, 6n] }, '5L'],
    [{ $bitNot: 5 }, '-6'],
  ]);

  test('refusals', () => {
    expect(codeOf({ $add: ['$a', 1] }, { a: 'x' })).toBe(14);
    expect(codeOf({ $divide: ['$a', 0] }, { a: 1 })).toBe(2);
    expect(codeOf({ $mod: [1, 0] })).toBe(16610);
    expect(codeOf({ $abs: 'x' })).toBe(28765);
    expect(codeOf({ $sqrt: -1 })).toBe(28714);
    expect(codeOf({ $round: [1, 101] })).toBe(51083);
    expect(codeOf({ $acos: 2 })).toBe(50989);
    expect(codeOf({ $gt: [1] })).toBe(16020);
    expect(codeOf({ $foo: 1 })).toBe(168);
    expect(codeOf('$$x')).toBe(17276);
    expect(codeOf('$')).toBe(16872);
    expect(codeOf('$a..b')).toBe(15998);
  });
});

describe('comparison and conditions', () => {
  check('comparison', [
    [{ $cmp: [1, 'a'] }, '-1'],
    [{ $eq: ['$missing', null] }, 'false'],
    [{ $lt: ['$missing', null] }, 'true'],
    [{ $eq: [1, double(1)] }, 'true'],
    [{ $gte: ['b', 'a'] }, 'true'],
  ]);
  check('conditions', [
    [{ $and: [] }, 'true'],
    [{ $or: [] }, 'false'],
    [{ $and: [1, 'green'] }, 'true'],
    [{ $and: [null, true] }, 'false'],
    [{ $not: [[false]] }, 'false'],
    [{ $cond: { if: { $gte: ['$qty', 250] }, then: 30, else: 20 } }, '30', { qty: 300 }],
    [{ $cond: [false, 1, 2] }, '2'],
    [{ $ifNull: ['$a', '$b', 'Unspecified'] }, '"Unspecified"'],
    [
      { $switch: { branches: [{ case: { $eq: [0, 5] }, then: 'equals' }], default: 'Did not match' } },
      '"Did not match"',
    ],
    [{ $let: { vars: { low: 1, high: '$b' }, in: { $gt: ['$$low', '$$high'] } } }, 'true', { b: 0 }],
    [{ $let: { vars: { CURRENT: '$a' }, in: '$b' } }, '7', { a: { b: 7 } }],
    [{ $literal: '$a' }, '"$a"'],
    [{ a: '$x', b: '$y' }, '{ a: 1 }', { x: 1 }],
    [['$x', '$y'], '[1, null]', { x: 1 }],
    ['$a.b', '[1, 2]', { a: [{ b: 1 }, 5, { b: 2 }, {}] }],
    ['$$ROOT.a', '1', { a: 1 }],
    ['$$REMOVE', 'missing'],
  ]);
});

describe('strings', () => {
  check('text', [
    [{ $concat: ['a', '-', 'b'] }, '"a-b"'],
    [{ $concat: ['a', null] }, 'null'],
    [{ $toUpper: 'aé' }, '"Aé"'],
    [{ $toLower: null }, '""'],
    [{ $strcasecmp: ['13Q1', '13q4'] }, '-1'],
    [{ $split: ['June-15-2013', '-'] }, '["June", "15", "2013"]'],
    [{ $strLenBytes: 'café' }, '5'],
    [{ $strLenCP: 'cafétéria😀' }, '10'],
    [{ $replaceOne: { input: 'abab', find: 'ab', replacement: 'x' } }, '"xab"'],
    [{ $replaceAll: { input: 'abab', find: 'ab', replacement: '#' } }, '"##"'],
    [{ $substrBytes: ['cafétéria', 0, 5] }, '"café"'],
    [{ $substrCP: ['cafétéria', 5, 3] }, '"éri"'],
    [{ $substr: ['hello', 1, -1] }, '"ello"'],
    [{ $substr: [1234, 1, 2] }, '"23"'],
    [{ $indexOfBytes: ['cafeteria', 'e'] }, '3'],
    [{ $indexOfBytes: ['foo.bar.fi', '.', 5] }, '7'],
    [{ $indexOfCP: ['vanilla', 'll', 0, 12] }, '4'],
    [{ $indexOfCP: ['vanilla', 'nilla', 3] }, '-1'],
    [{ $trim: { input: '  x  ' } }, '"x"'],
    [{ $ltrim: { input: ' ggggoodbyeeeee', chars: ' gd' } }, '"oodbyeeeee"'],
    [{ $rtrim: { input: ' ggggoodbyeeeee', chars: 'e ' } }, '" ggggoodby"'],
    [{ $regexMatch: { input: 'Line', regex: '^l', options: 'i' } }, 'true'],
    [{ $regexFind: { input: 'cafétéria', regex: new Regex('t(é)') } }, '{ match: "té", idx: 4, captures: [ "é" ] }'],
    [
      { $regexFindAll: { input: 'aXbX', regex: 'X' } },
      '[{ match: "X", idx: 1, captures: [] }, { match: "X", idx: 3, captures: [] }]',
    ],
  ]);

  test('refusals', () => {
    expect(codeOf({ $concat: [1] })).toBe(16702);
    expect(codeOf({ $split: ['a', ''] })).toBe(40087);
    expect(codeOf({ $substrBytes: ['é', 1, 1] })).toBe(28656);
    expect(codeOf({ $strLenCP: null })).toBe(34471);
  });
});

describe('arrays, sets, objects', () => {
  check('arrays', [
    [{ $arrayElemAt: [[1, 2, 3], -2] }, '2'],
    [{ $arrayElemAt: [[1, 2, 3], 15] }, 'missing'],
    [{ $concatArrays: [['hello', ' '], ['world']] }, '["hello", " ", "world"]'],
    [{ $in: [2, [1, 2, 3]] }, 'true'],
    [{ $indexOfArray: [['a', 'abc', 'b'], 'b'] }, '2'],
    [{ $isArray: [['hello']] }, 'true'],
    [{ $isArray: 'hello' }, 'false'],
    [{ $range: [0, 10, 3] }, '[0, 3, 6, 9]'],
    [{ $range: [10, 0, -4] }, '[10, 6, 2]'],
    [{ $reverseArray: [[1, 2, 3]] }, '[3, 2, 1]'],
    [{ $size: [[1, 2]] }, '2'],
    [{ $slice: [[1, 2, 3], 1, 1] }, '[2]'],
    [{ $slice: [[1, 2, 3], -2] }, '[2, 3]'],
    [{ $slice: [[1, 2, 3], 15, 2] }, '[]'],
    [{ $map: { input: [1, 2], as: 'n', in: { $add: ['$$n', 1] } } }, '[2, 3]'],
    [{ $filter: { input: [1, 2, 3, 4], cond: { $gt: ['$$this', 1] }, limit: 2 } }, '[2, 3]'],
    [{ $reduce: { input: ['a', 'b'], initialValue: '', in: { $concat: ['$$value', '$$this'] } } }, '"ab"'],
    [{ $zip: { inputs: [['a'], [1, 2]], useLongestLength: true, defaults: ['z', 0] } }, '[["a", 1], ["z", 2]]'],
    [{ $sortArray: { input: [3, 1, 2], sortBy: -1 } }, '[3, 2, 1]'],
    [{ $sortArray: { input: [{ a: 2 }, { a: 1 }], sortBy: { a: 1 } } }, '[{ a: 1 }, { a: 2 }]'],
    [{ $first: [[1, 2, 3]] }, '1'],
    [{ $last: { $literal: [1, 2, 3] } }, '3'],
    [{ $firstN: { input: [10, 20, 30], n: 2 } }, '[10, 20]'],
    [{ $maxN: { input: [10, 30, 20, null], n: 2 } }, '[30, 20]'],
    [{ $sum: [1, 2, 'x', 3] }, '6'],
    [{ $avg: '$a' }, '2.5', { a: [2, 3] }],
    [{ $max: [1, 5, null] }, '5'],
    [{ $stdDevPop: [[1, 3]] }, '1.0'],
    [{ $median: { input: [1, 2, 3], method: 'approximate' } }, '2.0'],
    [{ $percentile: { input: [10, 20, 30, 40], p: [0.5, 0.9], method: 'approximate' } }, '[20.0, 40.0]'],
  ]);
  check('sets', [
    [
      {
        $setUnion: [
          ['b', 'a'],
          ['c', 'a'],
        ],
      },
      '["a", "b", "c"]',
    ],
    [
      {
        $setIntersection: [
          ['a', 'b'],
          ['b', 'c'],
        ],
      },
      '["b"]',
    ],
    [{ $setDifference: [['b', 'a'], ['a']] }, '["b"]'],
    [
      {
        $setEquals: [
          ['a', 'b', 'a'],
          ['b', 'a'],
        ],
      },
      'true',
    ],
    [{ $setIsSubset: [['a'], ['b', 'a']] }, 'true'],
    [{ $allElementsTrue: [[true, 0]] }, 'false'],
    [{ $anyElementTrue: [[[false]]] }, 'true'],
  ]);
  check('objects', [
    [{ $mergeObjects: [{ a: 1 }, null, { a: 2, b: 3 }] }, '{ a: 2, b: 3 }'],
    [{ $getField: 'a.b' }, 'missing', { a: { b: 1 } }],
    [{ $getField: { field: { $literal: '$price' }, input: { $literal: { $price: 5 } } } }, '5'],
    [{ $setField: { field: 'a.b', input: '$$ROOT', value: 1 } }, '{ x: 0, a.b: 1 }', { x: 0 }],
    [{ $unsetField: { field: 'x', input: '$$ROOT' } }, '{}', { x: 0 }],
    [{ $objectToArray: { item: 'foo' } }, '[{ k: "item", v: "foo" }]'],
    [
      {
        $arrayToObject: {
          $literal: [
            ['a', 1],
            ['b', 2],
          ],
        },
      },
      '{ a: 1, b: 2 }',
    ],
    [{ $arrayToObject: { $literal: [{ k: 'a', v: 1 }] } }, '{ a: 1 }'],
    [{ $bsonSize: {} }, '5'],
    [{ $binarySize: 'Hello' }, '5'],
  ]);
});

describe('conversion', () => {
  check('convert', [
    [{ $toInt: 5.9 }, '5'],
    [{ $toInt: '-12' }, '-12'],
    [{ $toLong: at('1970-01-01T00:00:01Z') }, '1000L'],
    [{ $toDouble: '2.5' }, '2.5'],
    [{ $toDouble: true }, '1.0'],
    [{ $toDecimal: '1.50' }, '1.50'],
    [{ $toBool: '' }, 'true'],
    [{ $toBool: 0 }, 'false'],
    [{ $toString: 2.5 }, '"2.5"'],
    [{ $toString: at('2020-01-02T03:04:05.006Z') }, '"2020-01-02T03:04:05.006Z"'],
    [{ $toString: ObjectId.fromHex('5ab9c3da31c2ab715d421285') }, '"5ab9c3da31c2ab715d421285"'],
    [{ $toObjectId: '5ab9c3da31c2ab715d421285' }, "ObjectId('5ab9c3da31c2ab715d421285')"],
    [{ $toDate: '2018-03-03' }, `new Date(${Date.UTC(2018, 2, 3)})`],
    [{ $toDate: 1000n }, 'new Date(1000)'],
    [{ $convert: { input: 'x', to: 'int', onError: 'bad' } }, '"bad"'],
    [{ $convert: { input: null, to: 'int', onNull: 0 } }, '0'],
    [{ $convert: { input: 1, to: 2 } }, '"1"'],
    [{ $type: '$missing' }, '"missing"'],
    [{ $type: 1n }, '"long"'],
    [{ $isNumber: 1.5 }, 'true'],
  ]);

  test('refusals', () => {
    expect(codeOf({ $toInt: 'x' })).toBe(241);
    expect(codeOf({ $toDate: 5 })).toBe(241);
    expect(codeOf({ $toInt: {} })).toBe(241);
    expect(codeOf({ $convert: { input: 1, to: 'nothing' } })).toBe(2);
    expect(() => evaluate({ $toInt: { $literal: {} } })).toThrow(
      'Unsupported conversion from object to int in $convert with no onError value',
    );
  });
});

describe('dates', () => {
  const date = at('2014-01-01T08:15:39.736Z');
  check('parts', [
    [{ $year: date }, '2014'],
    [{ $month: date }, '1'],
    [{ $dayOfMonth: date }, '1'],
    [{ $hour: date }, '8'],
    [{ $hour: { date, timezone: 'America/New_York' } }, '3'],
    [{ $hour: { date, timezone: '+05:30' } }, '13'],
    [{ $minute: date }, '15'],
    [{ $second: date }, '39'],
    [{ $millisecond: date }, '736'],
    [{ $dayOfYear: date }, '1'],
    [{ $dayOfWeek: date }, '4'],
    [{ $week: date }, '0'],
    [{ $isoWeek: at('2016-01-04T00:00:00Z') }, '1'],
    [{ $isoWeekYear: at('2016-01-01T00:00:00Z') }, '2015L'],
    [{ $isoDayOfWeek: at('2016-01-03T00:00:00Z') }, '7'],
    [{ $year: new Timestamp(0, 1) }, '1970'],
    [{ $year: null }, 'null'],
    [
      { $dateToParts: { date: at('2017-01-01T01:29:09.123Z'), timezone: 'America/New_York' } },
      '{ year: 2016, month: 12, day: 31, hour: 20, minute: 29, second: 9, millisecond: 123 }',
    ],
    [
      { $dateToParts: { date: at('2017-01-01T01:29:09.123Z'), iso8601: true } },
      '{ isoWeekYear: 2016, isoWeek: 52, isoDayOfWeek: 7, hour: 1, minute: 29, second: 9, millisecond: 123 }',
    ],
    [{ $tsSecond: new Timestamp(1622731060, 3) }, '1622731060L'],
  ]);
  check('text', [
    [{ $dateToString: { date } }, '"2014-01-01T08:15:39.736Z"'],
    [{ $dateToString: { format: '%Y-%m-%d', date } }, '"2014-01-01"'],
    [{ $dateToString: { format: '%H:%M:%S:%L%z', date, timezone: 'America/New_York' } }, '"03:15:39:736-0500"'],
    [{ $dateToString: { format: '%j %U %V %G %u %w %b %B %%', date } }, '"001 00 01 2014 3 4 Jan January %"'],
    [{ $dateToString: { date: null, onNull: 'none' } }, '"none"'],
    [
      { $dateFromString: { dateString: '2017-02-08T12:10:40.787' } },
      `new Date(${Date.UTC(2017, 1, 8, 12, 10, 40, 787)})`,
    ],
    [
      { $dateFromString: { dateString: '2017-02-08', timezone: 'America/New_York' } },
      `new Date(${Date.UTC(2017, 1, 8, 5)})`,
    ],
    [{ $dateFromString: { dateString: '06-15-2018', format: '%m-%d-%Y' } }, `new Date(${Date.UTC(2018, 5, 15)})`],
    [{ $dateFromString: { dateString: '2017-02-08T12:10:40+02:00' } }, `new Date(${Date.UTC(2017, 1, 8, 10, 10, 40)})`],
    [{ $dateFromString: { dateString: 'nonsense', onError: 'bad' } }, '"bad"'],
    [{ $dateFromParts: { year: 2017, month: 14, day: 1, hour: 12 } }, `new Date(${Date.UTC(2018, 1, 1, 12)})`],
    [
      { $dateFromParts: { isoWeekYear: 2017, isoWeek: 6, isoDayOfWeek: 4, hour: 12 } },
      `new Date(${Date.UTC(2017, 1, 9, 12)})`,
    ],
    [
      {
        $dateFromParts: {
          year: 2016,
          month: 12,
          day: 31,
          hour: 23,
          minute: 46,
          second: 12,
          timezone: 'America/New_York',
        },
      },
      `new Date(${Date.UTC(2017, 0, 1, 4, 46, 12)})`,
    ],
  ]);
  check('steps', [
    [
      { $dateAdd: { startDate: at('2021-01-31T00:00:00Z'), unit: 'month', amount: 1 } },
      `new Date(${Date.UTC(2021, 1, 28)})`,
    ],
    [
      { $dateAdd: { startDate: at('2021-03-13T10:00:00Z'), unit: 'day', amount: 1, timezone: 'America/New_York' } },
      `new Date(${Date.UTC(2021, 2, 14, 9)})`,
    ],
    [
      { $dateSubtract: { startDate: at('2021-03-31T00:00:00Z'), unit: 'hour', amount: 2 } },
      `new Date(${Date.UTC(2021, 2, 30, 22)})`,
    ],
    [{ $dateDiff: { startDate: at('2020-12-31T23:00:00Z'), endDate: at('2021-01-01T01:00:00Z'), unit: 'year' } }, '1L'],
    [{ $dateDiff: { startDate: at('2021-01-30T00:00:00Z'), endDate: at('2021-01-31T00:00:00Z'), unit: 'week' } }, '1L'],
    [
      {
        $dateDiff: {
          startDate: at('2021-01-30T00:00:00Z'),
          endDate: at('2021-01-31T00:00:00Z'),
          unit: 'week',
          startOfWeek: 'Monday',
        },
      },
      '0L',
    ],
    [{ $dateTrunc: { date: at('2021-03-20T11:30:05Z'), unit: 'hour' } }, `new Date(${Date.UTC(2021, 2, 20, 11)})`],
    [
      {
        $dateTrunc: {
          date: at('2021-03-20T11:30:05Z'),
          unit: 'week',
          binSize: 2,
          timezone: 'America/Los_Angeles',
          startOfWeek: 'Monday',
        },
      },
      `new Date(${Date.UTC(2021, 2, 15, 7)})`,
    ],
    [
      { $dateTrunc: { date: at('2021-03-20T11:30:05Z'), unit: 'month', binSize: 6 } },
      `new Date(${Date.UTC(2021, 0, 1)})`,
    ],
  ]);

  test('refusals', () => {
    expect(codeOf({ $year: 'x' })).toBe(16006);
    expect(codeOf({ $year: { date, timezone: 'Nowhere/None' } })).toBe(40485);
    expect(codeOf({ $dateToString: { date, format: '%x' } })).toBe(18536);
    expect(codeOf({ $dateFromString: { dateString: 'nonsense' } })).toBe(241);
    expect(codeOf({ $dateFromParts: { year: 0 } })).toBe(40523);
    expect(codeOf({ $dateAdd: { startDate: date, unit: 'eon', amount: 1 } })).toBe(9);
  });
});
