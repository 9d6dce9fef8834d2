/** CLIENT and its subcommands (tracking is in tracking.ts). */
import type { Client } from '../client.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { help } from '../help.js';
import { parseIntegerText } from '../numbers.js';
import { localOf, peerOf } from '../peer.js';

/** Printable ASCII without blanks. */
export function isClientName(name: string): boolean {
  return /^[!-~]*$/.test(name);
}

function id(c: CommandContext): void {
  c.reply.integer(c.client.id);
}

function getName(c: CommandContext): void {
  if (c.client.name === '') c.reply.null();
  else c.reply.bulkText(c.client.name);
}

function setName(c: CommandContext): void {
  const name = c.request.text(2);
  if (!isClientName(name))
    throw new RedisError('ERR Client names cannot contain spaces, newlines or special characters.');
  c.client.name = name;
  c.reply.ok();
}

function setInfo(c: CommandContext): void {
  const { request, client } = c;
  const option = request.lower(2);
  const value = request.text(3);
  if (option !== 'lib-name' && option !== 'lib-ver')
    throw new RedisError(`ERR Unrecognized option '${request.text(2)}'`);
  if (!isClientName(value)) {
    throw new RedisError(`ERR ${option} cannot contain spaces, newlines or special characters.`);
  }
  if (option === 'lib-name') client.libraryName = value;
  else client.libraryVersion = value;
  c.reply.ok();
}

type ClientType = 'normal' | 'master' | 'replica' | 'pubsub';

function typeOfClient(client: Client): ClientType {
  if (client.isReplica) return 'replica';
  return client.subscriptions + client.shardChannels.size > 0 ? 'pubsub' : 'normal';
}

function parseType(text: string): ClientType {
  const lower = text.toLowerCase();
  if (lower === 'slave') return 'replica';
  if (lower !== 'normal' && lower !== 'master' && lower !== 'replica' && lower !== 'pubsub') {
    throw new RedisError(`ERR Unknown client type '${text}'`);
  }
  return lower;
}

function flagsOf(client: Client): string {
  let flags = '';
  if (client.isReplica) flags += 'S';
  if (client.monitoring) flags += 'O';
  if (client.subscriptions + client.shardChannels.size > 0) flags += 'P';
  if (client.queue !== undefined) flags += 'x';
  if (client.blocked !== undefined) flags += 'b';
  for (const describe of client.server.clientFlags) flags += describe(client);
  if (client.closeAfterReply) flags += 'c';
  if (client.connection.localPort === 0 && client.connection.remotePort === 0) flags += 'U';
  if (client.noEvict) flags += 'e';
  if (client.noTouch) flags += 'T';
  return flags === '' ? 'N' : flags;
}

