import { describe, expect, test } from 'vitest';
import { type PlainRecord, plainDocument } from '../../plain.js';
import { formatDocument } from '../../values.js';
import { aggregate, type Collections, memoryContext } from '../testing/run.js';

async function shown(
  documents: readonly PlainRecord[],
  stages: readonly PlainRecord[],
  collections: Collections = {},
  options: Parameters<typeof memoryContext>[1] = {},
): Promise<string[]> {
  return (await aggregate(documents, stages, {}, memoryContext(collections, options))).map((document) =>
    formatDocument(document),
  );
}

async function codeOf(
  stages: readonly PlainRecord[],
  documents: readonly PlainRecord[] = [{ _id: 1 }],
): Promise<unknown> {
  return aggregate(documents, stages).then(
    () => undefined,
    (thrown: { code: number }) => thrown.code,
  );
}

describe('$lookup', () => {
  const orders = [{ _id: 1, item: 'almonds', quantity: 2 }, { _id: 2, item: 'pecans', quantity: 1 }, { _id: 3 }];
  const inventory = [
    { _id: 1, sku: 'almonds', instock: 120 },
    { _id: 2, sku: 'bread', instock: 80 },
    { _id: 4, sku: 'pecans', instock: 70 },
    { _id: 5, sku: null },
    { _id: 6 },
  ];
  const expected = [
    '{ _id: 1, item: "almonds", quantity: 2, found: [ { _id: 1, sku: "almonds", instock: 120 } ] }',
    '{ _id: 2, item: "pecans", quantity: 1, found: [ { _id: 4, sku: "pecans", instock: 70 } ] }',
    '{ _id: 3, found: [ { _id: 5, sku: null }, { _id: 6 } ] }',
  ];
  const equality = { $lookup: { from: 'inventory', localField: 'item', foreignField: 'sku', as: 'found' } };

  test('an equality reads the other collection once', async () => {
    const context = memoryContext({ inventory });
    const results = await aggregate(orders, [equality], {}, context);
    expect(results.map((document) => formatDocument(document))).toEqual(expected);
    expect(context.reads.map((query) => formatDocument(query))).toEqual(['{}']);
  });

  test('with an index only the values of the batch are read', async () => {
    const context = memoryContext({ inventory }, { indexed: ['sku'] });
    const results = await aggregate(orders, [equality], {}, context);
    expect(results.map((document) => formatDocument(document))).toEqual(expected);
    expect(context.reads.map((query) => formatDocument(query))).toEqual([
      '{ sku: { $in: [ null, "almonds", "pecans" ] } }',
    ]);
  });

  test('when the other collection does not fit, batches are read', async () => {
    expect(await shown(orders, [equality], { inventory }, { stageBytesMax: 20 })).toEqual(expected);
  });

  test('local arrays match any element, foreign arrays by element', async () => {
    const classes = [{ _id: 1, enrolled: ['giraffe2', 'artie'] }];
    const members = [
      { _id: 1, name: 'artie' },
      { _id: 2, name: ['giraffe', 'giraffe2'] },
      { _id: 3, name: 'x' },
    ];
    expect(
      await shown(
        classes,
        [
          { $lookup: { from: 'members', localField: 'enrolled', foreignField: 'name', as: 'info' } },
          { $project: { ids: '$info._id' } },
        ],
        { members },
      ),
    ).toEqual(['{ _id: 1, ids: [ 1, 2 ] }']);
  });

  test('a pipeline with variables', async () => {
    const context = memoryContext({ inventory });
    const stage = {
      $lookup: {
        from: 'inventory',
        let: { item: '$item', wanted: '$quantity' },
        pipeline: [
          { $match: { $expr: { $and: [{ $eq: ['$sku', '$$item'] }, { $gte: ['$instock', '$$wanted'] }] } } },
          { $project: { _id: 0, instock: 1 } },
        ],
        as: 'stock',
      },
    };
    const results = await aggregate(orders.slice(0, 2), [stage], {}, context);
    expect(results.map((document) => formatDocument(document))).toEqual([
      '{ _id: 1, item: "almonds", quantity: 2, stock: [ { instock: 120 } ] }',
      '{ _id: 2, item: "pecans", quantity: 1, stock: [ { instock: 70 } ] }',
    ]);
    // The equality is told to the planner as well.
    expect(formatDocument(context.reads[0] ?? plainDocument({}))).toContain('sku: { $eq: "almonds" }');
  });

  test('an equality and a pipeline; no collection with $documents', async () => {
    expect(
      await shown(
        orders.slice(0, 1),
        [
          {
            $lookup: {
              from: 'inventory',
              localField: 'item',
              foreignField: 'sku',
              pipeline: [{ $count: 'n' }],
              as: 'a',
            },
          },
          { $lookup: { pipeline: [{ $documents: [{ x: 1 }] }], as: 'b' } },
        ],
        { inventory },
      ),
    ).toEqual(['{ _id: 1, item: "almonds", quantity: 2, a: [ { n: 1 } ], b: [ { x: 1 } ] }']);
  });

  test('views stand for their collection and stages', async () => {
    const views = {
      v: {
        namespace: { database: 'test', name: 'inventory' },
        stages: [plainDocument({ $match: { instock: { $gt: 100 } } })],
        kind: 'view' as const,
        collation: undefined,
      },
    };
    expect(
      await shown(
        orders.slice(0, 1),
        [{ $lookup: { from: 'v', pipeline: [], as: 'a' } }, { $project: { n: { $size: '$a' } } }],
        { inventory },
        { views },
      ),
    ).toEqual(['{ _id: 1, n: 1 }']);
  });
});

