import { once } from 'node:events';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import MongoStore from 'connect-mongo';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from './testing/server.js';

/** What the test uses of two packages without types. */
interface Application {
  use(handler: unknown): void;
  get(
    path: string,
    handler: (request: { session: { visits?: number } }, response: { json(value: unknown): void }) => void,
  ): void;
  listen(port: number, host: string): Server;
}

const require = createRequire(import.meta.url);
const express = require('express') as () => Application;
const session = require('express-session') as (options: object) => unknown;

let server: TestServer;
let store: MongoStore;
let http: Server;

beforeAll(async () => {
  server = await startTestServer();
  store = MongoStore.create({ mongoUrl: server.uri, dbName: 'web' });
  const app = express();
  app.use(session({ secret: 'x', resave: false, saveUninitialized: true, store }));
  app.get('/', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.json(request.session.visits);
  });
  http = app.listen(0, '127.0.0.1');
  await once(http, 'listening');
});

afterAll(async () => {
  http.close();
  await store.close();
  await server.stop();
});

describe('express sessions in connect-mongo', () => {
  test('are found again and expire', async () => {
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
    const first = await fetch(url);
    expect(await first.json()).toBe(1);
    const cookie = first.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(await (await fetch(url, { headers: { cookie } })).json()).toBe(2);
    const sessions = (await server.connect()).db('web').collection('sessions');
    expect(await sessions.countDocuments()).toBe(1);
    expect(await sessions.indexes()).toMatchObject([{ name: '_id_' }, { key: { expires: 1 }, expireAfterSeconds: 0 }]);
  });
});
