/** All commands of the protocol. */
import type { Command } from '../command.js';
import { buildInfo } from './build-info.js';
import { getMore } from './get-more.js';
import { hello, isMaster } from './hello.js';
import { insert } from './insert.js';
import { killCursors } from './kill-cursors.js';
import { ping } from './ping.js';
import { SESSION_COMMANDS } from './sessions.js';
import { abortTransactionCommand, commitTransaction } from './transactions.js';

export const COMMANDS: readonly Command[] = [
  hello,
  isMaster,
  ping,
  buildInfo,
  insert,
  getMore,
  killCursors,
  commitTransaction,
  abortTransactionCommand,
  ...SESSION_COMMANDS,
];
