/** All commands of the protocol. */
import type { Command } from '../command.js';
import { ADMINISTRATION_COMMANDS } from './administration.js';
import { aggregate } from './aggregate.js';
import { AUTHENTICATION_COMMANDS } from './authentication.js';
import { buildInfo } from './build-info.js';
import { collMod } from './coll-mod.js';
import { count } from './count.js';
import { create } from './create.js';
import { deleteCommand } from './delete.js';
import { distinct } from './distinct.js';
import { drop } from './drop.js';
import { dropDatabase } from './drop-database.js';
import { explain } from './explain.js';
import { find } from './find.js';
import { findAndModify } from './find-and-modify.js';
import { getMore } from './get-more.js';
import { hello, isMaster } from './hello.js';
import { createIndexes, dropIndexes, listIndexes, reIndex } from './indexes.js';
import { insert } from './insert.js';
import { killCursors } from './kill-cursors.js';
import { listCollections } from './list-collections.js';
import { listDatabases } from './list-databases.js';
import { MAINTENANCE_COMMANDS } from './maintenance.js';
import { ping } from './ping.js';
import { renameCollection } from './rename-collection.js';
import { REPLICATION_COMMANDS } from './replication.js';
import { serverStatus } from './server-status.js';
import { SESSION_COMMANDS } from './sessions.js';
import { collStats, dataSize, dbStats, validate } from './statistics.js';
import { abortTransactionCommand, commitTransaction } from './transactions.js';
import { update } from './update.js';
import { USER_COMMANDS } from './users.js';

export const COMMANDS: readonly Command[] = [
  hello,
  isMaster,
  ping,
  buildInfo,
  insert,
  find,
  aggregate,
  count,
  distinct,
  update,
  findAndModify,
  deleteCommand,
  explain,
  create,
  collMod,
  drop,
  dropDatabase,
  renameCollection,
  listCollections,
  listDatabases,
  createIndexes,
  listIndexes,
  dropIndexes,
  reIndex,
  getMore,
  killCursors,
  commitTransaction,
  abortTransactionCommand,
  collStats,
  dbStats,
  dataSize,
  validate,
  serverStatus,
  ...ADMINISTRATION_COMMANDS,
  ...MAINTENANCE_COMMANDS,
  ...REPLICATION_COMMANDS,
  ...AUTHENTICATION_COMMANDS,
  ...USER_COMMANDS,
  ...SESSION_COMMANDS,
];
