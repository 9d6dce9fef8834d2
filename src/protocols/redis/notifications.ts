/** Keyspace notifications: changes as messages on `__keyspace@N__:key` and `__keyevent@N__:event`. */
import type { Change } from '../../models/key-value/changes.js';
import type { RedisServer } from './server.js';
import { keyeventEvents, keyspaceEvents } from './settings.js';

export class KeyspaceNotifications {
  constructor(private readonly server: RedisServer) {}

  announce(changes: readonly Change[]): void {
    const { pubsub, settings } = this.server;
    const flags = settings.notifyFlags;
    for (const { database, key, eventClass, event } of changes) {
      if ((eventClass & flags) === 0 || key === undefined) continue;
      if ((flags & keyspaceEvents) !== 0) {
        pubsub.deliver(`__keyspace@${database}__:${key}`, Buffer.from(event, 'latin1'));
      }
      if ((flags & keyeventEvents) !== 0) {
        pubsub.deliver(`__keyevent@${database}__:${event}`, Buffer.from(key, 'latin1'));
      }
    }
  }
}
