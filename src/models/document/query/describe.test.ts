import { expect, test } from 'vitest';
import { doc, type Plain } from '../testing/plain.js';
import { formatDocument, Regex } from '../values.js';
import { describePredicate } from './describe.js';
import { compileFilter } from './filter.js';

test.each<[Plain, string]>([
  [{}, '{}'],
  [{ a: 1 }, '{ a: { $eq: 1 } }'],
  [{ b: { $lt: 1, $gt: 0 }, a: 5 }, '{ $and: [ { a: { $eq: 5 } }, { b: { $lt: 1 } }, { b: { $gt: 0 } } ] }'],
  [{ a: { $ne: 1 } }, '{ a: { $not: { $eq: 1 } } }'],
  [{ a: { $in: [1, 2] } }, '{ a: { $in: [ 1, 2 ] } }'],
  [{ a: new Regex('^x', 'i') }, '{ a: { $regex: "^x", $options: "i" } }'],
  [{ a: { $exists: false } }, '{ a: { $not: { $exists: true } } }'],
  [{ a: { $elemMatch: { b: 1, c: 2 } } }, '{ a: { $elemMatch: { $and: [ { b: { $eq: 1 } }, { c: { $eq: 2 } } ] } } }'],
  [{ a: { $elemMatch: { $gt: 1, $lt: 5 } } }, '{ a: { $elemMatch: { $gt: 1, $lt: 5 } } }'],
  [{ $or: [{ a: 1 }, { b: { $type: 'string' } }] }, '{ $or: [ { a: { $eq: 1 } }, { b: { $type: [ 2 ] } } ] }'],
])('%o is described as %s', (filter, expected) => {
  expect(formatDocument(describePredicate(compileFilter(doc(filter)).predicate))).toBe(expected);
});
