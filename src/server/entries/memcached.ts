/**
 * Memcached on the key-value model. Settings: `database`, the Redis database whose keys it serves (0), and
 * `item-size-max`, memcached's `-I` (1mb).
 */
import { bytesOf } from '../../encoding/byte-strings.js';
import { MemcachedServer } from '../../protocols/memcached/server.js';
import type { ProtocolEntry } from './entry.js';

const kibi = 1024;
const mebi = 1024 ** 2;

export const memcached: ProtocolEntry = {
  defaultPort: 11211,

  open(context) {
    const { users, configuration, keyValue } = context;
    const settings = context.settings('memcached');
    const database = settings.number('database', { initial: 0, min: 0, max: keyValue.databases - 1 });
    const itemSizeMax = settings.size('item-size-max', { initial: mebi, min: kibi, max: 512 * mebi });
    settings.assertNoOthers();
    const protocol = new MemcachedServer({
      store: keyValue,
      logger: context.logger,
      durability: context.durability('memcached', 'everysec'),
      database,
      itemSizeMax,
      connectionsMax: configuration.maxConnections,
      logins: {
        get open() {
          return !users.loginRequired;
        },
        verify: (user, password) => users.verifyPassword(bytesOf(user).toString('utf8'), bytesOf(password)),
      },
      address: () => context.addressOf('memcached') ?? { host: '', port: 0 },
    });
    return { protocol };
  },

  connectWith({ path, reachableHost, port }) {
    return path === undefined ? `nc ${reachableHost} ${port}` : `nc -U ${path}`;
  },
};
