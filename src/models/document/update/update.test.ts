import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileFilter } from '../query/filter.js';
import { arbitraryDocument } from '../testing/arbitrary.js';
import { doc, type Plain } from '../testing/plain.js';
import { Decimal, Doc, double, encodeDocument, formatDocument, Timestamp, type Value } from '../values.js';
import { applyDiff } from './apply-diff.js';
import { differences } from './differences.js';
import { compileUpdate, type UpdateResult } from './update.js';
import { upsertDocument } from './upsert.js';

const options = { now: 1000, timestamp: () => new Timestamp(7, 1) };

interface More {
  readonly filter?: Plain;
  readonly arrayFilters?: readonly Plain[];
}

function run(document: Plain, update: Plain, { filter = {}, arrayFilters = [] }: More = {}): UpdateResult {
  const bytes = encodeDocument(doc(document));
  const position = compileFilter(doc(filter)).matchPosition(bytes) ?? -1;
  const compiled = compileUpdate(doc(update), { arrayFilters: arrayFilters.map(doc) });
  return compiled.apply(Doc.fromBytes(bytes), { ...options, position });
}

function updated(document: Plain, update: Plain, more?: More): string {
  return formatDocument(Doc.fromBytes(run(document, update, more).bytes));
}

describe('operators', () => {
  test.each<[Plain, Plain, string]>([
    // $set, $unset, order of new fields.
    [{ a: 1 }, { $set: { a: 2 } }, '{ a: 2 }'],
    [{ a: 1 }, { $set: { c: 3, b: 2 } }, '{ a: 1, b: 2, c: 3 }'],
    [{}, { $set: { 'a.10': 1, 'a.9': 2 } }, '{ a: { 9: 2, 10: 1 } }'],
    [{ a: { b: 1 } }, { $set: { 'a.c.d': 2 } }, '{ a: { b: 1, c: { d: 2 } } }'],
    [{ a: [1, 2] }, { $set: { 'a.1': 5 } }, '{ a: [ 1, 5 ] }'],
    [{ a: [1] }, { $set: { 'a.3': 5 } }, '{ a: [ 1, null, null, 5 ] }'],
    [{ a: [{ b: 1 }] }, { $set: { 'a.0.b': 2, 'a.0.c': 3 } }, '{ a: [ { b: 2, c: 3 } ] }'],
    [{ a: [] }, { $set: { 'a.0.b': 2 } }, '{ a: [ { b: 2 } ] }'],
    [{ a: 1, b: 2 }, { $unset: { a: '', 'b.c': '' } }, '{ b: 2 }'],
    [{ a: [1, 2] }, { $unset: { 'a.0': 1 } }, '{ a: [ null, 2 ] }'],
    [{ a: { b: 1 } }, { $unset: { 'a.b': 1 } }, '{ a: {} }'],
    [{ a: 1 }, { $setOnInsert: { a: 5, b: 5 } }, '{ a: 1 }'],
    [{ a: 1 }, { $set: {} }, '{ a: 1 }'],
    // Arithmetic.
    [{ a: 1 }, { $inc: { a: 2, b: 3 } }, '{ a: 3, b: 3 }'],
    [{ a: 2147483647 }, { $inc: { a: 1 } }, '{ a: 2147483648 }'],
    [{ a: 1 }, { $inc: { a: 0.5 } }, '{ a: 1.5 }'],
    [{ a: 1n }, { $inc: { a: double(1) } }, '{ a: 2.0 }'],
    [{ a: 1.5 }, { $inc: { a: Decimal.parse('0.1') ?? 0 } }, '{ a: 1.60000000000000 }'],
    [{ a: 3 }, { $mul: { a: 4, b: 4 } }, '{ a: 12, b: 0 }'],
    [{}, { $mul: { a: double(2) } }, '{ a: 0.0 }'],
    [{ a: 5, b: 5 }, { $min: { a: 3, b: 7, c: 1 }, $max: { d: 4 } }, '{ a: 3, b: 5, c: 1, d: 4 }'],
    [{ a: 5 }, { $max: { a: 'x' } }, '{ a: "x" }'],
    [{ a: 13, b: 1n }, { $bit: { a: { and: 10 }, b: { or: 4 }, c: { xor: 5 } } }, '{ a: 8, b: 5, c: 5 }'],
    [{}, { $currentDate: { a: true, b: { $type: 'timestamp' } } }, '{ a: new Date(1000), b: Timestamp(7, 1) }'],
    // $rename.
    [{ a: 1, b: 2 }, { $rename: { a: 'c' } }, '{ b: 2, c: 1 }'],
    [{ a: 1, b: 2 }, { $rename: { a: 'b' } }, '{ b: 1 }'],
    [{ a: { x: 1 } }, { $rename: { 'a.x': 'b.y' } }, '{ a: {}, b: { y: 1 } }'],
    [{ b: 2 }, { $rename: { a: 'c' } }, '{ b: 2 }'],
    // Arrays.
    [{}, { $push: { a: 1 } }, '{ a: [ 1 ] }'],
    [{ a: [1] }, { $push: { a: [2] } }, '{ a: [ 1, [ 2 ] ] }'],
    [{ a: [1] }, { $push: { a: { $each: [3, 2] } } }, '{ a: [ 1, 3, 2 ] }'],
    [{ a: [1] }, { $push: { a: { $each: [3, 2], $sort: -1, $slice: 2 } } }, '{ a: [ 3, 2 ] }'],
    [{ a: [1, 2] }, { $push: { a: { $each: [9], $position: 0 } } }, '{ a: [ 9, 1, 2 ] }'],
    [{ a: [1, 2] }, { $push: { a: { $each: [9], $position: -1 } } }, '{ a: [ 1, 9, 2 ] }'],
    [{ a: [1, 2, 3] }, { $push: { a: { $each: [], $slice: -2 } } }, '{ a: [ 2, 3 ] }'],
    [
      { a: [{ n: 2 }, { n: 1 }] },
      { $push: { a: { $each: [{ n: 0 }], $sort: { n: 1 } } } },
      '{ a: [ { n: 0 }, { n: 1 }, { n: 2 } ] }',
    ],
    [{ a: [1] }, { $addToSet: { a: 1 } }, '{ a: [ 1 ] }'],
    [{ a: [1] }, { $addToSet: { a: { $each: [double(1), 2, 2, 3] } } }, '{ a: [ 1, 2, 3 ] }'],
    [{}, { $addToSet: { a: { $each: [1, 1] } } }, '{ a: [ 1 ] }'],
    [{ a: [1, 2, 3] }, { $pop: { a: 1 } }, '{ a: [ 1, 2 ] }'],
    [{ a: [1, 2, 3] }, { $pop: { a: -1, b: 1 } }, '{ a: [ 2, 3 ] }'],
    [{ a: [1, 2, 3, 2] }, { $pull: { a: 2 } }, '{ a: [ 1, 3 ] }'],
    [{ a: [1, 2, 3] }, { $pull: { a: { $gte: 2 } } }, '{ a: [ 1 ] }'],
    [{ a: [{ b: 1, c: 1 }, { b: 2 }, 1] }, { $pull: { a: { b: 1 } } }, '{ a: [ { b: 2 }, 1 ] }'],
    [{ a: [{ b: 1 }, { b: 2 }] }, { $pull: { a: { $or: [{ b: 1 }, { b: 5 }] } } }, '{ a: [ { b: 2 } ] }'],
    [
      { a: [{ r: [{ q: 1 }] }, { r: [{ q: 2 }] }] },
      { $pull: { a: { r: { $elemMatch: { q: 2 } } } } },
      '{ a: [ { r: [ { q: 1 } ] } ] }',
    ],
    [{ a: [1, 2, double(1), 3] }, { $pullAll: { a: [1, 3] } }, '{ a: [ 2 ] }'],
  ])('%o with %o', (document, update, expected) => {
    expect(updated(document, update)).toBe(expected);
  });

  test('positions', () => {
    expect(updated({ a: [1, 5, 9] }, { $set: { 'a.$': 0 } }, { filter: { a: 5 } })).toBe('{ a: [ 1, 0, 9 ] }');
    expect(updated({ a: [{ b: 1 }, { b: 2 }] }, { $inc: { 'a.$.b': 5 } }, { filter: { 'a.b': 2 } })).toBe(
      '{ a: [ { b: 1 }, { b: 7 } ] }',
    );
    expect(updated({ a: [1, 2] }, { $inc: { 'a.$[]': 1 } })).toBe('{ a: [ 2, 3 ] }');
    expect(updated({ a: [{ b: [1, 2] }, { b: [] }] }, { $mul: { 'a.$[].b.$[]': 2 } })).toBe(
      '{ a: [ { b: [ 2, 4 ] }, { b: [] } ] }',
    );
    expect(updated({ a: [1, 5, 9] }, { $set: { 'a.$[x]': 0 } }, { arrayFilters: [{ x: { $gte: 5 } }] })).toBe(
      '{ a: [ 1, 0, 0 ] }',
    );
    expect(
      updated(
        {
          a: [
            { g: 1, s: 0 },
            { g: 2, s: 0 },
          ],
        },
        { $set: { 'a.$[e].s': 1 } },
        { arrayFilters: [{ 'e.g': { $gt: 1 } }] },
      ),
    ).toBe('{ a: [ { g: 1, s: 0 }, { g: 2, s: 1 } ] }');
    expect(
      updated({ a: [{ b: 1 }] }, { $set: { 'a.$[].b': 2, 'a.$[x].c': 3 } }, { arrayFilters: [{ 'x.b': 1 }] }),
    ).toBe('{ a: [ { b: 2, c: 3 } ] }');
  });

  test.each<[Plain, Plain, number, string, More?]>([
    [{}, { $set: { a: 1, 'a.b': 2 } }, 40, "Updating the path 'a.b' would create a conflict at 'a'"],
    [{}, { $set: { 'a.b': 1 }, $inc: { a: 2 } }, 40, "Updating the path 'a' would create a conflict at 'a'"],
    [{}, { $set: { a: 1 }, $inc: { a: 2 } }, 40, "Updating the path 'a' would create a conflict at 'a'"],
    [
      { a: [1] },
      { $set: { 'a.$': 1, 'a.0': 2 } },
      40,
      "Updating the path 'a.0' would create a conflict at 'a.0'",
      { filter: { a: 1 } },
    ],
    [{ a: 1 }, { $set: { 'a.b': 1 } }, 28, "Cannot create field 'b' in element {a: 1}"],
    [{ a: [1] }, { $set: { 'a.b': 1 } }, 28, "Cannot create field 'b' in element {a: [ 1 ]}"],
    [{ a: [] }, { $set: { 'a.2000000': 1 } }, 34, "can't backfill more than 1500000 elements"],
    [{}, { $set: { '': 1 } }, 56, 'An empty update path is not valid.'],
    [{}, { $set: { 'v.': 1 } }, 56, "The update path 'v.' contains an empty field name, which is not allowed."],
    [
      {},
      { $set: 'x' },
      9,
      'Modifiers operate on fields but we found type string instead. For example: {$mod: {<field>: ...}} not {$set: "x"}',
    ],
    [
      {},
      { $foo: { a: 1 } },
      9,
      'Unknown modifier: $foo. Expected a valid update modifier or pipeline-style update specified as an array',
    ],
    [
      { _id: 1 },
      { $set: { _id: 2 } },
      66,
      "Performing an update on the path '_id' would modify the immutable field '_id'",
    ],
    [
      { _id: 1 },
      { $unset: { _id: 1 } },
      66,
      "Performing an update on the path '_id' would modify the immutable field '_id'",
    ],
    [
      { _id: { x: 1 } },
      { $inc: { '_id.x': 1 } },
      66,
      "Performing an update on the path '_id.x' would modify the immutable field '_id'",
    ],
    [
      { _id: 1, a: 'x' },
      { $inc: { a: 1 } },
      14,
      "Cannot apply $inc to a value of non-numeric type. {_id: 1} has the field 'a' of non-numeric type string",
    ],
    [{}, { $inc: { v: 'string' } }, 14, 'Cannot increment with non-numeric argument: {v: "string"}'],
    [
      { _id: 1, a: 2n ** 63n - 1n },
      { $inc: { a: 1 } },
      2,
      'Failed to apply $inc operations to current value ((NumberLong)9223372036854775807) for document {_id: 1}',
    ],
    [
      {},
      { $bit: { a: { nand: 1 } } },
      2,
      "The $bit modifier only supports 'and', 'or', and 'xor', not 'nand' which is an unknown operator: {nand: 1}",
    ],
    [
      { _id: 1, a: 1.5 },
      { $bit: { a: { and: 1 } } },
      2,
      'Cannot apply $bit to a value of non-integral type._id: 1 has the field a of non-integer type double',
    ],
    [{ a: [1] }, { $pop: { a: 2 } }, 9, '$pop expects 1 or -1, found: 2'],
    [{ a: 1 }, { $pop: { a: 1 } }, 14, "Path 'a' contains an element of non-array type 'int'"],
    [
      { _id: 1, a: 's' },
      { $push: { a: 1 } },
      2,
      "The field 'a' must be an array but is of type string in document {_id: 1}",
    ],
    [{ a: 1 }, { $pull: { a: 1 } }, 2, 'Cannot apply $pull to a non-array value'],
    [{ a: 1 }, { $pull: { 'a.b': 1 } }, 28, 'Cannot use the part (b) of (a.b) to traverse the element ({a: 1})'],
    [
      { a: 1 },
      { $addToSet: { a: 1 } },
      2,
      "Cannot apply $addToSet to non-array field. Field named 'a' has non-array type int",
    ],
    [{ a: [1] }, { $set: { 'a.$': 1 } }, 2, 'The positional operator did not find the match needed from the query.'],
    [{ a: [1] }, { $set: { 'a.$[id]': 1 } }, 2, "No array filter found for identifier 'id' in path 'a.$[id]'"],
    [
      { a: [1] },
      { $set: { b: 1 } },
      9,
      "The array filter for identifier 'id' was not used in the update { $set: { b: 1 } }",
      { arrayFilters: [{ id: 1 }] },
    ],
    [{}, { $set: { 'a.$[]': 1 } }, 2, "The path 'a' must exist in the document in order to apply array updates."],
    [{ a: 1 }, { $set: { 'a.$[]': 1 } }, 2, 'Cannot apply array updates to non-array element a: 1'],
    [{ a: 1 }, { $rename: { a: 'a' } }, 2, 'The source and target field for $rename must differ: a: "a"'],
    [
      { a: 1 },
      { $rename: { a: 'a.b' } },
      2,
      'The source and target field for $rename must not be on the same path: a: "a.b"',
    ],
    [
      { _id: 1, a: [{ b: 1 }] },
      { $rename: { 'a.0.b': 'c' } },
      2,
      "The source field cannot be an array element, 'a.0.b' in doc with _id: 1 has an array field called 'a'",
    ],
    [
      { _id: 1, a: 1, b: [] },
      { $rename: { a: 'b.0' } },
      2,
      "The destination field cannot be an array element, 'b.0' in doc with _id: 1 has an array field called 'b'",
    ],
    [
      {},
      { $set: { $a: 1 } },
      52,
      "The dollar ($) prefixed field '$a' in '$a' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.",
    ],
    [{}, { $push: { a: { $each: 1 } } }, 2, 'The argument to $each in $push must be an array but it was of type: int'],
    [{}, { $push: { a: { $each: [], $foo: 1 } } }, 2, 'Unrecognized clause in $push: $foo'],
    [
      {},
      { $currentDate: { a: 'x' } },
      2,
      "string is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'}).",
    ],
  ])('%o with %o: code %d', (document, update, code, message, more) => {
    expect(() => run(document, update, more)).toThrow(expect.objectContaining({ code, message }));
  });

  test('no-ops are told apart from changes', () => {
    expect(run({ a: 1 }, { $set: { a: 1 } }).modified).toBe(false);
    expect(run({ a: 1 }, { $set: { a: double(1) } }).modified).toBe(true);
    expect(run({ a: 1 }, { $inc: { a: 0 } }).modified).toBe(false);
    expect(run({ a: [1] }, { $addToSet: { a: 1 } }).modified).toBe(false);
    expect(run({ a: 1 }, { $unset: { b: 1 } }).modified).toBe(false);
    expect(run({ _id: 1 }, { $set: { _id: 1 } }).modified).toBe(false);
  });
});

