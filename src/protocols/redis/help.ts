/** The HELP subcommands: lines of assets/redis-help.json. */
import { readFileSync } from 'node:fs';
import type { Run } from './command.js';

const lines = JSON.parse(readFileSync(new URL('../../../assets/redis-help.json', import.meta.url), 'utf8')) as Record<
  string,
  readonly string[]
>;

/** HELP of a container command, by its lower-case name. */
export function help(container: string): Run {
  return (c) => {
    const text = lines[container] ?? [];
    c.reply.array(text.length);
    for (const line of text) c.reply.simple(line);
  };
}
