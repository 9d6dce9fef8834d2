import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runRandomly } from '../testing/random-run.js';
import { EmbeddedEngine } from './embedded-engine.js';

/** `ROSETTA_RANDOM_RUNS`, `ROSETTA_RANDOM_STEPS`, `ROSETTA_RANDOM_SEED`: for long runs, and to repeat one. */
const runs = Number(process.env.ROSETTA_RANDOM_RUNS ?? 3);
const steps = Number(process.env.ROSETTA_RANDOM_STEPS ?? 3000);
const firstSeed = Number(process.env.ROSETTA_RANDOM_SEED ?? Math.floor(Math.random() * 1e9));

test.each(Array.from({ length: runs }, (_, i) => firstSeed + i))(
  'random operations answer as the memory engine does (seed %i)',
  async (seed) => {
    const directory = mkdtempSync(join(tmpdir(), 'rosetta-random-'));
    const limits = {
      // One memtable goes by size, the next by log.
      memtableBytesMax: seed % 2 === 0 ? 2 << 20 : 64 << 20,
      logBytesMax: 300_000,
      segmentBytes: 64 << 10,
    };
    let checkpoints = 0;
    try {
      await runRandomly({
        seed,
        steps,
        reopen: async () => {
          const engine = await EmbeddedEngine.open({
            directory,
            limits,
            checkpointProbe: (step) => {
              if (step === 'release') checkpoints++;
            },
          });
          return engine;
        },
      });
      expect(checkpoints).toBeGreaterThan(0);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
  600_000,
);
