/** DUMP and RESTORE. */
import { EventClass } from '../../../models/key-value/changes.js';
import { keyHash } from '../../../models/key-value/record.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { parseIntegerText } from '../numbers.js';
import { RdbError } from '../rdb/errors.js';
import { dumpValue, hasValidFooter, storeValue, undumpValue } from '../rdb/stored-values.js';
import type { RdbValue } from '../rdb/values.js';

function dump(c: CommandContext): void {
  const record = c.db.find(c.request.text(1));
  if (record === undefined) c.reply.null();
  else c.reply.bulk(dumpValue(c.db, record));
}

function isEmpty(value: RdbValue): boolean {
  switch (value.type) {
    case 'list':
      return value.elements.length === 0;
    case 'set':
    case 'zset':
      return value.members.length === 0;
    case 'hash':
      return value.fields.length === 0;
    default:
      return false;
  }
}

function restore(c: CommandContext): void {
  const { request, db } = c;
  let replace = false;
  let absolute = false;
  let idleSeconds: number | undefined;
  let frequency: number | undefined;
  for (let i = 4; i < request.count; i++) {
    const left = request.count - 1 - i;
    if (request.is(i, 'replace')) replace = true;
    else if (request.is(i, 'absttl')) absolute = true;
    else if (request.is(i, 'idletime') && left >= 1) {
      idleSeconds = request.integer(++i);
      if (idleSeconds < 0) throw new RedisError('ERR Invalid IDLETIME value, must be >= 0');
    } else if (request.is(i, 'freq') && left >= 1) {
      frequency = request.integer(++i);
      if (frequency < 0 || frequency > 255) throw new RedisError('ERR Invalid FREQ value, must be >= 0 and <= 255');
    } else throw syntaxError();
  }
  const key = request.text(1);
  const old = db.find(key);
  if (old !== undefined && !replace) throw new RedisError('BUSYKEY Target key name already exists.');
  const ttl = parseIntegerText(request.text(2));
  if (ttl === undefined) throw new RedisError('ERR value is not an integer or out of range');
  if (ttl < 0) throw new RedisError('ERR Invalid TTL value, must be >= 0');
  const payload = request.copy(3);
  if (!hasValidFooter(payload)) throw new RedisError('ERR DUMP payload version or checksum are wrong');
  let value: RdbValue;
  try {
    value = undumpValue(payload);
  } catch (thrown) {
    if (thrown instanceof RdbError || thrown instanceof RangeError) throw new RedisError('ERR Bad data format');
    throw thrown;
  }
  if (isEmpty(value)) throw new RedisError('ERR Bad data format');
  const deadline = Number(ttl) === 0 ? 0 : absolute ? Number(ttl) : Number(ttl) + db.now;
  if (old !== undefined && deadline !== 0 && deadline <= db.now) {
    db.remove(old);
    db.changed(key, EventClass.generic, 'del');
  } else if (deadline === 0 || deadline > db.now) {
    storeValue(db, key, old, value, deadline);
    const figures = {
      ...(idleSeconds === undefined ? {} : { idleSeconds }),
      ...(frequency === undefined ? {} : { frequency }),
    };
    c.server.store.access.set(keyHash(key), figures);
    db.changed(key, EventClass.generic, 'restore');
  }
  c.reply.ok();
}

export const dumpCommands: Commands = { dump, restore };
