import { describe, expect, test } from 'vitest';
import { CommandFigures, CommandStatistics } from './command-statistics.js';

describe('the figures of a command', () => {
  test('put each duration into the bucket of the next power of two', () => {
    const figures = new CommandFigures();
    for (const microseconds of [0, 0.4, 1, 1.9, 2, 3.5, 4, 1000, 2 ** 31, 1e12]) figures.record(microseconds);
    const filled = [...figures.histogram].flatMap((count, bucket) => (count > 0 ? [[bucket, count]] : []));
    expect(filled).toEqual([
      [0, 2],
      [1, 2],
      [2, 2],
      [3, 1],
      [10, 1],
      [31, 2],
    ]);
    expect(figures.calls).toBe(10);
  });

  test('estimate percentiles within a factor of two', () => {
    const figures = new CommandFigures();
    expect(figures.percentile(50)).toBe(0);
    for (let i = 1; i <= 1000; i++) figures.record(i);
    for (const percent of [1, 25, 50, 90, 99, 99.9, 100]) {
      const exact = percent * 10;
      expect(figures.percentile(percent)).toBeGreaterThanOrEqual(exact / 2);
      expect(figures.percentile(percent)).toBeLessThanOrEqual(exact * 2);
    }
  });
});

describe('the statistics of a protocol', () => {
  test('keep the figures that were handed out, also over a reset', () => {
    const statistics = new CommandStatistics();
    const get = statistics.of('get');
    get.record(5);
    expect(statistics.of('get')).toBe(get);
    statistics.reset();
    expect(get.calls).toBe(0);
    get.failed++;
    expect([...statistics.commands()]).toEqual([['get', get]]);
  });

  test('count error codes up to a limit, and the others together', () => {
    const statistics = new CommandStatistics();
    for (let i = 0; i < 1000; i++) statistics.countError(`CODE${i}`);
    statistics.countError('CODE0');
    const errors = new Map(statistics.errors());
    expect(errors.size).toBe(129);
    expect(errors.get('CODE0')).toBe(2);
    expect(errors.get('OTHER')).toBe(1000 - 128);
  });
});
