/** `rosetta version`. */
import { version } from '../../server/version.js';
import { type CliCommand, Exit } from '../command.js';

export const versionCommand: CliCommand = {
  name: 'version',
  usage: '',
  summary: 'print the version',
  options: [],
  words: { min: 0, max: 0 },
  async run() {
    process.stdout.write(`rosetta ${version}\n`);
    return Promise.resolve(Exit.done);
  },
};
