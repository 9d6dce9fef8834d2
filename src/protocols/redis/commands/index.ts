/** The families of commands, one file each. */
import type { Commands } from '../command.js';
import { aclCommands } from './acl.js';
import { clientCommands } from './client.js';
import { commandCommands } from './command.js';
import { configCommands } from './config.js';
import { connectionCommands } from './connection.js';
import { functionCommands } from './functions.js';
import { keyCommands } from './keys.js';
import { pubsubCommands } from './pubsub.js';
import { scriptingCommands } from './scripting.js';
import { serverCommands } from './server.js';
import { streamGroupCommands } from './stream-groups.js';
import { streamCommands } from './streams.js';
import { stringCommands } from './strings.js';
import { trackingCommands } from './tracking.js';
import { transactionCommands } from './transactions.js';

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
  stringCommands,
  streamCommands,
  streamGroupCommands,
  scriptingCommands,
  functionCommands,
];
