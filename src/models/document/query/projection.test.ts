import { describe, expect, test } from 'vitest';
import { doc, type Plain } from '../testing/plain.js';
import { Doc, encodeDocument, formatDocument } from '../values.js';
import { distinctValues } from './distinct.js';
import { compileFilter } from './filter.js';
import { compileProjection } from './projection.js';
import { Sort } from './sort.js';

function project(projection: Plain, document: Plain, filter: Plain = {}): string {
  const stored = Doc.fromBytes(encodeDocument(doc(document)));
  const compiled = compileProjection(doc(projection), { filter: compileFilter(doc(filter)) });
  return formatDocument(Doc.fromBytes(encodeDocument(compiled.apply(stored))));
}

describe('projections', () => {
  const person = {
    _id: 1,
    name: 'x',
    tags: [1, 2, 3],
    address: { city: 'B', zip: 5 },
    orders: [{ n: 1, p: 2 }, 7, { n: 2, p: 3 }],
  };

  test.each<[Plain, Plain, string]>([
    [{}, { _id: 1, a: 1 }, '{ _id: 1, a: 1 }'],
    [{ a: 1 }, { _id: 1, a: 1, b: 2 }, '{ _id: 1, a: 1 }'],
    [{ a: true, _id: 0 }, { _id: 1, a: 1, b: 2 }, '{ a: 1 }'],
    [{ b: 1, a: 1 }, { a: 1, b: 2, _id: 1 }, '{ a: 1, b: 2, _id: 1 }'],
    [{ a: 0 }, { _id: 1, a: 1, b: 2 }, '{ _id: 1, b: 2 }'],
    [{ a: 0, _id: 1 }, { _id: 1, a: 1, b: 2 }, '{ _id: 1, b: 2 }'],
    [{ _id: 1 }, { _id: 1, a: 1 }, '{ _id: 1 }'],
    [{ _id: 0 }, { _id: 1, a: 1 }, '{ a: 1 }'],
    [{ 'address.city': 1 }, person, '{ _id: 1, address: { city: "B" } }'],
    [{ address: { city: 1 } }, person, '{ _id: 1, address: { city: "B" } }'],
    [{ 'orders.n': 1 }, person, '{ _id: 1, orders: [ { n: 1 }, { n: 2 } ] }'],
    [{ 'orders.n': 0, name: 0, tags: 0, address: 0 }, person, '{ _id: 1, orders: [ { p: 2 }, 7, { p: 3 } ] }'],
    [{ 'name.x': 1 }, person, '{ _id: 1 }'],
    [{ 'address.none': 1 }, person, '{ _id: 1, address: {} }'],
    [{ tags: { $slice: 2 }, name: 1 }, person, '{ _id: 1, name: "x", tags: [ 1, 2 ] }'],
    [{ tags: { $slice: -1 }, orders: 0, address: 0 }, person, '{ _id: 1, name: "x", tags: [ 3 ] }'],
    [{ tags: { $slice: [1, 1] }, _id: 1 }, person, '{ _id: 1, tags: [ 2 ] }'],
    [{ orders: { $elemMatch: { n: 2 } } }, person, '{ _id: 1, orders: [ { n: 2, p: 3 } ] }'],
    [{ orders: { $elemMatch: { n: 9 } } }, person, '{ _id: 1 }'],
    [{ tags: { $elemMatch: { $gt: 1 } }, name: 1 }, person, '{ _id: 1, name: "x", tags: [ 2 ] }'],
    [{ name: 1, extra: 'text' }, person, '{ _id: 1, name: "x", extra: "text" }'],
  ])('%o of %o', (projection, document, expected) => {
    expect(project(projection, document)).toBe(expected);
  });

  test('the positional operator keeps the matched element', () => {
    expect(project({ 'tags.$': 1 }, person, { tags: { $gte: 2 } })).toBe('{ _id: 1, tags: [ 2 ] }');
    expect(project({ 'orders.$': 1 }, person, { 'orders.n': 2 })).toBe('{ _id: 1, orders: [ { n: 2, p: 3 } ] }');
    expect(() => project({ 'tags.$': 1 }, { _id: 1, tags: 5 }, { tags: 5 })).toThrow(
      /couldn't find a matching element/,
    );
  });

  test.each<[Plain, number]>([
    [{ a: 1, b: 0 }, 31254],
    [{ a: 0, b: 1 }, 31253],
    [{ a: 1, 'a.b': 1 }, 31249],
    [{ 'a.b': 1, a: 1 }, 31250],
    [{ a: {} }, 51270],
    [{ $a: 1 }, 16410],
    [{ '': 1 }, 40352],
    [{ 'a.': 1 }, 40353],
    [{ 'a..b': 1 }, 15998],
    [{ a: { $slice: 'x' } }, 31273],
    [{ a: { $slice: [1] } }, 31272],
    [{ a: { $slice: [1, 0] } }, 31259],
    [{ a: { $elemMatch: 1 } }, 31274],
    [{ 'a.b': { $elemMatch: {} } }, 31275],
    [{ 'a.$': 1 }, 31277],
    [{ 'a.$.b': 1 }, 31394],
    [{ 'a.$': 1, 'b.$': 1 }, 31277],
    [{ 'a.$': { x: 1 } }, 31271],
    [{ a: { $meta: 'x' } }, 17308],
    [{ a: { $foo: 1 } }, 31325],
  ])('%o is refused with %d', (projection, code) => {
    expect(() => project(projection, {})).toThrow(expect.objectContaining({ code }));
  });

  test('say which paths they include, for covered queries', () => {
    expect(compileProjection(doc({ a: 1, 'b.c': 1, _id: 0 })).includedPaths).toEqual(['a', 'b.c']);
    expect(compileProjection(doc({ a: 0 })).includedPaths).toBeUndefined();
  });
});