test('$graphLookup follows links breadth first', async () => {
  const employees = [
    { _id: 1, name: 'Dev' },
    { _id: 2, name: 'Eliot', reportsTo: 'Dev' },
    { _id: 3, name: 'Ron', reportsTo: 'Eliot' },
    { _id: 4, name: 'Andrew', reportsTo: 'Eliot' },
    { _id: 5, name: 'Asya', reportsTo: 'Ron' },
  ];
  const stage = (more: PlainRecord): PlainRecord => ({
    $graphLookup: {
      from: 'employees',
      startWith: '$reportsTo',
      connectFromField: 'reportsTo',
      connectToField: 'name',
      as: 'up',
      depthField: 'd',
      ...more,
    },
  });
  const names = { $project: { up: { $map: { input: '$up', in: ['$$this.name', '$$this.d'] } } } };
  expect(await shown(employees.slice(4), [stage({}), names], { employees })).toEqual([
    '{ _id: 5, up: [ [ "Ron", 0 ], [ "Eliot", 1 ], [ "Dev", 2 ] ] }',
  ]);
  expect(await shown(employees.slice(4), [stage({ maxDepth: 0 }), names], { employees })).toEqual([
    '{ _id: 5, up: [ [ "Ron", 0 ] ] }',
  ]);
});

test('$unionWith adds documents after the input', async () => {
  const stages = [{ $unionWith: { coll: 'b', pipeline: [{ $match: { x: 2 } }] } }];
  expect(await shown([{ _id: 1 }], stages, { b: [{ x: 1 }, { x: 2 }] })).toEqual(['{ _id: 1 }', '{ x: 2 }']);
});

test('$facet gives one document', async () => {
  expect(
    await shown(
      [{ a: 1 }, { a: 2 }],
      [{ $facet: { n: [{ $count: 'n' }], top: [{ $sort: { a: -1 } }, { $limit: 1 }] } }],
    ),
  ).toEqual(['{ n: [ { n: 2 } ], top: [ { a: 2 } ] }']);
  expect(await codeOf([{ $facet: {} }])).toBe(40169);
  expect(await codeOf([{ $facet: { a: [{ $facet: { b: [] } }] } }])).toBe(40600);
});

test('$bucket and $bucketAuto', async () => {
  const artists = [1848, 1841, 1885, 1853, 1860, 1877].map((year, _id) => ({ _id, year }));
  expect(
    await shown(artists, [{ $bucket: { groupBy: '$year', boundaries: [1840, 1850, 1870], default: 'other' } }]),
  ).toEqual(['{ _id: 1840, count: 2 }', '{ _id: 1850, count: 2 }', '{ _id: "other", count: 2 }']);
  expect(await shown(artists, [{ $bucketAuto: { groupBy: '$year', buckets: 2 } }])).toEqual([
    '{ _id: { min: 1841, max: 1860 }, count: 3 }',
    '{ _id: { min: 1860, max: 1885 }, count: 3 }',
  ]);
  const hundred = Array.from({ length: 100 }, (_, _id) => ({ _id }));
  expect(await shown(hundred, [{ $bucketAuto: { groupBy: '$_id', buckets: 5, granularity: 'R5' } }])).toEqual([
    '{ _id: { min: 0.0, max: 25.0 }, count: 25 }',
    '{ _id: { min: 25.0, max: 63.0 }, count: 38 }',
    '{ _id: { min: 63.0, max: 100.0 }, count: 37 }',
  ]);
  expect(await codeOf([{ $bucket: { groupBy: '$a', boundaries: [2, 1] } }])).toBe(40194);
});

