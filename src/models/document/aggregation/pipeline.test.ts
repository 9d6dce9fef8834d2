import { describe, expect, test } from 'vitest';
import { plainDocument } from '../plain.js';
import { formatDocument } from '../values.js';
import { compilePipeline, updatePipeline } from './pipeline.js';
import { aggregate, memoryContext } from './testing/run.js';

const BOOKS = [
  { _id: 8751, title: 'The Banquet', author: 'Dante', copies: 2 },
  { _id: 8752, title: 'Divine Comedy', author: 'Dante', copies: 1 },
  { _id: 8645, title: 'Eclogues', author: 'Dante', copies: 2 },
  { _id: 7000, title: 'The Odyssey', author: 'Homer', copies: 10 },
  { _id: 7020, title: 'Iliad', author: 'Homer', copies: 10 },
];

const shown = async (...args: Parameters<typeof aggregate>): Promise<string[]> =>
  (await aggregate(...args)).map((document) => formatDocument(document));

describe('basic stages', () => {
  test('group by author', async () => {
    expect(
      await shown(BOOKS, [{ $group: { _id: '$author', books: { $push: '$title' }, n: { $sum: '$copies' } } }]),
    ).toEqual([
      '{ _id: "Dante", books: [ "The Banquet", "Divine Comedy", "Eclogues" ], n: 5 }',
      '{ _id: "Homer", books: [ "The Odyssey", "Iliad" ], n: 20 }',
    ]);
  });

  test('match, sort, limit, project', async () => {
    expect(
      await shown(BOOKS, [
        { $match: { copies: { $gt: 1 } } },
        { $sort: { copies: -1, _id: 1 } },
        { $skip: 1 },
        { $limit: 2 },
        { $project: { _id: 0, title: 1, twice: { $multiply: ['$copies', 2] } } },
      ]),
    ).toEqual(['{ title: "Iliad", twice: 20 }', '{ title: "Eclogues", twice: 4 }']);
  });

  test('unwind keeps or drops what has no elements', async () => {
    const documents = [{ _id: 1, a: [1, 2] }, { _id: 2, a: [] }, { _id: 3, a: 7 }, { _id: 4, a: null }, { _id: 5 }];
    expect(await shown(documents, [{ $unwind: '$a' }])).toEqual([
      '{ _id: 1, a: 1 }',
      '{ _id: 1, a: 2 }',
      '{ _id: 3, a: 7 }',
    ]);
    expect(
      await shown(documents, [{ $unwind: { path: '$a', preserveNullAndEmptyArrays: true, includeArrayIndex: 'i' } }]),
    ).toEqual([
      '{ _id: 1, a: 1, i: 0 }',
      '{ _id: 1, a: 2, i: 1 }',
      '{ _id: 2, i: null }',
      '{ _id: 3, a: 7, i: null }',
      '{ _id: 4, a: null, i: null }',
      '{ _id: 5, i: null }',
    ]);
  });

  test('set merges nested fields and goes through arrays', async () => {
    const documents = [{ _id: 1, a: { b: 1 }, c: [{ d: 1 }, { d: 2 }] }];
    expect(await shown(documents, [{ $set: { 'a.x': '$_id', c: { e: 9 } } }, { $unset: 'c.d' }])).toEqual([
      '{ _id: 1, a: { b: 1, x: 1 }, c: [ { e: 9 }, { e: 9 } ] }',
    ]);
  });

  test('count, sortByCount, replaceRoot', async () => {
    expect(await shown(BOOKS, [{ $count: 'n' }])).toEqual(['{ n: 5 }']);
    expect(await shown([], [{ $count: 'n' }])).toEqual([]);
    expect(await shown(BOOKS, [{ $sortByCount: '$author' }])).toEqual([
      '{ _id: "Dante", count: 3 }',
      '{ _id: "Homer", count: 2 }',
    ]);
    expect(await shown([{ a: { b: 1 } }], [{ $replaceRoot: { newRoot: '$a' } }])).toEqual(['{ b: 1 }']);
  });

  test('a match moves before stages that leave its fields alone', () => {
    const stages = [
      { $project: { a: 1, b: { $add: ['$a', 1] } } },
      { $sort: { a: 1 } },
      { $match: { a: { $gt: 1 } } },
      { $match: { b: 2 } },
    ];
    const pipeline = compilePipeline(stages.map((stage) => plainDocument(stage)));
    expect(pipeline.stages.map(({ name }) => name)).toEqual(['$match', '$project', '$match', '$sort']);
    expect(formatDocument(pipeline.pushdown.match)).toBe('{ a: { $gt: 1 } }');
  });
});

test('metadata that is asked for is known', () => {
  const stage = plainDocument({ $project: { score: { $meta: 'textScore' } } });
  expect([...compilePipeline([stage]).metadata]).toEqual(['textScore']);
});

test('update pipelines know some stages only', () => {
  const update = updatePipeline([plainDocument({ $set: { b: '$$v' } }), plainDocument({ $unset: 'a' })], {
    variables: plainDocument({ v: { $add: [1, 1] } }),
  });
  expect(formatDocument(update(plainDocument({ a: 1 })))).toBe('{ b: 2 }');
  expect(() => updatePipeline([plainDocument({ $match: {} })])).toThrow(
    '$match is not allowed to be used within an update',
  );
  expect(() => compilePipeline([], { variables: plainDocument({ v: '$a' }) })).toThrow('Command let Expression');
});

describe('memory', () => {
  const many = Array.from({ length: 3000 }, (_, i) => ({ _id: i, k: i % 1000, text: 'x'.repeat(50) }));
  const context = memoryContext({}, { stageBytesMax: 50_000 });

  test('a group that does not fit goes to disk', async () => {
    const groups = await aggregate(
      many,
      [{ $group: { _id: '$k', n: { $sum: 1 }, ids: { $push: '$_id' } } }],
      {},
      context,
    );
    expect(groups.length).toBe(1000);
    expect(groups.every((group) => group.get('n') === 3)).toBe(true);
  });

  test('a sort that does not fit goes to disk', async () => {
    const sorted = await aggregate(many, [{ $sort: { k: -1, _id: 1 } }], {}, context);
    const expected = [...many].sort((a, b) => b.k - a.k || a._id - b._id).map(({ _id }) => _id);
    expect(sorted.map((document) => document.get('_id'))).toEqual(expected);
  });

  test('without disk use both are refused', async () => {
    const refusing = memoryContext({}, { stageBytesMax: 50_000, allowDiskUse: false });
    await expect(aggregate(many, [{ $group: { _id: '$_id' } }], {}, refusing)).rejects.toMatchObject({ code: 292 });
    await expect(aggregate(many, [{ $sort: { k: 1 } }], {}, refusing)).rejects.toMatchObject({ code: 292 });
  });
});
