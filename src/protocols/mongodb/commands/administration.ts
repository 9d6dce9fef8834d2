/** Small commands about the server itself. */
import { arch, cpus, hostname, type as osType, platform, release, totalmem } from 'node:os';
import { type Plain, plainDocument } from '../../../models/document/plain.js';
import { numberOf } from '../../../models/document/scalars.js';
import { Doc, double, type Value } from '../../../models/document/values.js';
import { remoteName } from '../client.js';
import { type Command, type CommandContext, defineCommand } from '../command.js';
import { currentOperations } from '../current-operations.js';
import { failed } from '../errors.js';
import { any, integer, object } from '../fields.js';
import { filterOf } from '../query-options.js';
import { allCommands } from '../registry.js';

type Runner = (context: CommandContext) => Doc | Promise<Doc>;

function simple(name: string, help: string, run: Runner, more: Partial<Command> = {}): Command {
  return defineCommand({ name, help, subject: 'any', fields: {}, lenient: true, ...more, run });
}

const hostInfo = simple(
  'hostInfo',
  'the machine and its operating system',
  () =>
    plainDocument({
      system: {
        currentTime: new Date(),
        hostname: hostname(),
        cpuAddrSize: 64,
        memSizeMB: BigInt(Math.floor(totalmem() / 1_048_576)),
        memLimitMB: BigInt(Math.floor(totalmem() / 1_048_576)),
        numCores: cpus().length,
        numCoresAvailableToProcess: cpus().length,
        numPhysicalCores: cpus().length,
        numCpuSockets: 1,
        cpuArch: arch() === 'x64' ? 'x86_64' : arch(),
        numaEnabled: false,
        numNumaNodes: 1,
      },
      os: { type: osType(), name: platform(), version: release() },
      extra: {
        versionString: release(),
        libcVersion: '',
        kernelVersion: release(),
        cpuFrequencyMHz: `${cpus()[0]?.speed ?? 0}`,
      },
    }),
  { actions: ['hostInfo'] },
);

const whatsmyuri = simple(
  'whatsmyuri',
  "the client's own address",
  ({ client }) => Doc.of({ you: remoteName(client) }),
  {
    beforeLogin: true,
  },
);

const features = simple('features', 'traces of features of old', () =>
  plainDocument({ js: { utf8: true }, oidMachine: 0 }),
);

const listCommands = simple('listCommands', 'every command with its help', () => {
  const commands = new Doc();
  for (const command of allCommands()) {
    commands.append(
      command.name,
      plainDocument({
        help: command.help,
        requiresAuth: command.beforeLogin !== true,
        secondaryOk: command.reads === true,
        adminOnly: command.adminOnly === true,
        apiVersions: command.apiVersion1 === true ? ['1'] : [],
        deprecatedApiVersions: [],
        aliases: command.aliases ?? [],
      }),
    );
  }
  return Doc.of({ commands });
});

const getCmdLineOpts = simple(
  'getCmdLineOpts',
  'how the server was started',
  ({ client }) =>
    plainDocument({
      argv: ['rosetta', 'start'],
      parsed: { net: { port: client.connection.localPort }, replication: { replSet: 'rs0' }, storage: {} },
    }),
  { adminOnly: true, actions: ['getCmdLineOpts'] },
);

const getLog = simple(
  'getLog',
  'the last lines of the log',
  ({ body }) => {
    const name = body.at(0);
    if (name === '*') return Doc.of({ names: ['global', 'startupWarnings'] });
    if (typeof name !== 'string') throw failed(14, `Argument to getLog must be of type String; found ${typeof name}`);
    if (name !== 'global' && name !== 'startupWarnings') throw failed(96, `No log named '${name}'`);
    return Doc.of({ totalLinesWritten: 0, log: [] });
  },
  { adminOnly: true, actions: ['getLog'] },
);

const getParameter = simple(
  'getParameter',
  'server parameters',
  ({ server, body }) => {
    const reply = new Doc();
    const { parameters } = server;
    const subject = body.at(0);
    const details = subject instanceof Doc && subject.get('showDetails') === true;
    const all = subject === '*' || (subject instanceof Doc && subject.get('allParameters') === true);
    const names = all
      ? parameters.names()
      : body
          .keys()
          .slice(1)
          .filter((name) => parameters.get(name) !== undefined);
    for (const name of names) {
      const value = parameters.get(name) ?? null;
      reply.append(
        name,
        details ? Doc.of({ value, settableAtRuntime: parameters.settable(name), settableAtStartup: true }) : value,
      );
    }
    if (reply.isEmpty) throw failed(72, 'no option found to get');
    return reply;
  },
  { adminOnly: true, actions: ['getParameter'] },
);

