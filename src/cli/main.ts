#!/usr/bin/env node
/** The `rosetta` program. */
import { ConfigurationError, readArguments } from '../server/configuration-sources.js';
import { Exit } from './command.js';
import { helpOf, overview } from './commands/help.js';
import { commandNamed } from './commands.js';

const synonyms: Readonly<Record<string, string>> = {
  '--help': 'help',
  '-h': 'help',
  '--version': 'version',
  '-v': 'version',
};

async function main([first, ...rest]: readonly string[]): Promise<number> {
  if (first === undefined) {
    process.stderr.write(overview());
    return Exit.usage;
  }
  const command = commandNamed(synonyms[first] ?? first);
  const given = readArguments(rest, new Set(command.options));
  if (given.help) {
    process.stdout.write(helpOf(command));
    return Exit.done;
  }
  const { min, max } = command.words;
  const extra = given.positionals[max];
  if (extra !== undefined) throw new ConfigurationError(`unexpected argument "${extra}"`);
  if (given.positionals.length < min) {
    throw new ConfigurationError(`an argument is missing: rosetta ${command.name} ${command.usage}`);
  }
  return command.run(given);
}

/** Flushes what was printed, then ends the process: nothing that is still open may keep it. */
function exit(code: number): void {
  process.stdout.write('', () => process.exit(code));
}

main(process.argv.slice(2)).then(exit, (error: unknown) => {
  const usage = error instanceof ConfigurationError;
  process.stderr.write(`rosetta: ${error instanceof Error ? error.message : String(error)}\n`);
  if (usage) process.stderr.write('`rosetta help` lists commands and options.\n');
  else if (process.env.ROSETTA_LOG_LEVEL === 'debug' && error instanceof Error)
    process.stderr.write(`${error.stack}\n`);
  exit(usage ? Exit.usage : Exit.failed);
});