describe('change descriptions', () => {
  const describeUpdate = (document: Plain, update: Plain, more?: More): [string, readonly string[], string] => {
    const { log } = run(document, update, more);
    if (log === undefined) throw new Error('no log');
    const { updatedFields, removedFields } = log.describe();
    return [formatDocument(updatedFields), removedFields, formatDocument(log.diff())];
  };

  test.each<[Plain, Plain, [string, readonly string[], string]]>([
    [{ a: 1 }, { $set: { a: 2, b: 3 } }, ['{ a: 2, b: 3 }', [], '{ u: { a: 2 }, i: { b: 3 } }']],
    [
      { a: { b: 1 }, c: 1 },
      { $set: { 'a.b': 2 }, $unset: { c: 1 } },
      ['{ a.b: 2 }', ['c'], '{ d: { c: false }, sa: { u: { b: 2 } } }'],
    ],
    [{}, { $set: { 'a.b.c': 2 } }, ['{ a: { b: { c: 2 } } }', [], '{ i: { a: { b: { c: 2 } } } }']],
    [{ a: [1] }, { $push: { a: 2 } }, ['{ a.1: 2 }', [], '{ sa: { a: true, u1: 2 } }']],
    [{ a: [1, 2] }, { $pop: { a: 1 } }, ['{ a: [ 1 ] }', [], '{ u: { a: [ 1 ] } }']],
    [{ a: [1, 2] }, { $inc: { 'a.$[]': 1 } }, ['{ a: [ 2, 3 ] }', [], '{ u: { a: [ 2, 3 ] } }']],
    [{ a: [1, 2] }, { $set: { 'a.1': 5 } }, ['{ a.1: 5 }', [], '{ sa: { a: true, u1: 5 } }']],
    [{ a: 1 }, { $rename: { a: 'b' } }, ['{ b: 1 }', ['a'], '{ d: { a: false }, i: { b: 1 } }']],
  ])('%o with %o', (document, update, expected) => {
    expect(describeUpdate(document, update)).toEqual(expected);
  });

  test('between two versions', () => {
    const long = 'x'.repeat(200);
    const diff = (before: Plain, after: Plain): string | undefined => {
      const log = differences(doc(before), doc(after));
      return log === undefined ? undefined : formatDocument(log.diff());
    };
    expect(diff({ a: 1, b: 2, l: long }, { a: 1, b: 3, l: long, c: 4 })).toBe('{ u: { b: 3 }, i: { c: 4 } }');
    expect(diff({ a: 1, b: 2, l: long }, { b: 2, l: long })).toBe('{ d: { a: false } }');
    expect(diff({ a: [1, 2, 3, long], b: 1 }, { a: [1, 9, 3, long, 5], b: 1 })).toBe(
      '{ sa: { a: true, u1: 9, u4: 5 } }',
    );
    expect(diff({ a: [long, 2, 3] }, { a: [long] })).toBe('{ sa: { a: true, l: 1 } }');
    expect(diff({ a: 1 }, { b: 1 })).toBeUndefined();
  });
});

