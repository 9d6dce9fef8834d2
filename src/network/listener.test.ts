import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer as createNetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import type { Connection, ConnectionHandler, Protocol } from './connection.js';
import { addressText, type Listener, type ListenerOptions, openListener } from './listener.js';
import { directWrites } from './socket-writer.js';
import { testCertificate, testKey } from './testing/certificate.js';

/** A protocol of lines: each is answered with itself, after `act` has had its chance to do something else. */
class LineProtocol implements Protocol {
  readonly name = 'lines';
  readonly refusal: Buffer | undefined = Buffer.from('too many\n');
  readonly connections: Connection[] = [];
  readonly events: string[] = [];
  settlements = 0;
  settling: (() => Promise<void> | undefined) | undefined;
  idleExempt = false;
  onEnd: ((connection: Connection) => void) | undefined;
  private readonly waiters: { readonly event: string; readonly resolve: () => void }[] = [];

  constructor(private readonly act: (connection: Connection, line: string) => boolean = () => false) {}

  open(connection: Connection): ConnectionHandler {
    this.connections.push(connection);
    let rest = '';
    const handler: ConnectionHandler = {
      idleExempt: this.idleExempt,
      onBytes: (bytes, length) => {
        rest += bytes.latin1Slice(0, length);
        const lines = rest.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (!this.act(connection, line)) connection.write(Buffer.from(`${line}\n`));
      },
      onDrain: () => this.note('drain'),
      onClose: () => this.note('close'),
    };
    const { onEnd } = this;
    return onEnd === undefined ? handler : { ...handler, onEnd: () => onEnd(connection) };
  }

  settle(): Promise<void> | undefined {
    this.settlements++;
    return this.settling?.();
  }

  async close(): Promise<void> {}

  note(event: string): void {
    this.events.push(event);
    for (const waiter of this.waiters) if (waiter.event === event) waiter.resolve();
  }

  /** When the event has happened, now or earlier. */
  async happened(event: string): Promise<void> {
    if (this.events.includes(event)) return;
    await new Promise<void>((resolve) => this.waiters.push({ event, resolve }));
  }
}

/** A client that collects what it receives. */
class LineClient {
  text = '';
  ended = false;
  closed = false;
  private wake: (() => void)[] = [];

  constructor(readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.text += bytes.toString('latin1');
      this.notify();
    });
    socket.on('end', () => {
      this.ended = true;
      this.notify();
    });
    socket.on('close', () => {
      this.closed = true;
      this.notify();
    });
    socket.on('error', () => {});
  }

  async until(condition: (client: this) => boolean): Promise<void> {
    while (!condition(this)) await new Promise<void>((resolve) => this.wake.push(resolve));
  }

  receives(text: string): Promise<void> {
    return this.until((client) => client.text.length >= text.length).then(() => expect(this.text).toBe(text));
  }

  private notify(): void {
    const { wake } = this;
    this.wake = [];
    for (const resolve of wake) resolve();
  }
}

const logged: { readonly level: string; readonly fields: object; readonly text: string }[] = [];
const log =
  (level: string) =>
  (fields: object, text: string): void => {
    logged.push({ level, fields, text });
  };
const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };

const limits = { connectionsMax: 100, unsentBytesMax: 1 << 20, idleMsMax: 0 };
const listeners: Listener[] = [];
const clients: Socket[] = [];

async function listen(protocol: Protocol, options: Partial<ListenerOptions> = {}): Promise<Listener> {
  const listener = await openListener(protocol, {
    host: '127.0.0.1',
    port: 0,
    limits,
    logger,
    ...options,
  } as ListenerOptions);
  listeners.push(listener);
  return listener;
}

async function dial(listener: Listener, options: { allowHalfOpen?: boolean } = {}): Promise<LineClient> {
  const { address } = listener;
  const target = address.path === undefined ? { host: address.host, port: address.port } : { path: address.path };
  const socket = connect({ ...target, ...options });
  clients.push(socket);
  const client = new LineClient(socket);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const dialled = (dials.get(listener) ?? 0) + 1;
  dials.set(listener, dialled);
  // The operating system connects before the listener accepts.
  if (!listener.secure) await turnsUntil(() => listener.statistics.accepted + listener.statistics.refused >= dialled);
  return client;
}
const dials = new WeakMap<Listener, number>();

