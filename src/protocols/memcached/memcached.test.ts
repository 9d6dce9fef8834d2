/** The memcached protocols through real clients, and compared with memcached itself where it is installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.js';
import { openEngine } from '../../engine/open.js';
import { KeyValueStore } from '../../models/key-value/store.js';
import { type Listener, openListener } from '../../network/listener.js';
import { openLogger } from '../../observability/logger.js';
import { MemcachedServer } from './server.js';

const directory = mkdtempSync(join(tmpdir(), 'rosetta-memcached-'));
let engine: Engine;
let store: KeyValueStore;
let listener: Listener;
let port = 0;

beforeAll(async () => {
  engine = await openEngine({ kind: 'embedded', directory });
  store = new KeyValueStore(engine, { databases: 16 });
  const logger = openLogger({ level: 'error' });
  listener = await openListener(new MemcachedServer({ store, logger }), {
    host: '127.0.0.1',
    port: 0,
    limits: { connectionsMax: 100, unsentBytesMax: 1 << 28, idleMsMax: 0 },
    logger,
  });
  port = listener.address.port;
});
afterAll(async () => {
  await listener.stop();
  await store.close();
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Sends each request on one connection; `mn` after it marks where its answer ends. */
async function converse(to: number, requests: readonly string[]): Promise<string[]> {
  const socket = connect(to, '127.0.0.1');
  let received = '';
  let check = (): void => {};
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
    check();
  });
  const answers: string[] = [];
  for (const request of requests) {
    received = '';
    socket.write(Buffer.from(`${request}mn\r\n`, 'latin1'));
    await new Promise<void>((resolve) => {
      check = () => {
        if (received.endsWith('MN\r\n')) resolve();
      };
    });
    answers.push(received.slice(0, -4));
  }
  socket.destroy();
  return answers;
}

const conversation = [
  'set a 0 0 1\r\nx\r\n',
  'get a\r\n',
  'incr a 1\r\n',
  'set n 5 0 2\r\n10\r\n',
  'decr n 1\r\n',
  'get n\r\n',
  'decr n 100\r\n',
  'incr n 18446744073709551615\r\n',
  'incr n 5\r\n',
  'incr n abc\r\n',
  'incr nokey 1\r\n',
  'cas n 0 0 1 99999\r\nx\r\n',
  'cas q 0 0 1 99\r\nx\r\n',
  'set b 0 0 abc\r\n',
  'set b\r\n',
  'get\r\n',
  'foo\r\n',
  'touch n 0\r\n',
  'touch q 0\r\n',
  'gat 0 n\r\n',
  'delete n 0\r\n',
  'delete n 5\r\n',
  'add z 1 -1 1\r\nq\r\n',
  'get z\r\n',
  'append z 0 0 1\r\nx\r\n',
  'replace z 0 0 1\r\nx\r\n',
  'verbosity 1\r\n',
  'verbosity foo\r\n',
  'flush_all abc\r\n',
  'mg foo v\r\n',
  'ms foo 2 T100 F5\r\nhi\r\n',
  'mg foo v f t s k O123\r\n',
  'md foo q\r\n',
  'ma cnt\r\n',
  'ma cnt N0 J13 v\r\n',
  'ma cnt D5 v t\r\n',
  'ma cnt MD D50 v\r\n',
  'ms Zm9v 2 b\r\nhi\r\n',
  'mg Zm9v b k v\r\n',
  'mg foo v v\r\n',
  'ms x 2 ME\r\nhi\r\n',
  'ms x 2 ME\r\nhi\r\n',
  'ms x 1 MA\r\n!\r\n',
  'ms x 1 MP\r\n!\r\n',
  'ms y 1 MR\r\n!\r\n',
  'mg x v\r\n',
  'ms x 2 MZ\r\nhi\r\n',
  'mg viv N30 v t\r\n',
  'mg viv N30 v t\r\n',
  'ms ttl 1 T20\r\n1\r\n',
  'md ttl I T30\r\n',
  'mg ttl v t\r\n',
  'mg ttl v t\r\n',
  'set e 0 -5 1\r\na\r\n',
  'get e\r\n',
  'cache_memlimit 64\r\n',
  'stats foo\r\n',
  'shutdown\r\n',
];

async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

// Compared with the real server where it is installed (Debian's package memcached).
describe.skipIf(spawnSync('which', ['memcached']).status !== 0)('compared with memcached', () => {
  let child: ChildProcess;
  let theirs = 0;
  beforeAll(async () => {
    theirs = await freePort();
    const user = process.getuid?.() === 0 ? ['-u', 'root'] : [];
    child = spawn('memcached', ['-p', String(theirs), '-l', '127.0.0.1', ...user], { stdio: 'ignore' });
    for (let tries = 0; tries < 200; tries++) {
      const open = await new Promise<boolean>((resolve) => {
        const socket = connect(theirs, '127.0.0.1');
        socket.on('connect', () => {
          socket.destroy();
          resolve(true);
        });
        socket.on('error', () => resolve(false));
      });
      if (open) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  });
  afterAll(() => {
    child.kill('SIGKILL');
  });

  test('the text and meta commands get the same answers', async () => {
    const [left, right] = await Promise.all([converse(theirs, conversation), converse(port, conversation)]);
    const pair = (answers: readonly string[]): string[] => answers.map((answer, i) => `${conversation[i]} → ${answer}`);
    expect(pair(right)).toEqual(pair(left));
  });
});

describe.skipIf(spawnSync('which', ['memccapable']).status !== 0)('libmemcached', () => {
  test('memccapable finds both protocols complete', async () => {
    const child = spawn('memccapable', ['-h', '127.0.0.1', '-p', String(port)]);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await new Promise<void>((resolve) => child.once('exit', () => resolve()));
    expect(output).toContain('ascii set');
    expect(output).not.toContain('FAIL');
  });
});

test('what memcached stores, Redis reads, and the other way round', async () => {
  await converse(port, ['set shared 7 0 5\r\nhello\r\n']);
  const seen = await store.read(store.database(0), (db) => {
    const record = db.find('shared');
    return { value: record?.payload().latin1Slice(), flags: record?.itemFlags };
  });
  expect(seen).toEqual({ value: 'hello', flags: 7 });
  await store.write(store.database(0), (db) => db.replace('other', undefined, 0, Buffer.from('from redis')));
  const [answer] = await converse(port, ['get other\r\n']);
  expect(answer).toBe('VALUE other 0 10\r\nfrom redis\r\nEND\r\n');
});

test('a list is not wiped by a cache client', async () => {
  await store.write(store.database(0), (db) => db.replace('list', undefined, 1, Buffer.from('\x01a')));
  const answers = await converse(port, [
    'get list\r\n',
    'set list 0 0 1\r\nx\r\n',
    'incr list 1\r\n',
    'add list 0 0 1\r\nx\r\n',
  ]);
  expect(answers).toEqual([
    'END\r\n',
    'SERVER_ERROR wrong type: key holds a redis value of another type\r\n',
    'SERVER_ERROR wrong type: key holds a redis value of another type\r\n',
    'NOT_STORED\r\n',
  ]);
});

test('a value that is too large is refused, and the old one is gone', async () => {
  const [, refused, gone] = await converse(port, [
    'set big 0 0 1\r\nx\r\n',
    `set big 0 0 1048576\r\n${'y'.repeat(1048576)}\r\n`,
    'get big\r\n',
  ]);
  expect([refused, gone]).toEqual(['SERVER_ERROR object too large for cache\r\n', 'END\r\n']);
});
