/** Redis through its own Node clients: ioredis, node-redis, BullMQ. */
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from './testing/raw-client.js';
import { startTestServer, type TestServer } from './testing/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await server.stop();
});

describe('ioredis', () => {
  let client: Redis;
  beforeAll(() => {
    client = new Redis(server.port, '127.0.0.1');
  });
  afterAll(() => {
    client.disconnect();
  });

  test('values of every type', async () => {
    await client.set('s', 'hello');
    expect(await client.get('s')).toBe('hello');
    await client.hset('h', { a: '1', b: '2' });
    expect(await client.hgetall('h')).toEqual({ a: '1', b: '2' });
    await client.rpush('l', 'x', 'y', 'z');
    expect(await client.lrange('l', 0, -1)).toEqual(['x', 'y', 'z']);
    await client.zadd('z', 2, 'two', 1, 'one');
    expect(await client.zrange('z', '0', '-1', 'WITHSCORES')).toEqual(['one', '1', 'two', '2']);
    await client.sadd('set', 'm');
    expect(await client.sismember('set', 'm')).toBe(1);
    const id = await client.xadd('x', '*', 'f', 'v');
    expect(await client.xrange('x', '-', '+')).toEqual([[id, ['f', 'v']]]);
    expect(await client.getBuffer('s')).toEqual(Buffer.from('hello'));
  });

  test('pipelines, transactions and WATCH', async () => {
    const replies = await client.pipeline().set('p', '1').incr('p').get('p').exec();
    expect(replies?.map(([, value]) => value)).toEqual(['OK', 2, '2']);
    const other = new Redis(server.port, '127.0.0.1');
    await client.watch('p');
    await other.set('p', '10');
    expect(await client.multi().incr('p').exec()).toBeNull();
    expect(await client.multi().incr('p').incr('p').exec()).toEqual([
      [null, 11],
      [null, 12],
    ]);
    other.disconnect();
  });

  test('a blocked client is served by a push, the oldest first', async () => {
    const first = new Redis(server.port, '127.0.0.1');
    const second = new Redis(server.port, '127.0.0.1');
    const a = first.blpop('queue', 0);
    while (server.server.blocking.count < 1) await client.ping();
    const b = second.blpop('queue', 0);
    while (server.server.blocking.count < 2) await client.ping();
    await client.rpush('queue', 'one', 'two');
    expect(await a).toEqual(['queue', 'one']);
    expect(await b).toEqual(['queue', 'two']);
    first.disconnect();
    second.disconnect();
  });

  test('channels and patterns', async () => {
    const subscriber = new Redis(server.port, '127.0.0.1');
    await subscriber.subscribe('news');
    await subscriber.psubscribe('n*');
    const received: string[] = [];
    const both = new Promise<void>((resolve) => {
      subscriber.on('message', (channel, message) => received.push(`${channel}:${message}`));
      subscriber.on('pmessage', (pattern, channel, message) => {
        received.push(`${pattern}:${channel}:${message}`);
        resolve();
      });
    });
    expect(await client.publish('news', 'hi')).toBe(2);
    await both;
    expect(received).toEqual(['news:hi', 'n*:news:hi']);
    subscriber.disconnect();
  });

  test('scripts by name, with their own errors', async () => {
    client.defineCommand('addTwice', {
      numberOfKeys: 1,
      lua: "redis.call('INCRBY', KEYS[1], ARGV[1]); return redis.call('INCRBY', KEYS[1], ARGV[1])",
    });
    expect(await (client as unknown as { addTwice(key: string, n: number): Promise<number> }).addTwice('n', 3)).toBe(6);
    await expect(client.eval("return redis.call('INCR', 's')", 0)).rejects.toThrow('not an integer');
  });
});

test('node-redis speaks RESP3', async () => {
  const client = createClient({ url: `redis://127.0.0.1:${server.port}`, RESP: 3 });
  await client.connect();
  await client.hSet('n:h', { a: '1', b: '2' });
  expect({ ...(await client.hGetAll('n:h')) }).toEqual({ a: '1', b: '2' });
  expect(await client.zAdd('n:z', [{ score: 1.5, value: 'x' }])).toBe(1);
  expect(await client.zScore('n:z', 'x')).toBe(1.5);
  const keys: string[] = [];
  for await (const page of client.scanIterator({ MATCH: 'n:*' })) keys.push(...page);
  expect(keys.sort()).toEqual(['n:h', 'n:z']);
  await client.close();
});

test('BullMQ runs a job and a delayed one', async () => {
  const connection = { host: '127.0.0.1', port: server.port, maxRetriesPerRequest: null };
  const queue = new Queue('sums', { connection });
  const events = new QueueEvents('sums', { connection });
  const worker = new Worker('sums', async (job) => job.data.a + job.data.b, { connection });
  await events.waitUntilReady();
  const now = await queue.add('sum', { a: 1, b: 2 });
  const later = await queue.add('sum', { a: 3, b: 4 }, { delay: 50 });
  expect(await now.waitUntilFinished(events)).toBe(3);
  expect(await later.waitUntilFinished(events)).toBe(7);
  await worker.close();
  await events.close();
  await queue.close();
});

describe('bad input', () => {
  test.each([
    ['*1\r\n$-5\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
    ['*99999999999\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
    ['*1\r\n:5\r\n', "-ERR Protocol error: expected '$', got ':'\r\n"],
    ['SET "a\r\n', '-ERR Protocol error: unbalanced quotes in request\r\n'],
    ['NOSUCH a\r\n', "-ERR unknown command 'NOSUCH', with args beginning with: 'a' \r\n"],
    ['GET\r\n', "-ERR wrong number of arguments for 'get' command\r\n"],
  ])('%j is answered with %j', async (input, reply) => {
    const client = await RawClient.open(server.port);
    expect(await client.send(input)).toBe(reply);
    client.close();
  });

  test('a client before its login may do nothing else', async () => {
    const locked = await startTestServer({ requirepass: 'secret' });
    const client = await RawClient.open(locked.port);
    expect(await client.command('GET', 'a')).toBe('-NOAUTH Authentication required.\r\n');
    expect(await client.command('AUTH', 'wrong')).toMatch(/^-WRONGPASS/);
    expect(await client.command('AUTH', 'secret')).toBe('+OK\r\n');
    expect(await client.command('GET', 'a')).toBe('$-1\r\n');
    client.close();
    await locked.stop();
  });
});