describe('sort keys', () => {
  const sorted = (sort: Plain, documents: readonly Plain[]): Plain[] => {
    const compiled = Sort.parse(doc(sort));
    return documents
      .map((document) => ({ document, key: compiled.key(encodeDocument(doc(document))) }))
      .sort((a, b) => compiled.compare(a.key, b.key))
      .map(({ document }) => document);
  };

  test('arrays sort by least or greatest element, missing as null, empty arrays first', () => {
    const documents: Plain[] = [{ a: [5, 1] }, { a: 3 }, {}, { a: [] }, { a: null }, { a: 'x' }];
    expect(sorted({ a: 1 }, documents)).toEqual([{ a: [] }, {}, { a: null }, { a: [5, 1] }, { a: 3 }, { a: 'x' }]);
    expect(sorted({ a: -1 }, documents)).toEqual([{ a: 'x' }, { a: [5, 1] }, { a: 3 }, {}, { a: null }, { a: [] }]);
  });

  test('paths go through arrays, and compound keys stay within one element', () => {
    expect(sorted({ 'a.b': 1 }, [{ a: [{ b: 3 }, { b: 2 }] }, { a: { b: 1 } }])).toEqual([
      { a: { b: 1 } },
      { a: [{ b: 3 }, { b: 2 }] },
    ]);
    const [first] = sorted({ 'a.b': 1, 'a.c': 1 }, [
      {
        a: [
          { b: 1, c: 5 },
          { b: 2, c: 0 },
        ],
      },
      { a: [{ b: 1, c: 3 }] },
    ]);
    expect(first).toEqual({ a: [{ b: 1, c: 3 }] });
    expect(() => sorted({ a: 1, b: 1 }, [{ a: [1], b: [2] }])).toThrow(
      'cannot sort with keys that are parallel arrays',
    );
  });

  test.each<[Plain, number]>([
    [{ a: 2 }, 15975],
    [{ a: 'x' }, 15974],
    [{ a: { $meta: 'x' } }, 31138],
    [{ 'a.': 1 }, 40353],
    [{ $a: 1 }, 16410],
  ])('%o is refused with %d', (sort, code) => {
    expect(() => Sort.parse(doc(sort))).toThrow(expect.objectContaining({ code }));
  });
});

test('distinct values unwind one level', () => {
  const values = (path: string, document: Plain): string[] => {
    const found: string[] = [];
    distinctValues(path)(encodeDocument(doc(document)), 0, (value) => found.push(JSON.stringify(value)));
    return found;
  };
  expect(values('a', { a: [1, [2], 3] })).toEqual(['1', '[2]', '3']);
  expect(values('a.b', { a: [{ b: 1 }, { b: [2, 3] }, 4] })).toEqual(['1', '2', '3']);
  expect(values('a.0', { a: [7, 8] })).toEqual(['7']);
  expect(values('a', {})).toEqual([]);
});
