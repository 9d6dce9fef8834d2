/** The generated part of docs/compatibility/mongodb.md: every command with its fields, from the registry. */
import type { Command } from './command.js';
import { allCommands } from './registry.js';
import { MONGODB_VERSION } from './server-state.js';

/** Commands of a replica set's primary that are refused as unknown (59). */
const MISSING = ['applyOps', 'mapReduce', '_mergeAuthzCollections'] as const;

/** Markdown: how many commands there are, and a table of them. */
export function compatibilityPage(): string {
  const commands = allCommands();
  const there = new Set(commands.flatMap(({ name, aliases = [] }) => [name, ...aliases]));
  const missing = MISSING.filter((name) => !there.has(name));
  const rows = commands.map(row).join('\n');
  return `Target: MongoDB ${MONGODB_VERSION}, the primary of a replica set of one. ${commands.length} commands are answered.

Unknown fields are refused with code 40415 unless the command is marked lenient. "T" may run in transactions, "1" is part of
API version 1, "W" takes a write concern, "R" a retryable write.

| command | fields | | what it does |
| --- | --- | --- | --- |
${rows}

Not yet: ${missing.map((name) => `\`${name}\``).join(', ')}
`;
}

function row(command: Command): string {
  const names = [command.name, ...(command.aliases ?? [])].map((name) => `\`${name}\``).join(', ');
  const fields = Object.keys(command.fields)
    .map((name) => `\`${name}\``)
    .join(' ');
  const marks = [
    command.inTransaction === true ? 'T' : '',
    command.apiVersion1 === true ? '1' : '',
    command.writes === true ? 'W' : '',
    command.retryable === true ? 'R' : '',
    command.lenient === true ? 'lenient' : '',
  ];
  return `| ${names} | ${fields} | ${marks.filter((mark) => mark !== '').join(' ')} | ${command.help} |`;
}
