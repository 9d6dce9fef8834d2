import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from './testing/server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.stop());

describe('a driver', () => {
  test('connects to the set, pings and inserts', async () => {
    const client = await server.connect();
    expect(await client.db('a').command({ ping: 1 })).toMatchObject({ ok: 1 });
    const { insertedCount } = await client
      .db('a')
      .collection('b')
      .insertMany([{ a: 1 }, { a: 2 }]);
    expect(insertedCount).toBe(2);
  });
});
