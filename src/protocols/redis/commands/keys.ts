/** Commands on keys of any type. */
import { EventClass } from '../../../models/key-value/changes.js';
import type { CommandContext, Commands } from '../command.js';

function del(c: CommandContext): void {
  let removed = 0;
  for (let i = 1; i < c.request.count; i++) {
    const record = c.db.find(c.request.text(i));
    if (record === undefined) continue;
    c.db.remove(record);
    c.db.changed(record.key, EventClass.generic, 'del');
    removed++;
  }
  c.reply.integer(removed);
}

export const keyCommands: Commands = { del };
