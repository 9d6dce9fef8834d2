import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The machine this must pass on has two cores, and several tests start real servers.
    maxWorkers: 2,
    pool: 'forks',
  },
});
