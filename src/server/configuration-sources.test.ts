import { describe, expect, test } from 'vitest';
import { resolveConfiguration } from './configuration.js';
import { type Given, readArguments, readEnvironment, readMapping } from './configuration-sources.js';
import { endpointText, parseEndpoint } from './endpoint.js';
import { type Configuration, dashed, isOptionName, options, parseDuration, parseSize } from './options.js';

const names = { known: ['redis', 'memcached', 'metrics'], reserved: ['titan'] };
const allOptions = new Set(Object.keys(options).filter(isOptionName));
const flags = (...argv: string[]): readonly Given[] => readArguments(argv, allOptions).given;
const variables = (env: Record<string, string>): readonly Given[] => readEnvironment(env).given;
const file = (mapping: Record<string, unknown>): readonly Given[] => readMapping(mapping, dashed, ' in rosetta.yaml');
const resolve = (...sources: (readonly Given[])[]): Configuration => resolveConfiguration(sources, names);

/** Addresses of one protocol as text. */
const listening = (configuration: Configuration, name: string): string[] | undefined =>
  configuration.listen.get(name)?.map(endpointText);

describe('endpoints', () => {
  test.each([
    ['6379', { kind: 'tcp', host: '127.0.0.1', port: 6379, encryption: 'auto' }],
    ['0.0.0.0:0', { kind: 'tcp', host: '0.0.0.0', port: 0, encryption: 'auto' }],
    ['[::1]:6379', { kind: 'tcp', host: '::1', port: 6379, encryption: 'auto' }],
    ['tls://db.example:6380', { kind: 'tcp', host: 'db.example', port: 6380, encryption: 'tls' }],
    ['plain://6379', { kind: 'tcp', host: '127.0.0.1', port: 6379, encryption: 'plain' }],
    ['unix:/run/redis.sock', { kind: 'unix', path: '/run/redis.sock' }],
    ['unix:///run/redis.sock', { kind: 'unix', path: '/run/redis.sock' }],
    ['unix:redis.sock', { kind: 'unix', path: 'redis.sock' }],
  ])('%s', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint);
  });

  test.each(['', 'localhost', ':6379', '::1:6379', '127.0.0.1:65536', 'http://127.0.0.1:1', '127.0.0.1:-1', 'unix:'])(
    '%j is none',
    (text) => {
      expect(() => parseEndpoint(text)).toThrow();
    },
  );
});

test('sizes and durations have units', () => {
  expect(['0', '512', '64kb', '2 MB', '1gb'].map(parseSize)).toEqual([0, 512, 65_536, 2 * 1024 ** 2, 1024 ** 3]);
  expect(['0', '2', '500ms', '30s', '5m', '1h'].map(parseDuration)).toEqual([0, 2000, 500, 30_000, 300_000, 3_600_000]);
  for (const text of ['', '-1', '1.5', 'mb', '1tb', '9999999999gb']) expect(() => parseSize(text)).toThrow('a size');
  for (const text of ['', '-1', '1d', 'soon']) expect(() => parseDuration(text)).toThrow('a duration');
});

