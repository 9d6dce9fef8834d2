/**
 * The embedded engine on its own: `npm run bench -- engine [--keys N] [--value BYTES] [--directory DIR]`.
 * Figures are nanoseconds an operation unless they say otherwise.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EmbeddedEngine } from '../src/engine/embedded/embedded-engine.js';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    value: { type: 'string', default: '100' },
    directory: { type: 'string', default: tmpdir() },
  },
  // The first argument names the benchmark.
  allowPositionals: true,
});
const keys = Number(values.keys);
const directory = mkdtempSync(join(values.directory, 'rosetta-bench-'));

const report = (what: string, figure: number, unit = 'ns'): void => {
  console.log(`${what.padEnd(64)} ${figure >= 100 ? figure.toFixed(0) : figure.toFixed(2)} ${unit}`);
};
const sourceBytes = Buffer.alloc(16);
/** A key as a protocol makes it: cut fresh from received bytes. */
const keyOf = (i: number): string => {
  sourceBytes.write(String(i * 7919).padStart(16, '0'), 'latin1');
  return sourceBytes.latin1Slice(0, 16);
};
const randomKeys = (count: number, among: number): string[] =>
  Array.from({ length: count }, () => keyOf(Math.floor(Math.random() * among)));
const value = Buffer.alloc(Number(values.value), 'v');

function time(what: string, count: number, run: (i: number) => void, rounds = 3): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    for (let i = 0; i < count; i++) run(i);
    best = Math.min(best, ((performance.now() - began) * 1e6) / count);
  }
  report(what, best);
}

async function hot(engine: EmbeddedEngine, among: number): Promise<void> {
  let at = 0;
  const picked = randomKeys(200_000, among);
  const key = (): string => picked[at++ % picked.length] as string;
  for (let i = 0; i < among; i++) {
    const own = keyOf(i);
    engine.write((tx) => tx.put(own, value));
    if (i % 1000 === 0) {
      await engine.settled('everysec');
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  engine.read((view) => view.get('warm'));
  time(`read(get), ${among} keys in the memtable`, 400_000, () => {
    const own = key();
    engine.read((view) => view.get(own));
  });
  time(`write(put) over them, a write(2) each 100`, 200_000, (i) => {
    const own = key();
    engine.write((tx) => tx.put(own, value));
    if (i % 100 === 0) engine.settled('everysec');
  });
  time(`scan of 100`, 2000, () => {
    const start = key();
    engine.read((view) => {
      let count = 0;
      for (const _ of view.scan({ start, end: '\xff' }, { limit: 100 })) count++;
      return count;
    });
  });
}

try {
  for (const among of [1000, 100_000]) {
    const engine = await EmbeddedEngine.open({ directory: join(directory, `hot-${among}`) });
    await hot(engine, among);
    await engine.close();
  }

  let engine = await EmbeddedEngine.open({ directory: join(directory, 'large') });
  const rssBefore = process.memoryUsage.rss();
  const began = performance.now();
  const pauses: number[] = [];
  for (let i = 0; i < keys; ) {
    const turn = performance.now();
    for (let burst = 0; burst < 100 && i < keys; burst++, i++) {
      const own = keyOf(i);
      engine.write((tx) => tx.put(own, value));
    }
    const settled = engine.settled('everysec');
    pauses.push(performance.now() - turn);
    if (settled !== undefined) await settled;
    const idle = performance.now();
    await new Promise((resolve) => setImmediate(resolve));
    pauses.push(performance.now() - idle);
  }
  report(`load ${keys} keys, 100 a turn, checkpoints running`, ((performance.now() - began) * 1e6) / keys);
  pauses.sort((a, b) => a - b);
  report('  longest hold-up of the event loop', pauses.at(-1) ?? 0, 'ms');
  report('  99.9th percentile', pauses[Math.floor(pauses.length * 0.999)] ?? 0, 'ms');
  const { memtableBytes = 0, memtableEntries = 1, checkpoints = 0 } = engine.statistics();
  report('  memory of a key and value in the memtable', memtableBytes / memtableEntries, 'bytes');
  report('  checkpoints', checkpoints, '');
  report('  resident memory more than before', (process.memoryUsage.rss() - rssBefore) / (1 << 20), 'MiB');
  let closing = performance.now();
  await engine.close();
  report('  clean stop', performance.now() - closing, 'ms');

  closing = performance.now();
  engine = await EmbeddedEngine.open({ directory: join(directory, 'large') });
  engine.read((view) => view.get(keyOf(1)));
  report(`start with ${keys} keys after a clean stop`, performance.now() - closing, 'ms');
  const cold = randomKeys(200_000, keys);
  time('read(get), random, from the store', cold.length, (i) => {
    const own = cold[i] as string;
    engine.read((view) => view.get(own));
  });
  time('scan of 100, from the store', 2000, (i) => {
    const start = cold[i] as string;
    engine.read((view) => {
      let count = 0;
      for (const _ of view.scan({ start, end: '\xff' }, { limit: 100 })) count++;
      return count;
    });
  });
  time('seek, from the store', 5000, (i) => {
    const start = cold[i] as string;
    engine.read((view) => [...view.scan({ start, end: '\xff' }, { limit: 1 })].length);
  });

  const before = engine.statistics();
  const groupBegan = performance.now();
  await Promise.all(
    Array.from({ length: 50 }, async (_, writer) => {
      for (let i = 0; i < 100; i++) {
        const own = `writer ${writer}`;
        engine.write((tx) => tx.put(own, value));
        await engine.settled('always');
      }
    }),
  );
  const after = engine.statistics();
  const commits = after.commits - before.commits;
  report('50 writers with "always": fdatasync a commit', ((after.fsyncs ?? 0) - (before.fsyncs ?? 0)) / commits, '');
  report('50 writers with "always": commits a second', (commits * 1000) / (performance.now() - groupBegan), '');
  await engine.close();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
