/**
 * Channels, patterns and shard channels. A message travels through the engine's topics, so that on a store that several
 * servers share it reaches the subscribers of all of them; on a store of our own it is delivered at once.
 */
import type { Client } from './client.js';
import { matchesGlob } from './glob.js';
import { ReplyWriter } from './reply.js';
import type { RedisServer } from './server.js';

const channelTopic = 'redis/channel/';
const shardTopic = 'redis/shard/';

export class PubSub {
  readonly channels = new Map<string, Set<Client>>();
  readonly patterns = new Map<string, Set<Client>>();
  readonly shardChannels = new Map<string, Set<Client>>();
  private readonly shared: boolean;
  private readonly stops: (() => void)[] = [];

  constructor(private readonly server: RedisServer) {
    const { engine } = server.store;
    this.shared = engine.statistics().kind === 'postgres';
    if (this.shared) {
      this.stops.push(
        engine.subscribe(channelTopic, (topic, message) => this.deliver(topic.slice(channelTopic.length), message)),
        engine.subscribe(shardTopic, (topic, message) => this.deliverShard(topic.slice(shardTopic.length), message)),
      );
    }
  }

  /** Delivers to this server's subscribers and, on a shared store, to the others'. Returns the receivers on this one. */
  publish(channel: string, message: Buffer): number {
    if (!this.shared) return this.deliver(channel, message);
    const sent = this.server.store.engine.publish(channelTopic + channel, Buffer.from(message));
    if (sent instanceof Promise)
      sent.catch((err: unknown) => this.server.logger.warn({ err }, 'a message was not sent'));
    return this.receivers(channel);
  }

  publishShard(channel: string, message: Buffer): number {
    if (!this.shared) return this.deliverShard(channel, message);
    const sent = this.server.store.engine.publish(shardTopic + channel, Buffer.from(message));
    if (sent instanceof Promise)
      sent.catch((err: unknown) => this.server.logger.warn({ err }, 'a message was not sent'));
    return this.shardChannels.get(channel)?.size ?? 0;
  }

  subscribe(register: Map<string, Set<Client>>, name: string, client: Client): void {
    const clients = register.get(name);
    if (clients === undefined) register.set(name, new Set([client]));
    else clients.add(client);
  }

  unsubscribe(register: Map<string, Set<Client>>, name: string, client: Client): void {
    const clients = register.get(name);
    if (clients?.delete(client) === true && clients.size === 0) register.delete(name);
  }

  /** Ends all subscriptions of a client, silently. */
  leave(client: Client): void {
    for (const name of client.channels) this.unsubscribe(this.channels, name, client);
    for (const name of client.patterns) this.unsubscribe(this.patterns, name, client);
    for (const name of client.shardChannels) this.unsubscribe(this.shardChannels, name, client);
    client.channels.clear();
    client.patterns.clear();
    client.shardChannels.clear();
  }

  close(): void {
    for (const stop of this.stops) stop();
  }

  /** How many subscribers of this server a message would reach. */
  receivers(channel: string): number {
    let count = this.channels.get(channel)?.size ?? 0;
    for (const [pattern, clients] of this.patterns) if (matchesGlob(pattern, channel)) count += clients.size;
    return count;
  }

  /** Hands a message to this server's subscribers; keyspace events go this way on every server by themselves. */
  deliver(channel: string, message: Buffer): number {
    let receivers = 0;
    const direct = this.channels.get(channel);
    if (direct !== undefined) receivers += send(direct, ['message', channel], message);
    for (const [pattern, clients] of this.patterns) {
      if (matchesGlob(pattern, channel)) receivers += send(clients, ['pmessage', pattern, channel], message);
    }
    return receivers;
  }

  private deliverShard(channel: string, message: Buffer): number {
    const clients = this.shardChannels.get(channel);
    return clients === undefined ? 0 : send(clients, ['smessage', channel], message);
  }
}

const writer = new ReplyWriter(1024);

function send(clients: Iterable<Client>, words: readonly string[], message: Buffer): number {
  const encoded: Partial<Record<2 | 3, Buffer>> = {};
  let count = 0;
  for (const client of clients) {
    let bytes = encoded[client.protocol];
    if (bytes === undefined) {
      writer.protocol = client.protocol;
      writer.push(words.length + 1);
      for (const word of words) writer.bulkText(word);
      writer.bulk(message);
      bytes = writer.take();
      encoded[client.protocol] = bytes;
    }
    client.send(bytes);
    count++;
  }
  return count;
}
