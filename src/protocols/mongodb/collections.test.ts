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
