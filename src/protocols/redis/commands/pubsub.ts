/** SUBSCRIBE and its kin, PUBLISH, PUBSUB. */
import type { Client } from '../client.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError } from '../errors.js';
import { matchesGlob } from '../glob.js';
import { help } from '../help.js';

interface Kind {
  readonly subscribe: string;
  readonly unsubscribe: string;
  /** The client's own names, and the server's register of them. */
  own(client: Client): Set<string>;
  register(c: CommandContext): Map<string, Set<Client>>;
  count(client: Client): number;
}

const channelKind: Kind = {
  subscribe: 'subscribe',
  unsubscribe: 'unsubscribe',
  own: (client) => client.channels,
  register: (c) => c.server.pubsub.channels,
  count: (client) => client.subscriptions,
};
const patternKind: Kind = {
  subscribe: 'psubscribe',
  unsubscribe: 'punsubscribe',
  own: (client) => client.patterns,
  register: (c) => c.server.pubsub.patterns,
  count: (client) => client.subscriptions,
};
const shardKind: Kind = {
  subscribe: 'ssubscribe',
  unsubscribe: 'sunsubscribe',
  own: (client) => client.shardChannels,
  register: (c) => c.server.pubsub.shardChannels,
  count: (client) => client.shardChannels.size,
};

function confirm(c: CommandContext, word: string, name: string | undefined, count: number): void {
  c.reply.push(3);
  c.reply.bulkText(word);
  if (name === undefined) c.reply.null();
  else c.reply.bulkText(name);
  c.reply.integer(count);
}

function subscribe(kind: Kind) {
  return (c: CommandContext): void => {
    if (c.inTransaction && c.client.protocol === 2 && c.fromScript) {
      throw new RedisError("ERR SUBSCRIBE isn't allowed for a DENY BLOCKING client");
    }
    const own = kind.own(c.client);
    for (let i = 1; i < c.request.count; i++) {
      const name = c.request.text(i);
      if (!own.has(name)) {
        own.add(name);
        c.server.pubsub.subscribe(kind.register(c), name, c.client);
      }
      confirm(c, kind.subscribe, name, kind.count(c.client));
    }
  };
}

function unsubscribe(kind: Kind) {
  return (c: CommandContext): void => {
    const own = kind.own(c.client);
    const names = c.request.count > 1 ? c.request.texts(1) : [...own];
    if (names.length === 0) confirm(c, kind.unsubscribe, undefined, kind.count(c.client));
    for (const name of names) {
      if (own.delete(name)) c.server.pubsub.unsubscribe(kind.register(c), name, c.client);
      confirm(c, kind.unsubscribe, name, kind.count(c.client));
    }
  };
}

/** Messages leave after the transaction that sent them: an EXEC or script that fails sends none. */
function publish(c: CommandContext): void {
  const { pubsub } = c.server;
  const channel = c.request.text(1);
  const message = c.request.copy(2);
  if (c.inTransaction) {
    c.reply.integer(pubsub.receivers(channel));
    c.afterCommit(() => pubsub.publish(channel, message));
  } else c.reply.integer(pubsub.publish(channel, message));
}

function spublish(c: CommandContext): void {
  const { pubsub } = c.server;
  const channel = c.request.text(1);
  const message = c.request.copy(2);
  if (c.inTransaction) {
    c.reply.integer(pubsub.shardChannels.get(channel)?.size ?? 0);
    c.afterCommit(() => pubsub.publishShard(channel, message));
  } else c.reply.integer(pubsub.publishShard(channel, message));
}

function listNames(register: (c: CommandContext) => Map<string, Set<Client>>) {
  return (c: CommandContext): void => {
    if (c.request.count > 3) throw wrongWords(c);
    const pattern = c.request.count === 3 ? c.request.text(2) : '*';
    const names = [...register(c).keys()].filter((name) => matchesGlob(pattern, name));
    c.reply.array(names.length);
    for (const name of names) c.reply.bulkText(name);
  };
}

function wrongWords(c: CommandContext): RedisError {
  return new RedisError(
    `ERR unknown subcommand or wrong number of arguments for '${c.request.text(1)}'. Try PUBSUB HELP.`,
  );
}

function countNames(register: (c: CommandContext) => Map<string, Set<Client>>) {
  return (c: CommandContext): void => {
    const names = c.request.texts(2);
    c.reply.array(2 * names.length);
    for (const name of names) {
      c.reply.bulkText(name);
      c.reply.integer(register(c).get(name)?.size ?? 0);
    }
  };
}

export const pubsubCommands: Commands = {
  subscribe: subscribe(channelKind),
  unsubscribe: unsubscribe(channelKind),
  psubscribe: subscribe(patternKind),
  punsubscribe: unsubscribe(patternKind),
  ssubscribe: subscribe(shardKind),
  sunsubscribe: unsubscribe(shardKind),
  publish,
  spublish,
  'pubsub|channels': listNames(channelKind.register),
  'pubsub|shardchannels': listNames(shardKind.register),
  'pubsub|numsub': countNames(channelKind.register),
  'pubsub|shardnumsub': countNames(shardKind.register),
  'pubsub|numpat': (c) => c.reply.integer(c.server.pubsub.patterns.size),
  'pubsub|help': help('pubsub'),
};
