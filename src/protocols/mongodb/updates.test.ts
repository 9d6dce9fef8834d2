import { type Collection, Long } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from './testing/server.js';

let server: TestServer;
let films: Collection;

beforeAll(async () => {
  server = await startTestServer();
  films = (await server.connect()).db('cinema').collection('films');
});

afterAll(() => server.stop());

beforeEach(async () => {
  await films.deleteMany({});
  await films.insertMany([
    { title: 'Metropolis', year: 1927, votes: [1, 2, 3] },
    { title: 'Nosferatu', year: 1922, votes: [] },
    { title: 'M', year: 1931, votes: [5] },
  ]);
});

describe('updates', () => {
  test('change one, many, by position', async () => {
    expect(await films.updateOne({ title: 'M' }, { $set: { year: 1932 } })).toMatchObject({
      matchedCount: 1,
      modifiedCount: 1,
    });
    expect(await films.updateMany({}, { $inc: { seen: 1 } })).toMatchObject({ matchedCount: 3, modifiedCount: 3 });
    await films.updateOne({ votes: 2 }, { $set: { 'votes.$': 20 } });
    expect((await films.findOne({ title: 'Metropolis' }))?.votes).toEqual([1, 20, 3]);
  });

  test('insert when nothing is found and that is wanted', async () => {
    const result = await films.updateOne({ title: 'Dracula' }, { $set: { year: 1931 } }, { upsert: true });
    expect(result).toMatchObject({ matchedCount: 0, upsertedCount: 1 });
    expect(await films.findOne({ _id: result.upsertedId ?? undefined })).toMatchObject({
      title: 'Dracula',
      year: 1931,
    });
  });

  test('findOneAnd… gives the document before or after', async () => {
    expect(
      await films.findOneAndUpdate({ year: { $gt: 0 } }, { $set: { oldest: true } }, { sort: { year: 1 } }),
    ).toMatchObject({ title: 'Nosferatu' });
    expect(
      await films.findOneAndUpdate(
        { title: 'M' },
        { $inc: { year: 1 } },
        { returnDocument: 'after', projection: { year: 1, _id: 0 } },
      ),
    ).toEqual({ year: 1932 });
    expect(await films.findOneAndDelete({ title: 'M' })).toMatchObject({ year: 1932 });
    expect(
      await films.findOneAndReplace({ title: 'X' }, { title: 'Y' }, { upsert: true, returnDocument: 'after' }),
    ).toMatchObject({ title: 'Y' });
  });

  test('bulk writes mix everything', async () => {
    const result = await films.bulkWrite([
      { insertOne: { document: { title: 'New' } } },
      { updateMany: { filter: {}, update: { $set: { a: 1 } } } },
      { deleteOne: { filter: { title: 'New' } } },
      { replaceOne: { filter: { title: 'M' }, replacement: { title: 'M!' } } },
    ]);
    expect(result).toMatchObject({ insertedCount: 1, modifiedCount: 5, deletedCount: 1 });
  });

  test('a write that is sent again is not done again', async () => {
    const client = await server.connect();
    const session = client.startSession();
    const lsid = session.id;
    const command = {
      update: 'films',
      updates: [{ q: { title: 'M' }, u: { $inc: { year: 1 } } }],
      lsid,
      txnNumber: new Long(1),
    };
    const db = client.db('cinema');
    expect(await db.command(command)).toMatchObject({ n: 1, nModified: 1 });
    expect(await db.command(command)).toMatchObject({ n: 1, nModified: 1, retriedStmtIds: [0] });
    expect((await films.findOne({ title: 'M' }))?.year).toBe(1932);
    await session.endSession();
  });

  test('keep indexes true', async () => {
    await films.createIndex({ year: 1 });
    await films.updateMany({}, { $inc: { year: 100 } });
    expect(await films.find({ year: { $lt: 2000 } }).toArray()).toHaveLength(0);
    expect(
      (
        await films
          .find({ year: { $gte: 2022 } })
          .sort({ year: 1 })
          .toArray()
      ).map(({ title }) => title),
    ).toEqual(['Nosferatu', 'Metropolis', 'M']);
  });
});
