/** DEBUG, as far as tests and tools use it; allowed by `enable-debug-command` only. */

import { EventClass } from '../../../models/key-value/changes.js';
import { plainHeaderBytes } from '../../../models/key-value/record.js';
import type { CommandContext, Commands } from '../command.js';
import { noSuchKey, RedisError } from '../errors.js';
import { help } from '../help.js';
import { parseScore } from '../numbers.js';
import { dumpValue } from '../rdb/stored-values.js';
import { encodingName } from './keys.js';

const notAllowed =
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.';
const sleepSecondsMax = 3600;

function isAllowed(c: CommandContext): boolean {
  const setting = c.server.settings.get('enable-debug-command');
  if (setting !== 'local') return setting === 'yes';
  const { remoteAddress } = c.client.connection;
  return remoteAddress.startsWith('127.') || remoteAddress === '::1' || c.client.connection.remotePort === 0;
}

function object(c: CommandContext): void {
  const record = c.db.find(c.request.text(2));
  if (record === undefined) throw noSuchKey();
  const idle = c.server.store.access.idleSeconds(0);
  c.reply.simple(
    `Value at:0x000000000000 refcount:1 encoding:${encodingName(record)} serializedlength:${dumpValue(c.db, record).length - 11} lru:0 lru_seconds_idle:${idle}`,
  );
}

function populate(c: CommandContext): void {
  const { request, db } = c;
  const count = request.integer(2);
  const prefix = request.count > 3 ? request.text(3) : 'key';
  const size = request.count > 4 ? request.integer(4) : 0;
  for (let i = 0; i < count; i++) {
    const key = `${prefix}:${i}`;
    if (db.exists(key)) continue;
    const value = size > 0 ? `value:${i}`.padEnd(size, '\0').slice(0, size) : `value:${i}`;
    const bytes = Buffer.alloc(plainHeaderBytes + value.length);
    bytes.latin1Write(value, plainHeaderBytes);
    db.replaceString(key, bytes);
    db.changed(key, EventClass.string, 'set');
  }
  c.reply.ok();
}

function protocol(c: CommandContext): void {
  const { reply } = c;
  const kind = c.request.lower(2);
  switch (kind) {
    case 'string':
      reply.bulkText('Hello World');
      return;
    case 'integer':
      reply.integer(12345);
      return;
    case 'double':
      reply.double(3141 / 1000);
      return;
    case 'null':
      reply.null();
      return;
    case 'array':
      reply.array(3);
      for (let i = 0; i < 3; i++) reply.integer(i);
      return;
    case 'set':
      reply.set(3);
      for (let i = 0; i < 3; i++) reply.integer(i);
      return;
    case 'map':
      reply.map(3);
      for (let i = 0; i < 3; i++) {
        reply.integer(i);
        reply.boolean(i === 1);
      }
      return;
    case 'attrib':
      if (reply.protocol === 3) {
        reply.raw('|1\r\n');
        reply.bulkText('key-popularity');
        reply.array(2);
        reply.bulkText('key:123');
        reply.integer(90);
      }
      reply.bulkText('Some real reply following the attribute');
      return;
    case 'push':
      reply.push(2);
      reply.bulkText('server-cpu-usage');
      reply.integer(42);
      return;
    case 'verbatim':
      reply.verbatim('This is a verbatim\nstring');
      return;
    case 'bignum':
      reply.bigNumber('1234567999999999999999999999999999999');
      return;
    case 'true':
      reply.boolean(true);
      return;
    case 'false':
      reply.boolean(false);
      return;
    default:
      throw new RedisError(
        'ERR Wrong protocol type name. Please use one of the following: string|integer|double|null|array|set|map|attrib|push|verbatim|true|false',
      );
  }
}

function debug(c: CommandContext): void {
  if (!isAllowed(c)) throw new RedisError(notAllowed);
  const { request, reply, server } = c;
  switch (request.lower(1)) {
    case 'help':
      help('debug')(c);
      return;
    case 'object':
      object(c);
      return;
    case 'sleep': {
      // As in Redis nobody is served meanwhile: what tests of slow commands rely on.
      const seconds = Math.min(sleepSecondsMax, parseScore(request.text(2)) ?? 0);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
      reply.ok();
      return;
    }
    case 'set-active-expire':
      server.store.activeExpiry = request.text(2) !== '0';
      reply.ok();
      return;
    case 'populate':
      populate(c);
      return;
    case 'protocol':
      protocol(c);
      return;
    case 'error':
      reply.error(request.text(2));
      return;
    case 'log':
      server.logger.warn({}, `DEBUG LOG: ${request.text(2)}`);
      reply.ok();
      return;
    case 'jmap':
    case 'reload':
    case 'loadaof':
    case 'quicklist-packed-threshold':
    case 'set-disable-deny-scripts':
    case 'set-skip-checksum-validation':
    case 'config-rewrite-force-all':
    case 'change-repl-id':
    case 'pause-cron':
    case 'replybuffer':
    case 'stringmatch-len':
      reply.ok();
      return;
    default:
      throw new RedisError(
        `ERR unknown subcommand or wrong number of arguments for '${request.text(1)}'. Try DEBUG HELP.`,
      );
  }
}

export const debugCommands: Commands = { debug: { run: debug, access: 'write' } };
