import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../engine.js';
import { engineContract } from '../testing/contract-suite.js';
import { PostgresEngine } from './postgres-engine.js';
import { PostgresCluster, postgresBinaries } from './testing/cluster.js';

// Without PostgreSQL on the machine these tests cannot run; Debian's package `postgresql` brings it.
describe.skipIf(postgresBinaries() === undefined)('the PostgreSQL engine', () => {
  let cluster: PostgresCluster;
  let databases = 0;
  beforeAll(async () => {
    cluster = await PostgresCluster.start();
  });
  afterAll(async () => {
    await cluster.remove();
  });
  const fresh = async (): Promise<string> => cluster.createDatabase(`test${++databases}`);
  const open = async (url: string): Promise<Engine> => PostgresEngine.open({ url, connectionsMax: 4 });

  engineContract('postgres', async () => open(await fresh()));

  test('increments through two servers lose nothing', async () => {
    const url = await fresh();
    const engines = [await open(url), await open(url)];
    const increment = (engine: Engine): Promise<void> =>
      Promise.resolve(
        engine.write((tx) => {
          const old = tx.get('counter');
          const bytes = Buffer.alloc(4);
          bytes.writeUInt32BE((old?.readUInt32BE(0) ?? 0) + 1);
          tx.put('counter', bytes);
        }),
      );
    await Promise.all(
      engines.flatMap((engine) =>
        Array.from({ length: 4 }, async () => {
          for (let i = 0; i < 10; i++) await increment(engine);
        }),
      ),
    );
    const value = await engines[0]?.read((view) => view.get('counter')?.readUInt32BE(0));
    expect(value).toBe(80);
    await Promise.all(engines.map((engine) => engine.close()));
  });

  test('a message of one server reaches the other, however long', async () => {
    const url = await fresh();
    const [a, b] = [await open(url), await open(url)];
    const received: string[] = [];
    const both = new Promise<void>((resolve) => {
      b.subscribe('news/', (topic, message) => {
        received.push(`${topic}:${message.length}`);
        if (received.length === 2) resolve();
      });
    });
    await a.publish('news/short', Buffer.from('x'));
    await a.publish('news/long', Buffer.alloc(100_000));
    await both;
    expect(received).toEqual(['news/short:1', 'news/long:100000']);
    await Promise.all([a.close(), b.close()]);
  });

  test('a restart of the database is waited out, and nothing acknowledged is lost', async () => {
    const url = await fresh();
    const engine = await PostgresEngine.open({ url, connectionsMax: 4 });
    const put = (key: string): Promise<void> =>
      engine.write((tx) => tx.put(key, Buffer.from(key)), { durability: 'always' });
    await put('before');
    await cluster.stop();
    const during = engine.read((view) => view.get('before')?.toString());
    await cluster.run();
    expect(await during).toBe('before');
    await put('after');
    expect(await engine.read((view) => view.get('after')?.toString())).toBe('after');
    await engine.close();
  });

  test('a store of a newer format is refused', async () => {
    const url = await fresh();
    await (await open(url)).close();
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query("UPDATE rosetta_meta SET value = '99' WHERE name = 'format'");
    await client.end();
    await expect(open(url)).rejects.toMatchObject({ code: 'FORMAT' });
  });
});
