import { describe, expect, test } from 'vitest';
import { openMemoryEngine } from '../../../engine/memory/memory-engine.js';
import { createIndexes } from '../indexes/builds.js';
import { insertDocuments } from '../inserts.js';
import { plainDocument } from '../plain.js';
import { openQuery } from '../queries.js';
import { compileFilter } from '../query/filter.js';
import { DocumentStore } from '../store.js';
import { compareValues, Doc, formatDocument, type Value } from '../values.js';

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const namespace = { database: 'test', name: 'things' };
const breathe = (): undefined => undefined;

class Chance {
  constructor(private readonly random: () => number) {}

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  scalar(): Value {
    return this.pick<Value>([0, 1, 2, 3, 1.5, 'a', 'b', 'ab', null, true]);
  }

  value(depth = 0): Value | undefined {
    const kind = this.below(10);
    if (kind === 0) return undefined;
    if (kind < 6 || depth > 1) return this.scalar();
    if (kind < 8) return Array.from({ length: this.below(3) }, () => this.value(depth + 1) ?? null);
    return Doc.of({ b: this.value(depth + 1), c: this.value(depth + 1) });
  }

  document(id: number): Doc {
    return Doc.of({ _id: id, a: this.value(), x: this.value(), y: this.scalar() });
  }

  path(): string {
    return this.pick(['a', 'a.b', 'a.c', 'x', 'y', '_id']);
  }

  condition(): Value {
    switch (this.below(10)) {
      case 0:
      case 1:
      case 2:
        return this.scalar();
      case 3:
        return plainDocument({ $in: [this.scalar(), this.scalar()] });
      case 4:
        return plainDocument({
          [this.pick(['$gt', '$gte'])]: this.scalar(),
          [this.pick(['$lt', '$lte'])]: this.scalar(),
        });
      case 5:
        return plainDocument({ [this.pick(['$gt', '$gte', '$lt', '$lte', '$ne'])]: this.scalar() });
      case 6:
        return plainDocument({ $exists: this.pick([true, false]) });
      case 7:
        return plainDocument({ $elemMatch: { $gte: this.below(3), $lt: 3 } });
      case 8:
        return this.pick<Value>([[], [1], [0, 1]]);
      default:
        return plainDocument({ $not: { $gt: this.scalar() } });
    }
  }

  filter(depth = 0): Doc {
    const filter = new Doc();
    for (let i = this.below(3); i >= 0; i--) filter.set(this.path(), this.condition());
    if (depth === 0 && this.below(4) === 0) filter.append('$or', [this.filter(1), this.filter(1)]);
    if (this.below(6) === 0) filter.append('a', plainDocument({ $elemMatch: { b: this.scalar(), c: this.scalar() } }));
    return filter;
  }

  index(i: number): Doc {
    if (this.below(6) === 0) return Doc.of({ key: Doc.of({ '$**': 1 }), name: `index${i}` });
    const key = new Doc();
    for (let n = this.below(3); n >= 0; n--) key.set(this.path(), this.pick([1, -1]));
    const spec = Doc.of({ key, name: `index${i}` });
    const kind = this.below(4);
    if (kind === 0) spec.append('sparse', true);
    if (kind === 1) spec.append('partialFilterExpression', plainDocument({ y: { $gte: 1 } }));
    return spec;
  }
}

describe('the planner', () => {
  const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

  test(`an index changes no result (seed ${seed})`, async () => {
    const chance = new Chance(randomOf(seed));
    for (let round = 0; round < Number(process.env.TEST_ROUNDS ?? 12); round++) {
      const store = await DocumentStore.open(openMemoryEngine());
      const storage = store.storage();
      const documents = Array.from({ length: 60 }, (_, i) => chance.document(i));
      await insertDocuments(storage, namespace, documents, { ordered: true, bypassValidation: false, breathe });
      for (let i = 0; i < 3; i++) {
        await createIndexes(storage, namespace, [chance.index(i)], breathe).catch((thrown: { code?: number }) => {
          if (![67, 85, 171, 197].includes(thrown.code ?? 0)) throw thrown;
        });
      }
      for (let i = 0; i < 60; i++) {
        const query = chance.filter();
        const sort = chance.below(2) === 0 ? undefined : Doc.of({ [chance.pick(['y', '_id'])]: chance.pick([1, -1]) });
        const run = async (hint: Doc | undefined) => {
          const source = await openQuery(storage, {
            namespace,
            filter: compileFilter(query),
            query,
            sort: hint === undefined ? sort : undefined,
            skip: 0,
            limit: 0,
            collation: undefined,
            hint,
            breathe,
          });
          const found: Doc[] = [];
          for (let batch = await source?.next(); batch !== undefined; batch = await source?.next()) {
            for (const document of batch) found.push(Doc.fromBytes(document));
          }
          source?.close();
          return { found, stage: source?.plan.access.stage };
        };
        const planned = await run(undefined);
        const scanned = await run(Doc.of({ $natural: 1 }));
        const ids = (list: Doc[]): unknown[] =>
          list.map((document) => document.get('_id')).sort((a, b) => Number(a) - Number(b));
        expect(ids(planned.found), `${formatDocument(query)} by ${planned.stage}`).toEqual(ids(scanned.found));
        const [path, direction] = [sort?.nameAt(0) ?? '', sort?.at(0)];
        for (let n = 1; sort !== undefined && n < planned.found.length; n++) {
          const order = compareValues(planned.found[n - 1]?.get(path) ?? null, planned.found[n]?.get(path) ?? null);
          expect(order * (direction === -1 ? -1 : 1), `${formatDocument(query)} sorted by ${path}`).toBeLessThanOrEqual(
            0,
          );
        }
      }
    }
  });
});
