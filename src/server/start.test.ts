import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Server, start } from '../index.js';

const running: Server[] = [];

async function startServer(options: Parameters<typeof start>[0]): Promise<Server> {
  const server = await start({ logLevel: 'silent', ...options });
  running.push(server);
  return server;
}

function hostAndPortOf(server: Server): { host: string | undefined; port: number | undefined } {
  const { host, port } = server.addresses.redis ?? {};
  return { host, port };
}

function redisOf(server: Server): Redis {
  return new Redis({ ...hostAndPortOf(server), protocol: 2, retryStrategy: null, enableReadyCheck: false });
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

describe('start()', () => {
  test('gives a server on free ports, and its addresses', async () => {
    const server = await startServer({ ephemeral: true });
    const { redis } = server.addresses;
    expect(redis).toMatchObject({ host: '127.0.0.1', port: expect.any(Number), tls: false });
    expect(redis?.port).not.toBe(6379);
    expect(String(redis)).toBe(`127.0.0.1:${redis?.port}`);
    const client = redisOf(server);
    expect(await client.set('greeting', 'hello')).toBe('OK');
    expect(await client.get('greeting')).toBe('hello');
    client.disconnect();
  });

  test('several servers in one process share nothing', async () => {
    const [one, two] = await Promise.all([
      startServer({ ephemeral: true }),
      startServer({ engine: 'memory', ephemeral: true }),
    ]);
    const [first, second] = [redisOf(one), redisOf(two)];
    await first.set('name', 'one');
    await second.set('name', 'two');
    expect([await first.get('name'), await second.get('name')]).toEqual(['one', 'two']);
    first.disconnect();
    await one.stop();
    expect(await second.get('name')).toBe('two');
    second.disconnect();
  });

  test('stop() closes connections, frees the port, and removes an ephemeral directory', async () => {
    const server = await startServer({ ephemeral: true });
    const { port = 0 } = server.addresses.redis ?? {};
    expect(existsSync(server.dataDirectory)).toBe(true);
    const socket = connect(port, '127.0.0.1').resume();
    await new Promise((resolve) => socket.once('connect', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await Promise.all([server.stop(), server.stop(), server.stopped, closed]);
    expect(existsSync(server.dataDirectory)).toBe(false);
    const again = await startServer({ ephemeral: true, listen: { redis: `127.0.0.1:${port}` } });
    expect(again.addresses.redis?.port).toBe(port);
  });

  test('several addresses, and none', async () => {
    const server = await startServer({ ephemeral: true, listen: { redis: ['127.0.0.1:0', 0], metrics: 0 } });
    expect(server.listeners.filter(({ protocol }) => protocol === 'redis')).toHaveLength(2);
    const client = redisOf(server);
    await client.ping();
    const scrape = await (await fetch(`http://${String(server.addresses.metrics)}/metrics`)).text();
    expect(scrape).toContain('rosetta_connections{protocol="redis"} 1');
    expect(scrape).toContain('rosetta_commands_total{protocol="redis",command="ping"} 1');
    client.disconnect();
    const without = await startServer({ ephemeral: true, listen: { redis: 'off' } });
    expect(without.addresses.redis).toBeUndefined();
  });

  test('a taken port is an error, with nothing left open', async () => {
    const server = await startServer({ ephemeral: true });
    const address = String(server.addresses.redis);
    const second = startServer({ ephemeral: true, listen: { redis: address } });
    await expect(second).rejects.toThrow(`redis cannot listen on ${address}: the address is already in use`);
    await expect(startServer({ ephemeral: true, listen: { redis: [address, 0] } })).rejects.toThrow(address);
  });

  test('a wrong option is named', async () => {
    await expect(startServer({ idleTimeout: 'soon' })).rejects.toThrow(
      'idleTimeout given to start(): expected a duration',
    );
    const misspelled = { dataDirectory: 'x' } as unknown as Parameters<typeof start>[0];
    await expect(startServer(misspelled)).rejects.toThrow('unknown option dataDirectory given to start()');
    await expect(startServer({ ephemeral: true, listen: { redis: 'tls://127.0.0.1:0' } })).rejects.toThrow(
      '--listen redis: tls:// needs --tls-cert and --tls-key',
    );
  });
});

describe.skipIf(spawnSync('openssl', ['version']).status !== 0)('TLS (needs openssl)', () => {
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'rosetta-test-tls-'));
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', join(directory, 'key.pem')],
      ...['-out', join(directory, 'cert.pem')],
    ]);
    expect(made.status).toBe(0);
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('holds for every address that does not say plain://, and refuses clients without a certificate if told so', async () => {
    const cert = join(directory, 'cert.pem');
    const tls = { tlsCert: cert, tlsKey: join(directory, 'key.pem') };
    const listen = { redis: ['127.0.0.1:0', 'plain://127.0.0.1:0'] };
    const server = await startServer({ ephemeral: true, listen, ...tls });
    const [encrypted, plain] = server.listeners;
    expect([encrypted?.address.tls, plain?.address.tls]).toEqual([true, false]);
    const ca = readFileSync(cert);
    const client = new Redis({ port: encrypted?.address.port, host: '127.0.0.1', tls: { ca }, retryStrategy: null });
    expect(await client.set('greeting', 'hello')).toBe('OK');
    client.disconnect();
    const other = new Redis({ port: plain?.address.port, retryStrategy: null });
    expect(await other.get('greeting')).toBe('hello');
    other.disconnect();

    const strict = await startServer({ ephemeral: true, ...tls, tlsCa: cert });
    const stranger = new Redis({ ...hostAndPortOf(strict), tls: { ca }, retryStrategy: null });
    stranger.on('error', () => {});
    await expect(stranger.ping()).rejects.toThrow();
    const known = { ca, cert: ca, key: readFileSync(tls.tlsKey) };
    const friend = new Redis({ ...hostAndPortOf(strict), tls: known, retryStrategy: null });
    expect(await friend.ping()).toBe('PONG');
    friend.disconnect();
    stranger.disconnect();
  });
});