test('$redact descends', async () => {
  const document = {
    _id: 1,
    tags: ['G', 'STLW'],
    parts: [
      { tags: ['SI', 'G'], t: 1 },
      { tags: ['X'], t: 2 },
      { tags: ['G'], inner: { tags: ['X'] } },
    ],
  };
  const stage = {
    $redact: {
      $cond: [{ $gt: [{ $size: { $setIntersection: ['$tags', ['STLW', 'G']] } }, 0] }, '$$DESCEND', '$$PRUNE'],
    },
  };
  expect(await shown([document], [stage])).toEqual([
    '{ _id: 1, tags: [ "G", "STLW" ], parts: [ { tags: [ "SI", "G" ], t: 1 }, { tags: [ "G" ] } ] }',
  ]);
});

test('$sample takes as many as asked, all different', async () => {
  const documents = Array.from({ length: 50 }, (_, _id) => ({ _id }));
  const some = await shown(documents, [{ $sample: { size: 10 } }]);
  expect(new Set(some).size).toBe(10);
  expect((await shown(documents, [{ $sample: { size: 100 } }])).length).toBe(50);
});

test('$geoNear sorts by distance', async () => {
  const c = [
    { _id: 1, at: { type: 'Point', coordinates: [0, 2] } },
    { _id: 2, at: { type: 'Point', coordinates: [0, 1] } },
    { _id: 3 },
    { _id: 4, at: { type: 'Point', coordinates: [0, 50] } },
  ];
  const near = {
    near: { type: 'Point', coordinates: [0, 0] },
    key: 'at',
    distanceField: 'd',
    maxDistance: 1_000_000,
    spherical: true,
  };
  expect(
    await shown(
      [],
      [
        { $geoNear: near },
        { $project: { d: { $round: ['$d', -3] }, same: { $eq: ['$d', { $meta: 'geoNearDistance' }] } } },
      ],
      { c },
    ),
  ).toEqual(['{ _id: 2, d: 111000.0, same: true }', '{ _id: 1, d: 223000.0, same: true }']);
});

test('$merge and $out write', async () => {
  const context = memoryContext({});
  await aggregate(
    [{ _id: 1, a: 5 }],
    [{ $merge: { into: 't', whenMatched: [{ $set: { sum: { $add: ['$sum', '$$new.a'] } } }] } }],
    {},
    context,
  );
  const [operation] = context.merged;
  expect(operation?.key).toEqual([['_id', 1]]);
  expect(
    typeof operation?.whenMatched === 'function' &&
      formatDocument(operation.whenMatched(plainDocument({ _id: 1, sum: 2 }))),
  ).toBe('{ _id: 1, sum: 7 }');
  await aggregate([{ _id: 1 }], [{ $out: 'o' }], {}, context);
  expect(context.replaced.get('o')?.map((document) => formatDocument(document))).toEqual(['{ _id: 1 }']);
  expect(await codeOf([{ $merge: { into: 't', on: 'x' } }])).toBe(51183);
  expect(await codeOf([{ $out: 'o' }, { $match: {} }])).toBe(40601);
});

test('refusals', async () => {
  expect(await codeOf([{ $foo: 1 }])).toBe(40324);
  expect(await codeOf([{ $match: {}, $limit: 1 }])).toBe(40323);
  expect(await codeOf([{ $match: {} }, { $indexStats: {} }])).toBe(40602);
  expect(await codeOf([{ $group: { a: { $sum: 1 } } }])).toBe(15955);
  expect(await codeOf([{ $group: { _id: 1, a: { $foo: 1 } } }])).toBe(15952);
  expect(await codeOf([{ $group: { _id: 1, a: 1 } }])).toBe(40234);
  expect(await codeOf([{ $project: {} }])).toBe(51272);
  expect(await codeOf([{ $limit: 0 }])).toBe(15958);
  expect(await codeOf([{ $skip: -1 }])).toBe(5107200);
  expect(await codeOf([{ $sort: {} }])).toBe(15976);
  expect(await codeOf([{ $lookup: { from: 'a', pipeline: [{ $merge: 'x' }], as: 'b' } }])).toBe(51047);
});
