/** The families of commands, one file each. */
import type { Commands } from '../command.js';
import { aclCommands } from './acl.js';
import { bitmapCommands } from './bitmaps.js';
import { blockingListCommands } from './blocking-lists.js';
import { blockingZsetCommands } from './blocking-zsets.js';
import { clientCommands } from './client.js';
import { commandCommands } from './command.js';
import { configCommands } from './config.js';
import { connectionCommands } from './connection.js';
import { debugCommands } from './debug.js';
import { dumpCommands } from './dump.js';
import { functionCommands } from './functions.js';
import { geoCommands } from './geo.js';
import { hashCommands } from './hashes.js';
import { hyperloglogCommands } from './hyperloglog.js';
import { keyCommands } from './keys.js';
import { listCommands } from './lists.js';
import { pubsubCommands } from './pubsub.js';
import { scriptingCommands } from './scripting.js';
import { serverCommands } from './server.js';
import { setCommands } from './sets.js';
import { sortCommands } from './sort.js';
import { streamGroupCommands } from './stream-groups.js';
import { streamCommands } from './streams.js';
import { stringCommands } from './strings.js';
import { trackingCommands } from './tracking.js';
import { transactionCommands } from './transactions.js';
import { zsetCombineCommands } from './zset-combine.js';
import { zsetCommands } from './zsets.js';

export const commandFamilies: readonly Commands[] = [
  connectionCommands,
  clientCommands,
  trackingCommands,
  aclCommands,
  configCommands,
  commandCommands,
  serverCommands,
  pubsubCommands,
  transactionCommands,
  keyCommands,
  dumpCommands,
  debugCommands,
  sortCommands,
  stringCommands,
  bitmapCommands,
  hashCommands,
  listCommands,
  blockingListCommands,
  setCommands,
  zsetCommands,
  zsetCombineCommands,
  blockingZsetCommands,
  geoCommands,
  hyperloglogCommands,
  streamCommands,
  streamGroupCommands,
  scriptingCommands,
  functionCommands,
];
