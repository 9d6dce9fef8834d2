/**
 * The embedded engine's random tests for as long as you like: `node scripts/torture-engine.mjs [--runs N] [--steps N]
 * [--power-runs N] [--seed N]`. A failing seed is printed; `--seed S --runs 1` repeats it.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '50' },
    steps: { type: 'string', default: '30000' },
    'power-runs': { type: 'string', default: '1000' },
    seed: { type: 'string' },
  },
});
const seeds = values.seed === undefined ? {} : { ROSETTA_RANDOM_SEED: values.seed, ROSETTA_POWER_SEED: values.seed };
const { status } = spawnSync(
  'npx',
  ['vitest', 'run', 'src/engine/embedded/random.test.ts', 'src/engine/embedded/power-loss.test.ts'],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      ...seeds,
      ROSETTA_RANDOM_RUNS: values.runs,
      ROSETTA_RANDOM_STEPS: values.steps,
      ROSETTA_POWER_RUNS: values['power-runs'],
      ROSETTA_DAMAGE_STEP: '1',
    },
  },
);
process.exitCode = status ?? 1;
