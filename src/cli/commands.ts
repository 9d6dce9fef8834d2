/** All commands, in the order of the help. */
import { ConfigurationError } from '../server/configuration-sources.js';
import type { CliCommand } from './command.js';
import { backupCommand } from './commands/backup.js';
import { helpCommand } from './commands/help.js';
import { restoreCommand } from './commands/restore.js';
import { startCommand } from './commands/start.js';
import { versionCommand } from './commands/version.js';

export function commands(): readonly CliCommand[] {
  return [startCommand, backupCommand, restoreCommand, versionCommand, helpCommand];
}

export function commandNamed(name: string): CliCommand {
  const command = commands().find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const names = commands().map((candidate) => candidate.name);
  throw new ConfigurationError(`unknown command "${name}"; there are ${names.join(', ')}`);
}