describe('sources', () => {
  test('say the same in their own words', () => {
    const expected = resolve(
      flags('--data-dir', 'd', '--ephemeral=no', '--listen', 'redis=0', '--settings', 'redis.maxmemory=1mb'),
    );
    expect(
      resolve(
        variables({
          ROSETTA_DATA_DIR: 'd',
          ROSETTA_EPHEMERAL: 'false',
          ROSETTA_LISTEN: 'redis=0',
          ROSETTA_SETTINGS_REDIS_MAXMEMORY: '1mb',
        }),
      ),
    ).toEqual(expected);
    expect(
      resolve(
        file({ 'data-dir': 'd', ephemeral: false, listen: { redis: 0 }, settings: { redis: { maxmemory: '1mb' } } }),
      ),
    ).toEqual(expected);
  });

  test('the first one wins, name by name', () => {
    const configuration = resolve(
      flags('--listen', 'redis=1'),
      variables({ ROSETTA_LISTEN: 'redis=2,memcached=3', ROSETTA_LOG_LEVEL: 'debug' }),
      file({ listen: { redis: 4, memcached: 5, metrics: 6 }, 'log-level': 'warn', 'max-connections': 7 }),
    );
    expect(['redis', 'memcached', 'metrics'].map((name) => listening(configuration, name))).toEqual([
      ['127.0.0.1:1'],
      ['127.0.0.1:3'],
      ['127.0.0.1:6'],
    ]);
    expect(configuration).toMatchObject({ logLevel: 'debug', maxConnections: 7, dataDir: './rosetta-data' });
  });

  test('several addresses of one protocol add up within a source; off and on replace each other', () => {
    const several = ['127.0.0.1:1', '127.0.0.1:2'];
    expect(listening(resolve(flags('--listen', 'redis=1', '--listen', 'redis=2')), 'redis')).toEqual(several);
    expect(listening(resolve(flags('--listen', 'redis=1,2')), 'redis')).toEqual(several);
    expect(listening(resolve(variables({ ROSETTA_LISTEN: 'redis=1,2,memcached=off' })), 'redis')).toEqual(several);
    expect(listening(resolve(file({ listen: { redis: [1, '2'] } })), 'redis')).toEqual(several);
    expect(listening(resolve(flags('--listen', 'redis=1', '--listen', 'redis=off')), 'redis')).toEqual([]);
    expect(listening(resolve(flags('--listen', 'redis=off', '--listen', 'redis=2')), 'redis')).toEqual(['127.0.0.1:2']);
    expect(listening(resolve(file({ listen: { redis: false } })), 'redis')).toEqual([]);
  });

  test('durability holds for all protocols or for one', () => {
    const { durability } = resolve(flags('--durability', 'always', '--durability', 'redis=everysec'));
    expect([...durability]).toEqual([
      ['*', 'always'],
      ['redis', 'everysec'],
    ]);
    expect([...resolve(file({ durability: 'always' })).durability]).toEqual([['*', 'always']]);
  });

  test('variables that container platforms set are left alone, others are told of', () => {
    const { given, unknown } = readEnvironment({
      ROSETTA_PORT: 'tcp://10.0.0.1:6379',
      ROSETTA_SERVICE_HOST: '10.0.0.1',
      ROSETTA_DATADIR: 'x',
    });
    expect(given).toEqual([]);
    expect(unknown).toEqual(['ROSETTA_DATADIR']);
  });

  test('a name that a later version will speak may be turned off', () => {
    expect(listening(resolve(flags('--listen', 'titan=off')), 'titan')).toEqual([]);
    expect(() => resolve(flags('--listen', 'titan=1'))).toThrow(
      'this version does not speak titan, only redis, memcached',
    );
  });
});

describe('mistakes name the option and where it stood', () => {
  test.each([
    [() => flags('--listen', '6379'), '--listen: expected PROTOCOL=HOST:PORT, not "6379"'],
    [() => flags('-p', '1'), 'unknown option -p'],
    [() => flags('--dataDir', 'x'), 'unknown option --dataDir; did you mean --data-dir?'],
    [() => flags('--log-level', '--ephemeral'), '--log-level needs a value'],
    [() => resolve(flags('--ephemeral=maybe')), '--ephemeral: expected yes or no, not "maybe"'],
    [() => resolve(flags('--settings', 'redis=1')), '--settings: expected PROTOCOL.NAME=VALUE, not "redis"'],
    [() => resolve(flags('--settings', 'radis.x=1')), '--settings: there is no protocol "radis"'],
    [
      () => resolve(flags('--engine', 'mysql://root:secret@h')),
      '--engine: expected embedded, memory or postgres://…, not "mysql://…@h"',
    ],
    [
      () => resolve(variables({ ROSETTA_LISTEN_REDIS: 'off,1' })),
      'ROSETTA_LISTEN_REDIS (redis): off cannot stand beside an address',
    ],
    [() => file({ listen: 6379 }), 'listen in rosetta.yaml: expected one value for each protocol'],
    [() => file({ dataDir: 'x' }), 'unknown option dataDir in rosetta.yaml'],
    [
      () => resolve(file({ listen: { redis: {}, memcached: { a: 1 } } })),
      'listen.memcached.a in rosetta.yaml: there is no protocol "memcached.a"',
    ],
    [() => resolve(file({ 'data-dir': [] })), 'data-dir in rosetta.yaml: expected a text'],
    [() => resolve(flags('--password-file', '/nonexistent')), '--password-file: /nonexistent cannot be read'],
    [
      () => resolve(flags('--password-file', 'f', '--password', 'x')),
      '--password and --password-file exclude each other',
    ],
  ])('%#', (make, sentence) => {
    expect(make).toThrow(sentence);
  });
});
