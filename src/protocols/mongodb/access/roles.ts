/** MongoDB's built-in roles: which actions they allow, and where. */

/** A role of a database; built-in ones exist in every database or in admin. */
export interface RoleName {
  readonly role: string;
  readonly db: string;
}

/** What a role allows: actions on a resource. */
export interface Grant {
  readonly resource: Resource;
  readonly actions: readonly string[];
}

export type Resource =
  | { readonly db: string; readonly collection: string }
  | { readonly cluster: true }
  | { readonly anyResource: true };

const READ = [
  'changeStream',
  'collStats',
  'dbHash',
  'dbStats',
  'find',
  'killCursors',
  'listCollections',
  'listIndexes',
];
const WRITE = [
  'convertToCapped',
  'createCollection',
  'createIndex',
  'dropCollection',
  'dropIndex',
  'insert',
  'remove',
  'renameCollectionSameDB',
  'update',
];
const DB_ADMIN = [
  'bypassDocumentValidation',
  'changeStream',
  'collMod',
  'collStats',
  'compact',
  'convertToCapped',
  'createCollection',
  'createIndex',
  'dbStats',
  'dropCollection',
  'dropDatabase',
  'dropIndex',
  'enableProfiler',
  'killCursors',
  'listCollections',
  'listIndexes',
  'planCacheIndexFilter',
  'planCacheRead',
  'planCacheWrite',
  'reIndex',
  'renameCollectionSameDB',
  'storageDetails',
  'validate',
];
const USER_ADMIN = [
  'changeCustomData',
  'changePassword',
  'createRole',
  'createUser',
  'dropRole',
  'dropUser',
  'grantRole',
  'revokeRole',
  'setAuthenticationRestriction',
  'viewRole',
  'viewUser',
];
const MONITOR = [
  'checkFreeMonitoringStatus',
  'connPoolStats',
  'getCmdLineOpts',
  'getDefaultRWConcern',
  'getLog',
  'getParameter',
  'getShardMap',
  'hostInfo',
  'inprog',
  'listDatabases',
  'listSessions',
  'listShards',
  'netstat',
  'replSetGetConfig',
  'replSetGetStatus',
  'serverStatus',
  'shardingState',
  'top',
];
const MANAGER = [
  'appendOplogNote',
  'applicationMessage',
  'cleanupOrphaned',
  'flushRouterConfig',
  'getClusterParameter',
  'replSetConfigure',
  'resync',
  'setDefaultRWConcern',
  'setFeatureCompatibilityVersion',
];
const HOST_MANAGER = [
  'closeAllDatabases',
  'connPoolSync',
  'flushRouterConfig',
  'fsync',
  'invalidateUserCache',
  'killAnyCursor',
  'killAnySession',
  'killop',
  'logRotate',
  'oidReset',
  'resync',
  'rotateCertificates',
  'setParameter',
  'shutdown',
  'touch',
  'unlock',
];

const everywhere: Resource = { db: '', collection: '' };
const cluster: Resource = { cluster: true };
const any: Resource = { anyResource: true };

const DATABASE_ROLES: Readonly<Record<string, readonly string[]>> = {
  read: READ,
  readWrite: [...READ, ...WRITE],
  dbAdmin: DB_ADMIN,
  userAdmin: USER_ADMIN,
  dbOwner: [...READ, ...WRITE, ...DB_ADMIN, ...USER_ADMIN],
  enableSharding: ['enableSharding'],
};

const ADMIN_ROLES: Readonly<Record<string, readonly Grant[]>> = {
  readAnyDatabase: [
    { resource: everywhere, actions: READ },
    { resource: cluster, actions: ['listDatabases'] },
  ],
  readWriteAnyDatabase: [
    { resource: everywhere, actions: [...READ, ...WRITE] },
    { resource: cluster, actions: ['listDatabases'] },
  ],
  dbAdminAnyDatabase: [
    { resource: everywhere, actions: DB_ADMIN },
    { resource: cluster, actions: ['listDatabases'] },
  ],
  userAdminAnyDatabase: [
    { resource: everywhere, actions: USER_ADMIN },
    { resource: cluster, actions: ['listDatabases', 'invalidateUserCache', 'viewUser'] },
  ],
  clusterMonitor: [
    { resource: cluster, actions: MONITOR },
    { resource: everywhere, actions: ['collStats', 'dbStats', 'getDatabaseVersion', 'getShardVersion', 'indexStats'] },
  ],
  clusterManager: [{ resource: cluster, actions: [...MANAGER, ...MONITOR] }],
  hostManager: [
    { resource: cluster, actions: HOST_MANAGER },
    { resource: everywhere, actions: ['killCursors'] },
  ],
  clusterAdmin: [
    { resource: cluster, actions: [...MONITOR, ...MANAGER, ...HOST_MANAGER] },
    { resource: everywhere, actions: ['dropDatabase', 'collStats', 'dbStats', 'killCursors'] },
  ],
  backup: [
    {
      resource: any,
      actions: [
        'collStats',
        'find',
        'listCollections',
        'listIndexes',
        'listDatabases',
        'appendOplogNote',
        'serverStatus',
        'getParameter',
      ],
    },
  ],
  restore: [
    {
      resource: any,
      actions: [...WRITE, ...USER_ADMIN, 'collMod', 'dropDatabase', 'listCollections', 'find', 'applyOps'],
    },
  ],
  root: [{ resource: any, actions: ['*'] }],
  __system: [{ resource: any, actions: ['*'] }],
};

export function isBuiltin({ role, db }: RoleName): boolean {
  return role in DATABASE_ROLES || (db === 'admin' && role in ADMIN_ROLES);
}

export function builtinRoles(db: string): RoleName[] {
  const names = [...Object.keys(DATABASE_ROLES), ...(db === 'admin' ? Object.keys(ADMIN_ROLES) : [])];
  return names.map((role) => ({ role, db }));
}

/** What a built-in role allows; `undefined` for a name that is none. */
export function builtinGrants({ role, db }: RoleName): readonly Grant[] | undefined {
  const own = DATABASE_ROLES[role];
  if (own !== undefined) return [{ resource: { db, collection: '' }, actions: own }];
  return db === 'admin' ? ADMIN_ROLES[role] : undefined;
}

/** Actions on the server as a whole. */
const CLUSTER_ACTIONS = new Set([...MONITOR, ...MANAGER, ...HOST_MANAGER]);

/** The grant covers the action there. */
export function grants(grant: Grant, action: string, database: string, collection: string): boolean {
  if (!grant.actions.includes('*') && !grant.actions.includes(action)) return false;
  const { resource } = grant;
  if ('anyResource' in resource) return true;
  if ('cluster' in resource) return CLUSTER_ACTIONS.has(action);
  if (resource.db !== '' && resource.db !== database) return false;
  if (resource.collection !== '') return resource.collection === collection;
  // A grant on a whole database leaves out its system collections, but for what every reader may see.
  return !collection.startsWith('system.') || collection === 'system.js' || resource.db === database;
}
