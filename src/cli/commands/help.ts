/** `rosetta help [COMMAND]`. */
import { dashed, type OptionName, options, variable } from '../../server/options.js';
import { protocols } from '../../server/protocols.js';
import { type CliCommand, Exit } from '../command.js';
import { commandNamed, commands } from '../commands.js';
import { table } from '../table.js';

export const helpCommand: CliCommand = {
  name: 'help',
  usage: '[COMMAND]',
  summary: 'explain a command and its options',
  options: [],
  words: { min: 0, max: 1 },
  async run({ positionals: [name] }) {
    process.stdout.write(name === undefined ? overview() : helpOf(commandNamed(name)));
    return Promise.resolve(Exit.done);
  },
};

export function overview(): string {
  const rows = commands().map(({ name, usage, summary }) => [`rosetta ${name} ${usage}`.trimEnd(), summary]);
  return `Rosetta: one server for many NoSQL protocols.\n\n${table(rows, '  ')}\n\`rosetta help COMMAND\` lists its options.\n`;
}

export function helpOf(command: CliCommand): string {
  const { name, usage, summary, description } = command;
  const head = `rosetta ${name} ${usage}`.trimEnd();
  const body = description === undefined ? '' : `\n${description}\n`;
  return `${head}\n\n${summary[0]?.toUpperCase() ?? ''}${summary.slice(1)}.\n${body}${optionList(command)}`;
}

function optionList({ name, options: names }: CliCommand): string {
  if (names.length === 0) return '';
  const rows = names.map((option) => [flagText(option), options[option].help]);
  const ports = Object.entries(protocols).map(([protocol, { defaultPort }]) => `${protocol}=127.0.0.1:${defaultPort}`);
  const defaults = name === 'start' ? `\nListens on ${ports.join(', ')} unless told otherwise.\n` : '';
  return (
    `\nOptions:\n${table([...rows, ['--config FILE', 'a YAML file with these options']], '  ')}${defaults}\n` +
    'Every option can also be given in the YAML file by its name without the dashes, and as a variable of the\n' +
    `environment (--data-dir: ${variable('dataDir')}; --listen redis=…: ${variable('listen')}_REDIS). A flag wins over\n` +
    'a variable, a variable over the file.\n'
  );
}

function flagText(name: OptionName): string {
  const { argument } = options[name];
  return `--${dashed(name)}${argument === undefined ? '' : ` ${argument}`}`;
}
