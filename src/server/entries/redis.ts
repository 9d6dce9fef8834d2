/** Redis on the key-value model. Its settings are those of redis.conf. */
import type { CommandFiguresSource } from '../../observability/metrics.js';
import { RedisServer } from '../../protocols/redis/server.js';
import { Settings } from '../../protocols/redis/settings.js';
import { ConfigurationError } from '../configuration-sources.js';
import type { ServerContext } from '../context.js';
import type { ProtocolEntry } from './entry.js';
import { redisUsers } from './redis-users.js';

const defaultPort = 6379;

export const redis: ProtocolEntry = {
  defaultPort,

  open(context) {
    const { password, maxConnections } = context.configuration;
    const server = new RedisServer({
      store: context.keyValue,
      logger: context.logger,
      durability: context.durability('redis', 'everysec'),
      settings: { maxclients: String(maxConnections), ...checkedSettings(context) },
      users: redisUsers(context.users),
      ...(password === undefined ? {} : { password: Buffer.from(password, 'utf8').toString('latin1') }),
      host: {
        shutdown: context.shutdown,
        address: () => context.addressOf('redis') ?? { host: '', port: 0 },
      },
    });
    return { protocol: server, ready: server.ready, commands: figuresOf(server) };
  },

  connectWith({ path, tls, reachableHost, port }) {
    if (path !== undefined) return `redis-cli -s ${path}`;
    const words = ['redis-cli'];
    if (tls) words.push('--tls');
    if (reachableHost !== '127.0.0.1') words.push('-h', reachableHost);
    if (port !== defaultPort) words.push('-p', String(port));
    return words.join(' ');
  },
};

function checkedSettings({ keyValue: store, logger, settings }: ServerContext): Record<string, string> {
  const given = settings('redis').all();
  for (const [name, value] of Object.entries(given)) {
    try {
      new Settings({ store, logger, settings: { [name]: value } });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.replace(/^ERR /, '') : String(cause);
      throw new ConfigurationError(`--settings redis.${name}: ${reason}`, { cause });
    }
  }
  return given;
}

function figuresOf({ registry, statistics }: RedisServer): CommandFiguresSource {
  return {
    *commands() {
      for (const { id, name } of registry.all) {
        const figures = statistics.byCommand[id];
        if (figures !== undefined) yield [name, figures];
      }
    },
    errors: () => statistics.byError,
  };
}
