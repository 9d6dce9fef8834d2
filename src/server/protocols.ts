/**
 * The protocols this server speaks, one entry each: its usual port, how to open it on a context, how to connect. Everything
 * else (listeners, limits, TLS, metrics, the table of the start) follows from the entry.
 */
import type { Protocol } from '../network/connection.js';
import type { CommandFiguresSource } from '../observability/metrics.js';
import { MemcachedServer } from '../protocols/memcached/server.js';
import { RedisServer } from '../protocols/redis/server.js';
import type { Address } from './address.js';
import type { ServerContext } from './context.js';
import { redisUsers } from './redis-users.js';

export interface OpenedProtocol {
  readonly protocol: Protocol;
  /** Resolves when it can serve. */
  readonly ready?: Promise<void>;
  /** What it counts of its commands. */
  readonly commands?: CommandFiguresSource;
}

export interface ProtocolEntry {
  readonly defaultPort: number;
  open(context: ServerContext): OpenedProtocol;
  /** A command line or address for people. */
  connectWith(address: Address): string;
}

export const protocols: Readonly<Record<string, ProtocolEntry>> = {
  redis: {
    defaultPort: 6379,
    open(context) {
      const { password } = context.configuration;
      const server = new RedisServer({
        store: context.keyValue,
        logger: context.logger,
        durability: context.durability('redis', 'everysec'),
        settings: context.settings('redis'),
        users: redisUsers(context.users),
        ...(password === undefined ? {} : { password: Buffer.from(password, 'utf8').toString('latin1') }),
        host: {
          shutdown: context.shutdown,
          address: () => context.addressOf('redis') ?? { host: '', port: 0 },
        },
      });
      return { protocol: server, ready: server.ready };
    },
    connectWith({ path, tls, reachableHost, port }) {
      if (path !== undefined) return `redis-cli -s ${path}`;
      const words = ['redis-cli'];
      if (tls) words.push('--tls');
      if (reachableHost !== '127.0.0.1') words.push('-h', reachableHost);
      if (port !== 6379) words.push('-p', String(port));
      return words.join(' ');
    },
  },
  memcached: {
    defaultPort: 11211,
    open(context) {
      const settings = context.settings('memcached');
      const { password } = context.configuration;
      const server = new MemcachedServer({
        store: context.keyValue,
        logger: context.logger,
        durability: context.durability('memcached', 'everysec'),
        address: () => context.addressOf('memcached') ?? { host: '', port: 0 },
        ...(settings.database === undefined ? {} : { database: Number(settings.database) }),
        ...(settings['item-size-max'] === undefined ? {} : { itemSizeMax: Number(settings['item-size-max']) }),
        ...(password === undefined
          ? {}
          : { logins: { open: false, verify: (user, given) => context.users.verifyPassword(user, given) } }),
      });
      return { protocol: server };
    },
    connectWith({ path, reachableHost, port }) {
      return path === undefined ? `memcstat --servers=${reachableHost}:${port}` : `memcstat --servers=${path}`;
    },
  },
};

/** The endpoint for monitoring, which listens like a protocol. */
export const metricsName = 'metrics';

/** What `--listen` accepts; the reserved names may be turned off by scripts that know a later version. */
export const listenerNames = {
  known: [...Object.keys(protocols), metricsName],
  reserved: [
    ...['redis', 'memcached', 'mongodb', 'couchdb', 'riak', 'cassandra', 'hbase', 'neo4j', 'cayley', 'titan'],
  ].filter((name) => !Object.hasOwn(protocols, name)),
};
