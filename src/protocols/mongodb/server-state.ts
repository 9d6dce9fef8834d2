/** What all connections of the MongoDB protocol share. */
import type { Durability } from '../../engine/engine.js';
import { ObjectId } from '../../models/document/bson/types.js';
import { sweepGarbage } from '../../models/document/ddl.js';
import { Housekeeping } from '../../models/document/housekeeping.js';
import type { DocumentStore } from '../../models/document/store.js';
import type { Authenticator } from './authentication.js';
import type { Client } from './client.js';
import { Cursors, type OpenCursor } from './cursors.js';
import { FailPoints } from './fail-points.js';
import type { Operation } from './operation.js';
import { Parameters } from './parameters.js';
import { Sessions } from './sessions.js';
import { Statistics } from './statistics.js';

/** The version we are compatible with. */
export const MONGODB_VERSION = '7.0.14';
export const VERSION_ARRAY = [7, 0, 14, 0] as const;
export const SET_NAME = 'rs0';

export interface MongodbOptions {
  readonly store: DocumentStore;
  /** `host:port` under which clients reach this server, in `hello`; by default the address they connected to. */
  readonly advertisedHost?: string;
  readonly authentication?: Authenticator;
  /** What an answer to a write promises unless it asks for less; `always` by default. */
  readonly durability?: Durability;
  /** Stops the whole server. */
  readonly shutdown?: () => void;
  /** Told of failures in the background. */
  readonly onError?: (thrown: unknown) => void;
}

export class MongodbServer {
  readonly store: DocumentStore;
  readonly cursors: Cursors;
  readonly sessions: Sessions;
  readonly housekeeping: Housekeeping;
  readonly parameters = new Parameters();
  readonly statistics = new Statistics();
  readonly failPoints = new FailPoints();
  readonly clients = new Map<number, Client>();
  readonly operations = new Map<number, Operation>();
  /** Changes when the server starts: drivers tell restarts by it. */
  readonly processId = ObjectId.generate();
  readonly startedAtMs = Date.now();
  /** A reply that was written in this turn waits for the disk. */
  mustSync = false;
  /** By database; see the profile command. */
  readonly profiling = new Map<string, { level: number; slowms: number; sampleRate: number }>();
  slowMs = 100;
  private nextOperation = 1;
  closing = false;

  constructor(readonly options: MongodbOptions) {
    this.store = options.store;
    this.cursors = new Cursors(() => this.parameters.number('cursorTimeoutMillis'));
    this.housekeeping = new Housekeeping(this.store, {
      expiryMs: () =>
        this.parameters.truth('ttlMonitorEnabled') ? this.parameters.number('ttlMonitorSleepSecs') * 1000 : 0,
      onExpired: (documents) => {
        this.statistics.ttlPasses++;
        this.statistics.ttlDeleted += documents;
      },
      onError: (thrown) => this.options.onError?.(thrown),
    });
    this.sessions = new Sessions((session) => {
      this.cursors.killWhere((cursor) => cursor.session === session.key);
    });
  }

  operationId(): number {
    return this.nextOperation++;
  }

  /** The address clients are told to connect to. */
  hostFor(client: Client): string {
    const { localAddress, localPort } = client.connection;
    if (this.options.advertisedHost !== undefined) return this.options.advertisedHost;
    if (localPort === 0) return 'localhost:27017';
    const address = localAddress.startsWith('::ffff:') ? localAddress.slice(7) : localAddress;
    return address.includes(':') ? `[${address}]:${localPort}` : `${address}:${localPort}`;
  }

  /** Collections have gone: their cursors end, and what they held is cleared away. */
  dropped(matches: (cursor: OpenCursor) => boolean): void {
    this.cursors.killWhere(matches);
    sweepGarbage(this.store).catch((thrown: unknown) => this.options.onError?.(thrown));
  }

  close(): void {
    this.closing = true;
    this.housekeeping.close();
    this.cursors.close();
    this.sessions.close();
  }
}
