import type { Db, Document } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from './testing/server.js';

let server: TestServer;
let db: Db;

beforeAll(async () => {
  server = await startTestServer();
  db = (await server.connect()).db('shop');
});

afterAll(() => server.stop());

function stages(plan: Document): string[] {
  return [plan.stage, ...(plan.inputStage === undefined ? [] : stages(plan.inputStage))];
}

describe('explain', () => {
  test('tells how documents are found', async () => {
    const items = db.collection('items');
    await items.insertMany(Array.from({ length: 100 }, (_, i) => ({ sku: i, kind: i % 4 })));
    await items.createIndex({ kind: 1, sku: -1 });
    const plan = async (cursor: ReturnType<typeof items.find>) =>
      stages((await cursor.explain('queryPlanner')).queryPlanner.winningPlan);
    expect(await plan(items.find({ sku: 5 }))).toEqual(['COLLSCAN']);
    expect(await plan(items.find({ kind: 1 }).sort({ sku: -1 }))).toEqual(['FETCH', 'IXSCAN']);
    expect(await plan(items.find({ kind: 1 }).sort({ _id: -1 }).limit(5))).toEqual(['SORT', 'FETCH', 'IXSCAN']);
    const explained = await items.find({ kind: 2, sku: { $lt: 10 } }).explain('executionStats');
    expect(explained.executionStats).toMatchObject({ nReturned: 2, totalKeysExamined: 2, totalDocsExamined: 2 });
    expect(explained.queryPlanner.winningPlan.inputStage.indexBounds).toEqual({
      kind: ['[2, 2]'],
      sku: ['(10, -inf.0]'],
    });
  });
});

describe('validators', () => {
  test('refuse documents and say why', async () => {
    await db.createCollection('strict', {
      validator: { $jsonSchema: { required: ['name'], properties: { n: { bsonType: 'int' } } } },
    });
    const error = await db
      .collection('strict')
      .insertOne({ n: 'x' })
      .catch((e) => e);
    expect(error).toMatchObject({ code: 121, errInfo: { details: { operatorName: '$jsonSchema' } } });
    await db.command({ collMod: 'strict', validationLevel: 'off' });
    await db.collection('strict').insertOne({ n: 'x' });
  });
});

describe('capped collections', () => {
  test('are followed by tailable cursors', async () => {
    const log = await db.createCollection<{ n: number }>('log', { capped: true, size: 4096 });
    await log.insertOne({ n: 1 });
    const cursor = log.find({}, { tailable: true, awaitData: true });
    expect(await cursor.next()).toMatchObject({ n: 1 });
    const next = cursor.next();
    await log.insertOne({ n: 2 });
    expect(await next).toMatchObject({ n: 2 });
    await cursor.close();
  });
});

describe('the oplog', () => {
  test('can be tailed', async () => {
    const client = await server.connect();
    const oplog = client.db('local').collection('oplog.rs');
    expect(await oplog.find().sort({ $natural: -1 }).limit(1).toArray()).toHaveLength(1);
    const cursor = oplog.find({ ns: 'shop.followed' }, { tailable: true, awaitData: true });
    const next = cursor.next();
    await db.collection('followed').insertOne({ n: 1 });
    expect(await next).toMatchObject({ op: 'i', ns: 'shop.followed', o: { n: 1 } });
    await cursor.close();
  });
});

describe('expiry', () => {
  test('removes documents whose time has passed', async () => {
    const admin = db.admin();
    await admin.command({ setParameter: 1, ttlMonitorSleepSecs: 1 });
    const sessions = db.collection('sessions');
    await sessions.createIndex({ at: 1 }, { expireAfterSeconds: 10 });
    await sessions.insertMany([{ at: new Date(Date.now() - 60_000) }, { at: new Date() }, { at: 'never' }]);
    await expect.poll(() => sessions.estimatedDocumentCount(), { timeout: 10_000 }).toBe(2);
  });
});

