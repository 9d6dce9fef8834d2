/** A server on a free port with an engine in memory, for tests through real drivers. */
import { MongoClient, type MongoClientOptions } from 'mongodb';
import { pino } from 'pino';
import type { Engine } from '../../../engine/engine.js';
import { openMemoryEngine } from '../../../engine/memory/memory-engine.js';
import { DocumentStore } from '../../../models/document/store.js';
import { openListener } from '../../../network/listener.js';
import { createMongodbProtocol, type MongodbProtocol } from '../server.js';

export interface TestServer {
  readonly uri: string;
  readonly port: number;
  readonly store: DocumentStore;
  readonly protocol: MongodbProtocol;
  connect(options?: MongoClientOptions): Promise<MongoClient>;
  stop(): Promise<void>;
}

export async function startTestServer(engine: Engine = openMemoryEngine()): Promise<TestServer> {
  const store = await DocumentStore.open(engine);
  const protocol = createMongodbProtocol({ store });
  const listener = await openListener(protocol, {
    host: '127.0.0.1',
    port: 0,
    limits: { connectionsMax: 1000, unsentBytesMax: 256 * 1024 * 1024, idleMsMax: 0 },
    logger: pino({ level: process.env.TEST_LOG ?? 'error' }),
  });
  const { port } = listener.address;
  const uri = `mongodb://127.0.0.1:${port}/?replicaSet=rs0`;
  const clients: MongoClient[] = [];
  return {
    uri,
    port,
    store,
    protocol,
    connect: async (options) => {
      const client = await MongoClient.connect(uri, options);
      clients.push(client);
      return client;
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await protocol.close();
      await listener.stop();
      await engine.close();
    },
  };
}
