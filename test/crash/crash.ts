/**
 * Kills a real server with -9 at random moments under load and checks, after a restart on the same data, that every
 * acknowledged write is there and that no transaction is half there.
 *
 *   npm run crash -- [--rounds 1000] [--seed N] [--connections 8] [--durability everysec|always]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

const root = new URL(import.meta.url.includes('/.tools/') ? '../../../' : '../../', import.meta.url).pathname;
const startTimeoutMs = 30_000;

export interface CrashOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly connections: number;
  readonly durability: 'everysec' | 'always';
  readonly log?: (line: string) => void;
}

export interface CrashResult {
  readonly rounds: number;
  readonly acknowledged: number;
}

/** mulberry32: small, seedable, good enough to choose moments and commands. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Server {
  readonly child: ChildProcess;
  readonly port: number;
}

async function startServer(directory: string, durability: string): Promise<Server> {
  const ready = join(directory, `ready-${Math.random().toString(36).slice(2)}.json`);
  const child = spawn(
    process.execPath,
    [
      join(root, 'dist/cli/main.js'),
      'start',
      ...['--data-dir', join(directory, 'data'), '--ready-file', ready, '--log-level', 'error'],
      ...['--listen', 'redis=127.0.0.1:0', '--listen', 'memcached=off', '--listen', 'mongodb=off'],
      ...['--durability', `redis=${durability}`],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const deadline = Date.now() + startTimeoutMs;
  while (!existsSync(ready)) {
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode} instead of starting`);
    if (Date.now() > deadline) throw new Error('the server did not start in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { listeners } = JSON.parse(readFileSync(ready, 'utf8')) as { listeners: { redis: { port: number } } };
  return { child, port: listeners.redis.port };
}

async function kill(server: Server): Promise<void> {
  const exited = new Promise<void>((resolve) => server.child.once('exit', () => resolve()));
  server.child.kill('SIGKILL');
  await exited;
}

function connect(port: number): Redis {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    lazyConnect: true,
  });
  client.on('error', () => {});
  return client;
}

/** What one connection knows to be acknowledged, over all rounds. */
interface Ledger {
  /** Keys `w:<id>:1 …` up to here. */
  writes: number;
  /** Transactions that incremented `a:<id>` and `b:<id>` and pushed to `l:<id>`. */
  transactions: number;
  /** Elements added to the stream and the sorted set of this connection. */
  entries: number;
  /** Sent, but not acknowledged before the crash: may or may not be there. */
  pending: 'none' | 'write' | 'transaction' | 'entry';
}

/** Works until the server dies, noting every acknowledgement. */
async function load(client: Redis, id: number, ledger: Ledger, random: () => number): Promise<void> {
  await client.connect();
  for (;;) {
    const choice = random();
    try {
      if (choice < 0.5) {
        ledger.pending = 'write';
        await client.set(
          `w:${id}:${ledger.writes + 1}`,
          `value ${ledger.writes + 1} ${'x'.repeat(Math.floor(random() * 200))}`,
        );
        ledger.writes++;
      } else if (choice < 0.8) {
        ledger.pending = 'transaction';
        const n = ledger.transactions + 1;
        await client
          .multi()
          .incr(`a:${id}`)
          .rpush(`l:${id}`, String(n))
          .hset(`h:${id}`, `f${n}`, String(n))
          .incr(`b:${id}`)
          .exec();
        ledger.transactions = n;
      } else {
        ledger.pending = 'entry';
        const n = ledger.entries + 1;
        await client.eval(
          "redis.call('ZADD', KEYS[1], ARGV[1], 'm' .. ARGV[1]); return redis.call('XADD', KEYS[2], '*', 'n', ARGV[1])",
          2,
          `z:${id}`,
          `x:${id}`,
          n,
        );
        ledger.entries = n;
      }
      ledger.pending = 'none';
    } catch {
      return;
    }
  }
}