const setParameter = simple(
  'setParameter',
  'changes server parameters',
  ({ server, body }) => {
    const names = body
      .keys()
      .slice(1)
      .filter(
        (name) =>
          !name.startsWith('$') &&
          !['lsid', 'comment', 'txnNumber', 'writeConcern', 'readConcern', 'maxTimeMS', 'apiVersion'].includes(name),
      );
    if (names.length === 0) throw failed(72, 'no option found to set, use help:true to see options ');
    let was: Value | undefined;
    for (const name of names) was = server.parameters.set(name, body.get(name) ?? null);
    return was === undefined ? new Doc() : Doc.of({ was });
  },
  { adminOnly: true, actions: ['setParameter'] },
);

const setFeatureCompatibilityVersion = simple(
  'setFeatureCompatibilityVersion',
  'accepts the version that is set',
  ({ body }) => {
    if (body.get('confirm') !== true) {
      throw failed(
        7369100,
        "Once you have upgraded to 7.0, you will not be able to downgrade FCV and binary version without support assistance. Please re-run this command with 'confirm: true' to acknowledge this and continue with the FCV upgrade.",
      );
    }
    const version = body.at(0);
    if (version !== '7.0')
      throw failed(2, `Invalid feature compatibility version value '${String(version)}'; expected '7.0'`);
    return new Doc();
  },
  { adminOnly: true, writes: true },
);

const connectionStatus = simple(
  'connectionStatus',
  'who the client is logged in as',
  ({ client, server, body }) => {
    const { user } = client;
    const authentication = server.options.authentication;
    const roles: Plain =
      user === undefined ? [] : (authentication?.rolesOf(user).map(({ role, db }) => ({ role, db })) ?? []);
    const authInfo: Record<string, Plain> = {
      authenticatedUsers: user === undefined ? [] : [{ user: user.name, db: user.database }],
      authenticatedUserRoles: roles,
    };
    if (body.get('showPrivileges') === true) authInfo.authenticatedUserPrivileges = [];
    return plainDocument({ authInfo });
  },
  { beforeLogin: true },
);

const fsync = simple(
  'fsync',
  'makes everything durable',
  async ({ server, body }) => {
    await server.store.engine.settled('always');
    if (body.get('lock') === true || body.get('lock') === 1) throw failed(115, 'fsync lock is not supported');
    return Doc.of({ numFiles: 1 });
  },
  { adminOnly: true, actions: ['fsync'] },
);

const top = simple(
  'top',
  'time spent by collection',
  () => plainDocument({ totals: { note: 'all times in microseconds' } }),
  {
    adminOnly: true,
    actions: ['top'],
  },
);

const profile = defineCommand({
  name: 'profile',
  help: "the profiler's level",
  subject: 'any',
  fields: { slowms: integer(), sampleRate: any(), filter: any() },
  actions: ['enableProfiler'],
  run({ server, database, body }, fields) {
    const level = numberOf(body.at(0)) ?? -1;
    const known = server.profiling.get(database) ?? { level: 0, slowms: server.slowMs, sampleRate: 1 };
    if (level >= 0 && level <= 2) server.profiling.set(database, { ...known, level });
    if (fields.slowms !== undefined) server.slowMs = fields.slowms;
    return plainDocument({ was: known.level, slowms: known.slowms, sampleRate: double(known.sampleRate) });
  },
});

const currentOp = simple(
  'currentOp',
  'what is running',
  ({ server, body }) => {
    const query = new Doc();
    for (const [name, value] of body) {
      if (name !== 'currentOp' && !name.startsWith('$') && name !== 'lsid' && name !== 'comment')
        query.append(name, value);
    }
    const filter = filterOf(query, undefined);
    return Doc.of({ inprog: currentOperations(server).filter((document) => filter.matchesDocument(document)) });
  },
  { adminOnly: true, actions: ['inprog'] },
);

const killOp = defineCommand({
  name: 'killOp',
  help: 'interrupts an operation',
  subject: 'any',
  fields: { op: any() },
  adminOnly: true,
  actions: ['killop'],
  run({ server }, fields) {
    const id = numberOf(fields.op);
    if (id === undefined) throw failed(4, 'Did not provide "op" field');
    server.operations.get(id)?.interrupt(failed(11601, 'operation was interrupted'));
    return Doc.of({ info: 'attempting to kill op' });
  },
});

