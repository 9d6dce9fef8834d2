/** Plays the same random commands to Rosetta and to redis-server and compares every reply byte for byte. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from '../../src/protocols/redis/testing/raw-client.js';
import { startTestServer, type TestServer } from '../../src/protocols/redis/testing/server.js';
import { families, unordered } from './generators.js';

const commandsPerFamily = 1500;
const seed = Number(process.env.ROSETTA_SEED ?? Date.now() % 2 ** 32);

function randomFrom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

const sorted = (reply: string): string => {
  const [head = '', ...lines] = reply.split('\r\n');
  const words: string[] = [];
  for (let i = 0; i + 1 < lines.length; i += 2) words.push(`${lines[i]} ${lines[i + 1]}`);
  return [head, ...words.sort()].join('\r\n');
};

// Compared with the real server where it is installed (Debian's package redis-server).
describe.skipIf(spawnSync('which', ['redis-server']).status !== 0)(
  'redis-server and Rosetta give the same replies',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'rosetta-differential-'));
    let theirs: ChildProcess;
    let ours: TestServer;
    let port = 0;

    beforeAll(async () => {
      port = await freePort();
      theirs = spawn(
        'redis-server',
        ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory],
        { stdio: 'ignore' },
      );
      ours = await startTestServer();
      for (let tries = 0; ; tries++) {
        try {
          (await RawClient.open(port)).close();
          return;
        } catch (thrown) {
          if (tries === 200) throw thrown;
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
      }
    });
    afterAll(async () => {
      theirs.kill('SIGKILL');
      await ours.stop();
      rmSync(directory, { recursive: true, force: true });
    });

    test.each(Object.keys(families).flatMap((family) => [2, 3].map((protocol) => [family, protocol] as const)))(
      '%s in RESP%i',
      async (family, protocol) => {
        const random = randomFrom(seed + protocol);
        const generate = families[family];
        if (generate === undefined) throw new Error(`no generator for ${family}`);
        const a = await RawClient.open(port);
        const b = await RawClient.open(ours.port);
        for (const client of [a, b]) {
          await client.command('FLUSHALL');
          await client.command('HELLO', String(protocol));
        }
        for (let i = 0; i < commandsPerFamily; i++) {
          const words = generate((options) => options[Math.floor(random() * options.length)] as never);
          const [x, y] = await Promise.all([a.command(...words), b.command(...words)]);
          const [left, right] = unordered.has(words[0] ?? '') ? [sorted(x), sorted(y)] : [x, y];
          expect(right, `seed ${seed}, command ${i}: ${JSON.stringify(words)}`).toBe(left);
        }
        a.close();
        b.close();
      },
    );
  },
);
