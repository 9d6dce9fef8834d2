/** String commands. */

import { EventClass } from '../../../models/key-value/changes.js';
import { KeyValueError } from '../../../models/key-value/errors.js';
import { payloadOffsetOf, plainHeaderBytes, typeOf, ValueType } from '../../../models/key-value/record.js';
import type { CommandContext, Commands } from '../command.js';

function get(c: CommandContext): void {
  const bytes = c.db.load(c.request.text(1));
  if (bytes === undefined) c.reply.null();
  else if (typeOf(bytes) !== ValueType.string) throw new KeyValueError('wrong-type');
  else c.reply.bulk(bytes, payloadOffsetOf(bytes));
}

function set(c: CommandContext): void {
  const key = c.request.text(1);
  c.db.replaceString(key, c.request.copy(2, plainHeaderBytes));
  c.db.changed(key, EventClass.string, 'set');
  c.reply.ok();
}

export const stringCommands: Commands = { get, set };
