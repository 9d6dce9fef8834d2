/** The families of commands, one file each. */
import type { Commands } from '../command.js';
import { connectionCommands } from './connection.js';
import { keyCommands } from './keys.js';
import { stringCommands } from './strings.js';
import { transactionCommands } from './transactions.js';

export const commandFamilies: readonly Commands[] = [
  connectionCommands,
  transactionCommands,
  keyCommands,
  stringCommands,
];
