import { describe, expect, test } from 'vitest';
import type { Plain, PlainRecord } from '../../plain.js';
import { DateTime, type Doc, formatValue } from '../../values.js';
import { aggregate } from '../testing/run.js';

const CAKES: readonly PlainRecord[] = [
  { _id: 0, state: 'CA', day: 1, quantity: 120 },
  { _id: 1, state: 'WA', day: 2, quantity: 140 },
  { _id: 2, state: 'CA', day: 3, quantity: 145 },
  { _id: 3, state: 'WA', day: 4, quantity: 104 },
  { _id: 4, state: 'CA', day: 5, quantity: 162 },
  { _id: 5, state: 'WA', day: 6, quantity: 134 },
];

/** `_id: value` of the output field, in the order the stage gives. */
async function column(
  output: Plain,
  more: PlainRecord = { partitionBy: '$state', sortBy: { day: 1 } },
  documents = CAKES,
): Promise<string> {
  const results = await aggregate(documents, [{ $setWindowFields: { ...more, output: { out: output } } }]);
  return results
    .map((document) => `${formatValue(document.get('_id') ?? null)}: ${formatValue(document.get('out') ?? null)}`)
    .join(', ');
}

describe('$setWindowFields', () => {
  test('cumulative and whole partitions', async () => {
    expect(await column({ $sum: '$quantity', window: { documents: ['unbounded', 'current'] } })).toBe(
      '0: 120, 2: 265, 4: 427, 1: 140, 3: 244, 5: 378',
    );
    expect(await column({ $max: '$quantity' })).toBe('0: 162, 2: 162, 4: 162, 1: 140, 3: 140, 5: 140');
    expect(await column({ $avg: '$quantity', window: { documents: [-1, 0] } })).toBe(
      '0: 120.0, 2: 132.5, 4: 153.5, 1: 140.0, 3: 122.0, 5: 119.0',
    );
  });

  test('ranges of values', async () => {
    expect(await column({ $push: '$day', window: { range: [-2, 0] } })).toBe(
      '0: [ 1 ], 2: [ 1, 3 ], 4: [ 3, 5 ], 1: [ 2 ], 3: [ 2, 4 ], 5: [ 4, 6 ]',
    );
    const dated = CAKES.map((cake) => ({ ...cake, day: new DateTime(Number(cake.day) * 86_400_000) }));
    expect(
      await column({ $sum: 1, window: { range: [-3, 'current'], unit: 'day' } }, { sortBy: { day: 1 } }, dated),
    ).toBe('0: 1, 1: 2, 2: 3, 3: 4, 4: 4, 5: 4');
  });

  test('ranks and shifts', async () => {
    const ties = [
      { _id: 1, v: 10 },
      { _id: 2, v: 10 },
      { _id: 3, v: 20 },
    ];
    const by = { sortBy: { v: 1 } };
    expect(await column({ $rank: {} }, by, ties)).toBe('1: 1, 2: 1, 3: 3');
    expect(await column({ $denseRank: {} }, by, ties)).toBe('1: 1, 2: 1, 3: 2');
    expect(await column({ $documentNumber: {} }, by, ties)).toBe('1: 1, 2: 2, 3: 3');
    expect(await column({ $shift: { output: '$_id', by: 1, default: 'none' } }, by, ties)).toBe(
      '1: 2, 2: 3, 3: "none"',
    );
  });

  test('series', async () => {
    const miles = [0, 30, 60, 120].map((_, i) => ({ _id: i, t: new DateTime(i * 3_600_000), m: i * 30 }));
    const by = { sortBy: { t: 1 } };
    expect(
      await column({ $derivative: { input: '$m', unit: 'hour' }, window: { documents: [-1, 0] } }, by, miles),
    ).toBe('0: null, 1: 30.0, 2: 30.0, 3: 30.0');
    expect(
      await column(
        { $integral: { input: '$m', unit: 'hour' }, window: { documents: ['unbounded', 'current'] } },
        by,
        miles,
      ),
    ).toBe('0: 0.0, 1: 15.0, 2: 60.0, 3: 135.0');
    const prices = [13, 15, 12].map((price, _id) => ({ _id, price }));
    expect(await column({ $expMovingAvg: { input: '$price', N: 2 } }, { sortBy: { _id: 1 } }, prices)).toBe(
      '0: 13.0, 1: 14.33333333333333, 2: 12.77777777777778',
    );
    expect(
      await column(
        { $covariancePop: ['$_id', '$price'], window: { documents: ['unbounded', 'current'] } },
        { sortBy: { _id: 1 } },
        prices.slice(0, 2),
      ),
    ).toBe('0: 0.0, 1: 0.5');
  });

  test('refusals', async () => {
    const code = (output: Plain, more: PlainRecord = {}): Promise<unknown> =>
      column(output, more).then(
        () => 0,
        (thrown: { code: number }) => thrown.code,
      );
    expect(await code({ $sum: 1, window: { documents: [-1, 0] } })).toBe(5339901);
    expect(await code({ $sum: 1, window: { range: [-1, 0] } })).toBe(5339902);
    expect(await code({ $rank: {} })).toBe(5371602);
    expect(await code({ $sum: 1 }, { partitionBy: ['$a'] })).toBe(14);
  });
});

