/**
 * Random operations on an embedded engine and on the memory engine side by side: every answer must be the same.
 * Snapshots, open transactions, checkpoints, crashes and reopenings are mixed in. A run is named by its seed.
 */
import type { EmbeddedEngine } from '../embedded/embedded-engine.js';
import type { Engine, Entry, OpenTransaction, Range, ScanOptions, Snapshot, Transaction, View } from '../engine.js';
import { ConflictError } from '../errors.js';
import { openMemoryEngine } from '../memory/memory-engine.js';

/** Repeatable random numbers: mulberry32. */
export class Chance {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  one<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }
}

type Step =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'scan'; readonly range: Range; readonly options: ScanOptions }
  | { readonly kind: 'put'; readonly key: string; readonly value: Buffer }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'deleteRange'; readonly range: Range }
  | { readonly kind: 'splice'; readonly key: string; readonly at: number; readonly cut: number; readonly bytes: Buffer }
  | { readonly kind: 'add'; readonly key: string; readonly delta: number }
  | { readonly kind: 'throw' };

class Deliberate extends Error {}

const stems = ['a', 'b', 'bb', 'c', '', `L${'x'.repeat(1899)}`, `L${'x'.repeat(1950)}`];

export interface RandomRunOptions {
  readonly seed: number;
  readonly steps: number;
  /** Opens the engine under test: again on the same directory after a close or crash. */
  readonly reopen: () => Promise<EmbeddedEngine>;
}

export async function runRandomly({ seed, steps, reopen }: RandomRunOptions): Promise<void> {
  const chance = new Chance(seed);
  const model = openMemoryEngine();
  let engine = await reopen();
  let snapshots: [Snapshot, Snapshot][] = [];
  let open: [OpenTransaction, OpenTransaction][] = [];

  const check = (what: string, actual: unknown, expected: unknown): void => {
    if (JSON.stringify(actual) === JSON.stringify(expected)) return;
    const differs = Array.isArray(actual) && Array.isArray(expected);
    const from = differs ? Math.max(0, actual.findIndex((seen, i) => seen !== expected[i]) - 2) : 0;
    const show = (value: unknown): string =>
      JSON.stringify(Array.isArray(value) ? value.slice(from, from + 8) : value)?.slice(0, 500);
    throw new Error(`seed ${seed}, ${what}: got ${show(actual)}, expected ${show(expected)}`);
  };
  const onBoth = (what: string, first: () => unknown, second: () => unknown): void => {
    check(what, outcome(first), outcome(second));
  };
  const endAll = (): void => {
    for (const pair of snapshots) for (const snapshot of pair) snapshot.close();
    for (const pair of open) for (const transaction of pair) void transaction.abort();
    snapshots = [];
    open = [];
  };

  try {
    for (let step = 0; step < steps; step++) {
      const at = `step ${step}`;
      const action = chance.next();
      if (action < 0.55) {
        const body = randomSteps(chance);
        onBoth(
          `${at} write`,
          () => engine.write((tx) => perform(tx, body)),
          () => model.write((tx) => perform(tx, body)),
        );
      } else if (action < 0.7) {
        const body = randomReads(chance);
        onBoth(
          `${at} read`,
          () => engine.read((view) => perform(view, body)),
          () => model.read((view) => perform(view, body)),
        );
      } else if (action < 0.73 && open.length < 4) {
        open.push([engine.begin(), model.begin() as OpenTransaction]);
      } else if (action < 0.8 && open.length > 0) {
        const [real, expected] = chance.one(open);
        const body = randomSteps(chance);
        onBoth(
          `${at} run`,
          () => real.run((tx) => perform(tx, body)),
          () => expected.run((tx) => perform(tx, body)),
        );
      } else if (action < 0.82 && open.length > 0) {
        const [[real, expected]] = open.splice(chance.below(open.length), 1) as [[OpenTransaction, OpenTransaction]];
        const result = outcome(() => real.commit());
        // The engine may see a change where a value was replaced by the same, or memory of it is gone: never the reverse.
        if (result === 'ConflictError') await expected.abort();
        else
          check(
            `${at} commit`,
            result,
            outcome(() => expected.commit()),
          );
      } else if (action < 0.85 && snapshots.length < 5) {
        snapshots.push([engine.snapshot(), model.snapshot() as Snapshot]);
      } else if (action < 0.9 && snapshots.length > 0) {
        const [real, expected] = chance.one(snapshots);
        const body = randomReads(chance);
        onBoth(
          `${at} snapshot`,
          () => real.read((view) => perform(view, body)),
          () => expected.read((view) => perform(view, body)),
        );
      } else if (action < 0.93 && snapshots.length > 0) {
        const [pair] = snapshots.splice(chance.below(snapshots.length), 1);
        for (const snapshot of pair ?? []) snapshot.close();
      } else if (action < 0.98) {
        await engine.settled(chance.one(['always', 'everysec']));
      } else if (action < 0.985) {
        await new Promise((resolve) => setImmediate(resolve));
      } else if (action < 0.99) {
        endAll();
        await engine.settled('everysec');
        if (chance.next() < 0.5) await engine.close();
        else await engine.crash();
        engine = await reopen();
      }
      if (step % 500 === 499) checkAll(engine, model, check, at);
    }
    checkAll(engine, model, check, 'end');
  } finally {
    endAll();
    await engine.close();
  }
}

