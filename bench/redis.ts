/**
 * redis-benchmark against redis-server 7 (append-only file, synced every second) and Rosetta (everysec), alternating, so
 * that a machine whose speed drifts treats both alike. Prints medians and ratios.
 *
 *   npm run bench -- redis [--rounds 3] [--requests 200000] [--only SET,GET] [--pipeline 1,16] [--large]
 *                          [--checkpointed] [--growth]
 *
 * --checkpointed  measures with data that has left memory for LMDB (the server is restarted after the load)
 * --growth        GET and SET over a million and ten million 100-byte keys, start-up time and memory per key
 * --collections   LINDEX, ZRANK, ZRANGE, LINSERT, SPOP, SRANDMEMBER on 1 000, 100 000 and 1 000 000 members
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import {
  installed,
  median,
  type RunningServer,
  redisServerArguments,
  startPeer,
  startRosetta,
  table,
} from './process.js';

const { values: options } = parseArgs({
  args: process.argv.slice(2).filter((word) => word !== 'redis'),
  options: {
    rounds: { type: 'string', default: '3' },
    requests: { type: 'string', default: '200000' },
    only: { type: 'string', default: '' },
    pipeline: { type: 'string', default: '1,16' },
    checkpointed: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
    collections: { type: 'boolean', default: false },
  },
});

/** Test name → what redis-benchmark is told: one of its own tests, or a command line. */
const tests: Readonly<Record<string, readonly string[]>> = {
  PING: ['-t', 'ping_mbulk'],
  SET: ['-t', 'set'],
  GET: ['-t', 'get'],
  INCR: ['-t', 'incr'],
  LPUSH: ['-t', 'lpush'],
  LPOP: ['-t', 'lpop'],
  SADD: ['-t', 'sadd'],
  HSET: ['-t', 'hset'],
  SPOP: ['-t', 'spop'],
  ZADD: ['-t', 'zadd'],
  ZPOPMIN: ['-t', 'zpopmin'],
  LRANGE_100: ['-t', 'lrange_100'],
  MSET: ['-t', 'mset'],
  XADD: ['XADD', 'stream', '*', 'field', '__rand_int__'],
  EVAL: ['EVAL', "return redis.call('SET', KEYS[1], ARGV[1])", '1', 'key:__rand_int__', 'value'],
  GEOSEARCH: ['GEOSEARCH', 'places', 'FROMLONLAT', '13.4', '52.5', 'BYRADIUS', '20', 'km', 'COUNT', '10'],
  PFADD: ['PFADD', 'visitors', '__rand_int__'],
  SETBIT: ['SETBIT', 'bits', '__rand_int__', '1'],
};

function run(port: number, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('redis-benchmark', ['-h', '127.0.0.1', '-p', String(port), ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('latin1');
    });
    child.on('error', reject);
    child.on('exit', () => resolve(output));
  });
}

interface Measured {
  readonly perSecond: number;
  /** 99th percentile, milliseconds. */
  readonly p99: number;
}

/** One run of a test; the last line of its CSV. `lrange_100` fills its list with a test of another name first. */
async function measure(
  server: RunningServer,
  test: readonly string[],
  pipeline: number,
  requests: number,
  keys = 100_000,
): Promise<Measured> {
  const words = [
    '-c',
    '50',
    '-r',
    String(keys),
    '-d',
    '64',
    '-n',
    String(requests),
    '-P',
    String(pipeline),
    '--csv',
    ...test,
  ];
  const output = await run(server.port, words);
  const row = output.trim().split('\n').pop() ?? '';
  const cells = row.split('","').map((cell) => cell.replaceAll('"', ''));
  return { perSecond: Number(cells[1] ?? 0), p99: Number(cells[6] ?? 0) };
}

const wanted = (options.only === '' ? Object.keys(tests) : options.only.split(',')).filter(
  (name) => tests[name] !== undefined,
);
const rounds = Number(options.rounds);
const requests = Number(options.requests);

async function withBoth(
  body: (redis: RunningServer | undefined, rosetta: RunningServer) => Promise<void>,
): Promise<void> {
  const redis = installed('redis-server')
    ? await startPeer('redis-server', 'redis-server', 26_379, redisServerArguments)
    : undefined;
  const rosetta = await startRosetta('redis');
  try {
    await body(redis, rosetta);
  } finally {
    await rosetta.stop();
    await redis?.stop();
  }
}

const figure = (value: number): string => Math.round(value).toLocaleString('en');