/** Lets the event loop turn until the condition holds. */
async function turnsUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rosetta-listener-'));
  directories.push(directory);
  return directory;
}
const directories: string[] = [];

afterEach(async () => {
  for (const socket of clients.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) await listener.stop();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
  logged.length = 0;
});

describe.each([
  ['direct writes', {}],
  ['public streams', { publicStreamsOnly: true }],
])('a listener with %s', (_, paths) => {
  const open = (protocol: Protocol, options: Partial<ListenerOptions> = {}): Promise<Listener> =>
    listen(protocol, { ...paths, ...options } as Partial<ListenerOptions>);

  test('delivers requests however they are cut into packets', async () => {
    const client = await dial(await open(new LineProtocol()));
    client.socket.setNoDelay(true);
    for (const byte of 'one\ntwo\n') {
      await new Promise((resolve) => client.socket.write(byte, resolve));
    }
    await client.receives('one\ntwo\n');
  });

  test('serves connections side by side, each with its own order', async () => {
    const protocol = new LineProtocol();
    const listener = await open(protocol);
    const all = await Promise.all(Array.from({ length: 20 }, () => dial(listener)));
    expect(listener.connections).toBe(20);
    await Promise.all(
      all.map(async (client, i) => {
        const lines = Array.from({ length: 50 }, (_line, n) => `${i}:${n}\n`);
        for (const line of lines) client.socket.write(line);
        await client.receives(lines.join(''));
      }),
    );
    expect(new Set(protocol.connections.map(({ id }) => id)).size).toBe(20);
    expect(listener.statistics.bytesRead).toBe(listener.statistics.bytesWritten);
  });

  test('asks once to settle for all replies of a turn', async () => {
    const protocol = new LineProtocol((connection) => {
      for (let i = 0; i < 10; i++) connection.write(Buffer.from(`${i}\n`));
      return true;
    });
    const client = await dial(await open(protocol));
    client.socket.write('go\n');
    await client.receives('0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n');
    expect(protocol.settlements).toBe(1);
  });

  test('holds back later replies behind earlier ones whose commits are not settled', async () => {
    const release: (() => void)[] = [];
    const protocol = new LineProtocol();
    protocol.settling = () => {
      if (protocol.settlements > 2) return undefined;
      return new Promise((resolve) => release.push(resolve));
    };
    const client = await dial(await open(protocol));
    const other = new LineProtocol();
    const bystander = await dial(await open(other));

    for (const line of ['one\n', 'two\n', 'three\n']) {
      const before = protocol.settlements;
      client.socket.write(line);
      await turnsUntil(() => protocol.settlements > before);
    }
    bystander.socket.write('free\n');
    await bystander.receives('free\n');
    expect(client.text).toBe('');

    // The second turn is settled first, and still waits for the first one.
    release[1]?.();
    bystander.socket.write('still free\n');
    await bystander.receives('free\nstill free\n');
    expect(client.text).toBe('');
    release[0]?.();
    await client.receives('one\ntwo\nthree\n');
  });

  test('closes the connections whose commits did not settle, and nobody else', async () => {
    const protocol = new LineProtocol();
    const listener = await open(protocol);
    const [lost, spared] = [await dial(listener), await dial(listener)];
    protocol.settling = () => Promise.reject(new Error('disk on fire'));
    lost.socket.write('lost\n');
    await lost.until(({ closed }) => closed);
    expect(lost.text).toBe('');
    protocol.settling = () => {
      throw new Error('still on fire');
    };
    const next = await dial(listener);
    next.socket.write('lost too\n');
    await next.until(({ closed }) => closed);
    protocol.settling = undefined;
    spared.socket.write('spared\n');
    await spared.receives('spared\n');
    expect(listener.statistics.closedUnsettled).toBe(2);
    expect(logged.filter(({ level }) => level === 'error')).toHaveLength(2);
  });

  test('delivers a reply far larger than all buffers, whole and in order', async () => {
    const block = Buffer.alloc(1 << 20, 'abcdefgh');
    const protocol = new LineProtocol((connection, line) => {
      if (line !== 'much') return false;
      for (let i = 0; i < 24; i++) connection.write(block);
      return true;
    });
    const client = await dial(await open(protocol));
    client.socket.pause();
    client.socket.write('much\nmore\n');
    await turnsUntil(() => (protocol.connections[0]?.unsentBytes ?? 0) > 0);
    client.socket.resume();
    await client.until(({ text }) => text.length >= 24 * block.length + 5);
    expect(client.text === `${block.toString().repeat(24)}more\n`).toBe(true);
    expect(protocol.connections[0]?.unsentBytes).toBe(0);
    await protocol.happened('drain');
  });

  test('reads no more from a client that leaves its replies unread, and goes on when it has caught up', async () => {
    const block = Buffer.alloc(16 << 20, 'x');
    const protocol = new LineProtocol((connection, line) => {
      if (line === 'much') connection.write(block);
      else protocol.note(line);
      return true;
    });
    const listener = await open(protocol, { limits: { ...limits, unsentBytesMax: 16 << 20 } });
    const client = await dial(listener);
    client.socket.pause();
    client.socket.write('much\n');
    await turnsUntil(() => (protocol.connections[0]?.unsentBytes ?? 0) > 0);
    await new Promise((resolve) => client.socket.write('later\n', resolve));
    const bystander = await dial(listener);
    bystander.socket.write('bystander\n');
    await protocol.happened('bystander');
    expect(protocol.events).not.toContain('later');
    client.socket.resume();
    await protocol.happened('later');
    expect(protocol.events.indexOf('drain')).toBeLessThan(protocol.events.indexOf('later'));
  });

  test('disconnects a client that never reads when its unread output exceeds the limit', async () => {
    const protocol = new LineProtocol();
    const listener = await open(protocol);
    const client = await dial(listener);
    client.socket.pause();
    const [connection] = protocol.connections;
    const block = Buffer.alloc(1 << 20, 'x');
    while (connection?.closed === false) {
      connection.write(block);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await protocol.happened('close');
    expect(listener.statistics.closedSlow).toBe(1);
    expect(listener.connections).toBe(0);
    expect(logged.some(({ level, text }) => level === 'warn' && text.includes('does not read'))).toBe(true);
  });

  test('refuses clients over the limit, which may change, with the words of the protocol', async () => {
    const listener = await open(new LineProtocol(), { limits: { ...limits, connectionsMax: 1 } });
    const first = await dial(listener);
    const second = await dial(listener);
    second.socket.write('hello?\n');
    await second.until(({ closed }) => closed);
    expect(second.text).toBe('too many\n');
    expect(listener.statistics).toMatchObject({ accepted: 1, refused: 1 });
    listener.limits.connectionsMax = 2;
    const third = await dial(listener);
    third.socket.write('hello\n');
    await third.receives('hello\n');
    first.socket.write('still here\n');
    await first.receives('still here\n');
  });

  test('closes idle connections, unless their handler exempts them', async () => {
    const protocol = new LineProtocol();
    const listener = await open(protocol, { limits: { ...limits, idleMsMax: 40 } });
    protocol.idleExempt = true;
    const exempt = await dial(listener);
    exempt.socket.write('x\n');
    await exempt.receives('x\n');
    protocol.idleExempt = false;
    const idle = await dial(listener);
    await idle.until(({ closed }) => closed);
    expect(listener.statistics.closedIdle).toBe(1);
    exempt.socket.write('y\n');
    await exempt.receives('x\ny\n');
  });

  test('answers a client that has closed its sending side before it closes', async () => {
    const protocol = new LineProtocol();
    const client = await dial(await open(protocol), { allowHalfOpen: true });
    client.socket.end('last words\n');
    await client.until(({ ended }) => ended);
    expect(client.text).toBe('last words\n');
    await protocol.happened('close');
  });

  test('leaves it to a handler with onEnd when to close after the client has', async () => {
    const protocol = new LineProtocol((connection) => {
      setImmediate(() => setImmediate(() => connection.write(Buffer.from('late\n'))));
      return true;
    });
    protocol.onEnd = (connection) => {
      const finish = (): void => {
        if (protocol.settlements === 0) setImmediate(finish);
        else connection.end();
      };
      finish();
    };
    const client = await dial(await open(protocol), { allowHalfOpen: true });
    client.socket.end('request\n');
    await client.until(({ ended }) => ended);
    expect(client.text).toBe('late\n');
  });

  test('end sends what was written, then closes; later writes are ignored', async () => {
    const protocol = new LineProtocol((connection) => {
      connection.write(Buffer.from('bye\n'));
      connection.end();
      connection.write(Buffer.from('too late\n'));
      return true;
    });
    const listener = await open(protocol);
    const client = await dial(listener);
    client.socket.write('quit\nquit\n');
    await client.until(({ closed }) => closed);
    expect(client.text).toBe('bye\n');
    await protocol.happened('close');
    expect(protocol.events.filter((event) => event === 'close')).toHaveLength(1);
    expect(listener.connections).toBe(0);
  });

  test('a handler that throws costs its connection only', async () => {
    const protocol = new LineProtocol((_connection, line) => {
      if (line === 'bug') throw new Error('a bug');
      return false;
    });
    const listener = await open(protocol);
    const [victim, bystander] = [await dial(listener), await dial(listener)];
    victim.socket.write('bug\n');
    await victim.until(({ closed }) => closed);
    bystander.socket.write('fine\n');
    await bystander.receives('fine\n');
    expect(listener.statistics.defects).toBe(1);
  });

  test('survives clients that vanish with replies on their way', async () => {
    const protocol = new LineProtocol();
    const listener = await open(protocol);
    const client = await dial(listener);
    client.socket.pause();
    const [connection] = protocol.connections;
    connection?.write(Buffer.alloc(16 << 20));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    client.socket.resetAndDestroy();
    await protocol.happened('close');
    connection?.write(Buffer.from('nobody'));
    connection?.end();
    connection?.destroy();
    expect(connection?.unsentBytes).toBe(0);
    const next = await dial(listener);
    next.socket.write('next\n');
    await next.receives('next\n');
  });

  test('pause stops input until resume', async () => {
    const protocol = new LineProtocol((connection, line) => {
      if (line === 'pause') connection.pause();
      else protocol.note(line);
      return true;
    });
    const listener = await open(protocol);
    const client = await dial(listener);
    client.socket.write('pause\n');
    await turnsUntil(() => listener.statistics.bytesRead > 0);
    await new Promise((resolve) => client.socket.write('after\n', resolve));
    const bystander = await dial(listener);
    bystander.socket.write('bystander\n');
    await protocol.happened('bystander');
    expect(protocol.events).not.toContain('after');
    protocol.connections[0]?.resume();
    await protocol.happened('after');
  });

  test('stop lets queued replies leave, closes every connection and frees the address', async () => {
    const protocol = new LineProtocol();
    let settle: (() => void) | undefined;
    protocol.settling = () =>
      new Promise((resolve) => {
        settle = resolve;
      });
    const listener = await open(protocol);
    const waiting = await dial(listener);
    const idle = await dial(listener);
    waiting.socket.write('important\n');
    await turnsUntil(() => settle !== undefined);
    const stopped = listener.stop();
    await expect(dial(listener)).rejects.toThrow('ECONNREFUSED');
    settle?.();
    await stopped;
    await Promise.all([waiting.until(({ closed }) => closed), idle.until(({ closed }) => closed)]);
    expect(waiting.text).toBe('important\n');
    expect(listener.connections).toBe(0);
    const again = await open(new LineProtocol(), { port: listener.address.port });
    expect(again.address).toEqual(listener.address);
  });

  test('serves a unix socket, which nobody else can have meanwhile', async () => {
    const path = join(temporaryDirectory(), 'lines.sock');
    const protocol = new LineProtocol();
    const listener = await open(protocol, { host: undefined, port: undefined, path, pathMode: 0o700 });
    expect(statSync(path).mode & 0o777).toBe(0o700);
    const client = await dial(listener);
    client.socket.write('hello\n');
    await client.receives('hello\n');
    expect(protocol.connections[0]).toMatchObject({ localAddress: path, remoteAddress: path, remotePort: 0 });
    await expect(open(new LineProtocol(), { host: undefined, port: undefined, path })).rejects.toThrow(
      `lines cannot listen on ${path}: the address is already in use (EADDRINUSE)`,
    );
  });
});

test('this version of Node allows direct writes', () => {
  expect(directWrites()).toBe(true);
});

describe('addresses', () => {
  test('the unix socket of a killed server is taken over', async () => {
    const path = join(temporaryDirectory(), 'lines.sock');
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    const killed = spawnSync(process.execPath, ['-e', script]);
    expect(killed.signal).toBe('SIGKILL');
    expect(statSync(path).isSocket()).toBe(true);
    const client = await dial(await listen(new LineProtocol(), { host: undefined, port: undefined, path }));
    client.socket.write('hello\n');
    await client.receives('hello\n');
  });

  test('an address in use is refused with protocol, address and reason', async () => {
    const taken = createNetServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await expect(listen(new LineProtocol(), { port })).rejects.toMatchObject({
      message: `lines cannot listen on 127.0.0.1:${port}: the address is already in use (EADDRINUSE)`,
      code: 'EADDRINUSE',
    });
    await new Promise((resolve) => taken.close(resolve));
  });

  test('a file that is no socket is never removed', async () => {
    const path = join(temporaryDirectory(), 'precious');
    writeFileSync(path, 'data');
    await expect(listen(new LineProtocol(), { host: undefined, port: undefined, path })).rejects.toThrow('EADDRINUSE');
    expect(statSync(path).size).toBe(4);
  });

  test('an IPv6 listener works, and shows IPv4 peers as such', async ({ skip }) => {
    const protocol = new LineProtocol();
    let listener: Listener;
    try {
      listener = await listen(protocol, { host: '::' });
    } catch {
      skip('this machine has no IPv6');
      return;
    }
    expect(addressText(listener.address)).toBe(`[::]:${listener.address.port}`);
    for (const host of ['127.0.0.1', '::1']) {
      const client = new LineClient(connect({ host, port: listener.address.port }));
      clients.push(client.socket);
      client.socket.write('hello\n');
      await client.receives('hello\n');
      expect(protocol.connections.at(-1)).toMatchObject({ remoteAddress: host, localAddress: host, secure: false });
    }
  });
});

describe('TLS', () => {
  const tls = { key: testKey, cert: testCertificate };

  async function dialTls(listener: Listener, credentials: object = {}): Promise<LineClient> {
    const socket = connectTls({ ...listener.address, ca: testCertificate, servername: 'localhost', ...credentials });
    clients.push(socket);
    return new LineClient(socket);
  }

  test('carries requests and replies of any size, and ends cleanly', async () => {
    const block = Buffer.alloc(8 << 20, 'y');
    const protocol = new LineProtocol((connection, line) => {
      if (line === 'much') connection.write(block);
      else if (line === 'quit') connection.end();
      else return false;
      return true;
    });
    const client = await dialTls(await listen(protocol, { tls }));
    client.socket.write('much\nsmall\nquit\n');
    await client.until(({ ended }) => ended);
    expect(client.text === `${block.toString()}small\n`).toBe(true);
    expect(protocol.connections[0]?.secure).toBe(true);
    await protocol.happened('close');
  });

  test('refuses plain bytes and clients over the limit', async () => {
    const listener = await listen(new LineProtocol(), { tls, limits: { ...limits, connectionsMax: 1 } });
    const plain = await dial(listener);
    plain.socket.write('not a handshake at all\n');
    await plain.until(({ closed }) => closed);
    expect(listener.statistics.socketErrors).toBe(1);
    const first = await dialTls(listener);
    first.socket.write('hello\n');
    await first.receives('hello\n');
    const second = await dialTls(listener);
    await second.until(({ closed }) => closed);
    expect(second.text).toBe('too many\n');
  });

  test('asks for a client certificate when told to', async () => {
    const listener = await listen(new LineProtocol(), {
      tls: { ...tls, ca: testCertificate, requestClientCertificate: true },
    });
    const stranger = await dialTls(listener);
    stranger.socket.write('let me in\n');
    await stranger.until(({ closed }) => closed);
    expect(stranger.text).toBe('');
    const known = await dialTls(listener, tls);
    known.socket.write('hello\n');
    await known.receives('hello\n');
  });
});
