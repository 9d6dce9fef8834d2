/** PING, ECHO, SELECT, HELLO, AUTH, QUIT, RESET. */
import type { CommandContext, Commands } from '../command.js';
import { RedisError } from '../errors.js';
import { parseIntegerText } from '../numbers.js';

function ping(c: CommandContext): void {
  const { request, reply, client } = c;
  if (request.count > 2) throw new RedisError("ERR wrong number of arguments for 'ping' command");
  if (client.protocol === 2 && client.subscriptions + client.shardChannels.size > 0) {
    reply.array(2);
    reply.bulkText('pong');
    reply.bulkText(request.count === 2 ? request.text(1) : '');
  } else if (request.count === 2) reply.bulk(request.view(1));
  else reply.simple('PONG');
}

function echo(c: CommandContext): void {
  c.reply.bulk(c.request.view(1));
}

function select(c: CommandContext): void {
  const index = parseIntegerText(c.request.text(1));
  if (index === undefined) throw new RedisError('ERR value is not an integer or out of range');
  if (typeof index === 'bigint' || index < 0 || index >= c.server.store.databases) {
    throw new RedisError('ERR DB index is out of range');
  }
  if (c.inTransaction) c.db.select(index);
  else c.db.index = index;
  c.reply.ok();
}

function quit(c: CommandContext): void {
  c.reply.ok();
  c.client.closeAfterReply = true;
}

export const connectionCommands: Commands = { ping, echo, select, quit };
