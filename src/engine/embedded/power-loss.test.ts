/** What is there after a crash, a power loss, damage and a full disk. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CorruptionError, StorageFullError, UnavailableError } from '../errors.js';
import { Chance } from '../testing/random-run.js';
import { SimulatedDisk } from '../testing/simulated-disk.js';
import { EmbeddedEngine } from './embedded-engine.js';
import type { EmbeddedLimits } from './limits.js';
import { segmentName } from './log-format.js';

let directory: string;
beforeEach(() => {
  // The log's disk is simulated; the store's syncs need not wait for a real one.
  directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'rosetta-power-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const open = (logFiles: SimulatedDisk, limits: Partial<EmbeddedLimits> = {}): Promise<EmbeddedEngine> =>
  EmbeddedEngine.open({ directory, logFiles, limits: { segmentBytes: 32 << 10, syncIntervalMs: 20, ...limits } });

const put = (engine: EmbeddedEngine, key: string, value: string): void =>
  engine.write((tx) => tx.put(key, Buffer.from(value, 'latin1')));

/** The number of commit `i`, written by {@link countUp}, that the store ends with. */
function lastCommit(engine: EmbeddedEngine): number {
  return engine.read((view) => {
    const last = Number(view.get('last')?.latin1Slice() ?? 0);
    // A prefix: everything before the last commit is there, whole, and nothing after it.
    for (let i = 1; i <= last; i++) {
      const [left, right] = [view.get(`left ${i}`)?.latin1Slice(), view.get(`right ${i}`)?.latin1Slice()];
      if (left !== `value ${i}` || right !== `value ${i}`) throw new Error(`commit ${i} of ${last} is torn or lost`);
    }
    if (view.get(`left ${last + 1}`) !== undefined) throw new Error(`commit ${last + 1} is half there`);
    if ((view.get('list')?.length ?? 0) !== last * 10) throw new Error('splices are lost or doubled');
    return last;
  });
}

function countUp(engine: EmbeddedEngine, i: number, filler: Buffer): void {
  engine.write((tx) => {
    tx.put(`left ${i}`, Buffer.from(`value ${i}`));
    tx.put(`filler ${i % 7}`, Buffer.from(filler));
    tx.splice('list', (i - 1) * 10, 0, Buffer.alloc(10, i));
    tx.put(`right ${i}`, Buffer.from(`value ${i}`));
    tx.put('last', Buffer.from(String(i)));
  });
}

const firstSeed = Number(process.env.ROSETTA_POWER_SEED ?? Math.floor(Math.random() * 1e9));
const runs = Number(process.env.ROSETTA_POWER_RUNS ?? 12);

test.each(Array.from({ length: runs }, (_, i) => firstSeed + i))(
  'a power loss takes nothing that was acknowledged as on disk, and leaves a prefix (seed %i)',
  async (seed) => {
    const chance = new Chance(seed);
    const disk = new SimulatedDisk();
    let last = 0;
    for (let life = 0; life < 4; life++) {
      const engine = await open(disk, { logBytesMax: chance.one([60_000, 10 << 20]) });
      const found = lastCommit(engine);
      expect(found).toBeGreaterThanOrEqual(last);
      let acknowledged = found;
      let next = found;
      const pending: Promise<void>[] = [];
      for (let i = 0, most = chance.below(120); i < most; i++) {
        for (let commits = chance.below(4); commits > 0; commits--) {
          countUp(engine, ++next, Buffer.alloc(chance.below(chance.one([30, 3000, 20_000])), 'f'));
        }
        const covered = next;
        if (chance.next() < 0.3) {
          const settled = engine.settled('always');
          const acknowledge = (): void => {
            acknowledged = Math.max(acknowledged, covered);
          };
          if (settled === undefined) acknowledge();
          else pending.push(settled.then(acknowledge, () => {}));
        } else if (chance.next() < 0.5) engine.settled('everysec');
        if (chance.next() < 0.5) await new Promise((resolve) => setImmediate(resolve));
        if (chance.next() < 0.05) await Promise.all(pending);
      }
      last = acknowledged;
      disk.losePower(chance);
      await engine.crash();
      disk.restorePower();
    }
    const engine = await open(disk);
    expect(lastCommit(engine)).toBeGreaterThanOrEqual(last);
    await engine.close();
  },
);

