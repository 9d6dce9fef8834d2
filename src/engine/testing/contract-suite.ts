/** What every engine promises, as tests. Each engine's test file calls `engineContract` with a way to open an empty one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Engine, Entry, ScanOptions, Transaction, View } from '../engine.js';
import { ConflictError } from '../errors.js';
import { readManifest, restoreInto } from '../portable-backup.js';

const all = { start: '', end: '\xff\xff\xff\xff' };
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const text = (value: Buffer | undefined): string | undefined => value?.toString('latin1');
const pairs = (entries: Iterable<Entry>): string[] =>
  [...entries].map(({ key, value }) => `${key}=${value.toString('latin1')}`);

function signal(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** `open` gives a fresh, empty engine each time. The suite closes it. */
export function engineContract(name: string, open: () => Promise<Engine>): void {
  describe(`the contract of every engine: ${name}`, () => {
    let engine: Engine;
    beforeEach(async () => {
      engine = await open();
    });
    afterEach(async () => {
      await engine.close();
    });

    const put = async (entries: Readonly<Record<string, string>>): Promise<void> => {
      await engine.write((tx) => {
        for (const [key, value] of Object.entries(entries)) tx.put(key, bytes(value));
      });
    };
    const get = async (key: string): Promise<string | undefined> => engine.read((view) => text(view.get(key)));
    const scan = async (start: string, end: string, options?: ScanOptions): Promise<string[]> =>
      engine.read((view) => pairs(view.scan({ start, end }, options)));

    describe('reading and writing', () => {
      test('a missing key reads as undefined, a written one as its value', async () => {
        expect(await get('a')).toBeUndefined();
        await put({ a: '1' });
        expect(await get('a')).toBe('1');
        await put({ a: 'two' });
        expect(await get('a')).toBe('two');
      });

      test('an empty value is not a missing one', async () => {
        await put({ a: '' });
        expect(await get('a')).toBe('');
      });

      test('keys are any bytes of any length, the empty key included', async () => {
        const keys = [
          '',
          '\0',
          '\0\0',
          '\x7f',
          '\x80',
          '\xfe\xff',
          'k'.repeat(1900),
          'k'.repeat(1901),
          'k'.repeat(9000),
        ];
        await engine.write((tx) => {
          for (const [i, key] of keys.entries()) tx.put(key, bytes(`value ${i}`));
        });
        for (const [i, key] of keys.entries()) expect(await get(key)).toBe(`value ${i}`);
        const found = await engine.read((view) => [...view.scan(all)].map(({ key }) => key));
        expect(found).toEqual([...keys].sort());
      });

      test('a value of several megabytes comes back whole', async () => {
        const large = Buffer.alloc(5 << 20);
        for (let i = 0; i < large.length; i += 4096) large.writeUInt32LE(i, i);
        const expected = Buffer.from(large);
        await engine.write((tx) => tx.put('large', large));
        const same = await engine.read((view) => view.get('large')?.equals(expected));
        expect(same).toBe(true);
      });

      test('a value that was read can be put under other keys, and each lives on its own', async () => {
        await put({ a: 'x'.repeat(200_000) });
        await engine.write((tx) => tx.put('b', tx.get('a') ?? bytes('')));
        await engine.write((tx) => tx.splice('a', 0, 1, bytes('yy')));
        await engine.write((tx) => {
          tx.put('c', tx.get('a') ?? bytes(''));
          tx.splice('a', 0, 2, bytes('zz'));
        });
        const starts = await engine.read((view) => ['a', 'b', 'c'].map((key) => text(view.get(key)?.subarray(0, 3))));
        expect(starts).toEqual(['zzx', 'xxx', 'yyx']);
      });

      test('a deleted key is missing; deleting a missing key does nothing', async () => {
        await put({ a: '1' });
        await engine.write((tx) => {
          tx.delete('a');
          tx.delete('b');
        });
        expect(await get('a')).toBeUndefined();
        expect(await get('b')).toBeUndefined();
      });

      test('write returns what the body returns', async () => {
        expect(await engine.write(() => 42)).toBe(42);
        expect(await engine.read(() => 'read')).toBe('read');
      });

      test('a body sees its own writes', async () => {
        await put({ a: '1', c: '3' });
        const seen = await engine.write((tx) => {
          tx.put('b', bytes('2'));
          tx.delete('a');
          tx.put('c', bytes('three'));
          return [text(tx.get('a')), text(tx.get('b')), pairs(tx.scan(all))];
        });
        expect(seen).toEqual([undefined, '2', ['b=2', 'c=three']]);
      });

      test('a body that throws changes nothing, and its error comes out', async () => {
        await put({ a: '1', b: 'long '.repeat(100), gone: 'x' });
        await engine.write((tx) => tx.delete('gone'));
        const failure = new Error('from the body');
        const run = async (): Promise<unknown> =>
          engine.write((tx) => {
            tx.put('a', bytes('changed'));
            tx.put('a', bytes('changed again'));
            tx.put('new', bytes('1'));
            tx.splice('b', 3, 10, bytes('!'));
            tx.splice('b', 0, 0, bytes('and more'));
            tx.delete('b');
            tx.put('gone', bytes('back'));
            tx.add('count', 5);
            throw failure;
          });
        await expect(run()).rejects.toBe(failure);
        expect(await scan('', '\xff')).toEqual(['a=1', `b=${'long '.repeat(100)}`]);
        expect(await engine.counter('count')).toBe(0);
      });

      test('versions are positive and never given twice', async () => {
        const versions: number[] = [];
        for (let i = 0; i < 5; i++) {
          versions.push(
            await engine.write((tx) => {
              tx.put('k', bytes(String(i)));
              return tx.version;
            }),
          );
        }
        expect(new Set(versions).size).toBe(5);
        for (const version of versions) expect(Number.isSafeInteger(version) && version > 0).toBe(true);
      });

      test('the time stands still in a body', async () => {
        const [first, second] = await engine.read((view) => {
          const before = view.now;
          for (const until = Date.now() + 3; Date.now() < until; );
          return [before, view.now];
        });
        expect(second).toBe(first);
        expect(Math.abs(Number(first) - Date.now())).toBeLessThan(60_000);
        const chance = await engine.read((view) => view.random());
        expect(chance >= 0 && chance < 1).toBe(true);
      });

      test('prefetch changes nothing that is seen', async () => {
        await put({ a: '1' });
        const seen = await engine.read((view) => {
          view.prefetch(['a', 'b']);
          return [text(view.get('a')), text(view.get('b'))];
        });
        expect(seen).toEqual(['1', undefined]);
      });
    });

    describe('scans', () => {
      beforeEach(async () => put({ a: '1', b: '2', ba: '3', c: '4', d: '5' }));

      test('go from start, inclusive, to end, exclusive, in byte order', async () => {
        expect(await scan('b', 'd')).toEqual(['b=2', 'ba=3', 'c=4']);
        expect(await scan('', 'b')).toEqual(['a=1']);
        expect(await scan('bb', 'bc')).toEqual([]);
        expect(await scan('d', 'b')).toEqual([]);
        expect(await scan('b', 'b')).toEqual([]);
      });

      test('go backwards', async () => {
        expect(await scan('b', 'd', { reverse: true })).toEqual(['c=4', 'ba=3', 'b=2']);
      });

      test('stop at their limit', async () => {
        expect(await scan('a', 'z', { limit: 2 })).toEqual(['a=1', 'b=2']);
        expect(await scan('a', 'z', { limit: 2, reverse: true })).toEqual(['d=5', 'c=4']);
        expect(await scan('a', 'z', { limit: 0 })).toEqual([]);
      });

      test('can be left early', async () => {
        const first = await engine.read((view) => {
          for (const { key } of view.scan(all)) return key;
          return undefined;
        });
        expect(first).toBe('a');
      });

      test('let the body delete and change what they have passed', async () => {
        await engine.write((tx) => {
          for (const { key, value } of tx.scan(all)) {
            if (key < 'c') tx.delete(key);
            else tx.put(key, bytes(`${value.toString('latin1')}!`));
          }
        });
        expect(await scan('', 'z')).toEqual(['c=4!', 'd=5!']);
      });

      test('order long keys among short ones', async () => {
        const stem = 'b'.repeat(2500);
        const keys = [`${stem}`, `${stem}\0`, `${stem}a`, `${stem}b`, 'b'.repeat(1900), `${'b'.repeat(1900)}\x01`];
        await engine.write((tx) => {
          for (const key of keys) tx.put(key, bytes('long'));
        });
        const read = async (range: { start: string; end: string }, options?: ScanOptions): Promise<string[]> =>
          engine.read((view) => [...view.scan(range, options)].map(({ key }) => key));
        const sorted = [...keys, 'a', 'b', 'ba', 'c', 'd'].sort();
        expect(await read(all)).toEqual(sorted);
        expect(await read(all, { reverse: true })).toEqual([...sorted].reverse());
        const part = { start: `${stem}\0`, end: `${stem}b` };
        const expected = sorted.filter((key) => key >= part.start && key < part.end);
        expect(await read(part)).toEqual(expected);
        expect(await read(part, { reverse: true })).toEqual([...expected].reverse());
      });

      test('deleteRange deletes what lies in the range and nothing else', async () => {
        await engine.write((tx) => {
          tx.put('bz', bytes('own'));
          tx.deleteRange({ start: 'b', end: 'c' });
        });
        expect(await scan('', 'z')).toEqual(['a=1', 'c=4', 'd=5']);
      });
    });

    describe('splices', () => {
      test('replace bytes of a value', async () => {
        await put({ k: 'hello world' });
        await engine.write((tx) => tx.splice('k', 0, 5, bytes('goodbye')));
        expect(await get('k')).toBe('goodbye world');
        await engine.write((tx) => tx.splice('k', 7, 6, bytes('')));
        expect(await get('k')).toBe('goodbye');
        await engine.write((tx) => tx.splice('k', 7, 0, bytes('!')));
        expect(await get('k')).toBe('goodbye!');
      });

      test('treat a missing key as an empty value', async () => {
        await engine.write((tx) => tx.splice('k', 0, 0, bytes('new')));
        expect(await get('k')).toBe('new');
      });

      test('outside of the value throw RangeError and change nothing', async () => {
        await put({ k: 'abc' });
        const outside: [string, number, number][] = [
          ['k', 4, 0],
          ['k', 2, 2],
          ['k', -1, 1],
          ['none', 0, 1],
        ];
        for (const [key, offset, removed] of outside) {
          const run = async (): Promise<void> => engine.write((tx) => tx.splice(key, offset, removed, bytes('x')));
          await expect(run()).rejects.toThrow(RangeError);
        }
        expect(await scan('', 'z')).toEqual(['k=abc']);
      });

      test('of large values follow each other', async () => {
        let model = 'x'.repeat(100_000);
        await put({ k: model });
        for (const [offset, removed, inserted] of [
          [0, 0, 'front'],
          [50_000, 10, 'in the middle'],
          [99_000, 500, ''],
          [3, 1, 'y'],
        ] as const) {
          await engine.write((tx) => tx.splice('k', offset, removed, bytes(inserted)));
          model = model.slice(0, offset) + inserted + model.slice(offset + removed);
          expect((await get('k')) === model).toBe(true);
        }
        await engine.write((tx) => tx.splice('k', model.length, 0, bytes('z'.repeat(90_000))));
        expect((await get('k')) === model + 'z'.repeat(90_000)).toBe(true);
      });
    });

    describe('counters', () => {
      test('begin at 0 and add up', async () => {
        expect(await engine.counter('n')).toBe(0);
        await engine.write((tx) => tx.add('n', 5));
        await engine.write((tx) => tx.add('n', -7));
        expect(await engine.counter('n')).toBe(-2);
        await engine.write((tx) => tx.add('n', 2 ** 40));
        expect(await engine.counter('n')).toBe(2 ** 40 - 2);
      });

      test('do not make open transactions conflict', async () => {
        const one = await engine.begin();
        const two = await engine.begin();
        await one.run((tx) => tx.add('n', 1));
        await two.run((tx) => tx.add('n', 10));
        await one.commit();
        await two.commit();
        expect(await engine.counter('n')).toBe(11);
      });
    });

    describe('settled', () => {
      test('answers for all commits before it', async () => {
        await put({ a: '1' });
        await engine.settled('everysec');
        await put({ b: '2' });
        await engine.settled('always');
        expect(await scan('', 'z')).toEqual(['a=1', 'b=2']);
        await engine.settled('always');
      });
    });

    describe('open transactions', () => {
      beforeEach(async () => put({ a: '1', b: '2', c: '3' }));

      test('see the state at their begin, and their own writes', async () => {
        const open = await engine.begin();
        await open.run((tx) => tx.get('c'));
        await put({ a: 'changed', d: 'new' });
        const seen = await open.run((tx) => {
          tx.put('b', bytes('own'));
          tx.delete('c');
          tx.put('aa', bytes('own'));
          return [pairs(tx.scan(all)), pairs(tx.scan(all, { reverse: true, limit: 2 })), text(tx.get('c'))];
        });
        expect(seen).toEqual([['a=1', 'aa=own', 'b=own'], ['b=own', 'aa=own'], undefined]);
        expect(await get('b')).toBe('2');
        await open.abort();
        expect(await scan('', 'z')).toEqual(['a=changed', 'b=2', 'c=3', 'd=new']);
      });

      test('commit all their writes at once', async () => {
        const open = await engine.begin();
        await open.run((tx) => tx.put('a', bytes('one')));
        await open.run((tx) => {
          tx.splice('b', 1, 0, bytes('!'));
          tx.deleteRange({ start: 'c', end: 'd' });
        });
        expect(await scan('', 'z')).toEqual(['a=1', 'b=2', 'c=3']);
        await open.commit();
        expect(await scan('', 'z')).toEqual(['a=one', 'b=2!']);
      });

      const conflicts: Record<string, { read: (tx: Transaction) => unknown; write: (tx: Transaction) => void }> = {
        'a key it read was changed': { read: (tx) => tx.get('a'), write: (tx) => tx.put('a', bytes('x')) },
        'a key it read was deleted': { read: (tx) => tx.get('a'), write: (tx) => tx.delete('a') },
        'a key it found missing was created': { read: (tx) => tx.get('n'), write: (tx) => tx.put('n', bytes('x')) },
        'a key appeared in a range it scanned': {
          read: (tx) => [...tx.scan({ start: 'a', end: 'c' })],
          write: (tx) => tx.put('bb', bytes('phantom')),
        },
        'a key vanished from a range it scanned': {
          read: (tx) => [...tx.scan({ start: 'a', end: 'c' })],
          write: (tx) => tx.delete('b'),
        },
        'a value changed in a range it scanned': {
          read: (tx) => [...tx.scan({ start: 'a', end: 'c' })],
          write: (tx) => tx.splice('b', 0, 1, bytes('x')),
        },
        'a key appeared in a range it deleted': {
          read: (tx) => tx.deleteRange({ start: 'a', end: 'c' }),
          write: (tx) => tx.put('ab', bytes('phantom')),
        },
        'a value it spliced was changed': {
          read: (tx) => tx.splice('a', 0, 0, bytes('>')),
          write: (tx) => tx.put('a', bytes('x')),
        },
      };
      for (const [why, { read, write }] of Object.entries(conflicts)) {
        test(`conflict when ${why}`, async () => {
          const open = await engine.begin();
          await open.run((tx) => {
            read(tx);
            tx.put('result', bytes('written'));
          });
          await engine.write(write);
          await expect((async () => open.commit())()).rejects.toThrow(ConflictError);
          expect(await get('result')).toBeUndefined();
        });
      }

      test('do not conflict over what they did not read', async () => {
        const open = await engine.begin();
        await open.run((tx) => {
          tx.get('a');
          [...tx.scan({ start: 'b', end: 'c' })];
          tx.put('z', bytes('blind'));
        });
        await put({ c: 'other', z: 'overwritten' });
        await open.commit();
        expect(await get('z')).toBe('blind');
      });

      test('two that read what the other writes cannot both commit', async () => {
        const one = await engine.begin();
        const two = await engine.begin();
        await one.run((tx) => tx.put('b', tx.get('a') ?? bytes('')));
        await two.run((tx) => tx.put('a', tx.get('b') ?? bytes('')));
        await one.commit();
        await expect((async () => two.commit())()).rejects.toThrow(ConflictError);
        expect(await scan('', 'z')).toEqual(['a=1', 'b=1', 'c=3']);
      });

      test('a body that throws takes back its own writes only', async () => {
        const open = await engine.begin();
        await open.run((tx) => tx.put('a', bytes('kept')));
        const run = async (): Promise<void> =>
          open.run((tx) => {
            tx.put('a', bytes('lost'));
            tx.put('n', bytes('lost'));
            throw new Error('no');
          });
        await expect(run()).rejects.toThrow('no');
        await open.commit();
        expect(await scan('', 'z')).toEqual(['a=kept', 'b=2', 'c=3']);
      });

      test('abort is idempotent, and nothing works after the end', async () => {
        const open = await engine.begin();
        await open.run((tx) => tx.put('a', bytes('x')));
        await open.abort();
        await open.abort();
        await expect((async () => open.run(() => {}))()).rejects.toThrow();
        expect(await get('a')).toBe('1');
      });
    });

    describe('snapshots', () => {
      test('keep one state while writes go on; their buffers stay for ever', async () => {
        await put({ a: '1', b: 'b'.repeat(1000), c: '3' });
        const snapshot = await engine.snapshot();
        const kept = await snapshot.read((view: View) => view.get('b'));
        await engine.write((tx) => {
          tx.put('a', bytes('changed'));
          tx.splice('b', 0, 500, bytes('x'));
          tx.delete('c');
          tx.put('d', bytes('new'));
        });
        await engine.write((tx) => tx.splice('b', 0, 1, bytes('yy')));
        const expected = ['a=1', `b=${'b'.repeat(1000)}`, 'c=3'];
        expect(await snapshot.read((view) => pairs(view.scan(all)))).toEqual(expected);
        expect(await snapshot.read((view) => pairs(view.scan(all, { reverse: true })))).toEqual(
          [...expected].reverse(),
        );
        expect(await snapshot.read((view) => [text(view.get('c')), text(view.get('d'))])).toEqual(['3', undefined]);
        snapshot.close();
        snapshot.close();
        expect(text(kept)).toBe('b'.repeat(1000));
      });

      test('batches give everything once, in order, at most batchSize at a time', async () => {
        await engine.write((tx) => {
          for (let i = 0; i < 250; i++) tx.put(`k${String(i).padStart(4, '0')}`, bytes(String(i)));
        });
        const snapshot = await engine.snapshot();
        const batches = snapshot.batches({ start: 'k', end: 'l' }, { batchSize: 60 });
        const seen: string[] = [];
        let sizes = 0;
        for (let batch = await batches.next(); batch !== undefined; batch = await batches.next()) {
          expect(batch.length).toBeLessThanOrEqual(60);
          sizes++;
          seen.push(...batch.map(({ key }) => key));
          await engine.write((tx) => {
            tx.delete(`k${String(sizes * 50).padStart(4, '0')}`);
            tx.put(`k${String(sizes * 60).padStart(4, '0')}a`, bytes('new'));
          });
        }
        expect(seen).toEqual(Array.from({ length: 250 }, (_, i) => `k${String(i).padStart(4, '0')}`));
        batches.close();
        snapshot.close();
      });

      test('batches go backwards and stop at a limit', async () => {
        await put({ a: '1', b: '2', c: '3' });
        const snapshot = await engine.snapshot();
        const batches = snapshot.batches(all, { reverse: true, limit: 2 });
        expect(pairs((await batches.next()) ?? [])).toEqual(['c=3', 'b=2']);
        expect(await batches.next()).toBeUndefined();
        snapshot.close();
      });
    });

    describe('messages', () => {
      test('arrive after their commit, in order, at subscribers of the prefix', async () => {
        const heard: string[] = [];
        const enough = signal();
        const unsubscribe = engine.subscribe('room/', (topic, message) => {
          heard.push(`${topic}:${text(message)}`);
          if (heard.length === 3) enough.resolve();
        });
        await engine.write((tx) => {
          tx.publish('room/1', bytes('first'));
          tx.publish('hall', bytes('elsewhere'));
          tx.publish('room/2', bytes('second'));
          tx.put('a', bytes('1'));
        });
        await engine.publish('room/3', bytes('third'));
        await enough.promise;
        expect(heard).toEqual(['room/1:first', 'room/2:second', 'room/3:third']);
        unsubscribe();
        await engine.publish('room/4', bytes('unheard'));
        await engine.write((tx) => tx.put('b', bytes('2')));
        expect(heard.length).toBe(3);
      });

      test('of a transaction that fails are not sent', async () => {
        const heard: string[] = [];
        const enough = signal();
        engine.subscribe('', (topic) => {
          heard.push(topic);
          enough.resolve();
        });
        const run = async (): Promise<void> =>
          engine.write((tx) => {
            tx.publish('never', bytes(''));
            throw new Error('no');
          });
        await expect(run()).rejects.toThrow('no');
        const open = await engine.begin();
        await open.run((tx) => tx.publish('neither', bytes('')));
        await open.abort();
        await engine.publish('heard', bytes(''));
        await enough.promise;
        expect(heard).toEqual(['heard']);
      });
    });

    test('a backup holds one state and can be restored', async () => {
      const large = 'v'.repeat(2 << 20);
      await put({ a: '1', b: large, [`l${'o'.repeat(3000)}ng`]: 'key' });
      const directory = await mkdtemp(join(tmpdir(), 'rosetta-backup-'));
      try {
        const running = engine.backup(directory);
        await put({ a: 'later' });
        await running;
        expect((await readManifest(directory)).entries).toBe(3);
        const other = await open();
        try {
          await restoreInto(other, directory);
          const seen = await other.read((view) =>
            [...view.scan(all)].map(({ key, value }) => [key.length, value.length]),
          );
          expect(seen.map(([, length]) => length)).toEqual([expect.anything(), 2 << 20, 3]);
        } finally {
          await other.close();
        }
      } finally {
        await rm(directory, { recursive: true });
      }
    });

    test('statistics count commits', async () => {
      const before = engine.statistics().commits;
      await put({ a: '1' });
      await put({ a: '2' });
      expect(engine.statistics().commits - before).toBe(2);
    });
  });
}
