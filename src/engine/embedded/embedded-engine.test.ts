/** What the embedded engine adds to the contract: it comes back, stands alone on its directory, and notices damage. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CorruptionError, FormatError, LockedError, StorageFullError, UnavailableError } from '../errors.js';
import { openEngine } from '../open.js';
import { EmbeddedEngine, type EmbeddedOptions } from './embedded-engine.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rosetta-embedded-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const open = (options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedEngine> =>
  EmbeddedEngine.open({ directory, ...options, limits: { segmentBytes: 256 << 10, ...options.limits } });
const put = (engine: EmbeddedEngine, key: string, value: string): void =>
  engine.write((tx) => tx.put(key, Buffer.from(value, 'latin1')));
const get = (engine: EmbeddedEngine, key: string): string | undefined =>
  engine.read((view) => view.get(key)?.latin1Slice());
const all = { start: '', end: '\xff' };

async function checkpoint(engine: EmbeddedEngine, count = 1): Promise<void> {
  while ((engine.statistics().checkpoints ?? 0) < count) await new Promise((resolve) => setImmediate(resolve));
}

describe('a data directory', () => {
  test('holds everything after a close, with nothing left to replay', async () => {
    const engine = await open();
    for (let i = 0; i < 1000; i++) put(engine, `key ${i}`, `value ${i}`);
    engine.write((tx) => {
      tx.delete('key 5');
      tx.put('', Buffer.from('empty key'));
      tx.add('counter', 7);
    });
    await engine.close();
    const again = await open();
    expect(again.statistics().memtableEntries).toBe(0);
    expect(get(again, 'key 999')).toBe('value 999');
    expect(get(again, 'key 5')).toBeUndefined();
    expect(get(again, '')).toBe('empty key');
    expect(again.counter('counter')).toBe(7);
    expect(again.read((view) => [...view.scan(all)].length)).toBe(1001);
    await again.close();
  });

  test('does not grow with every start', async () => {
    for (let i = 0; i < 5; i++) await (await open()).close();
    for (let i = 0; i < 5; i++) await (await open()).crash();
    expect(readdirSync(join(directory, 'log')).length).toBeLessThan(5);
  });

  test('holds after a crash what was handed to the operating system', async () => {
    const engine = await open();
    put(engine, 'a', '1');
    engine.settled('everysec');
    await engine.crash();
    const again = await open();
    expect(get(again, 'a')).toBe('1');
    await again.close();
  });

  test('gets every commit by the end of the turn, asked or not', async () => {
    const engine = await open();
    put(engine, 'a', '1');
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    await engine.crash();
    const again = await open();
    expect(get(again, 'a')).toBe('1');
    await again.close();
  });

  test('never gives a version twice, not even after a crash', async () => {
    let last = 0;
    for (let life = 0; life < 3; life++) {
      const engine = await open();
      const version = engine.write((tx) => {
        tx.put('k', Buffer.from('v'));
        return tx.version;
      });
      expect(version).toBeGreaterThan(last);
      last = version;
      await engine.crash();
    }
  });

  test('belongs to one process at a time', async () => {
    const engine = await open();
    put(engine, 'a', '1');
    await expect(open()).rejects.toThrow(LockedError);
    await engine.close();
    await (await open()).close();
  });

  test('is refused when a newer version wrote it, or something else', async () => {
    await (await open()).close();
    writeFileSync(join(directory, 'FORMAT'), 'ROSETTA DATA 2\n');
    await expect(open()).rejects.toThrow(FormatError);
    writeFileSync(join(directory, 'FORMAT'), 'what is this');
    await expect(open()).rejects.toThrow(FormatError);
    const other = join(directory, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'precious.txt'), 'mine');
    await expect(openEngine({ kind: 'embedded', directory: other })).rejects.toThrow(FormatError);
    expect(readdirSync(other)).toEqual(['precious.txt']);
  });

  test('that lost its log is refused', async () => {
    const engine = await open({ limits: { logBytesMax: 300_000 } });
    for (let i = 0; i < 100; i++) put(engine, `k${i}`, 'x'.repeat(10_000));
    await checkpoint(engine);
    await engine.close();
    rmSync(join(directory, 'log'), { recursive: true });
    await expect(open()).rejects.toThrow(CorruptionError);
  });

  test('a closed engine answers with an error', async () => {
    const engine = await open();
    await engine.close();
    await engine.close();
    expect(() => get(engine, 'a')).toThrow(UnavailableError);
    expect(() => put(engine, 'a', '1')).toThrow(UnavailableError);
  });
});

describe('checkpoints', () => {
  test('move records to the store while everything stays readable', async () => {
    const engine = await open({ limits: { logBytesMax: 200_000 } });
    const expected = new Map<string, string>();
    for (let i = 0; i < 3000; i++) {
      const key = `key ${i % 700}`;
      const value = `${i} ${'x'.repeat(i % 300)}`;
      put(engine, key, value);
      expected.set(key, value);
      if (i % 50 === 0) await engine.settled('everysec');
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      expect(get(engine, key)).toBe(value);
      const other = `key ${(i * 31) % 700}`;
      expect(get(engine, other)).toBe(expected.get(other));
    }
    await checkpoint(engine, 2);
    const found = engine.read((view) => [...view.scan(all)].map(({ key, value }) => [key, value.latin1Slice()]));
    expect(new Map(found as [string, string][])).toEqual(expected);
    await engine.close();
  });

  test('recycle the log: it does not grow with the writes', async () => {
    const engine = await open({ limits: { logBytesMax: 400_000, segmentBytes: 64 << 10 } });
    for (let i = 0; i < 4000; i++) {
      put(engine, `key ${i % 10}`, 'x'.repeat(1000));
      if (i % 20 === 0) {
        await engine.settled('everysec');
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const log = join(directory, 'log');
    const bytes = readdirSync(log).reduce((sum, name) => sum + statSync(join(log, name)).size, 0);
    expect(bytes).toBeLessThan(2_500_000);
    await engine.close();
  });

  for (const point of ['sort', 'slice', 'record', 'recorded', 'release']) {
    test(`a crash at "${point}" loses nothing`, async () => {
      const reached = new Promise<void>((resolve) => {
        void (async () => {
          const engine = await open({
            limits: { logBytesMax: 100_000, checkpointRetryMs: 1_000_000 },
            checkpointProbe: (step) => {
              if (step !== point) return;
              resolve();
              throw new Error('the process dies here');
            },
          });
          lives.push(engine);
          for (let i = 0; i < 300; i++) {
            engine.write((tx) => {
              tx.put(`key ${i % 50}`, Buffer.from(`value ${i}`));
              if (i % 50 === 7) tx.delete(`key ${i % 50}`);
              tx.splice('list', tx.get('list')?.length ?? 0, 0, Buffer.alloc(1000, i % 256));
            });
            engine.settled('everysec');
          }
        })();
      });
      const lives: EmbeddedEngine[] = [];
      await reached;
      await lives[0]?.crash();
      const again = await open();
      for (let i = 250; i < 300; i++) expect(get(again, `key ${i % 50}`)).toBe(i % 50 === 7 ? undefined : `value ${i}`);
      const list = again.read((view) => Buffer.from(view.get('list') ?? ''));
      expect(list.length).toBe(300_000);
      for (let i = 0; i < 300; i++) expect(list[i * 1000 + 500]).toBe(i % 256);
      await again.close();
      const third = await open();
      expect(third.read((view) => view.get('list')?.equals(list))).toBe(true);
      await third.close();
    });
  }

  test('that fail are repeated; reads and writes go on', async () => {
    let failures = 3;
    const engine = await open({
      limits: { logBytesMax: 100_000, checkpointRetryMs: 5 },
      checkpointProbe: (step) => {
        if (step === 'record' && failures-- > 0) throw new Error('no luck');
      },
    });
    for (let i = 0; i < 200; i++) put(engine, `k${i}`, 'x'.repeat(1000));
    await engine.settled('everysec');
    while (engine.statistics().refusing === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(engine.statistics().refusing).toMatch(/no luck/);
    expect(get(engine, 'k3')?.length).toBe(1000);
    put(engine, 'more', '1');
    await checkpoint(engine);
    expect(engine.statistics().refusing).toBeUndefined();
    await engine.close();
  });

  test('hold up writers that outrun them, and memory stays within its limit', async () => {
    const limit = 4 << 20;
    const engine = await open({ limits: { memtableBytesMax: limit, segmentBytes: 1 << 20 } });
    let most = 0;
    for (let i = 0; i < 400; i++) {
      for (let j = 0; j < 50; j++) put(engine, `key ${i * 50 + j}`, 'x'.repeat(1000));
      await engine.settled('everysec');
      most = Math.max(most, engine.statistics().memtableBytes ?? 0);
    }
    expect(engine.statistics().checkpoints).toBeGreaterThan(2);
    expect(most).toBeLessThan(2.5 * limit);
    await engine.close();
  });

  test('keep snapshots and open transactions as they were', async () => {
    const engine = await open({ limits: { logBytesMax: 100_000 } });
    put(engine, 'a', 'old');
    put(engine, 'b', 'old');
    const snapshot = engine.snapshot();
    const reader = engine.begin();
    const writer = engine.begin();
    const blind = engine.begin();
    reader.run((tx) => tx.get('b'));
    writer.run((tx) => tx.put('c', tx.get('a') ?? Buffer.alloc(0)));
    blind.run((tx) => tx.put('d', Buffer.from('blind')));
    put(engine, 'a', 'new');
    for (let i = 0; i < 150; i++) put(engine, `fill ${i}`, 'x'.repeat(1000));
    await engine.settled('everysec');
    await checkpoint(engine);
    expect(snapshot.read((view) => view.get('a')?.latin1Slice())).toBe('old');
    expect(snapshot.read((view) => [...view.scan(all)].length)).toBe(2);
    expect(reader.run((tx) => tx.get('a')?.latin1Slice())).toBe('old');
    expect(() => writer.commit()).toThrow(/conflict/);
    blind.commit();
    reader.abort();
    snapshot.close();
    expect(get(engine, 'd')).toBe('blind');
    expect(get(engine, 'a')).toBe('new');
    await engine.close();
  });

  test('leave transactions that are too old in conflict rather than keep memtables for ever', async () => {
    const engine = await open({ limits: { logBytesMax: 100_000, retainedMemtablesMax: 1 } });
    put(engine, 'a', '1');
    const old = engine.begin();
    old.run((tx) => tx.put('b', tx.get('a') ?? Buffer.alloc(0)));
    for (let round = 1; round <= 3; round++) {
      for (let i = 0; i < 120; i++) put(engine, `fill ${i}`, 'x'.repeat(1000));
      await engine.settled('everysec');
      await checkpoint(engine, round);
    }
    expect(() => old.commit()).toThrow(/conflict/);
    await engine.close();
  });
});

describe('large values', () => {
  test('survive a commit larger than a log segment, a crash and a checkpoint', async () => {
    const value = Buffer.alloc(3 << 20);
    for (let i = 0; i < value.length; i += 1000) value.writeUInt32LE(i, i);
    const expected = Buffer.from(value);
    const engine = await open();
    put(engine, 'small', '1');
    engine.write((tx) => tx.put('large', value));
    put(engine, 'after', '2');
    engine.settled('everysec');
    await engine.crash();
    const again = await open();
    expect(again.read((view) => view.get('large')?.equals(expected))).toBe(true);
    expect(get(again, 'after')).toBe('2');
    await again.close();
    const third = await open();
    expect(third.read((view) => view.get('large')?.equals(expected))).toBe(true);
    third.write((tx) => tx.splice('large', 100, 1, Buffer.from('spliced')));
    expect(third.read((view) => view.get('large')?.length)).toBe(expected.length + 6);
    await third.close();
  });

  test('a commit beyond the limit is refused and changes nothing', async () => {
    const engine = await open({ limits: { commitBytesMax: 1 << 20 } });
    expect(() => engine.write((tx) => tx.put('k', Buffer.alloc(2 << 20)))).toThrow(/1048576/);
    expect(() => engine.write((tx) => tx.put('k'.repeat(17 << 20), Buffer.alloc(1)))).toThrow(/key/);
    expect(get(engine, 'k')).toBeUndefined();
    put(engine, 'k', 'fine');
    await engine.close();
  });
});

describe('damage to the store', () => {
  test('in a value is noticed when it is read', async () => {
    const engine = await open();
    put(engine, 'good', 'value '.repeat(10));
    put(engine, 'bad', 'DAMAGE-ME '.repeat(10));
    put(engine, `long ${'x'.repeat(2500)}`, 'LONG-ONE '.repeat(10));
    await engine.close();
    const path = join(directory, 'store', 'data.mdb');
    const bytes = readFileSync(path);
    for (const needle of ['DAMAGE-ME', 'LONG-ONE']) {
      for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) bytes[at + 3] = 0;
    }
    writeFileSync(path, bytes);
    const again = await open();
    expect(get(again, 'good')).toBe('value '.repeat(10));
    expect(() => get(again, 'bad')).toThrow(CorruptionError);
    expect(() => get(again, `long ${'x'.repeat(2500)}`)).toThrow(CorruptionError);
    expect(() => again.read((view) => [...view.scan(all)])).toThrow(CorruptionError);
    await again.close();
  });

  test('that cut it off is noticed at start', async () => {
    const engine = await open();
    for (let i = 0; i < 100; i++) put(engine, `key ${i}`, 'x'.repeat(1000));
    await engine.close();
    truncateSync(join(directory, 'store', 'data.mdb'), 40_960);
    await expect(open()).rejects.toThrow(CorruptionError);
  });

  test('that makes it unreadable is noticed at start', async () => {
    const engine = await open();
    put(engine, 'a', '1');
    await engine.close();
    const path = join(directory, 'store', 'data.mdb');
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 0, 8192);
    writeFileSync(path, bytes);
    await expect(open()).rejects.toThrow(CorruptionError);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});

describe('a full disk, really', () => {
  const mounted = (path: string, size: string): boolean => {
    try {
      mkdirSync(path);
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };

  test('refuses writes, serves reads, recovers without a restart', async ({ skip }) => {
    const small = join(directory, 'small');
    if (!mounted(small, '32m')) skip('a small file system can be mounted by root only');
    try {
      const data = join(small, 'data');
      const limits = { memtableBytesMax: 2 << 20, segmentBytes: 256 << 10, checkpointRetryMs: 20 };
      const engine = await EmbeddedEngine.open({ directory: data, limits });
      writeFileSync(join(small, 'ballast'), Buffer.alloc(18 << 20));
      let written = 0;
      const fill = async (): Promise<void> => {
        for (; written < 30_000; written++) {
          put(engine, `key ${written}`, 'x'.repeat(1000));
          if (written % 20 === 0) await engine.settled('everysec');
          if (written % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        }
      };
      await expect(fill()).rejects.toThrow(StorageFullError);
      expect(engine.statistics().refusing).toBeDefined();
      for (const i of [0, written >> 1, written - 1]) expect(get(engine, `key ${i}`)).toBe('x'.repeat(1000));
      const before = written;
      rmSync(join(small, 'ballast'));
      for (let tries = 0; tries < 200; tries++) {
        try {
          put(engine, 'after', 'room again');
          break;
        } catch (thrown) {
          if (!(thrown instanceof StorageFullError)) throw thrown;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
      expect(get(engine, 'after')).toBe('room again');
      await engine.settled('always');
      await engine.close();
      const again = await EmbeddedEngine.open({ directory: data, limits });
      for (const i of [0, before >> 1, before - 1]) expect(get(again, `key ${i}`)).toBe('x'.repeat(1000));
      expect(get(again, 'after')).toBe('room again');
      await again.close();
    } finally {
      execFileSync('umount', ['-l', small]);
    }
  });
});
