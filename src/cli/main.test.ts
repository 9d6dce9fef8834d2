import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { version } from '../server/version.js';
import {
  RosettaProcess,
  type RunOptions,
  readReadyFile,
  runRosetta,
  temporaryDirectory,
} from './testing/rosetta-process.js';

const protocolNames = ['redis', 'memcached', 'mongodb'];
/** Every protocol but Redis off, Redis on a free port. */
const onlyRedis = protocolNames.flatMap((name) => ['--listen', name === 'redis' ? 'redis=127.0.0.1:0' : `${name}=off`]);

let directory: { readonly path: string; remove(): void };
let running: RosettaProcess[];
const path = (name: string): string => join(directory.path, name);

beforeEach(() => {
  directory = temporaryDirectory('cli');
  running = [];
});

afterEach(async () => {
  await Promise.all(running.map((rosetta) => rosetta.stop()));
  directory.remove();
});

async function startRosetta(args: readonly string[], options?: RunOptions): Promise<RosettaProcess> {
  const rosetta = new RosettaProcess(
    ['start', '--log-level', 'warn', '--ready-file', path('ready.json'), ...args],
    options,
  );
  running.push(rosetta);
  await rosetta.listening();
  return rosetta;
}

/** Runs one Redis command on a connection of its own. */
async function redisCommand(port: number, command: string, ...args: string[]): Promise<unknown> {
  const client = new Redis({ port, lazyConnect: true, protocol: 2, retryStrategy: null, enableReadyCheck: false });
  client.on('error', () => {});
  try {
    await client.connect();
    return await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}

function redisPort(): number {
  return readReadyFile(path('ready.json')).listeners.redis?.port ?? 0;
}

describe('rosetta start', () => {
  test('prints a table of listeners and writes their addresses into the ready file', async () => {
    const rosetta = await startRosetta(['--data-dir', path('data'), ...onlyRedis]);
    const ready = readReadyFile(path('ready.json'));
    const port = redisPort();
    expect(ready).toMatchObject({ version, pid: rosetta.pid, dataDirectory: path('data') });
    expect(ready.listeners.redis).toEqual({ host: '127.0.0.1', port, tls: false });
    expect(Object.keys(ready.listeners)).toEqual(['redis']);
    expect(rosetta.stdout).toMatch(new RegExp(`redis +127\\.0\\.0\\.1:${port} +redis-cli -p ${port}\n`));
    expect(await redisCommand(port, 'PING')).toBe('PONG');
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('stops cleanly on %s and removes the ready file', async (signal) => {
    const rosetta = await startRosetta(['--data-dir', path('data'), ...onlyRedis]);
    expect(await rosetta.stop(signal)).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(existsSync(path('ready.json'))).toBe(false);
  });

  test('stops when a client says SHUTDOWN', async () => {
    const rosetta = await startRosetta(['--data-dir', path('data'), ...onlyRedis]);
    await redisCommand(redisPort(), 'SHUTDOWN').catch(() => {});
    expect(await rosetta.ended).toMatchObject({ code: 0 });
  });

  test('keeps what was written over a kill -9', async () => {
    const args = ['--data-dir', path('data'), ...onlyRedis];
    const first = await startRosetta(args);
    expect(await redisCommand(redisPort(), 'SET', 'greeting', 'hello')).toBe('OK');
    await first.stop('SIGKILL');
    await startRosetta(args);
    expect(await redisCommand(redisPort(), 'GET', 'greeting')).toBe('hello');
  });

  test('--ephemeral removes its directory at exit', async () => {
    const rosetta = await startRosetta(['--ephemeral', ...onlyRedis]);
    const { dataDirectory } = readReadyFile(path('ready.json'));
    expect(existsSync(dataDirectory)).toBe(true);
    await redisCommand(redisPort(), 'SET', 'a', 'b');
    expect(await rosetta.stop()).toMatchObject({ code: 0 });
    expect(existsSync(dataDirectory)).toBe(false);
  });

  test('refuses a second server on one data directory', async () => {
    const args = ['--data-dir', path('data'), ...onlyRedis];
    await startRosetta(args);
    const second = await runRosetta(['start', ...args]);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/another process|in use|locked/i);
    expect(await redisCommand(redisPort(), 'PING')).toBe('PONG');
  });
});

describe('a taken port', () => {
  let blocker: Server;
  let port: number;

  beforeEach(async () => {
    blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    const address = blocker.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });

  afterEach(() => {
    blocker.close();
  });

  test('names the protocol, the port and the option, and leaves nothing half started', async () => {
    const args = ['--data-dir', path('data'), '--ready-file', path('ready.json'), ...onlyRedis];
    const outcome = await runRosetta(['start', ...args, '--listen', `metrics=127.0.0.1:${port}`]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain(`metrics cannot listen on 127.0.0.1:${port}`);
    expect(outcome.stderr).toContain('--listen metrics=');
    expect(outcome.stdout).toBe('');
    expect(existsSync(path('data'))).toBe(false);
    expect(existsSync(path('ready.json'))).toBe(false);
  });

  test('is told of Redis too', async () => {
    const off = protocolNames.filter((name) => name !== 'redis').flatMap((name) => ['--listen', `${name}=off`]);
    const outcome = await runRosetta(['start', '--ephemeral', ...off, '--listen', `redis=127.0.0.1:${port}`]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain(`redis cannot listen on 127.0.0.1:${port}: the address is already in use`);
    expect(outcome.stderr).toContain('--listen redis=HOST:PORT');
  });
});

describe('settings', () => {
  test.each([
    [['--no-such-thing'], 'unknown option --no-such-thing'],
    [['--data-dri', 'x'], 'unknown option --data-dri; did you mean --data-dir?'],
    [['--log-level', 'loud'], '--log-level: expected one of debug, info, warn, error, silent, not "loud"'],
    [['--listen', 'redis=127.0.0.1:99999'], '--listen (redis): expected HOST:PORT'],
    [['--listen', 'radis=off'], '--listen: there is no protocol "radis"'],
    [['--listen', 'titan=1234'], '--listen: this version does not speak titan'],
    [['--data-dir'], '--data-dir needs a value'],
    [['--tls-cert', 'x.pem'], '--tls-cert needs --tls-key too'],
    [['--ephemeral', '--data-dir', 'x'], '--ephemeral and --data-dir exclude each other'],
    [['surplus'], 'unexpected argument "surplus"'],
  ])('%j is refused with a sentence that names it', async (args, sentence) => {
    const outcome = await runRosetta(['start', ...args], { cwd: directory.path });
    expect(outcome.stderr).toContain(`rosetta: ${sentence}`);
    expect(outcome.code).toBe(2);
  });

  test('a wrong variable and a wrong line of the file are named', async () => {
    const variable = await runRosetta(['start'], { env: { ROSETTA_MAX_CONNECTIONS: 'many' } });
    expect(variable.stderr).toContain('ROSETTA_MAX_CONNECTIONS: expected a whole number from 1 to 1000000, not "many"');
    writeFileSync(path('rosetta.yaml'), 'idle-timeout: soon\n');
    const file = await runRosetta(['start', '--config', path('rosetta.yaml')]);
    expect(file.stderr).toContain(`idle-timeout in ${path('rosetta.yaml')}: expected a duration`);
    writeFileSync(path('rosetta.yaml'), 'idle-timout: 5s\n');
    const unknown = await runRosetta(['start', '--config', path('rosetta.yaml')]);
    expect(unknown.stderr).toContain(`unknown option idle-timout in ${path('rosetta.yaml')}`);
    const missing = await runRosetta(['start', '--config', path('none.yaml')]);
    expect(missing.stderr).toContain(`the configuration file ${path('none.yaml')} cannot be read`);
    expect([variable.code, file.code, unknown.code, missing.code]).toEqual([2, 2, 2, 2]);
  });

  test('a flag wins over a variable, and a variable over the file', async () => {
    const yaml = ['listen:', '  redis: 127.0.0.1:1', '  memcached: off', '  mongodb: off', `data-dir: ${path('file')}`];
    writeFileSync(path('rosetta.yaml'), `${yaml.join('\n')}\n`);
    const env = { ROSETTA_CONFIG: path('rosetta.yaml'), ROSETTA_LISTEN_REDIS: '127.0.0.1:2' };
    await startRosetta(['--listen', 'redis=127.0.0.1:0'], { env: { ...env, ROSETTA_DATA_DIR: path('variable') } });
    expect(readReadyFile(path('ready.json')).dataDirectory).toBe(path('variable'));
    expect(redisPort()).toBeGreaterThan(2);
  });

  test("a protocol's settings reach it", async () => {
    await startRosetta(['--ephemeral', ...onlyRedis, '--settings', 'redis.hash-max-listpack-entries=7']);
    expect(await redisCommand(redisPort(), 'CONFIG', 'GET', 'hash-max-listpack-entries')).toEqual([
      'hash-max-listpack-entries',
      '7',
    ]);
  });

  test('a password makes clients log in, and lets a listener leave the loopback', async () => {
    const open = protocolNames.map((name) => (name === 'redis' ? 'redis=0.0.0.0:0' : `${name}=off`));
    const args = ['--ephemeral', ...open.flatMap((text) => ['--listen', text])];
    const refused = await runRosetta(['start', ...args]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('--allow-open-bind');
    await startRosetta(args, { env: { ROSETTA_PASSWORD: 'correct horse' } });
    const port = redisPort();
    await expect(redisCommand(port, 'GET', 'a')).rejects.toThrow('NOAUTH');
    await expect(redisCommand(port, 'AUTH', 'wrong')).rejects.toThrow('WRONGPASS');
    expect(await redisCommand(port, 'AUTH', 'correct horse')).toBe('OK');
  });

  test('a password is kept with the users', async () => {
    const args = ['--data-dir', path('data'), ...onlyRedis];
    const first = await startRosetta(args, { env: { ROSETTA_PASSWORD: 'correct horse' } });
    await first.stop();
    await startRosetta(args);
    await expect(redisCommand(redisPort(), 'GET', 'a')).rejects.toThrow('NOAUTH');
    expect(await redisCommand(redisPort(), 'AUTH', 'correct horse')).toBe('OK');
  });
});

describe('backup and restore', () => {
  test('copy a running server, and a stopped one, into a new data directory', async () => {
    const rosetta = await startRosetta(['--data-dir', path('data'), ...onlyRedis]);
    await redisCommand(redisPort(), 'SET', 'greeting', 'hello');
    expect(await runRosetta(['backup', path('online'), '--data-dir', path('data')])).toMatchObject({
      code: 0,
      stderr: '',
    });
    await rosetta.stop();
    expect(await runRosetta(['backup', path('offline'), '--data-dir', path('data')])).toMatchObject({
      code: 0,
      stderr: '',
    });
    for (const copy of ['online', 'offline']) {
      const target = path(`restored-${copy}`);
      expect(await runRosetta(['restore', path(copy), '--data-dir', target])).toMatchObject({ code: 0, stderr: '' });
      const restored = await startRosetta(['--data-dir', target, ...onlyRedis]);
      expect(await redisCommand(redisPort(), 'GET', 'greeting')).toBe('hello');
      await restored.stop();
    }
  });

  test('say what is in their way', async () => {
    const none = await runRosetta(['backup', path('copy'), '--data-dir', path('nowhere')]);
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr).toContain(`there is no data in ${path('nowhere')}`);
    mkdirSync(path('full'));
    writeFileSync(path('full/file'), '');
    const full = await runRosetta(['backup', path('full'), '--data-dir', path('full')]);
    expect(full.stderr).toContain(`the backup directory ${path('full')} is not empty`);
    const noBackup = await runRosetta(['restore', path('full'), '--data-dir', path('data')]);
    expect(noBackup.stderr).toContain('is no finished backup');
    expect(existsSync(path('data'))).toBe(false);
    expect((await runRosetta(['restore'])).stderr).toContain('an argument is missing: rosetta restore DIR');
  });
});

describe('help and version', () => {
  test('name every command, and every option of start', async () => {
    const help = await runRosetta(['help']);
    for (const name of ['start', 'backup', 'restore', 'version', 'help'])
      expect(help.stdout).toContain(`rosetta ${name}`);
    const start = await runRosetta(['help', 'start']);
    for (const option of ['--data-dir DIR', '--ephemeral', '--listen PROTOCOL=HOST:PORT']) {
      expect(start.stdout).toContain(option);
    }
    expect((await runRosetta(['start', '--help'])).stdout).toBe(start.stdout);
    expect(await runRosetta(['version'])).toMatchObject({ code: 0, stdout: `rosetta ${version}\n` });
    expect((await runRosetta(['--version'])).stdout).toBe(`rosetta ${version}\n`);
  });

  test('an unknown command is refused', async () => {
    const outcome = await runRosetta(['strat']);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toContain('unknown command "strat"; there are start, backup');
    expect((await runRosetta([])).code).toBe(2);
  });
});