describe('memcached', () => {
  /** Sends a text command and reads until `end`. */
  async function ask({ host, port }: { host: string; port: number }, command: string, end: string): Promise<string> {
    const socket = connect(port, host).setEncoding('latin1');
    let reply = '';
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject).once('close', () => resolve());
      socket.on('data', (text: string) => {
        reply += text;
        if (reply.endsWith(end)) socket.destroy();
      });
      socket.write(command);
    });
    return reply;
  }

  test('serves the keys of Redis, to users of the same list', async () => {
    const server = await startServer({ ephemeral: true, password: 'secret' });
    const { redis, memcached } = server.addresses;
    if (redis === undefined || memcached === undefined) throw new Error('a listener is missing');
    const client = new Redis({ host: redis.host, port: redis.port, password: 'secret', retryStrategy: null });
    await client.set('greeting', 'hello');
    expect(await ask(memcached, 'get greeting\r\n', '\r\n')).toBe('CLIENT_ERROR unauthenticated\r\n');
    const login = 'set auth 0 0 14\r\ndefault secret\r\n';
    expect(await ask(memcached, `${login}get greeting\r\n`, 'END\r\n')).toBe(
      'STORED\r\nVALUE greeting 0 5\r\nhello\r\nEND\r\n',
    );
    client.disconnect();
  });

  test('has settings of its own, and no others', async () => {
    const wrong = { ephemeral: true, settings: { memcached: { 'item-size': '1mb' } } };
    await expect(startServer(wrong)).rejects.toThrow('--settings memcached.item-size: there is no such setting');
    const bad = { ephemeral: true, settings: { redis: { 'maxmemory-policy': 'sometimes' } } };
    await expect(startServer(bad)).rejects.toThrow('--settings redis.maxmemory-policy:');
  });
});

describe('users', () => {
  test('made by ACL SETUSER are stored with the server, and follow it', async () => {
    const server = await startServer({ ephemeral: true, password: 'secret' });
    const admin = redisOf(server);
    await expect(admin.get('a')).rejects.toThrow('NOAUTH');
    expect(await admin.auth('secret')).toBe('OK');
    expect(await admin.call('ACL', 'SETUSER', 'alice', 'on', '>wonder', '~a*', '+get')).toBe('OK');
    const client = redisOf(server);
    expect(await client.auth('alice', 'wonder')).toBe('OK');
    expect(await client.get('abc')).toBeNull();
    await expect(client.get('xyz')).rejects.toThrow('NOPERM');
    expect(await admin.call('ACL', 'LIST')).toEqual([
      expect.stringMatching(/^user alice on sanitize-payload #[0-9a-f]{64} ~a\* resetchannels -@all \+get$/),
      expect.stringMatching(/^user default on sanitize-payload #[0-9a-f]{64} ~\* &\* \+@all$/),
    ]);
    admin.disconnect();
    client.disconnect();
  });
});