/** One line of CLIENT LIST. */
export function describeClient(client: Client): string {
  const now = Date.now();
  const seconds = (since: number): number => Math.max(0, Math.floor((now - since) / 1000));
  const last = client.lastCommand?.name ?? 'NULL';
  const queued = client.queue;
  const pendingInput = client.pendingInputBytes;
  const unsent = client.connection.unsentBytes;
  const fields: readonly (readonly [string, string | number])[] = [
    ['id', client.id],
    ['addr', peerOf(client)],
    ['laddr', localOf(client)],
    ['fd', client.id + 7],
    ['name', client.name],
    ['age', seconds(client.createdMs)],
    ['idle', seconds(client.lastActiveMs)],
    ['flags', flagsOf(client)],
    ['db', client.db.index],
    ['sub', client.channels.size],
    ['psub', client.patterns.size],
    ['ssub', client.shardChannels.size],
    ['multi', queued === undefined ? -1 : queued.length],
    ['qbuf', pendingInput],
    ['qbuf-free', 0],
    ['argv-mem', 0],
    ['multi-mem', queued?.reduce((sum, { request }) => sum + request.bytes.length, 0) ?? 0],
    ['rbs', 1024],
    ['rbp', 0],
    ['obl', 0],
    ['oll', unsent > 0 ? 1 : 0],
    ['omem', unsent],
    ['tot-mem', 2048 + pendingInput + unsent],
    ['events', 'r'],
    ['cmd', last],
    ['user', client.user ?? 'default'],
    ['redir', client.server.redirectionOf(client)],
    ['resp', client.protocol],
    ['lib-name', client.libraryName],
    ['lib-ver', client.libraryVersion],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(' ');
}

function info(c: CommandContext): void {
  c.reply.verbatim(`${describeClient(c.client)}\n`);
}

function parseId(text: string): number {
  const value = parseIntegerText(text);
  if (typeof value !== 'number' || value < 1) throw new RedisError('ERR Invalid client ID');
  return value;
}

function list(c: CommandContext): void {
  const { request, server } = c;
  let clients = [...server.clients.values()];
  if (request.count > 2) {
    if (request.is(2, 'type') && request.count === 4) {
      const type = parseType(request.text(3));
      clients = clients.filter((client) => typeOfClient(client) === type);
    } else if (request.is(2, 'id') && request.count > 3) {
      clients = request.texts(3).flatMap((text) => server.clients.get(parseId(text)) ?? []);
    } else throw syntaxError();
  }
  c.reply.verbatim(clients.map((client) => `${describeClient(client)}\n`).join(''));
}

function kill(c: CommandContext): void {
  const { request, server } = c;
  if (request.count === 3) {
    const address = request.text(2);
    const victim = [...server.clients.values()].find((client) => peerOf(client) === address);
    if (victim === undefined) throw new RedisError('ERR No such client');
    server.disconnect(victim, c.client);
    c.reply.ok();
    return;
  }
  const tests: ((client: Client) => boolean)[] = [];
  let skipMe = true;
  if (request.count % 2 !== 0) throw syntaxError();
  for (let i = 2; i < request.count; i += 2) {
    const value = request.text(i + 1);
    switch (request.lower(i)) {
      case 'id': {
        const wanted = parseIntegerText(value);
        if (typeof wanted !== 'number' || wanted < 1) throw new RedisError('ERR client-id should be greater than 0');
        tests.push((client) => client.id === wanted);
        break;
      }
      case 'type': {
        const type = parseType(value);
        tests.push((client) => typeOfClient(client) === type);
        break;
      }
      case 'addr':
        tests.push((client) => peerOf(client) === value);
        break;
      case 'laddr':
        tests.push((client) => localOf(client) === value);
        break;
      case 'user':
        if (!server.userExists(value)) throw new RedisError(`ERR No such user '${value}'`);
        tests.push((client) => client.user === value);
        break;
      case 'skipme':
        if (value.toLowerCase() !== 'yes' && value.toLowerCase() !== 'no') throw syntaxError();
        skipMe = value.toLowerCase() === 'yes';
        break;
      default:
        throw syntaxError();
    }
  }
  const victims = [...server.clients.values()].filter(
    (client) => !(skipMe && client === c.client) && tests.every((test) => test(client)),
  );
  for (const victim of victims) server.disconnect(victim, c.client);
  c.reply.integer(victims.length);
}

function pause(c: CommandContext): void {
  const { request, server } = c;
  const timeout = parseIntegerText(request.text(2));
  if (timeout === undefined || timeout < 0) throw new RedisError('ERR timeout is not an integer or out of range');
  let writesOnly = false;
  if (request.count === 4) {
    writesOnly = request.is(3, 'write');
    if (!writesOnly && !request.is(3, 'all')) throw syntaxError();
  } else if (request.count > 4) throw syntaxError();
  server.pause.start(Number(timeout), writesOnly ? 'write' : 'all');
  c.reply.ok();
}

function unpause(c: CommandContext): void {
  c.server.pause.end();
  c.reply.ok();
}

function unblock(c: CommandContext): void {
  const { request, server } = c;
  let withError = false;
  if (request.count === 4) {
    withError = request.is(3, 'error');
    if (!withError && !request.is(3, 'timeout'))
      throw new RedisError('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  } else if (request.count > 4) throw syntaxError();
  const wanted = parseIntegerText(request.text(2));
  if (wanted === undefined) throw new RedisError('ERR value is not an integer or out of range');
  const client = server.clients.get(Number(wanted));
  if (client?.blocked === undefined) c.reply.integer(0);
  else {
    client.unblock(withError ? 'UNBLOCKED client unblocked via CLIENT UNBLOCK' : undefined);
    c.reply.integer(1);
  }
}

function onOff(c: CommandContext): boolean {
  if (c.request.is(2, 'on')) return true;
  if (c.request.is(2, 'off')) return false;
  throw syntaxError();
}

function reply(c: CommandContext): void {
  const mode = c.request.lower(2);
  if (mode === 'on') {
    c.client.replyMode = 'on';
    c.reply.ok();
  } else if (mode === 'off') c.client.replyMode = 'off';
  else if (mode === 'skip') {
    if (c.client.replyMode === 'on') c.client.replyMode = 'skip-next';
  } else throw syntaxError();
}

export const clientCommands: Commands = {
  'client|id': id,
  'client|getname': getName,
  'client|setname': setName,
  'client|setinfo': setInfo,
  'client|info': info,
  'client|list': list,
  'client|kill': kill,
  'client|pause': pause,
  'client|unpause': unpause,
  'client|unblock': unblock,
  'client|reply': reply,
  'client|no-evict': (c) => {
    c.client.noEvict = onOff(c);
    c.reply.ok();
  },
  'client|no-touch': (c) => {
    c.client.noTouch = onOff(c);
    c.reply.ok();
  },
  'client|help': help('client'),
};
