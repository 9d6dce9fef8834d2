/** PING, ECHO, SELECT, HELLO, AUTH, QUIT, RESET. */
import type { Client } from '../client.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { parseIntegerText } from '../numbers.js';
import { redisVersion } from '../version.js';
import { isClientName } from './client.js';

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

const wrongPassword = 'WRONGPASS invalid username-password pair or user is disabled.';

function logIn(c: CommandContext, user: string, password: string): void {
  if (!c.server.logIn(c.client, user, password)) throw new RedisError(wrongPassword);
}

function auth(c: CommandContext): void {
  const { request, server } = c;
  if (request.count > 3) throw syntaxError();
  if (request.count === 2 && server.passwordless) {
    throw new RedisError(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    );
  }
  if (request.count === 2) logIn(c, 'default', request.text(1));
  else logIn(c, request.text(1), request.text(2));
  c.reply.ok();
}

interface Greeting {
  protocol: 2 | 3;
  user?: string;
  password?: string;
  name?: string;
}

function parseHello(c: CommandContext): Greeting {
  const { request, client } = c;
  const greeting: Greeting = { protocol: client.protocol };
  if (request.count < 2) return greeting;
  const version = parseIntegerText(request.text(1));
  if (version === undefined) throw new RedisError('ERR Protocol version is not an integer or out of range');
  if (version !== 2 && version !== 3) throw new RedisError('NOPROTO unsupported protocol version');
  greeting.protocol = version;
  for (let i = 2; i < request.count; i++) {
    const left = request.count - 1 - i;
    if (request.is(i, 'auth') && left >= 2) {
      greeting.user = request.text(i + 1);
      greeting.password = request.text(i + 2);
      i += 2;
    } else if (request.is(i, 'setname') && left >= 1) {
      greeting.name = request.text(++i);
      if (!isClientName(greeting.name)) {
        throw new RedisError('ERR Client names cannot contain spaces, newlines or special characters.');
      }
    } else throw new RedisError(`ERR Syntax error in HELLO option '${request.text(i)}'`);
  }
  return greeting;
}

function hello(c: CommandContext): void {
  const { client, reply, server } = c;
  const greeting = parseHello(c);
  if (greeting.user !== undefined) logIn(c, greeting.user, greeting.password ?? '');
  else if (client.user === undefined) {
    throw new RedisError(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
    );
  }
  if (greeting.name !== undefined) client.name = greeting.name;
  reply.protocol = greeting.protocol;
  reply.map(7);
  reply.bulkText('server');
  reply.bulkText('redis');
  reply.bulkText('version');
  reply.bulkText(redisVersion);
  reply.bulkText('proto');
  reply.integer(greeting.protocol);
  reply.bulkText('id');
  reply.integer(client.id);
  reply.bulkText('mode');
  reply.bulkText('standalone');
  reply.bulkText('role');
  reply.bulkText(server.role === 'master' ? 'master' : 'replica');
  reply.bulkText('modules');
  reply.array(0);
}

/** Everything a connection has set, back to how it was when it opened. */
export function resetClient(client: Client): void {
  const { server } = client;
  client.queue = undefined;
  client.queueFailed = false;
  client.watched = [];
  server.pubsub.leave(client);
  server.monitorClients.leave(client);
  client.replyMode = 'on';
  client.name = '';
  client.noTouch = false;
  client.noEvict = false;
  client.reply.protocol = 2;
  client.db.index = 0;
  client.user = server.initialUser();
  for (const listener of server.onReset) listener(client);
}

function reset(c: CommandContext): void {
  resetClient(c.client);
  c.reply.simple('RESET');
}

export const connectionCommands: Commands = { ping, echo, select, quit, auth, hello, reset };
