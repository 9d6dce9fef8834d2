/** Opens the engine that the configuration names. */
import { mkdir, readdir } from 'node:fs/promises';
import type { Engine } from '../engine/engine.js';
import { openEngine } from '../engine/open.js';
import type { Configuration } from './options.js';

/** Only the user who runs the server may look inside the data directory. */
const directoryMode = 0o700;

export type StorageSettings = Pick<Configuration, 'engine' | 'memtableSize' | 'logSize'>;

/** `directory` is for engines that keep their data in one. */
export async function openStorage(
  { engine, memtableSize, logSize }: StorageSettings,
  directory: string,
): Promise<Engine> {
  switch (engine.kind) {
    case 'memory':
      return openEngine({ kind: 'memory' });
    case 'embedded':
      await mkdir(directory, { recursive: true, mode: directoryMode });
      return openEngine({
        kind: 'embedded',
        directory,
        limits: { memtableBytesMax: memtableSize, logBytesMax: logSize },
      });
    case 'postgres':
      return openEngine({ kind: 'postgres', url: engine.url });
  }
}

/** Whether a directory is missing or has nothing in it; a file system's own `lost+found` does not count. */
export async function isEmptyDirectory(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).every((name) => name === 'lost+found');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}
