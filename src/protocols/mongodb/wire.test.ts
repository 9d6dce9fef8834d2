import { deflateSync } from 'node:zlib';
import { deserialize, serialize } from 'bson';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compress, decompress } from './compression.js';
import { crc32c } from './crc32c.js';
import { bodySection, message, RawConnection, sequenceSection } from './testing/raw-connection.js';
import { startTestServer, type TestServer } from './testing/server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.stop());

async function exchange(bytes: Buffer): Promise<Awaited<ReturnType<RawConnection['next']>>> {
  const connection = await RawConnection.open(server.port);
  connection.write(bytes);
  const reply = await connection.next();
  connection.close();
  return reply;
}

const ping = bodySection({ ping: 1, $db: 'admin' });

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

  test('compresses with zlib', async () => {
    const client = await server.connect({ compressors: ['zlib'] });
    const collection = client.db('a').collection('compressed');
    await collection.insertMany(Array.from({ length: 500 }, (_, n) => ({ n, text: 'x'.repeat(1000) })));
    expect(await collection.find().toArray()).toHaveLength(500);
  });

  test('stores documents of 16 MB, and not larger ones', async () => {
    const collection = (await server.connect()).db('a').collection('large');
    await collection.insertOne({ text: 'x'.repeat(16 * 1024 * 1024 - 100) });
    expect((await collection.findOne())?.text).toHaveLength(16 * 1024 * 1024 - 100);
    await expect(collection.insertOne({ text: 'x'.repeat(16 * 1024 * 1024) })).rejects.toThrow();
  });
});

describe('OP_MSG', () => {
  test('is answered to its request id', async () => {
    expect(await exchange(message([ping]))).toMatchObject({ responseTo: 7, opCode: 2013, document: { ok: 1 } });
  });

  test('takes document sequences before and after the body', async () => {
    const insert = bodySection({ insert: 'sequences', $db: 'a' });
    const documents = sequenceSection('documents', [{ n: 1 }, { n: 2 }]);
    expect((await exchange(message([documents, insert])))?.document).toMatchObject({ n: 2, ok: 1 });
    expect((await exchange(message([insert, documents])))?.document).toMatchObject({ n: 2, ok: 1 });
    expect((await exchange(message([insert, documents, documents])))?.document).toMatchObject({ code: 40431 });
    expect((await exchange(message([ping, sequenceSection('x', [])])))?.document).toMatchObject({ code: 40472 });
    expect((await exchange(message([ping, ping])))?.document).toMatchObject({ code: 40430 });
    expect((await exchange(message([documents])))?.document).toMatchObject({ code: 40587 });
    expect((await exchange(message([bodySection({ ping: 1 })])))?.document).toMatchObject({ code: 40571 });
  });

  test('answers nothing to moreToCome', async () => {
    const connection = await RawConnection.open(server.port);
    connection.write(message([bodySection({ insert: 'quiet', documents: [{ _id: 1 }], $db: 'a' })], 2, 1));
    connection.write(message([bodySection({ find: 'quiet', $db: 'a' })], 0, 2));
    const reply = await connection.next();
    expect(reply).toMatchObject({ responseTo: 2, document: { cursor: { firstBatch: [{ _id: 1 }] } } });
    connection.close();
  });

  test('checks the checksum and answers with one', async () => {
    const plain = message([ping], 1);
    plain.writeInt32LE(plain.length + 4, 0);
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc32c(plain));
    const reply = await exchange(Buffer.concat([plain, sum]));
    expect(reply?.flags).toBe(1);
    const frame = reply?.frame ?? Buffer.alloc(4);
    expect(frame.readUInt32LE(frame.length - 4)).toBe(crc32c(frame, 0, frame.length - 4));
    sum.writeUInt32LE(1);
    expect((await exchange(Buffer.concat([plain, sum])))?.document).toMatchObject({ code: 288 });
  });

  test('refuses unknown required flags and ignores others', async () => {
    expect((await exchange(message([ping], 4)))?.document).toMatchObject({ code: 223, codeName: 'IllegalOpMsgFlag' });
    expect((await exchange(message([ping], 1 << 20)))?.document).toMatchObject({ ok: 1 });
  });

  test('streams hellos to whom allows it', async () => {
    const connection = await RawConnection.open(server.port);
    connection.write(message([bodySection({ hello: 1, $db: 'admin' })]));
    const hello = await connection.next();
    expect(hello?.document).toMatchObject({ setName: 'rs0', isWritablePrimary: true, maxWireVersion: 21 });
    const { topologyVersion } = hello?.document ?? {};
    connection.write(
      message([bodySection({ hello: 1, topologyVersion, maxAwaitTimeMS: 20, $db: 'admin' })], 1 << 16, 9),
    );
    const first = await connection.next();
    const second = await connection.next();
    expect(first).toMatchObject({ flags: 2, responseTo: 9 });
    expect(second).toMatchObject({ flags: 2, responseTo: first?.requestId });
    connection.close();
  });
});