describe('replacements', () => {
  test('keep the _id in front and replace the rest', () => {
    expect(updated({ _id: 1, a: 1 }, { b: 2 })).toBe('{ _id: 1, b: 2 }');
    expect(updated({ _id: 1, a: 1 }, { b: 2, _id: 1 })).toBe('{ _id: 1, b: 2 }');
    expect(run({ _id: 1, a: 1 }, { a: 1 }).modified).toBe(false);
    expect(updated({ _id: 1 }, { t: new Timestamp(0, 0) })).toBe('{ _id: 1, t: Timestamp(7, 1) }');
    expect(() => run({ _id: 1 }, { _id: 2 })).toThrow(
      expect.objectContaining({
        code: 66,
        message: "After applying the update, the (immutable) field '_id' was found to have been altered to _id: 2",
      }),
    );
    expect(() => run({ _id: 1 }, { a: 1, $b: 1 })).toThrow(expect.objectContaining({ code: 52 }));
  });
});

describe('upserts', () => {
  const upsert = (filter: Plain, update: Plain): string =>
    formatDocument(upsertDocument(compileFilter(doc(filter)).predicate, compileUpdate(doc(update)), options));

  test.each<[Plain, Plain, string]>([
    [{ _id: 1, a: 2 }, { $set: { b: 3 } }, '{ _id: 1, a: 2, b: 3 }'],
    [{ _id: 1, a: { $gt: 2 } }, { $set: { b: 3 } }, '{ _id: 1, b: 3 }'],
    [{ _id: 1, 'a.b': 2, 'a.c': 3 }, { $inc: { n: 1 } }, '{ _id: 1, a: { b: 2, c: 3 }, n: 1 }'],
    [{ $and: [{ _id: 1 }, { a: { $eq: 5 } }] }, { $setOnInsert: { z: 1 } }, '{ _id: 1, a: 5, z: 1 }'],
    [{ _id: 1, a: { $in: [5] } }, { $set: { b: 1 } }, '{ _id: 1, a: 5, b: 1 }'],
    [{ _id: 1, a: { $all: [5] } }, { $set: { b: 1 } }, '{ _id: 1, a: 5, b: 1 }'],
    [{ _id: 1, $or: [{ a: 5 }] }, { $set: { b: 1 } }, '{ _id: 1, a: 5, b: 1 }'],
    [{ _id: 1, a: 2 }, { b: 3 }, '{ _id: 1, b: 3 }'],
    [{ a: 2 }, { _id: 9, b: 3 }, '{ _id: 9, b: 3 }'],
    [{ a: 2 }, { $set: { _id: 9 } }, '{ _id: 9, a: 2 }'],
  ])('%o with %o', (filter, update, expected) => {
    expect(upsert(filter, update)).toBe(expected);
  });

  test('make an _id when none is given', () => {
    expect(upsert({ a: 1 }, { $set: { b: 1 } })).toMatch(/^\{ _id: ObjectId\('[0-9a-f]{24}'\), a: 1, b: 1 \}$/);
  });

  test.each<[Plain, Plain, number]>([
    [{ a: 1, $and: [{ a: 2 }] }, { $set: { b: 1 } }, 54],
    [{ a: { b: 1 }, 'a.c': 2 }, { $set: { b: 1 } }, 54],
    [{ '_id.x': 1 }, { b: 1 }, 111],
    [{ _id: 1 }, { $set: { _id: 2 } }, 66],
    [{ _id: 1 }, { _id: 2 }, 66],
  ])('%o with %o is refused with %d', (filter, update, code) => {
    expect(() => upsert(filter, update)).toThrow(expect.objectContaining({ code }));
  });
});