function checkAll(
  engine: Engine,
  model: Engine,
  check: (what: string, actual: unknown, expected: unknown) => void,
  at: string,
): void {
  const all: Step[] = [{ kind: 'scan', range: { start: '', end: '\xff' }, options: {} }];
  check(
    `${at} everything`,
    outcome(() => engine.read((view) => perform(view, all))),
    outcome(() => model.read((view) => perform(view, all))),
  );
}

function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof Deliberate || thrown instanceof RangeError || thrown instanceof ConflictError) {
      return thrown.constructor.name;
    }
    throw thrown;
  }
}

function randomKey(chance: Chance): string {
  const stem = chance.one(stems);
  return chance.next() < 0.05 ? stem : stem + String.fromCharCode(chance.below(256) & chance.one([3, 31, 255]));
}

function randomRange(chance: Chance): Range {
  const [start, end] = [randomKey(chance), randomKey(chance)];
  return chance.next() < 0.1 || start <= end ? { start, end } : { start: end, end: start };
}

function randomValue(chance: Chance): Buffer {
  const size = chance.next();
  const length = chance.below(size < 0.8 ? 60 : size < 0.97 ? 3000 : size < 0.995 ? 30_000 : 200_000);
  return Buffer.alloc(length, String.fromCharCode(97 + chance.below(26)) + chance.below(1000));
}

function randomReads(chance: Chance): Step[] {
  return Array.from({ length: 1 + chance.below(4) }, (): Step => {
    if (chance.next() < 0.6) return { kind: 'get', key: randomKey(chance) };
    const limit = chance.next() < 0.5 ? { limit: chance.below(20) } : {};
    return { kind: 'scan', range: randomRange(chance), options: { reverse: chance.next() < 0.5, ...limit } };
  });
}

function randomSteps(chance: Chance): Step[] {
  return Array.from({ length: 1 + chance.below(5) }, (): Step => {
    const kind = chance.next();
    if (kind < 0.45) return { kind: 'put', key: randomKey(chance), value: randomValue(chance) };
    if (kind < 0.55) return { kind: 'delete', key: randomKey(chance) };
    if (kind < 0.56) return { kind: 'deleteRange', range: randomRange(chance) };
    if (kind < 0.8) {
      const bytes = randomValue(chance).subarray(0, chance.one([0, 3, 3, 500]));
      const at = chance.below(chance.one([1, 10, 1000]));
      return { kind: 'splice', key: randomKey(chance), at, cut: chance.below(chance.one([1, 3, 100])), bytes };
    }
    if (kind < 0.85) return { kind: 'add', key: `n${chance.below(3)}`, delta: chance.below(100) - 50 };
    if (kind < 0.87) return { kind: 'throw' };
    return chance.one(randomReads(chance));
  });
}

/** What the steps saw, in a form to compare. */
function perform(view: View | Transaction, steps: readonly Step[]): unknown[] {
  const seen: unknown[] = [];
  const tx = view as Transaction;
  for (const step of steps) {
    switch (step.kind) {
      case 'get':
        seen.push(digest(view.get(step.key)));
        break;
      case 'scan':
        for (const { key, value } of view.scan(step.range, step.options) as Iterable<Entry>) {
          seen.push(key.length > 100 ? key.slice(1890) : key, digest(value));
        }
        break;
      case 'put':
        tx.put(step.key, Buffer.from(step.value));
        break;
      case 'delete':
        tx.delete(step.key);
        break;
      case 'deleteRange':
        tx.deleteRange(step.range);
        break;
      case 'splice': {
        // Mostly inside of the value, and sometimes not.
        const length = tx.get(step.key)?.length ?? 0;
        const at = step.at > 900 ? step.at : Math.min(step.at, length);
        tx.splice(step.key, at, step.at > 900 ? step.cut : Math.min(step.cut, length - at), step.bytes);
        seen.push(digest(tx.get(step.key)));
        break;
      }
      case 'add':
        tx.add(step.key, step.delta);
        break;
      case 'throw':
        throw new Deliberate();
    }
  }
  return seen;
}

function digest(value: Buffer | undefined): string | undefined {
  if (value === undefined || value.length < 40) return value?.latin1Slice();
  let sum = 0;
  for (let i = 0; i < value.length; i++) sum = (Math.imul(sum, 31) + (value[i] as number)) | 0;
  return `${value.length} bytes ${sum} ${value.latin1Slice(0, 8)}`;
}
