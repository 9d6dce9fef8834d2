import { describe, expect, test } from 'vitest';
import { type LoggerOptions, openLogger } from './logger.js';

function lines(options: LoggerOptions, use: (logger: ReturnType<typeof openLogger>) => void): string[] {
  const written: string[] = [];
  use(openLogger({ ...options, output: { write: (line: string) => written.push(line) } }));
  return written;
}

describe('the log', () => {
  test('is one JSON object a line, from its level up', () => {
    const written = lines({ format: 'json', level: 'warn' }, (logger) => {
      logger.info({}, 'not this');
      logger.warn({ protocol: 'redis', connections: 3 }, 'this');
    });
    expect(written).toHaveLength(1);
    expect(JSON.parse(written[0] ?? '')).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      protocol: 'redis',
      connections: 3,
      msg: 'this',
    });
  });

  test('holds no secrets, however deep and under whatever spelling', () => {
    const [line] = lines({ format: 'json' }, (logger) => {
      logger.info(
        {
          requirepass: 'hunter2',
          options: { users: [{ name: 'ada', passWord: 'hunter2' }], client_secret: 'hunter2', bytes: Buffer.from('x') },
          url: 'postgres://rosetta:hunter2@db.example.org/rosetta',
          passes: 3,
          key: 'user:1',
        },
        'started',
      );
    });
    expect(line).not.toContain('hunter2');
    expect(JSON.parse(line ?? '')).toMatchObject({
      requirepass: '[redacted]',
      options: { users: [{ name: 'ada', passWord: '[redacted]' }], client_secret: '[redacted]', bytes: '[1 bytes]' },
      url: 'postgres://rosetta:[redacted]@db.example.org/rosetta',
      passes: 3,
      key: 'user:1',
    });
  });

  test('shows errors with their code and stack, without the secrets in them', () => {
    const error = Object.assign(new Error('cannot reach postgres://a:hunter2@db'), { code: 'UNAVAILABLE' });
    const [line] = lines({ format: 'json' }, (logger) => logger.error({ err: error }, 'failed'));
    expect(line).not.toContain('hunter2');
    expect(JSON.parse(line ?? '').err).toMatchObject({
      type: 'Error',
      message: 'cannot reach postgres://a:[redacted]@db',
      code: 'UNAVAILABLE',
      stack: expect.stringContaining('logger.test.ts'),
    });
  });

  test('is readable for people when asked to be', () => {
    const written = lines({ format: 'pretty', level: 'debug' }, (logger) => {
      logger.debug({ protocol: 'redis', port: 6379, limits: { max: 1 } }, 'listening');
      logger.error({ err: new Error('no') }, 'failed');
    });
    expect(written[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} DEBUG listening {2}protocol=redis {2}port=6379 {2}limits=\{"max":1\}\n$/,
    );
    expect(written[1]).toMatch(/^\S+ ERROR failed\n {2}Error: no\n {6}at /);
  });
});