async function sideBySide(): Promise<void> {
  await withBoth(async (redis, rosetta) => {
    for (const server of [redis, rosetta]) {
      if (server === undefined) continue;
      // The list, the key space and the places that the tests read.
      await run(server.port, ['-q', '-n', '100000', '-r', '100000', '-d', '64', '-P', '16', '-t', 'set']);
      await run(server.port, ['-q', '-n', '2000', '-P', '16', 'GEOADD', 'places', '13.4', '52.5', '__rand_int__']);
    }
    for (const pipeline of options.pipeline.split(',').map(Number)) {
      const rows: string[][] = [];
      for (const name of wanted) {
        const test = tests[name] ?? [];
        const theirs: Measured[] = [];
        const ours: Measured[] = [];
        const count = pipeline > 1 ? requests * 3 : requests;
        for (let round = 0; round < rounds; round++) {
          if (redis !== undefined) theirs.push(await measure(redis, test, pipeline, count));
          ours.push(await measure(rosetta, test, pipeline, count));
        }
        const their = median(theirs.map(({ perSecond }) => perSecond));
        const our = median(ours.map(({ perSecond }) => perSecond));
        rows.push([
          name,
          redis === undefined ? '–' : figure(their),
          figure(our),
          redis === undefined ? '–' : (our / their).toFixed(2),
          median(ours.map(({ p99 }) => p99)).toFixed(2),
        ]);
        process.stderr.write(`${rows[rows.length - 1]?.join('  ') ?? ''}\n`);
      }
      console.log(
        `\n50 connections, ${pipeline} request${pipeline > 1 ? 's' : ''} a time, 64-byte values, 100 000 keys, medians of ${rounds} rounds, requests a second\n`,
      );
      console.log(table(['', 'redis-server', 'rosetta', 'ratio', 'p99 ms'], rows));
    }
  });
}

async function growth(): Promise<void> {
  const rows: string[][] = [];
  for (const keys of [1_000_000, 10_000_000]) {
    await withBoth(async (redis, rosetta) => {
      for (const pipeline of [1, 16]) {
        for (const name of ['SET', 'GET']) {
          const results: number[] = [];
          for (const server of [redis, rosetta]) {
            if (server === undefined) continue;
            if (pipeline === 1 && name === 'SET') {
              await run(server.port, [
                '-q',
                '-n',
                String(keys * 2),
                '-r',
                String(keys),
                '-d',
                '100',
                '-P',
                '50',
                '-t',
                'set',
              ]);
            }
            results.push(
              (await measure(server, tests[name] ?? [], pipeline, pipeline > 1 ? requests * 3 : requests, keys))
                .perSecond,
            );
          }
          const [their = Number.NaN, our = their] = results;
          rows.push([
            `${figure(keys)} keys, ${name} -P ${pipeline}`,
            figure(their),
            figure(our),
            (our / their).toFixed(2),
          ]);
          process.stderr.write(`${rows[rows.length - 1]?.join('  ') ?? ''}\n`);
        }
      }
    });
  }
  console.log(table(['100-byte values', 'redis-server', 'rosetta', 'ratio'], rows));
}

async function collections(): Promise<void> {
  const rows: string[][] = [];
  const sizes = [1_000, 100_000, 1_000_000];
  const commands: Readonly<Record<string, (n: number) => readonly string[]>> = {
    LINDEX: (n) => ['LINDEX', 'l', String(n >> 1)],
    LINSERT: () => ['LINSERT', 'l', 'BEFORE', 'first', 'x'],
    ZRANK: () => ['ZRANK', 'z', 'm:__rand_int__'],
    ZRANGE: (n) => ['ZRANGE', 'z', String(n >> 1), String((n >> 1) + 9)],
    SPOP: () => ['SPOP', 's'],
    SRANDMEMBER: () => ['SRANDMEMBER', 's'],
  };
  const figures = new Map<string, string[]>();
  for (const size of sizes) {
    const rosetta = await startRosetta('redis');
    try {
      await run(rosetta.port, ['-q', '-n', String(size), '-P', '50', 'RPUSH', 'l', 'element']);
      await run(rosetta.port, ['-q', '-n', '1', '-c', '1', 'LPUSH', 'l', 'first']);
      await run(rosetta.port, [
        '-q',
        '-n',
        String(size * 2),
        '-r',
        String(size),
        '-P',
        '50',
        'ZADD',
        'z',
        '__rand_int__',
        'm:__rand_int__',
      ]);
      await run(rosetta.port, [
        '-q',
        '-n',
        String(size * 2),
        '-r',
        String(size),
        '-P',
        '50',
        'SADD',
        's',
        'm:__rand_int__',
      ]);
      for (const [name, words] of Object.entries(commands)) {
        const count = name === 'SPOP' ? Math.min(20_000, size >> 1) : 20_000;
        const { perSecond } = await measure(rosetta, words(size), 1, count, size);
        figures.set(name, [...(figures.get(name) ?? []), figure(perSecond)]);
      }
    } finally {
      await rosetta.stop();
    }
  }
  for (const [name, cells] of figures) rows.push([name, ...cells]);
  console.log(table(['requests a second', ...sizes.map((size) => `${figure(size)} members`)], rows));
}

if (options.growth) await growth();
else if (options.collections) await collections();
else await sideBySide();