const configureFailPoint = defineCommand({
  name: 'configureFailPoint',
  help: 'errors on demand, for tests of drivers',
  subject: 'any',
  fields: { mode: any(), data: object() },
  adminOnly: true,
  run({ server, body }, fields) {
    if (!server.parameters.truth('enableTestCommands')) throw failed(59, "no such command: 'configureFailPoint'");
    const name = body.at(0);
    if (typeof name === 'string') server.failPoints.configure(name, fields.mode, fields.data ?? new Doc());
    return Doc.of({ count: 0 });
  },
});

const getDefaultRWConcern = simple(
  'getDefaultRWConcern',
  'the read and write concern of commands that have none',
  () =>
    plainDocument({
      defaultReadConcern: { level: 'local' },
      defaultWriteConcern: { w: 'majority', wtimeout: 0 },
      defaultWriteConcernSource: 'implicit',
      defaultReadConcernSource: 'implicit',
      localUpdateWallClockTime: new Date(),
    }),
  { adminOnly: true },
);

const shutdown = simple(
  'shutdown',
  'stops the server',
  ({ server }) => {
    const stop = server.options.shutdown;
    if (stop === undefined) throw failed(115, 'shutdown is not supported here');
    setImmediate(stop);
    return new Doc();
  },
  { adminOnly: true, actions: ['shutdown'] },
);

const nothing: Runner = () => new Doc();

/** Commands that have nothing to do here, and say that they did it. */
const QUIET: readonly [string, string, boolean][] = [
  ['logRotate', 'begins a new log file', true],
  ['rotateCertificates', 'reads certificates again', true],
  ['setDefaultRWConcern', 'sets the concerns of commands that have none', true],
  ['planCacheClear', 'forgets plans', false],
  ['planCacheClearFilters', 'forgets index filters', false],
  ['planCacheSetFilter', 'sets an index filter', false],
  ['invalidateUserCache', 'forgets users', true],
  ['validateDBMetadata', 'checks the catalog', false],
  ['setUserWriteBlockMode', 'blocks writes of users', true],
  ['refreshLogicalSessionCacheNow', 'writes sessions down', true],
  ['waitForFailPoint', 'waits for a fail point', true],
];

const SEARCH_MESSAGE =
  'Using Atlas Search Database Commands and the $listSearchIndexes aggregation stage requires additional configuration. Please connect to Atlas or an AtlasCLI local deployment to enable. For more information on how to connect, see https://dochub.mongodb.org/core/atlas-cli-deploy-local-reqs.';

const search = (name: string): Command =>
  simple(name, 'refused: search indexes belong to Atlas', (): Doc => {
    throw failed(31082, SEARCH_MESSAGE);
  });

export const ADMINISTRATION_COMMANDS: readonly Command[] = [
  hostInfo,
  whatsmyuri,
  features,
  listCommands,
  getCmdLineOpts,
  getLog,
  getParameter,
  setParameter,
  setFeatureCompatibilityVersion,
  connectionStatus,
  fsync,
  top,
  profile,
  currentOp,
  killOp,
  configureFailPoint,
  getDefaultRWConcern,
  shutdown,
  ...QUIET.map(([name, help, adminOnly]) => simple(name, help, nothing, { adminOnly })),
  simple('planCacheListFilters', 'index filters', () => Doc.of({ filters: [] })),
  simple('getFreeMonitoringStatus', 'always off', () => Doc.of({ state: 'disabled' }), { adminOnly: true }),
  simple('setFreeMonitoring', 'always off', nothing, { adminOnly: true }),
  simple('connPoolStats', 'connections to other servers: none', () =>
    plainDocument({
      numClientConnections: 0,
      numAScopedConnections: 0,
      totalInUse: 0,
      totalAvailable: 0,
      totalCreated: 0,
      totalRefreshing: 0,
      replicaSets: {},
      pools: {},
      hosts: {},
    }),
  ),
  simple('lockInfo', 'locks: none', () => Doc.of({ lockInfo: [] }), { adminOnly: true }),
  simple('getClusterParameter', 'cluster parameters: none', () => Doc.of({ clusterParameters: [] }), {
    adminOnly: true,
  }),
  simple(
    'setClusterParameter',
    'refused: there are no cluster parameters',
    (): Doc => {
      throw failed(4, 'Unknown server parameter');
    },
    { adminOnly: true },
  ),
  simple(
    'fsyncUnlock',
    'refused: nothing is locked',
    (): Doc => {
      throw failed(20, 'fsyncUnlock called when not locked');
    },
    { adminOnly: true },
  ),
  search('createSearchIndexes'),
  search('updateSearchIndex'),
  search('dropSearchIndex'),
];