describe('compression', () => {
  test('with snappy is answered with snappy', async () => {
    const plain = message([ping]).subarray(16);
    const packed = compress(1, plain);
    const head = Buffer.alloc(25);
    head.writeInt32LE(25 + packed.length, 0);
    head.writeInt32LE(2012, 12);
    head.writeInt32LE(2013, 16);
    head.writeInt32LE(plain.length, 20);
    head[24] = 1;
    const { frame } = (await exchange(Buffer.concat([head, packed]))) ?? { frame: Buffer.alloc(25) };
    expect(frame[24]).toBe(1);
    const answer = decompress(1, frame.subarray(25), frame.readInt32LE(20));
    expect(deserialize(answer.subarray(5))).toMatchObject({ ok: 1 });
  });
});

describe('damaged messages', () => {
  test.each([
    ['a length below the header', Buffer.from('0f0000000100000000000000dd070000', 'hex')],
    ['a length beyond 48 MB', Buffer.from('ffffff7f0100000000000000dd070000', 'hex')],
    ['an unknown opcode', Buffer.from('100000000100000000000000d2070000', 'hex')],
    ['a section that lies about its size', message([Buffer.from('00ffffff7f', 'hex')])],
    ['a section without a size', message([Buffer.of(0, 5)])],
  ])('with %s close the connection', async (_, bytes) => {
    expect(await exchange(bytes)).toBeUndefined();
    expect((await exchange(message([ping])))?.document).toMatchObject({ ok: 1 });
  });

  test('with broken BSON are refused', async () => {
    const broken = bodySection({ ping: 1, $db: 'admin', x: 'text' });
    broken.writeInt32LE(1000, broken.length - 10);
    expect((await exchange(message([broken])))?.document).toMatchObject({ code: 22, codeName: 'InvalidBSON' });
  });

  test('with compressed data that is too long close the connection', async () => {
    const packed = deflateSync(message([ping]).subarray(16));
    const head = Buffer.alloc(25);
    head.writeInt32LE(25 + packed.length, 0);
    head.writeInt32LE(2012, 12);
    head.writeInt32LE(2013, 16);
    head.writeInt32LE(10, 20);
    head[24] = 2;
    expect(await exchange(Buffer.concat([head, packed]))).toBeUndefined();
  });

  test('of random bytes never stop the server', async () => {
    const connection = await RawConnection.open(server.port);
    for (let i = 0; i < 50; i++) {
      const bytes = message([ping]);
      for (let n = 0; n < 5; n++)
        bytes[4 + Math.floor(Math.random() * (bytes.length - 4))] = Math.floor(Math.random() * 256);
      connection.write(bytes);
    }
    connection.close();
    expect((await exchange(message([ping])))?.document).toMatchObject({ ok: 1 });
  });
});

describe('OP_QUERY', () => {
  function query(namespace: string, document: object): Buffer {
    const name = Buffer.from(`${namespace}\0`);
    const body = serialize(document);
    const bytes = Buffer.concat([Buffer.alloc(20), name, Buffer.from('00000000ffffffff', 'hex'), body]);
    bytes.writeInt32LE(bytes.length, 0);
    bytes.writeInt32LE(3, 4);
    bytes.writeInt32LE(2004, 12);
    return bytes;
  }

  test('is spoken for hello alone', async () => {
    expect(await exchange(query('admin.$cmd', { isMaster: 1, helloOk: true }))).toMatchObject({
      opCode: 1,
      responseTo: 3,
      document: { ismaster: true, helloOk: true, setName: 'rs0' },
    });
    expect((await exchange(query('admin.$cmd', { ping: 1 })))?.document).toMatchObject({ code: 352 });
    expect((await exchange(query('a.b', {})))?.document).toMatchObject({ code: 5739101 });
  });
});
