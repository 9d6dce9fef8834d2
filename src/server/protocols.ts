/**
 * The protocols this server speaks. Listeners, limits, TLS, metrics, help and the table of the start follow from this
 * table; a protocol that is added here is there.
 */
import type { ProtocolEntry } from './entries/entry.js';
import { memcached } from './entries/memcached.js';
import { mongodb } from './entries/mongodb.js';
import { redis } from './entries/redis.js';

export const protocols: Readonly<Record<string, ProtocolEntry>> = { redis, memcached, mongodb };

/** The endpoint for monitoring, which listens like a protocol. */
export const metricsName = 'metrics';

const plannedProtocols = [
  ...['redis', 'memcached', 'mongodb', 'couchdb', 'riak', 'cassandra', 'hbase', 'neo4j', 'cayley', 'titan'],
];

/** What `--listen` accepts; the reserved names may be turned off by scripts that know a later version. */
export const listenerNames = {
  known: [...Object.keys(protocols), metricsName],
  reserved: plannedProtocols.filter((name) => !Object.hasOwn(protocols, name)),
};
