/** CONFIG GET, SET, RESETSTAT, REWRITE. */
import type { CommandContext, Commands } from '../command.js';
import { RedisError } from '../errors.js';
import { help } from '../help.js';

function get(c: CommandContext): void {
  const found = c.server.settings.matching(c.request.texts(2));
  c.reply.map(found.length);
  for (const [name, value] of found) {
    c.reply.bulkText(name);
    c.reply.bulkText(value);
  }
}

function set(c: CommandContext): void {
  const { request } = c;
  if (request.count % 2 !== 0) throw new RedisError("ERR wrong number of arguments for 'config|set' command");
  const pairs: [string, string][] = [];
  for (let i = 2; i < request.count; i += 2) pairs.push([request.text(i), request.text(i + 1)]);
  c.server.settings.set(pairs);
  c.reply.ok();
}

function resetStat(c: CommandContext): void {
  c.server.statistics.reset();
  c.reply.ok();
}

function rewrite(): void {
  throw new RedisError('ERR The server is running without a config file');
}

export const configCommands: Commands = {
  'config|get': get,
  'config|set': set,
  'config|resetstat': resetStat,
  'config|rewrite': rewrite,
  'config|help': help('config'),
};
