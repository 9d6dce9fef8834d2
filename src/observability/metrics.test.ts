import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { EngineStatistics } from '../engine/engine.js';
import { openListener } from '../network/listener.js';
import { CommandStatistics } from './command-statistics.js';
import { Metrics } from './metrics.js';
import { type MetricsListener, openMetricsListener } from './metrics-listener.js';

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const opened: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  for (const listener of opened.splice(0)) await listener.stop();
});

async function endpoint(metrics: Metrics, problems: readonly string[] = []): Promise<string> {
  const listener: MetricsListener = await openMetricsListener({
    host: '127.0.0.1',
    port: 0,
    metrics,
    health: () => ({ problems }),
    logger,
  });
  opened.push(listener);
  return `http://127.0.0.1:${listener.address.port}`;
}

/** The lines of a scrape, by metric and labels. */
async function scrape(url: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const samples = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const blank = line.lastIndexOf(' ');
    samples.set(line.slice(0, blank), Number(line.slice(blank + 1)));
  }
  return samples;
}

describe('a scrape', () => {
  test('counts connections and bytes by protocol', async () => {
    const metrics = new Metrics({ version: '1.2.3' });
    const listener = await openListener(
      {
        name: 'echo',
        open: (connection) => ({
          onBytes: (bytes, length) => connection.write(Buffer.from(bytes.subarray(0, length))),
          onClose: () => {},
        }),
        settle: () => undefined,
        close: async () => {},
      },
      { host: '127.0.0.1', port: 0, limits: { connectionsMax: 10, unsentBytesMax: 1024, idleMsMax: 0 }, logger },
    );
    opened.push(listener);
    const forget = metrics.watchListener(listener);
    const client = connect(listener.address.port, '127.0.0.1');
    await new Promise((resolve) => {
      client.once('data', resolve);
      client.write('hello');
    });
    const url = await endpoint(metrics);
    const samples = await scrape(url);
    expect(samples.get(`rosetta_build{version="1.2.3",node="${process.version}"}`)).toBe(1);
    expect(samples.get('rosetta_connections{protocol="echo"}')).toBe(1);
    expect(samples.get('rosetta_connections_opened_total{protocol="echo"}')).toBe(1);
    expect(samples.get('rosetta_connections_closed_total{protocol="echo",reason="slow"}')).toBe(0);
    expect(samples.get('rosetta_network_received_bytes_total{protocol="echo"}')).toBe(5);
    expect(samples.get('rosetta_network_sent_bytes_total{protocol="echo"}')).toBe(5);
    forget();
    expect((await scrape(url)).has('rosetta_connections{protocol="echo"}')).toBe(false);
    client.destroy();
    metrics.close();
  });

  test('shows calls, errors and durations of the commands that were called', async () => {
    const metrics = new Metrics({ version: '0' });
    const commands = new CommandStatistics();
    metrics.watchCommands('redis', commands);
    const get = commands.of('get');
    commands.of('never');
    for (const microseconds of [0.5, 3, 3, 1e9]) get.record(microseconds);
    get.failed++;
    commands.countError('WRONGTYPE');
    const url = await endpoint(metrics);
    const samples = await scrape(url);
    const labels = 'protocol="redis",command="get"';
    expect(samples.get(`rosetta_commands_total{${labels}}`)).toBe(4);
    expect(samples.get(`rosetta_command_errors_total{${labels},kind="failed"}`)).toBe(1);
    expect(samples.get('rosetta_errors_total{protocol="redis",code="WRONGTYPE"}')).toBe(1);
    const buckets = [...samples].filter(([name]) => name.startsWith('rosetta_command_duration_seconds_bucket'));
    expect(buckets).toHaveLength(25);
    const le = (bound: string): number | undefined =>
      samples.get(`rosetta_command_duration_seconds_bucket{le="${bound}",${labels}}`);
    expect([le('0.000001'), le('0.000002'), le('0.000004'), le('8.388608'), le('+Inf')]).toEqual([1, 1, 3, 3, 4]);
    expect(samples.get(`rosetta_command_duration_seconds_count{${labels}}`)).toBe(4);
    expect(samples.get(`rosetta_command_duration_seconds_sum{${labels}}`)).toBeCloseTo(1000.0000065, 7);
    expect([...samples.keys()].some((name) => name.includes('never'))).toBe(false);
    get.record(1);
    expect((await scrape(url)).get(`rosetta_commands_total{${labels}}`)).toBe(5);
    metrics.close();
  });

  test('leaves out what the engine does not have', async () => {
    const metrics = new Metrics({ version: '0' });
    const statistics: EngineStatistics = { kind: 'memory', commits: 7, conflicts: 1, refusing: 'disk full' };
    metrics.watchEngine({ statistics: () => statistics });
    const samples = await scrape(await endpoint(metrics));
    expect(samples.get('rosetta_engine_commits_total')).toBe(7);
    expect(samples.get('rosetta_engine_refusing_writes')).toBe(1);
    expect(samples.has('rosetta_engine_fsyncs_total')).toBe(false);
    expect(samples.has('rosetta_engine_memtable_bytes')).toBe(false);
    metrics.close();
  });

  test('of one server knows nothing of another in the same process', async () => {
    const [one, other] = [new Metrics({ version: '1' }), new Metrics({ version: '2' })];
    one.watchCommands('redis', new CommandStatistics());
    expect(await one.render()).toContain('version="1"');
    expect(await other.render()).not.toContain('version="1"');
    const text = await other.render();
    for (const name of ['event_loop_delay_seconds{quantile="0.99"}', 'memory_bytes{kind="resident"}']) {
      expect(text).toContain(`rosetta_${name}`);
    }
    one.close();
    other.close();
  });
});

describe('the metrics endpoint', () => {
  test('says whether the server can work', async () => {
    const metrics = new Metrics({ version: '0' });
    const healthy = await fetch(`${await endpoint(metrics)}/healthz`);
    expect([healthy.status, await healthy.json()]).toEqual([200, { status: 'ok', problems: [] }]);
    const failing = await fetch(`${await endpoint(metrics, ['writes are refused: disk full'])}/healthz`);
    expect([failing.status, await failing.json()]).toEqual([
      503,
      { status: 'failing', problems: ['writes are refused: disk full'] },
    ]);
    metrics.close();
  });

  test('answers nothing else', async () => {
    const metrics = new Metrics({ version: '0' });
    const url = await endpoint(metrics);
    expect((await fetch(`${url}/`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${url}/metrics`, { method: 'HEAD' })).status).toBe(200);
    metrics.close();
  });

  test('names the address that is taken', async () => {
    const metrics = new Metrics({ version: '0' });
    const port = Number(new URL(await endpoint(metrics)).port);
    await expect(
      openMetricsListener({ host: '127.0.0.1', port, metrics, health: () => ({ problems: [] }), logger }),
    ).rejects.toThrow(`metrics cannot listen on 127.0.0.1:${port}: the address is already in use (EADDRINUSE)`);
    metrics.close();
  });
});
