/** Random pipelines on random documents against a naive evaluation. */
import { describe, expect, test } from 'vitest';
import type { PlainRecord } from '../plain.js';
import { plainDocument } from '../plain.js';
import { compareValues, type Doc, formatDocument, type Value } from '../values.js';
import { compilePipeline } from './pipeline.js';
import { aggregate, memoryContext } from './testing/run.js';

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
let state = seed;

function below(limit: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

function oneOf<T>(values: readonly [T, ...T[]]): T {
  return values[below(values.length)] ?? values[0];
}

function randomDocuments(): PlainRecord[] {
  return Array.from({ length: below(60) }, (_, _id) => ({
    _id,
    a: oneOf<PlainRecord[string]>([below(5), below(5), null, undefined, 'x', [below(4), below(4)], { b: below(3) }]),
    b: below(4),
    c: [below(3), below(3)].slice(below(3)),
  }));
}

function randomStage(): PlainRecord {
  return oneOf<PlainRecord>([
    { $match: { a: oneOf([1, 2, null]) } },
    { $match: { b: { $gte: below(4) } } },
    { $match: { $expr: { $lt: ['$b', 3] } } },
    { $match: { 'n.x': { $gt: 1 } } },
    { $sort: { b: oneOf([1, -1]), _id: 1 } },
    { $limit: 1 + below(40) },
    { $skip: below(5) },
    { $project: { a: 1, b: 1 } },
    { $project: { c: 0 } },
    { $project: { a: 1, b: '$_id', c: 1 } },
    { $addFields: { n: { x: { $add: ['$b', 1] } } } },
    { $set: { b: 1 } },
    { $unset: 'a' },
    { $unwind: '$c' },
    { $unwind: { path: '$c', preserveNullAndEmptyArrays: true, includeArrayIndex: 'i' } },
  ]);
}

const shown = (documents: readonly Doc[]): string[] => documents.map((document) => formatDocument(document));

describe(`seed ${seed}`, () => {
  test('moving stages changes nothing', async () => {
    for (let round = 0; round < 150; round++) {
      const documents = randomDocuments();
      const stages = Array.from({ length: 1 + below(6) }, randomStage);
      // One pipeline a stage: nothing can be moved.
      let expected: PlainRecord[] = documents;
      let last: Doc[] = [];
      for (const stage of stages) {
        last = await aggregate(expected, [stage]);
        expected = last.map((document) => Object.fromEntries([...document]));
      }
      const actual = await aggregate(documents, stages);
      expect(shown(actual), JSON.stringify(stages)).toEqual(shown(last));
    }
  });

  test('groups in little memory are the same groups', async () => {
    for (let round = 0; round < 10; round++) {
      const documents = Array.from({ length: 400 }, (_, _id) => ({ _id, k: below(120), v: below(1000) }));
      const stage = { $group: { _id: '$k', n: { $sum: 1 }, total: { $sum: '$v' }, least: { $min: '$v' } } };
      const sums = new Map<number, { n: number; total: number; least: number }>();
      for (const { k, v } of documents) {
        const { n, total, least } = sums.get(k) ?? { n: 0, total: 0, least: Number.POSITIVE_INFINITY };
        sums.set(k, { n: n + 1, total: total + v, least: Math.min(least, v) });
      }
      const expected = [...sums].map(([_id, sum]) => formatDocument(plainDocument({ _id, ...sum }))).sort();
      for (const stageBytesMax of [10_000, undefined]) {
        const groups = await aggregate(documents, [stage], {}, memoryContext({}, { stageBytesMax }));
        expect(shown(groups).sort()).toEqual(expected);
      }
    }
  });

  test('a sort with a limit is the beginning of the sort', async () => {
    for (let round = 0; round < 20; round++) {
      const documents = randomDocuments();
      const keys = documents.map(({ b, _id }): readonly [Value, number] => [Number(b), Number(_id)]);
      const expected = keys.sort((x, y) => compareValues(y[0], x[0]) || x[1] - y[1]).map(([, id]) => id);
      const limit = 1 + below(10);
      const found = await aggregate(documents, [{ $sort: { b: -1 } }, { $limit: limit }]);
      expect(found.map((document) => document.get('_id'))).toEqual(expected.slice(0, limit));
    }
  });

  test('what is pushed down and the rest are the whole', () => {
    for (let round = 0; round < 100; round++) {
      const stages = Array.from({ length: below(6) }, randomStage).map((stage) => plainDocument(stage));
      const pipeline = compilePipeline(stages);
      expect(pipeline.pushdown.rest.length).toBeLessThanOrEqual(pipeline.stages.length);
      expect(pipeline.stages.length).toBe(stages.length);
    }
  });
});
