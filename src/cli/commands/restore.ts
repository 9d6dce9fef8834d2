/** `rosetta restore DIR`: fills an empty data directory from a backup. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SingleBar } from 'cli-progress';
import { readManifest, restoreInto } from '../../engine/portable-backup.js';
import { isEmptyDirectory, openStorage } from '../../server/storage.js';
import { type CliCommand, Exit } from '../command.js';
import { readSettings } from '../settings.js';

export const restoreCommand: CliCommand = {
  name: 'restore',
  usage: 'DIR [--data-dir DIR]',
  summary: 'fill an empty data directory from a backup',
  options: ['dataDir', 'engine', 'memtableSize', 'logSize'],
  words: { min: 1, max: 1 },

  async run(given) {
    const directory = resolve(given.positionals[0] ?? '');
    const { configuration } = readSettings(given);
    const { dataDir, engine } = configuration;
    if (engine.kind === 'memory') throw new Error('a memory engine lives inside its server: nothing can be restored');
    const target = resolve(dataDir);
    const manifest = await readManifest(directory);
    if (engine.kind === 'embedded' && !(await isEmptyDirectory(target))) {
      throw new Error(`the data directory ${target} is not empty: nothing was restored`);
    }
    const bar = new SingleBar({ format: '{bar} {percentage}% {value} of {total} entries, {eta_formatted} left' });
    const shown = process.stdout.isTTY && manifest.entries > 0;
    const storage = await openStorage(configuration, target);
    try {
      if (shown) bar.start(manifest.entries, 0);
      await restoreInto(storage, directory, (entries) => {
        if (shown) bar.update(entries);
      });
    } catch (error) {
      if (shown) bar.stop();
      await storage.close();
      // Half a backup must not look like a store.
      if (engine.kind === 'embedded') await rm(target, { recursive: true, force: true });
      throw error;
    }
    if (shown) bar.stop();
    await storage.close();
    process.stdout.write(`${manifest.entries} entries restored from ${directory}\n`);
    return Exit.done;
  },
};