describe('damage', () => {
  /** The directory as it was before the damaged log is opened: each attempt gets a copy. */
  let intact: string;
  beforeEach(() => {
    intact = join(directory, 'intact');
    mkdirSync(intact);
  });
  const limits = { segmentBytes: 32 << 10, syncIntervalMs: 1_000_000 };
  const openIntact = (logFiles: SimulatedDisk, syncIntervalMs = limits.syncIntervalMs): Promise<EmbeddedEngine> =>
    EmbeddedEngine.open({ directory: intact, logFiles, limits: { ...limits, syncIntervalMs } });

  /** A log of three commits, each on disk before the next. */
  async function threeCommits(): Promise<{ disk: SimulatedDisk; end: number }> {
    const disk = new SimulatedDisk();
    const engine = await openIntact(disk);
    for (const i of [1, 2, 3]) {
      countUp(engine, i, Buffer.alloc(5));
      await engine.settled('always');
    }
    const end = engine.statistics().logBytes ?? 0;
    await engine.crash();
    return { disk, end };
  }

  /** Opens a copy of the damaged disk; tells what happened. Fails when anything but a prefix is there. */
  async function reopened(disk: SimulatedDisk): Promise<number | 'refused'> {
    const copy = join(directory, 'copy');
    cpSync(intact, copy, { recursive: true });
    try {
      const engine = await EmbeddedEngine.open({ directory: copy, logFiles: disk, limits });
      const last = lastCommit(engine);
      await engine.crash();
      return last;
    } catch (thrown) {
      if (thrown instanceof CorruptionError) return 'refused';
      throw thrown;
    } finally {
      rmSync(copy, { recursive: true });
    }
  }

  test('a log cut off at any byte gives a prefix of the commits', async () => {
    const { disk, end } = await threeCommits();
    const seen = new Set<number | 'refused'>();
    for (let length = end; length > 64; length -= length > end - 250 ? 1 : 7) {
      const copy = disk.copy();
      copy.truncate(segmentName(1), length);
      seen.add(await reopened(copy));
    }
    expect([...seen]).toEqual([3, 2, 1, 0]);
  });

  test('a flipped bit anywhere in the log is noticed, or cuts off only its very end', async () => {
    const { disk, end } = await threeCommits();
    const step = Number(process.env.ROSETTA_DAMAGE_STEP ?? 5);
    const seen = new Map<number | 'refused', number>();
    for (let at = 0; at < end; at += step) {
      const copy = disk.copy();
      const damaged = copy.bytesOf(segmentName(1));
      damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
      const before = Buffer.from(damaged);
      const result = await reopened(copy);
      seen.set(result, (seen.get(result) ?? 0) + 1);
      if (result === 'refused') expect(copy.bytesOf(segmentName(1)).equals(before)).toBe(true);
    }
    // The last frame has no later witness; each of the others is proved by the next one.
    expect([...seen.keys()].filter((result) => result !== 'refused' && result < 2)).toEqual([]);
    expect(seen.get('refused') ?? 0).toBeGreaterThan(0);
  });

  test('after a quiet sync interval the last commit has a witness too', async () => {
    const disk = new SimulatedDisk();
    const engine = await openIntact(disk, 5);
    countUp(engine, 1, Buffer.alloc(5));
    await engine.settled('always');
    const written = engine.statistics().logBytes ?? 0;
    while ((engine.statistics().logBytes ?? 0) === written) await new Promise((resolve) => setTimeout(resolve, 5));
    await engine.crash();
    const bytes = disk.bytesOf(segmentName(1));
    bytes[100] = (bytes[100] as number) ^ 1;
    expect(await reopened(disk)).toBe('refused');
  });

  test('a missing segment is noticed', async () => {
    const disk = new SimulatedDisk();
    const engine = await openIntact(disk);
    for (let i = 1; i <= 20; i++) countUp(engine, i, Buffer.alloc(10_000));
    await engine.settled('always');
    await engine.crash();
    for (const missing of [1, 2, 3]) {
      const copy = disk.copy();
      copy.remove(segmentName(missing));
      expect(await reopened(copy)).toBe('refused');
    }
  });
});

