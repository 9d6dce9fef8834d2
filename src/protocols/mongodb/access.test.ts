import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from './testing/server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ password: 'root secret' });
});

afterAll(() => server.stop());

async function as<T>(
  user: string,
  password: string,
  database: string,
  run: (client: MongoClient) => Promise<T>,
): Promise<T> {
  const client = new MongoClient(`mongodb://127.0.0.1:${server.port}/`, {
    auth: { username: user, password },
    authSource: database,
    serverSelectionTimeoutMS: 3_000,
  });
  try {
    return await run(client);
  } finally {
    await client.close();
  }
}

describe('users', () => {
  test('nothing goes without logging in', async () => {
    const client = await server.connect();
    await expect(client.db('shop').collection('orders').findOne()).rejects.toMatchObject({ code: 13 });
    expect(await client.db('admin').command({ ping: 1 })).toMatchObject({ ok: 1 });
  });

  test('log in with both mechanisms and may do what their roles say', async () => {
    await as('default', 'root secret', 'admin', async (root) => {
      await root.db('shop').command({ createUser: 'clerk', pwd: 'pencil', roles: ['read'] });
      await root.db('shop').collection('orders').insertOne({ n: 1 });
      const { users } = await root.db('shop').command({ usersInfo: 'clerk' });
      expect(users).toMatchObject([
        { _id: 'shop.clerk', roles: [{ role: 'read', db: 'shop' }], mechanisms: ['SCRAM-SHA-1', 'SCRAM-SHA-256'] },
      ]);
    });
    await as('clerk', 'pencil', 'shop', async (clerk) => {
      expect(await clerk.db('shop').collection('orders').findOne()).toMatchObject({ n: 1 });
      await expect(clerk.db('shop').collection('orders').insertOne({})).rejects.toMatchObject({ code: 13 });
      await expect(clerk.db('other').collection('orders').findOne()).rejects.toMatchObject({ code: 13 });
    });
    await expect(
      as('clerk', 'wrong', 'shop', (clerk) => clerk.db('shop').collection('orders').findOne()),
    ).rejects.toMatchObject({ code: 18 });
  });
});
