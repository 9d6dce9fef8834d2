import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ResumeToken } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer } from './testing/server.js';

let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'rosetta-mongodb-'));
});

afterAll(() => rm(dataDir, { recursive: true, force: true }));

describe('after a restart', () => {
  test('documents, indexes, retried writes and resume tokens are there', async () => {
    const options = { ephemeral: false, dataDir };
    let server = await startTestServer(options);
    let token: ResumeToken;
    {
      const films = (await server.connect()).db('cinema').collection<{ _id: number; title: string }>('films');
      await films.createIndex({ title: 1 }, { unique: true });
      const stream = films.watch();
      const first = stream.next();
      await stream.tryNext().catch(() => {});
      await films.insertOne({ _id: 1, title: 'M' });
      token = (await first)._id;
      await films.insertOne({ _id: 2, title: 'Metropolis' });
      await stream.close();
    }
    await server.stop();
    server = await startTestServer(options);
    try {
      const films = (await server.connect()).db('cinema').collection<{ _id: number; title: string }>('films');
      expect(await films.find().toArray()).toEqual([
        { _id: 1, title: 'M' },
        { _id: 2, title: 'Metropolis' },
      ]);
      await expect(films.insertOne({ _id: 3, title: 'M' })).rejects.toMatchObject({ code: 11000 });
      const resumed = films.watch([], { resumeAfter: token });
      expect(await resumed.next()).toMatchObject({ operationType: 'insert', fullDocument: { _id: 2 } });
      await resumed.close();
    } finally {
      await server.stop();
    }
  });
});

describe('an index', () => {
  test('is built while writes go on', async () => {
    const server = await startTestServer();
    try {
      const things = (await server.connect()).db('a').collection<{ _id: number; n: number }>('things');
      const count = 5_000;
      await things.insertMany(Array.from({ length: count }, (_, i) => ({ _id: i, n: i })));
      let building = true;
      const built = things.createIndex({ n: 1 }).finally(() => {
        building = false;
      });
      let writes = 0;
      while (building) {
        await things.updateOne({ _id: (writes * 37) % count }, { $inc: { n: 100_000 } });
        await things.deleteOne({ _id: count - 1 - writes });
        await things.insertOne({ _id: count + writes, n: -1 - writes });
        writes++;
      }
      await built;
      const scanned = await things.find().hint({ $natural: 1 }).toArray();
      const indexed = await things
        .find({ n: { $gt: Number.NEGATIVE_INFINITY } })
        .hint({ n: 1 })
        .toArray();
      expect(indexed).toHaveLength(scanned.length);
      expect(indexed.map(({ n }) => n)).toEqual(scanned.map(({ n }) => n).sort((a, b) => a - b));
    } finally {
      await server.stop();
    }
  });
});