const shown = (documents: readonly Doc[]): string[] => documents.map((document) => formatValue(document));

test('$fill by value, last value and line', async () => {
  const documents = [{ _id: 1, a: 10 }, { _id: 2, a: null }, { _id: 3 }, { _id: 4, a: 40 }, { _id: 5 }];
  const fill = (output: Plain): PlainRecord => ({ $fill: { sortBy: { _id: 1 }, output: { a: output } } });
  expect(shown(await aggregate(documents, [fill({ method: 'linear' })]))).toEqual([
    '{ _id: 1, a: 10 }',
    '{ _id: 2, a: 20.0 }',
    '{ _id: 3, a: 30.0 }',
    '{ _id: 4, a: 40 }',
    '{ _id: 5, a: null }',
  ]);
  expect(shown(await aggregate(documents.slice(2, 5), [fill({ method: 'locf' })]))).toEqual([
    '{ _id: 3, a: null }',
    '{ _id: 4, a: 40 }',
    '{ _id: 5, a: 40 }',
  ]);
  expect(shown(await aggregate(documents.slice(1, 3), [fill({ value: 7 })]))).toEqual([
    '{ _id: 2, a: 7 }',
    '{ _id: 3, a: 7 }',
  ]);
});

describe('$densify', () => {
  const altitudes = [
    { v: 'A', altitude: 600 },
    { v: 'A', altitude: 1000 },
    { v: 'B', altitude: 400 },
  ];
  const densify = async (bounds: Plain, step = 200): Promise<string[]> =>
    shown(
      await aggregate(altitudes, [
        { $densify: { field: 'altitude', partitionByFields: ['v'], range: { bounds, step } } },
      ]),
    );

  test('full, partition and explicit bounds', async () => {
    expect(await densify('full')).toEqual([
      '{ v: "A", altitude: 400 }',
      '{ v: "A", altitude: 600 }',
      '{ v: "A", altitude: 800 }',
      '{ v: "A", altitude: 1000 }',
      '{ v: "B", altitude: 400 }',
      '{ v: "B", altitude: 600 }',
      '{ v: "B", altitude: 800 }',
      '{ v: "B", altitude: 1000 }',
    ]);
    expect((await densify('partition')).length).toBe(4);
    expect(await densify([500, 900])).toEqual([
      '{ v: "A", altitude: 500 }',
      '{ v: "A", altitude: 600 }',
      '{ v: "A", altitude: 700 }',
      '{ v: "A", altitude: 1000 }',
      '{ v: "B", altitude: 400 }',
      '{ v: "B", altitude: 500 }',
      '{ v: "B", altitude: 700 }',
    ]);
  });

  test('dates', async () => {
    const day = 86_400_000;
    const documents = [{ t: new DateTime(0) }, { t: new DateTime(3 * day) }];
    const results = await aggregate(documents, [
      { $densify: { field: 't', range: { step: 1, unit: 'day', bounds: 'full' } } },
    ]);
    expect(shown(results)).toEqual([0, 1, 2, 3].map((days) => `{ t: new Date(${days * day}) }`));
  });
});
