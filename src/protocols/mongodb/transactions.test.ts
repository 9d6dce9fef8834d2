import type { Collection, Db, MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from './testing/server.js';

interface Account {
  readonly _id: string;
  readonly balance: number;
}

let server: TestServer;
let client: MongoClient;
let db: Db;
let accounts: Collection<Account>;

beforeAll(async () => {
  server = await startTestServer();
  client = await server.connect();
  db = client.db('bank');
  accounts = db.collection<Account>('accounts');
});

afterAll(() => server.stop());

beforeEach(async () => {
  await accounts.deleteMany({});
  await accounts.insertMany([
    { _id: 'a', balance: 100 },
    { _id: 'b', balance: 0 },
  ]);
});

describe('transactions', () => {
  test('are atomic and isolated', async () => {
    const session = client.startSession();
    session.startTransaction();
    await accounts.updateOne({ _id: 'a' }, { $inc: { balance: -10 } }, { session });
    await accounts.updateOne({ _id: 'b' }, { $inc: { balance: 10 } }, { session });
    expect((await accounts.findOne({ _id: 'a' }))?.balance).toBe(100);
    expect((await accounts.findOne({ _id: 'a' }, { session }))?.balance).toBe(90);
    await session.commitTransaction();
    await session.endSession();
    expect(await accounts.find().sort({ _id: 1 }).toArray()).toEqual([
      { _id: 'a', balance: 90 },
      { _id: 'b', balance: 10 },
    ]);
  });

  test('the second writer of a document is told so at once, with a label', async () => {
    const one = client.startSession();
    const two = client.startSession();
    one.startTransaction();
    two.startTransaction();
    await accounts.updateOne({ _id: 'a' }, { $inc: { balance: 1 } }, { session: one });
    const error = await accounts.updateOne({ _id: 'a' }, { $inc: { balance: 2 } }, { session: two }).catch((e) => e);
    expect(error).toMatchObject({ code: 112 });
    expect(error.hasErrorLabel('TransientTransactionError')).toBe(true);
    await one.abortTransaction();
    await two.abortTransaction();
    await Promise.all([one.endSession(), two.endSession()]);
    expect((await accounts.findOne({ _id: 'a' }))?.balance).toBe(100);
  });

  test('a plain write waits for the transaction', async () => {
    const session = client.startSession();
    session.startTransaction();
    await accounts.updateOne({ _id: 'a' }, { $set: { balance: 1 } }, { session });
    const waiting = accounts.updateOne({ _id: 'a' }, { $inc: { balance: 5 } });
    await session.commitTransaction();
    await waiting;
    await session.endSession();
    expect((await accounts.findOne({ _id: 'a' }))?.balance).toBe(6);
  });

  test('concurrent transfers keep the sum', async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        client.withSession((session) =>
          session.withTransaction(async () => {
            const amount = i % 3;
            await accounts.updateOne({ _id: 'a' }, { $inc: { balance: -amount } }, { session });
            await accounts.updateOne({ _id: 'b' }, { $inc: { balance: amount } }, { session });
          }),
        ),
      ),
    );
    const all = await accounts.find().toArray();
    expect(all.reduce((sum, { balance }) => sum + balance, 0)).toBe(100);
  });
});

describe('change streams', () => {
  test('tell changes and resume behind a token', async () => {
    const stream = accounts.watch([], { fullDocument: 'updateLookup' });
    const first = stream.next();
    await stream.tryNext().catch(() => {});
    await accounts.insertOne({ _id: 'c', balance: 1 });
    const inserted = await first;
    expect(inserted).toMatchObject({
      operationType: 'insert',
      fullDocument: { _id: 'c' },
      ns: { db: 'bank', coll: 'accounts' },
    });
    await accounts.updateOne({ _id: 'c' }, { $set: { balance: 2 } });
    await accounts.deleteOne({ _id: 'c' });
    await stream.close();
    const resumed = accounts.watch([], { resumeAfter: inserted._id });
    expect(await resumed.next()).toMatchObject({
      operationType: 'update',
      updateDescription: { updatedFields: { balance: 2 } },
    });
    expect(await resumed.next()).toMatchObject({ operationType: 'delete', documentKey: { _id: 'c' } });
    await resumed.close();
  });
});
