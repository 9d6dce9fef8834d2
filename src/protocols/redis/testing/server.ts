/** A Redis server on a free port for tests: the real engine on a directory of its own, the real listener. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEngine } from '../../../engine/open.js';
import { KeyValueStore } from '../../../models/key-value/store.js';
import { openListener } from '../../../network/listener.js';
import { openLogger } from '../../../observability/logger.js';
import { RedisServer } from '../server.js';

export interface TestServer {
  readonly port: number;
  readonly server: RedisServer;
  readonly store: KeyValueStore;
  stop(): Promise<void>;
}

export async function startTestServer(settings: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), 'rosetta-redis-'));
  const engine = await openEngine({ kind: 'embedded', directory });
  const store = new KeyValueStore(engine, { databases: 16 });
  const logger = openLogger({ level: 'error' });
  let port = 0;
  const server = new RedisServer({
    store,
    logger,
    settings,
    host: { shutdown: () => {}, address: () => ({ host: '127.0.0.1', port }) },
  });
  await server.ready;
  const listener = await openListener(server, {
    host: '127.0.0.1',
    port: 0,
    limits: { connectionsMax: 1000, unsentBytesMax: 256 * 1024 * 1024, idleMsMax: 0 },
    logger,
  });
  port = listener.address.port;
  return {
    port,
    server,
    store,
    stop: async () => {
      await listener.stop();
      await server.close();
      await store.close();
      await engine.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
