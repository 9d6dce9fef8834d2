import type { Collection, Db } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from './testing/server.js';

let server: TestServer;
let db: Db;
let films: Collection;

beforeAll(async () => {
  server = await startTestServer();
  const client = await server.connect();
  db = client.db('cinema');
  films = db.collection('films');
});

afterAll(() => server.stop());

beforeEach(async () => {
  await films.drop();
  await films.insertMany(
    Array.from({ length: 300 }, (_, i) => ({ _id: i as never, n: i, even: i % 2 === 0, tags: [`t${i % 10}`, 'all'] })),
  );
});

describe('find', () => {
  test('gives all documents in batches', async () => {
    expect(await films.find().batchSize(7).toArray()).toHaveLength(300);
  });

  test('filters, sorts, skips, limits and projects', async () => {
    const found = await films
      .find({ even: true, n: { $gte: 100 } })
      .sort({ n: -1 })
      .skip(1)
      .limit(3)
      .project({ n: 1, _id: 0 })
      .toArray();
    expect(found).toEqual([{ n: 296 }, { n: 294 }, { n: 292 }]);
  });

  test('gives the same with an index', async () => {
    const query = { n: { $in: [5, 17, 250, 999] }, tags: { $in: ['t5', 't7'] } };
    const scanned = await films.find(query).toArray();
    await films.createIndex({ tags: 1, n: -1 });
    expect(await films.find(query).sort({ _id: 1 }).toArray()).toEqual(scanned);
    expect(await films.find({ tags: 't3' }).hint('tags_1_n_-1').toArray()).toHaveLength(30);
    expect((await films.find({ tags: 't3' }).sort({ n: 1 }).toArray()).map(({ n }) => n)).toEqual(
      Array.from({ length: 30 }, (_, i) => i * 10 + 3),
    );
  });

  test('refuses unknown options with code 40415', async () => {
    await expect(db.command({ find: 'films', colour: 1 })).rejects.toMatchObject({ code: 40415 });
  });
});

describe('writes', () => {
  test('a second document with the same _id is refused with its key', async () => {
    await expect(films.insertOne({ _id: 5 as never })).rejects.toMatchObject({
      code: 11000,
      message: expect.stringContaining(
        'E11000 duplicate key error collection: cinema.films index: _id_ dup key: { _id: 5 }',
      ),
    });
  });

  test('a unique index is enforced for old and new documents', async () => {
    await films.createIndex({ n: 1 }, { unique: true });
    await expect(films.insertOne({ n: 7 })).rejects.toMatchObject({
      code: 11000,
      keyPattern: { n: 1 },
      keyValue: { n: 7 },
    });
    await expect(films.createIndex({ even: 1 }, { unique: true })).rejects.toMatchObject({ code: 11000 });
    expect((await films.indexes()).map(({ name }) => name)).toEqual(['_id_', 'n_1']);
  });

  test('unordered inserts go on after a failure', async () => {
    const outcome = await films
      .insertMany([{ _id: 1 as never }, { _id: 1000 as never }], { ordered: false })
      .catch((e) => e);
    expect(outcome).toMatchObject({ code: 11000, insertedCount: 1 });
    expect(await films.countDocuments?.({ _id: 1000 as never }).catch(() => 1)).toBe(1);
  });

  test('deletes one and many', async () => {
    expect((await films.deleteOne({ n: 3 })).deletedCount).toBe(1);
    expect((await films.deleteMany({ even: true })).deletedCount).toBe(150);
    expect(await films.estimatedDocumentCount()).toBe(149);
  });

  test('distinct unwinds arrays', async () => {
    expect((await films.distinct('tags', { n: { $lt: 3 } })).sort()).toEqual(['all', 't0', 't1', 't2']);
  });
});

describe('collections', () => {
  test('are created, listed, renamed and dropped', async () => {
    await db.createCollection('capped', { capped: true, size: 1000, max: 3 });
    await db.collection('capped').insertMany([1, 2, 3, 4, 5].map((n) => ({ n })));
    expect((await db.collection('capped').find().toArray()).map(({ n }) => n)).toEqual([3, 4, 5]);
    await db.collection('capped').rename('moved');
    expect((await db.listCollections().toArray()).map(({ name }) => name).sort()).toEqual(['films', 'moved']);
    expect(await db.collection('moved').drop()).toBe(true);
    expect((await db.admin().listDatabases()).databases.map(({ name }) => name)).toContain('cinema');
  });
});

describe('pipelines', () => {
  test('count documents', async () => {
    expect(await films.countDocuments({ even: true })).toBe(150);
    expect(await films.countDocuments({ n: { $gte: 10 } }, { skip: 5, limit: 20 })).toBe(20);
    expect(await films.countDocuments({ n: -1 })).toBe(0);
  });

  test('match, sort, skip and limit through the planner', async () => {
    const found = await films.aggregate([{ $match: { even: true } }, { $sort: { n: -1 } }, { $limit: 2 }]).toArray();
    expect(found.map(({ n }) => n)).toEqual([298, 296]);
  });

  test('tell about collections and indexes', async () => {
    expect(await films.aggregate([{ $collStats: { count: {} } }]).toArray()).toMatchObject([
      { ns: 'cinema.films', count: 300 },
    ]);
    expect(await films.aggregate([{ $indexStats: {} }]).toArray()).toMatchObject([{ name: '_id_' }]);
  });
});

describe('a query', () => {
  test('never misses or repeats a document that is updated meanwhile', async () => {
    await films.createIndex({ n: 1 });
    const cursor = films
      .find({ n: { $gte: 0 } })
      .hint({ n: 1 })
      .batchSize(10);
    const seen: unknown[] = [];
    for await (const film of cursor) {
      seen.push(film._id);
      // Moves the document behind the cursor's place in the index, where a scan of the live index would meet it again.
      if (seen.length % 10 === 1) await films.updateMany({}, { $inc: { n: 1000 } });
    }
    expect(seen).toHaveLength(300);
    expect(new Set(seen).size).toBe(300);
  });
});
