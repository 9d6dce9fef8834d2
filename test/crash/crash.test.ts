import { expect, test } from 'vitest';
import { crashRounds } from './crash.js';

const seed = Date.now() % 2 ** 32;

test.each([
  ['everysec', 12],
  ['always', 8],
] as const)(
  'a server killed with -9 has lost no acknowledged write (%s, %i rounds)',
  async (durability, rounds) => {
    console.log(`seed ${seed}`);
    const result = await crashRounds({ rounds, seed, connections: 6, durability });
    expect(result.acknowledged).toBeGreaterThan(rounds);
  },
  180_000,
);
