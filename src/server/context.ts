/** What the server gives to the protocols it opens: one engine, one instance of every model, one list of users. */
import type { Users } from '../access/users.js';
import type { Durability, Engine } from '../engine/engine.js';
import { DocumentStore } from '../models/document/store.js';
import { KeyValueStore } from '../models/key-value/store.js';
import type { ListenerAddress } from '../network/listener.js';
import type { Logger } from '../observability/logger.js';
import { everyKey } from './configuration-sources.js';
import type { Configuration } from './options.js';
import { ProtocolSettings } from './protocol-settings.js';

/** Logical databases of the key-value model, as many as a Redis server has unless told otherwise. */
const databasesDefault = 16;
const databasesMax = 1_000_000;

export class ServerContext {
  private keyValueStore: KeyValueStore | undefined;
  private documentStore: Promise<DocumentStore> | undefined;

  constructor(
    readonly configuration: Configuration,
    readonly engine: Engine,
    readonly users: Users,
    readonly logger: Logger,
    /** Stops the server, as a signal would. */
    readonly shutdown: () => void,
    /** The first listener of a protocol; `undefined` as long as it has none. */
    readonly addressOf: (protocol: string) => ListenerAddress | undefined,
  ) {}

  /** The key-value model, for all its protocols. */
  get keyValue(): KeyValueStore {
    this.keyValueStore ??= new KeyValueStore(this.engine, {
      databases: this.settings('redis').number('databases', { initial: databasesDefault, min: 1, max: databasesMax }),
    });
    return this.keyValueStore;
  }

  /** The document model, for all its protocols. */
  documents(): Promise<DocumentStore> {
    this.documentStore ??= DocumentStore.open(this.engine);
    return this.documentStore;
  }

  /** What an answer of the protocol promises. */
  durability(protocol: string, initial: Durability): Durability {
    const { durability } = this.configuration;
    return durability.get(protocol) ?? durability.get(everyKey) ?? initial;
  }

  /** The settings `PROTOCOL.NAME` of one protocol. */
  readonly settings = (protocol: string): ProtocolSettings => {
    const own = [...this.configuration.settings].filter(([key]) => key.startsWith(`${protocol}.`));
    return new ProtocolSettings(
      protocol,
      Object.fromEntries(own.map(([key, value]) => [key.slice(protocol.length + 1), value])),
    );
  };

  /** Releases the models. */
  async close(): Promise<void> {
    await this.keyValueStore?.close();
  }
}
