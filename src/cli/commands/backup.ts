/** `rosetta backup DIR`: a consistent copy of everything, made by the running server or, without one, by this process. */
import { resolve } from 'node:path';
import { askServer, NoServerError } from '../../server/admin-socket.js';
import { isEmptyDirectory, openStorage } from '../../server/storage.js';
import { type CliCommand, Exit } from '../command.js';
import { readSettings } from '../settings.js';

export const backupCommand: CliCommand = {
  name: 'backup',
  usage: 'DIR [--data-dir DIR]',
  summary: 'copy everything into an empty or new directory while the server runs on',
  description:
    'Asks the server that runs on the data directory; when none does, opens the data itself. The copy is one\n' +
    'consistent state. `rosetta restore` reads it.',
  options: ['dataDir', 'engine', 'memtableSize', 'logSize'],
  words: { min: 1, max: 1 },

  async run(given) {
    const directory = resolve(given.positionals[0] ?? '');
    const { configuration } = readSettings(given);
    const { dataDir, engine } = configuration;
    if (engine.kind === 'memory') throw new Error('a memory engine lives inside its server: there is nothing to copy');
    if (!(await isEmptyDirectory(directory))) throw new Error(`the backup directory ${directory} is not empty`);
    try {
      if (engine.kind !== 'embedded') throw new NoServerError('the store is reached without a server');
      await askServer(dataDir, '/backup', { directory });
    } catch (error) {
      if (!(error instanceof NoServerError)) throw error;
      if (engine.kind === 'embedded' && (await isEmptyDirectory(dataDir))) {
        throw new Error(`there is no data in ${resolve(dataDir)}; --data-dir says where it is`);
      }
      const storage = await openStorage(configuration, dataDir);
      try {
        await storage.backup(directory);
      } finally {
        await storage.close();
      }
    }
    process.stdout.write(`backup written to ${directory}\n`);
    return Exit.done;
  },
};
