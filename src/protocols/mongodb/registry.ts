/** Every command by name and alias: what dispatch, listCommands and the compatibility page know. */
import type { Command } from './command.js';
import { COMMANDS } from './commands/index.js';

const byName = new Map<string, Command>();
for (const command of COMMANDS) {
  for (const name of [command.name, ...(command.aliases ?? [])]) byName.set(name, command);
}

export function commandNamed(name: string): Command | undefined {
  return byName.get(name);
}

/** In the order of their names. */
export function allCommands(): readonly Command[] {
  return [...COMMANDS].sort((a, b) => (a.name < b.name ? -1 : 1));
}