describe('a full disk', () => {
  test('refuses commits before they happen, serves reads, and recovers by itself', async () => {
    const disk = new SimulatedDisk();
    const engine = await open(disk, { logBytesMax: 1 << 30 });
    put(engine, 'before', '1');
    await engine.settled('always');
    disk.room = 0;
    let accepted = 0;
    const fill = (): void => {
      for (;;) {
        put(engine, `fill ${accepted}`, 'x'.repeat(1000));
        accepted++;
      }
    };
    expect(fill).toThrow(StorageFullError);
    expect(engine.statistics().refusing).toMatch(/room/);
    expect(engine.read((view) => [view.get('before')?.latin1Slice(), view.get(`fill ${accepted}`)])).toEqual([
      '1',
      undefined,
    ]);
    await engine.settled('always');
    expect(() => put(engine, 'big', 'x'.repeat(1000))).toThrow(StorageFullError);
    // A small commit still fits into the last segment's rest, or is refused: either way nothing breaks.
    disk.room = 10 << 20;
    await new Promise((resolve) => setTimeout(resolve, 120));
    put(engine, 'after', 'x'.repeat(1000));
    expect(engine.statistics().refusing).toBeUndefined();
    await engine.crash();
    const again = await open(disk);
    expect(again.read((view) => view.get(`fill ${accepted - 1}`)?.length)).toBe(1000);
    expect(again.read((view) => view.get('big'))).toBeUndefined();
    await again.close();
  });

  test('that strikes a preallocated segment all the same delays acknowledgements and loses nothing', async () => {
    const disk = new SimulatedDisk();
    const engine = await open(disk);
    put(engine, 'a', '1');
    disk.writeFailure = 'ENOSPC';
    let settled = false;
    const waiting = engine.settled('everysec')?.then(() => {
      settled = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(settled).toBe(false);
    disk.writeFailure = undefined;
    await waiting;
    expect(settled).toBe(true);
    await engine.close();
  });
});

describe('a broken disk', () => {
  test('a failed write stops all writing, and says so; reads go on', async () => {
    const disk = new SimulatedDisk();
    const engine = await open(disk);
    put(engine, 'a', '1');
    disk.writeFailure = 'EIO';
    await expect(engine.settled('everysec')).rejects.toThrow(UnavailableError);
    disk.writeFailure = undefined;
    expect(() => put(engine, 'b', '2')).toThrow(UnavailableError);
    await expect(engine.settled('always')).rejects.toThrow(UnavailableError);
    expect(engine.statistics().refusing).toMatch(/EIO/);
    expect(engine.read((view) => view.get('a')?.latin1Slice())).toBe('1');
    await engine.close();
  });

  test('a failed sync is never followed by an acknowledgement', async () => {
    const disk = new SimulatedDisk();
    const engine = await open(disk);
    put(engine, 'a', '1');
    disk.syncFailure = 'EIO';
    await expect(engine.settled('always')).rejects.toThrow(UnavailableError);
    disk.syncFailure = undefined;
    await expect(engine.settled('always')).rejects.toThrow(UnavailableError);
    expect(() => put(engine, 'b', '2')).toThrow(UnavailableError);
    await engine.close();
  });
});

test('fifty writers that wait for the disk share its syncs', async () => {
  const disk = new SimulatedDisk();
  const engine = await open(disk, { segmentBytes: 1 << 20 });
  const before = engine.statistics();
  await Promise.all(
    Array.from({ length: 50 }, async (_, writer) => {
      for (let i = 0; i < 20; i++) {
        put(engine, `writer ${writer}`, String(i));
        await engine.settled('always');
      }
    }),
  );
  const after = engine.statistics();
  expect(after.commits - before.commits).toBe(1000);
  expect(((after.fsyncs ?? 0) - (before.fsyncs ?? 0)) / 1000).toBeLessThan(0.1);
  await engine.close();
});
