import { hostname } from 'node:os';
import { type Plain, plainDocument } from '../../../models/document/plain.js';
import { Doc, double, type Value } from '../../../models/document/values.js';
import { type CommandContext, defineCommand } from '../command.js';
import { MONGODB_VERSION, type MongodbServer, SET_NAME } from '../server-state.js';

/** Connections the server would take; the listener has the last word. */
const CONNECTIONS_MAX = 10_000;

export const serverStatus = defineCommand({
  name: 'serverStatus',
  help: "the server's counters and figures",
  subject: 'any',
  fields: {},
  lenient: true,
  actions: ['serverStatus'],
  run: (context) => plainDocument(statusOf(context)),
});

/** Sections in MongoDB's order; `{section: 0}` leaves one out. */
export function statusOf(context: CommandContext): Record<string, Plain> {
  const sections = allSections(context);
  for (const [name, wanted] of context.body) {
    if ((wanted === 0 || wanted === false) && name in sections) delete sections[name];
  }
  return sections;
}

function allSections(context: CommandContext): Record<string, Plain> {
  const { server, client } = context;
  const { statistics } = server;
  const uptime = (Date.now() - server.startedAtMs) / 1000;
  const engine = server.store.engine.statistics();
  const memory = process.memoryUsage();
  const long = (value: number): bigint => BigInt(Math.floor(value));
  return {
    host: hostname(),
    version: MONGODB_VERSION,
    process: 'mongod',
    pid: BigInt(process.pid),
    uptime: double(uptime),
    uptimeMillis: long(uptime * 1000),
    uptimeEstimate: long(uptime),
    localTime: new Date(),
    asserts: { regular: 0, warning: 0, msg: 0, user: 0, tripwire: 0, rollovers: 0 },
    connections: {
      current: server.clients.size,
      available: CONNECTIONS_MAX - server.clients.size,
      totalCreated: statistics.connectionsCreated,
      active: server.operations.size,
      threaded: server.clients.size,
      exhaustIsMaster: 0,
      exhaustHello: 0,
      awaitingTopologyChanges: 0,
    },
    extra_info: { note: 'fields vary by platform', page_faults: process.resourceUsage().majorPageFault },
    flowControl: { enabled: false, targetRateLimit: 0, isLagged: false },
    globalLock: {
      totalTime: long(uptime * 1_000_000),
      currentQueue: { total: 0, readers: 0, writers: 0 },
      activeClients: { total: server.operations.size, readers: 0, writers: 0 },
    },
    locks: {},
    logicalSessionRecordCache: {
      activeSessionsCount: server.sessions.size,
      sessionsCollectionJobCount: 0,
      transactionReaperJobCount: 0,
    },
    mem: {
      bits: 64,
      resident: Math.round(memory.rss / 1_048_576),
      virtual: Math.round(memory.rss / 1_048_576),
      supported: true,
    },
    metrics: metricsOf(server),
    network: {
      bytesIn: long(statistics.bytesIn),
      bytesOut: long(statistics.bytesOut),
      physicalBytesIn: long(statistics.bytesIn),
      physicalBytesOut: long(statistics.bytesOut),
      numRequests: long(statistics.requests),
    },
    opLatencies: latenciesOf(server),
    opReadConcernCounters: { available: 0n, linearizable: 0n, local: 0n, majority: 0n, snapshot: 0n, none: 0n },
    opcounters: countersOf(statistics.opcounters),
    opcountersRepl: countersOf({ insert: 0, query: 0, update: 0, delete: 0, getmore: 0, command: 0 }),
    repl: {
      topologyVersion: { processId: server.processId, counter: 6n },
      hosts: [server.hostFor(client)],
      setName: SET_NAME,
      setVersion: 1,
      isWritablePrimary: true,
      secondary: false,
      primary: server.hostFor(client),
      me: server.hostFor(client),
      rbid: 1,
    },
    security: { authentication: { mechanisms: {} } },
    storageEngine: {
      name: 'rosetta',
      supportsCommittedReads: true,
      oldestRequiredTimestampForCrashRecovery: undefined,
      persistent: engine.kind !== 'memory',
      readOnly: false,
      backupCursorOpen: false,
    },
    tcmalloc: {},
    transactions: {
      retriedCommandsCount: 0n,
      retriedStatementsCount: 0n,
      transactionsCollectionWriteCount: 0n,
      currentActive: long(openTransactions(server)),
      currentInactive: 0n,
      currentOpen: long(openTransactions(server)),
      totalStarted: long(statistics.transactions.started),
      totalCommitted: long(statistics.transactions.committed),
      totalAborted: long(statistics.transactions.aborted),
    },
    wiredTiger: {
      cache: {
        'bytes currently in the cache': engine.memtableBytes ?? 0,
        'maximum bytes configured': memory.heapTotal,
        'tracked dirty bytes in the cache': engine.memtableBytes ?? 0,
      },
      concurrentTransactions: {
        read: { out: 0, available: 128, totalTickets: 128 },
        write: { out: 0, available: 128, totalTickets: 128 },
      },
      transaction: { 'transaction checkpoints': engine.checkpoints ?? 0 },
    },
  };
}

export function openTransactions(server: MongodbServer): number {
  let open = 0;
  for (const { transaction } of server.sessions.all()) if (transaction?.state === 'in progress') open++;
  return open;
}

function countersOf(counters: Readonly<Record<string, number>>): Doc {
  return Doc.fromEntries(Object.entries(counters).map(([name, count]): [string, Value] => [name, BigInt(count)]));
}

function latenciesOf(server: MongodbServer): Doc {
  return plainDocument(
    Object.fromEntries(
      Object.entries(server.statistics.latencies).map(([name, { latency, ops }]) => [
        name,
        { latency: BigInt(latency), ops: BigInt(ops) },
      ]),
    ),
  );
}

function metricsOf(server: MongodbServer): Plain {
  const { statistics, cursors } = server;
  const commands: Record<string, Plain> = {};
  for (const [name, { total, failed }] of statistics.commands)
    commands[name] = { failed: BigInt(failed), total: BigInt(total) };
  const long = BigInt;
  const { documents } = statistics;
  return {
    commands,
    cursor: {
      timedOut: long(cursors.timedOut),
      totalOpened: 0n,
      open: { noTimeout: 0n, pinned: 0n, total: long(cursors.size) },
    },
    document: {
      deleted: long(documents.deleted),
      inserted: long(documents.inserted),
      returned: long(documents.returned),
      updated: long(documents.updated),
    },
    operation: { scanAndOrder: 0n, writeConflicts: long(server.store.engine.statistics().conflicts) },
    queryExecutor: { scanned: 0n, scannedObjects: 0n, collectionScans: { nonTailable: 0n, total: 0n } },
    record: { moves: 0n },
    repl: {
      executor: {},
      apply: { batches: { num: 0, totalMillis: 0 }, ops: 0n },
      buffer: { count: 0n, sizeBytes: 0n },
      network: { bytes: 0n, ops: 0n },
    },
    ttl: { deletedDocuments: long(statistics.ttlDeleted), passes: long(statistics.ttlPasses) },
  };
}
