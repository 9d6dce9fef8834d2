import mongoose from 'mongoose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from './testing/server.js';

let server: TestServer;
let connection: mongoose.Connection;

beforeAll(async () => {
  server = await startTestServer();
  connection = await mongoose.createConnection(server.uri, { dbName: 'library' }).asPromise();
});

afterAll(async () => {
  await connection.close();
  await server.stop();
});

describe('Mongoose', () => {
  test('makes models with indexes, validates, populates, updates', async () => {
    const Author = connection.model(
      'Author',
      new mongoose.Schema({ name: { type: String, unique: true, required: true } }, { timestamps: true }),
    );
    const Book = connection.model(
      'Book',
      new mongoose.Schema({
        title: { type: String, index: true },
        author: { type: mongoose.Schema.Types.ObjectId, ref: 'Author' },
        tags: [String],
      }),
    );
    await Promise.all([Author.init(), Book.init()]);
    const author = await Author.create({ name: 'Ursula K. Le Guin' });
    await Book.create({ title: 'The Dispossessed', author: author._id, tags: ['sf'] });
    const book = await Book.findOne({ title: 'The Dispossessed' }).populate('author').orFail();
    expect(book.author).toMatchObject({ name: 'Ursula K. Le Guin' });
    book.tags.push('utopia');
    await book.save();
    expect((await Book.findById(book._id))?.tags).toEqual(['sf', 'utopia']);
    await expect(Author.create({ name: 'Ursula K. Le Guin' })).rejects.toMatchObject({ code: 11000 });
    expect(
      await Book.findOneAndUpdate({ _id: book._id }, { $pull: { tags: 'sf' } }, { returnDocument: 'after' }),
    ).toMatchObject({ tags: ['utopia'] });
  });

  test('runs transactions', async () => {
    const Counter = connection.model('Counter', new mongoose.Schema({ _id: String, n: Number }));
    await Counter.createCollection();
    await connection.transaction(async (session) => {
      await Counter.create([{ _id: 'a', n: 1 }], { session });
      await Counter.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session });
    });
    expect(await Counter.findById('a')).toMatchObject({ n: 2 });
  });
});
