import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { valueKey } from './indexes/value-keys.js';
import { arbitraryValue } from './testing/arbitrary.js';
import {
  BsonSymbol,
  bsonTypeOf,
  Code,
  compareValues,
  DateTime,
  Decimal,
  Doc,
  double,
  encodeValue,
  equalityKey,
  formatDocument,
  identical,
  isTrue,
  MAX_KEY,
  MIN_KEY,
  ObjectId,
  parseCollation,
  Timestamp,
  UNDEFINED,
  type Value,
} from './values.js';

const sign = Math.sign;

describe('the order of values', () => {
  test('is MongoDB’s order of kinds', () => {
    const ascending: Value[] = [
      MIN_KEY,
      UNDEFINED,
      null,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      -1,
      0,
      double(1),
      1.5,
      2n,
      'a',
      'b',
      new Doc(),
      Doc.of({ a: 1 }),
      [],
      [1],
      new ObjectId('\0'.repeat(12)),
      false,
      true,
      new DateTime(0),
      new Timestamp(0, 0),
      new Code('x'),
      MAX_KEY,
    ];
    for (let i = 0; i < ascending.length; i++) {
      for (let j = 0; j < ascending.length; j++) {
        expect(sign(compareValues(ascending[i], ascending[j])), `${i} and ${j}`).toBe(sign(i - j));
      }
    }
  });

  test('is total: antisymmetric, transitive, and equal values have equal keys', () => {
    fc.assert(
      fc.property(arbitraryValue, arbitraryValue, arbitraryValue, (a, b, c) => {
        expect(sign(compareValues(a, b)) + sign(compareValues(b, a))).toBe(0);
        expect(compareValues(a, a)).toBe(0);
        if (compareValues(a, b) <= 0 && compareValues(b, c) <= 0) expect(compareValues(a, c)).toBeLessThanOrEqual(0);
        expect(equalityKey(a) === equalityKey(b) || Number.isNaN(equalityKey(a))).toBe(
          compareValues(a, b) === 0 || Number.isNaN(equalityKey(a)),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test('is the order of index keys', () => {
    const key = (value: Value): string => valueKey(encodeValue(value), bsonTypeOf(value), 6);
    fc.assert(
      fc.property(arbitraryValue, arbitraryValue, (a, b) => {
        const left = key(a);
        const right = key(b);
        expect(left < right ? -1 : left > right ? 1 : 0).toBe(sign(compareValues(a, b)) + 0);
      }),
      { numRuns: 3000 },
    );
  });

  test('compares numbers of all types exactly', () => {
    expect(compareValues(2n ** 53n + 1n, 2 ** 53)).toBe(1);
    expect(compareValues(double(1), 1n)).toBe(0);
    expect(compareValues(Decimal.parse('1.0'), 1)).toBe(0);
    expect(compareValues(Decimal.parse('0.1'), 0.1)).toBe(-1);
    expect(compareValues(Number.NaN, Decimal.NAN)).toBe(0);
    expect(compareValues(-0, 0)).toBe(0);
  });

  test('orders text by code points and symbols as text', () => {
    expect(compareValues('\uffff', '\u{1f600}')).toBeLessThan(0);
    expect(compareValues(new BsonSymbol('a'), 'a')).toBe(0);
    expect(compareValues('a', 'a\0')).toBeLessThan(0);
  });
});

test('identity tells types apart that compare equal', () => {
  expect(identical(1, double(1))).toBe(false);
  expect(identical(Doc.of({ a: 1 }), Doc.of({ a: 1 }))).toBe(true);
  expect(identical(0n, 0)).toBe(false);
  expect(identical(-0, double(0))).toBe(false);
});

test('truth', () => {
  expect([0, double(0), 0n, Decimal.ZERO, null, UNDEFINED, undefined, false].some(isTrue)).toBe(false);
  expect([1, '', [], new Doc(), Number.NaN, true, 1n].every(isTrue)).toBe(true);
});

test('printing', () => {
  const document = Doc.of({
    a: 1,
    b: 'x',
    c: ObjectId.fromHex('0'.repeat(24)),
    e: double(1),
    f: [1n, null],
    g: new Doc(),
    h: new DateTime(5),
    i: 1e21,
    j: 0.1,
  });
  expect(formatDocument(document)).toBe(
    `{ a: 1, b: "x", c: ObjectId('000000000000000000000000'), e: 1.0, f: [ 1, null ], g: {}, h: new Date(5), i: 1e+21, j: 0.1 }`,
  );
});

describe('collation', () => {
  const collation = (fields: Record<string, Value>) => {
    const made = parseCollation(Doc.of(fields));
    if (made === undefined) throw new Error('simple');
    return made;
  };

  test('compares by strength', () => {
    const base = collation({ locale: 'en', strength: 1 });
    const accent = collation({ locale: 'en', strength: 2 });
    const full = collation({ locale: 'en' });
    expect(compareValues('a', 'Á', base)).toBe(0);
    expect(compareValues('a', 'A', accent)).toBe(0);
    expect(compareValues('a', 'á', accent)).not.toBe(0);
    expect(compareValues('a', 'A', full)).toBeLessThan(0);
  });

  test('gives equal strings equal keys', () => {
    const words = [
      'strasse',
      'straße',
      'STRASSE',
      'résumé',
      'resume',
      'Résumé',
      'a b',
      'ab',
      'a-b',
      'ab',
      'ﬁn',
      'fin',
      'é',
      'e\u0301',
      '10',
      '010',
      'Å',
      'Å',
      'ø',
      'o',
      'ñ',
      'n',
      'ｱ',
      'ア',
      'あ',
    ];
    const specs: Record<string, Value>[] = [{ locale: 'en' }, { locale: 'sv', strength: 1 }];
    for (const strength of [1, 2, 3])
      specs.push(
        { locale: 'en', strength },
        { locale: 'de', strength, caseLevel: true },
        { locale: 'en', strength, alternate: 'shifted' },
      );
    specs.push({ locale: 'en', numericOrdering: true, strength: 1 });
    for (const spec of specs) {
      const made = collation(spec);
      for (const a of words) {
        for (const b of words)
          expect(made.key(a) === made.key(b), `${JSON.stringify(spec)} ${a} ${b}`).toBe(made.compare(a, b) === 0);
      }
    }
  });

  test('refuses what MongoDB refuses', () => {
    expect(() => collation({ locale: 'xx' })).toThrow(`Field 'locale' is invalid in: { locale: "xx" }`);
    expect(parseCollation(Doc.of({ locale: 'simple' }))).toBeUndefined();
  });
});