test('a diff applied to the old version gives the new one', () => {
  const unique = (document: Doc): Doc => {
    const plain = new Doc();
    for (const [name, field] of document) plain.set(name, field instanceof Doc ? unique(field) : field);
    return plain;
  };
  const filler = Doc.of({ filler: 'x'.repeat(2000) });
  const padded = (document: Doc): Doc => Doc.fromEntries([...filler, ...unique(document)]);
  fc.assert(
    fc.property(arbitraryDocument, arbitraryDocument, fc.boolean(), (first, second, related) => {
      const before = padded(first);
      const after = padded(related ? Doc.fromEntries([...first, ...second]) : second);
      const log = differences(before, after);
      if (log === undefined) return;
      expect(encodeDocument(applyDiff(before, log.diff())).equals(encodeDocument(after))).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test('the log of an operator update says all that changed', () => {
  const leaf = fc.constantFrom<Value>(0, 1, 2, 'x', null, 1.5);
  const inner = fc.oneof(
    leaf,
    fc.array(leaf, { maxLength: 3 }),
    fc.record({ b: leaf, '0': leaf }, { requiredKeys: [] }).map((o) => doc(o as Plain)),
  );
  const value = fc.oneof(
    inner,
    fc.array(inner, { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('b', 'c'), inner, { maxKeys: 2 }).map((o) => doc(o as Plain)),
  );
  const document = fc
    .dictionary(fc.constantFrom('a', 'b', 'c', 'd'), value, { maxKeys: 4 })
    .map((o) => doc(o as Plain));
  const path = fc.constantFrom('a', 'b', 'c', 'a.b', 'a.0', 'a.2', 'a.b.c', 'c.$[]', 'c.$[].b', 'e', 'e.f', 'a.1.b');
  const operator = fc.constantFrom(
    '$set',
    '$unset',
    '$inc',
    '$push',
    '$pop',
    '$pull',
    '$addToSet',
    '$min',
    '$max',
    '$rename',
  );
  const argument = (name: string, given: Value): Value => (name === '$rename' ? 'z' : name === '$pop' ? 1 : given);
  let applied = 0;
  fc.assert(
    fc.property(
      document,
      fc.array(fc.tuple(operator, path, value), { minLength: 1, maxLength: 3 }),
      (stored, operations) => {
        const before = Doc.fromBytes(encodeDocument(stored));
        const update = new Doc();
        for (const [name, at, given] of operations) update.set(name, Doc.fromEntries([[at, argument(name, given)]]));
        let result: UpdateResult;
        try {
          result = compileUpdate(update).apply(before, options);
        } catch (error) {
          expect(error).toHaveProperty('code');
          return;
        }
        applied++;
        const { log, bytes } = result;
        expect(log).toBeDefined();
        if (log !== undefined)
          expect(formatDocument(applyDiff(before, log.diff()))).toBe(formatDocument(Doc.fromBytes(bytes)));
        expect(result.modified).toBe(!bytes.equals(encodeDocument(stored)));
      },
    ),
    { numRuns: 3000 },
  );
  expect(applied).toBeGreaterThan(300);
});

test('setting a field changes that field and no other byte', () => {
  fc.assert(
    fc.property(arbitraryDocument, (document) => {
      const before = Doc.fromBytes(encodeDocument(document));
      const { bytes } = compileUpdate(doc({ $set: { '~new': 1 } })).apply(before, options);
      const after = Doc.fromBytes(bytes).copy();
      expect(after.delete('~new')).toBe(true);
      const source = encodeDocument(document);
      expect(bytes.subarray(4, source.length - 1).equals(source.subarray(4, source.length - 1))).toBe(true);
      const value: Value | undefined = Doc.fromBytes(bytes).get('~new');
      expect(value).toBe(1);
    }),
  );
});
