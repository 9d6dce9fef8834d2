/** A whole server on a free port, for tests through real drivers. */
import { MongoClient, type MongoClientOptions } from 'mongodb';
import { type StartOptions, start } from '../../../index.js';

export interface TestServer {
  readonly uri: string;
  readonly port: number;
  connect(options?: MongoClientOptions): Promise<MongoClient>;
  stop(): Promise<void>;
}

/** In a temporary directory, only MongoDB listening. */
export async function startTestServer(options: StartOptions = {}): Promise<TestServer> {
  const server = await start({
    ephemeral: true,
    logLevel: 'error',
    listen: { mongodb: '127.0.0.1:0', redis: 'off', memcached: 'off' },
    ...options,
  });
  const port = server.addresses.mongodb?.port ?? 0;
  const uri = `mongodb://127.0.0.1:${port}/?replicaSet=rs0`;
  const clients: MongoClient[] = [];
  return {
    uri,
    port,
    connect: async (given) => {
      const client = await MongoClient.connect(uri, given);
      clients.push(client);
      return client;
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await server.stop();
    },
  };
}