describe('special indexes', () => {
  test('text finds stems, phrases and leaves out', async () => {
    const books = db.collection('books');
    await books.insertMany([
      { _id: 1 as never, title: 'Running with wolves', body: 'The wolf runs' },
      { _id: 2 as never, title: 'Cooking', body: 'Soup for runners' },
      { _id: 3 as never, title: 'Wolf soup', body: 'recipes' },
    ]);
    await expect(books.find({ $text: { $search: 'x' } }).toArray()).rejects.toMatchObject({ code: 27 });
    await books.createIndex({ title: 'text', body: 'text' }, { weights: { title: 10 } });
    const found = await books
      .find({ $text: { $search: 'wolf run' } }, { projection: { score: { $meta: 'textScore' } } })
      .sort({ score: { $meta: 'textScore' } })
      .toArray();
    expect(found.map(({ _id }) => _id)).toEqual([1, 3]);
    expect(found[0]?.score).toBeGreaterThan(found[1]?.score);
    expect(await books.find({ $text: { $search: 'wolf -run' } }).toArray()).toMatchObject([{ _id: 3 }]);
    expect(await books.find({ $text: { $search: '"wolf soup"' } }).toArray()).toMatchObject([{ _id: 3 }]);
  });

  test('near gives the nearest first', async () => {
    const places = db.collection('places');
    const point = (x: number, y: number) => ({ type: 'Point', coordinates: [x, y] });
    await places.insertMany([
      { _id: 'far' as never, at: point(10, 50) },
      { _id: 'near' as never, at: point(13.4, 52.5) },
      { _id: 'here' as never, at: point(13.38, 52.52) },
    ]);
    await places.createIndex({ at: '2dsphere' });
    const found = await places
      .find({ at: { $near: { $geometry: point(13.38, 52.52), $maxDistance: 50_000 } } })
      .toArray();
    expect(found.map(({ _id }) => _id)).toEqual(['here', 'near']);
    await expect(places.insertOne({ at: { type: 'Point', coordinates: ['x'] } })).rejects.toMatchObject({
      code: 16755,
    });
  });

  test('wildcard, hashed and partial indexes are kept', async () => {
    const things = db.collection('things');
    await things.insertMany([
      { a: { b: 1 }, n: 5 },
      { a: { c: [1, 2] }, n: 1 },
    ]);
    await things.createIndex({ '$**': 1 });
    await things.createIndex({ n: 'hashed' });
    await things.createIndex({ n: 1 }, { partialFilterExpression: { n: { $gt: 3 } }, unique: true });
    expect(await things.find({ n: 5 }).toArray()).toHaveLength(1);
    await things.insertOne({ n: 1 });
    await expect(things.insertOne({ n: 5 })).rejects.toMatchObject({ code: 11000 });
    expect(
      await things
        .find({ n: { $gt: 2 } })
        .hint('n_1')
        .toArray(),
    ).toHaveLength(1);
  });

  test('collation makes unique what differs by case only', async () => {
    const names = db.collection('names');
    await names.createIndex({ name: 1 }, { unique: true, collation: { locale: 'en', strength: 2 } });
    await names.insertOne({ name: 'Anna' });
    await expect(names.insertOne({ name: 'ANNA' })).rejects.toMatchObject({ code: 11000 });
    expect(await names.find({ name: 'anna' }).collation({ locale: 'en', strength: 2 }).toArray()).toHaveLength(1);
  });

  test('views filter what lies under them', async () => {
    await db.collection('base').insertMany([{ n: 1 }, { n: 2 }, { n: 3 }]);
    await db.createCollection('large', { viewOn: 'base', pipeline: [{ $match: { n: { $gt: 1 } } }] });
    expect((await db.collection('large').find().toArray()).map(({ n }) => n)).toEqual([2, 3]);
    expect(await db.collection('large').countDocuments({ n: 3 })).toBe(1);
    await expect(db.collection('large').insertOne({})).rejects.toMatchObject({ code: 166 });
  });
});

describe('special collections', () => {
  test('time series take measurements with a time', async () => {
    const series = await db.createCollection('weather', { timeseries: { timeField: 'at', metaField: 'station' } });
    await series.insertMany([1, 2, 3].map((n) => ({ at: new Date(n * 1000), station: 'x', n })));
    await expect(series.insertOne({ n: 4 })).rejects.toMatchObject({ code: 2 });
    expect(await series.find({ n: { $gt: 1 } }).toArray()).toHaveLength(2);
    expect((await db.listCollections({ name: 'weather' }).toArray())[0]).toMatchObject({ type: 'timeseries' });
    expect(await series.deleteMany({ station: 'x' })).toMatchObject({ deletedCount: 3 });
  });

  test('clustered collections find by _id', async () => {
    const ids = await db.createCollection<{ _id: number }>('clustered', {
      clusteredIndex: { key: { _id: 1 }, unique: true },
    });
    await ids.insertMany([{ _id: 2 }, { _id: 1 }]);
    await expect(ids.insertOne({ _id: 2 })).rejects.toMatchObject({ code: 11000 });
    expect((await ids.find({ _id: 2 }).explain('executionStats')).executionStats).toMatchObject({
      totalDocsExamined: 1,
    });
    expect(await ids.indexes()).toMatchObject([{ key: { _id: 1 }, clustered: true }]);
  });
});