function expectCount(what: string, found: number, acknowledged: number, pending: boolean): number {
  if (found < acknowledged || found > acknowledged + (pending ? 1 : 0)) {
    throw new Error(`${what}: ${found} found, ${acknowledged} acknowledged${pending ? ', one more in flight' : ''}`);
  }
  return found;
}

async function verify(client: Redis, id: number, ledger: Ledger): Promise<void> {
  const { pending } = ledger;
  // Writes in reverse: the newest are the ones at risk; a sample of the older ones.
  const extra = await client.exists(`w:${id}:${ledger.writes + 1}`);
  if (extra === 1 && pending !== 'write') throw new Error(`w:${id}:${ledger.writes + 1} is there, and nobody wrote it`);
  ledger.writes += extra;
  for (let n = ledger.writes; n > Math.max(0, ledger.writes - 500); n--) {
    const value = await client.get(`w:${id}:${n}`);
    if (value === null || !value.startsWith(`value ${n} `))
      throw new Error(`the acknowledged write w:${id}:${n} is lost`);
  }
  const a = Number((await client.get(`a:${id}`)) ?? 0);
  const b = Number((await client.get(`b:${id}`)) ?? 0);
  const list = await client.llen(`l:${id}`);
  const hash = await client.hlen(`h:${id}`);
  if (a !== b || a !== list || a !== hash)
    throw new Error(`half a transaction: a ${a}, b ${b}, list ${list}, hash ${hash}`);
  ledger.transactions = expectCount(`transactions of ${id}`, a, ledger.transactions, pending === 'transaction');
  const last = await client.lindex(`l:${id}`, -1);
  if (a > 0 && last !== String(a)) throw new Error(`the last element of l:${id} is ${last}, not ${a}`);
  const scores = await client.zcard(`z:${id}`);
  const entries = await client.xlen(`x:${id}`);
  if (scores !== entries) throw new Error(`half a script: ${scores} members, ${entries} entries`);
  ledger.entries = expectCount(`entries of ${id}`, scores, ledger.entries, pending === 'entry');
  ledger.pending = 'none';
}

/** Throws, naming seed and round, when anything acknowledged is missing. */
export async function crashRounds(options: CrashOptions): Promise<CrashResult> {
  const random = randomFrom(options.seed);
  const directory = mkdtempSync(join(tmpdir(), 'rosetta-crash-'));
  const ledgers = Array.from(
    { length: options.connections },
    (): Ledger => ({ writes: 0, transactions: 0, entries: 0, pending: 'none' }),
  );
  let server: Server | undefined;
  try {
    for (let round = 1; round <= options.rounds; round++) {
      server = await startServer(directory, options.durability);
      const { port } = server;
      const checker = connect(port);
      await checker.connect();
      try {
        for (const [id, ledger] of ledgers.entries()) await verify(checker, id, ledger);
      } catch (cause) {
        throw new Error(`seed ${options.seed}, round ${round}: ${(cause as Error).message}`, { cause });
      }
      checker.disconnect();
      const clients = ledgers.map(() => connect(port));
      const work = clients.map((client, id) => load(client, id, ledgers[id] as Ledger, random));
      await new Promise((resolve) => setTimeout(resolve, 20 + random() * 300));
      await kill(server);
      server = undefined;
      await Promise.all(work);
      for (const client of clients) client.disconnect();
      options.log?.(
        `round ${round}: ${ledgers.reduce((sum, l) => sum + l.writes + l.transactions + l.entries, 0)} acknowledged`,
      );
    }
    server = await startServer(directory, options.durability);
    const checker = connect(server.port);
    await checker.connect();
    for (const [id, ledger] of ledgers.entries()) await verify(checker, id, ledger);
    checker.disconnect();
  } finally {
    if (server !== undefined) await kill(server);
    rmSync(directory, { recursive: true, force: true });
  }
  const acknowledged = ledgers.reduce((sum, l) => sum + l.writes + l.transactions + l.entries, 0);
  return { rounds: options.rounds, acknowledged };
}
