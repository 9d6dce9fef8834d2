/** MongoDB on the document model. Setting: `advertised-host`, the `host:port` that clients are told to connect to. */
import { UsersAuthenticator } from '../../protocols/mongodb/access/authenticator.js';
import { createMongodbProtocol } from '../../protocols/mongodb/server.js';
import type { ProtocolEntry } from './entry.js';

export const mongodb: ProtocolEntry = {
  defaultPort: 27017,

  async open(context) {
    const settings = context.settings('mongodb');
    const advertisedHost = settings.text('advertised-host');
    settings.assertNoOthers();
    const protocol = createMongodbProtocol({
      store: await context.documents(),
      authentication: new UsersAuthenticator(context.users),
      durability: context.durability('mongodb', 'always'),
      shutdown: context.shutdown,
      onError: (err) => context.logger.error({ err }, 'the document model failed in the background; it tries again'),
      ...(advertisedHost === '' ? {} : { advertisedHost }),
    });
    return { protocol };
  },

  connectWith({ path, tls, reachableHost, port }) {
    const host = path === undefined ? `${reachableHost}:${port}` : encodeURIComponent(path);
    return `mongosh mongodb://${host}/${tls ? '?tls=true' : ''}`;
  },
};
