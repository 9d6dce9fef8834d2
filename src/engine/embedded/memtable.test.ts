import { expect, test } from 'vitest';
import { Chance } from '../testing/random-run.js';
import { blockBytesMax } from './arena.js';
import { absent, deleted, Memtable } from './memtable.js';

function keysInOrder(memtable: Memtable): string[] {
  const position = memtable.order.seek('');
  const keys: string[] = [];
  for (let entry = memtable.order.at(position); entry >= 0; entry = memtable.order.at(position)) {
    keys.push(memtable.keyOf(entry));
    position.slot++;
  }
  return keys;
}

function read(memtable: Memtable, key: string): string | undefined {
  const entry = memtable.find(key);
  return entry < 0 || memtable.lengthOf(entry) < 0 ? undefined : memtable.valueOf(entry).latin1Slice();
}

test('finds every key while its table grows, and keeps them in order', () => {
  const seed = Math.floor(Math.random() * 1e9);
  const chance = new Chance(seed);
  const memtable = new Memtable(0);
  const model = new Map<string, string>();
  for (let i = 1; i <= 60_000; i++) {
    const key = `key ${chance.below(40_000)}`;
    memtable.begin(i, -1);
    memtable.put(key, Buffer.from(`value ${i}`));
    if (chance.next() < 0.1) memtable.rollBack();
    else {
      memtable.commit();
      model.set(key, `value ${i}`);
    }
    const other = `key ${chance.below(40_000)}`;
    if (read(memtable, other) !== model.get(other)) throw new Error(`seed ${seed}: ${other} at step ${i}`);
  }
  const sorted = keysInOrder(memtable);
  expect(sorted).toEqual([...sorted].sort());
  expect(new Set(sorted).size).toBe(memtable.count);
  for (const [key, value] of model) if (read(memtable, key) !== value) throw new Error(`seed ${seed}: ${key}`);
});

test('reuses the memory of values that were replaced', () => {
  const memtable = new Memtable(0);
  const chance = new Chance(1);
  const fill = (rounds: number): number => {
    for (let i = 0; i < rounds; i++) {
      memtable.begin(i + 1, -1);
      memtable.put(`key ${i % 100}`, Buffer.alloc(chance.below(5000)));
      memtable.commit();
    }
    return memtable.bytes;
  };
  fill(5000);
  expect(fill(50_000)).toBeLessThan(8 << 20);
});

test('keeps older values for snapshots only, and lets them go', () => {
  const memtable = new Memtable(0);
  const put = (sequence: number, newestSnapshot: number, value: string): void => {
    memtable.begin(sequence, newestSnapshot);
    memtable.put('k', Buffer.from(value));
    memtable.commit();
  };
  put(1, -1, 'one');
  put(2, -1, 'two');
  expect(memtable.versionCount).toBe(0);
  put(3, 2, 'three');
  put(4, 2, 'four');
  put(5, 4, 'five');
  expect(memtable.versionCount).toBe(2);
  const entry = memtable.find('k');
  expect(memtable.valueAt(entry, 2)?.latin1Slice()).toBe('two');
  expect(memtable.valueAt(entry, 4)?.latin1Slice()).toBe('four');
  expect(memtable.valueAt(entry, 5)?.latin1Slice()).toBe('five');
  expect(memtable.valueAt(entry, 0)).toBeUndefined();
  memtable.prune(4);
  expect(memtable.versionCount).toBe(1);
  expect(memtable.valueAt(entry, 4)?.latin1Slice()).toBe('four');
  memtable.prune(Number.POSITIVE_INFINITY);
  expect(memtable.versionCount).toBe(0);
  expect(read(memtable, 'k')).toBe('five');
});

test('takes splices in place back, among other writes', () => {
  for (const length of [300, 5000, blockBytesMax + 1000]) {
    const memtable = new Memtable(0);
    const original = 'abcdefghij'.repeat(Math.ceil(length / 10)).slice(0, length);
    memtable.begin(1, -1);
    memtable.put('k', Buffer.from(original));
    memtable.commit();
    const entry = memtable.find('k');
    memtable.begin(2, -1);
    memtable.splice(entry, 10, 5, Buffer.from('12345'));
    memtable.splice(entry, 20, 50, Buffer.from('shorter'));
    memtable.splice(entry, 0, 0, Buffer.alloc(length, 'x'));
    memtable.splice(entry, 1, 1, Buffer.from('y'));
    memtable.remove('k');
    expect(memtable.lengthOf(entry)).toBe(deleted);
    memtable.put('k', Buffer.from('other'));
    memtable.put('new', Buffer.from('new'));
    memtable.rollBack();
    expect(read(memtable, 'k')).toBe(original);
    expect(memtable.lengthOf(memtable.find('new'))).toBe(absent);
  }
});
