/** ACL and its subcommands. */
import { randomBytes } from 'node:crypto';
import type { Selector } from '../acl/selector.js';
import { aclCategories } from '../acl/selector.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError } from '../errors.js';
import { help } from '../help.js';
import { parseIntegerText } from '../numbers.js';
import type { ReplyWriter } from '../reply.js';
import { Request } from '../request.js';

const passwordBitsDefault = 256;
const passwordBitsMax = 4096;

function whoAmI(c: CommandContext): void {
  c.reply.bulkText(c.client.user ?? 'default');
}

function users(c: CommandContext): void {
  const names = [...c.server.access.users.keys()].sort();
  c.reply.array(names.length);
  for (const name of names) c.reply.bulkText(name);
}

function list(c: CommandContext): void {
  const all = [...c.server.access.users.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  c.reply.array(all.length);
  for (const user of all) c.reply.bulkText(`user ${user.name} ${user.describe()}`);
}

function setUser(c: CommandContext): void | Promise<void> {
  const stored = c.server.access.setUser(c.request.text(2), c.request.texts(3));
  if (c.inTransaction) {
    c.reply.ok();
    return;
  }
  return stored.then(() => c.reply.ok());
}

function delUser(c: CommandContext): void | Promise<void> {
  const removals = c.request.texts(2).map((name) => c.server.access.removeUser(name));
  const removed = removals.filter((removal) => removal !== undefined);
  if (c.inTransaction) {
    c.reply.integer(removed.length);
    return;
  }
  return Promise.all(removed).then(() => c.reply.integer(removed.length));
}

function writeSelector(reply: ReplyWriter, selector: Selector): void {
  reply.bulkText('commands');
  reply.bulkText(selector.describeCommands());
  reply.bulkText('keys');
  reply.bulkText(selector.describeKeys());
  reply.bulkText('channels');
  reply.bulkText(selector.describeChannels());
}

function getUser(c: CommandContext): void {
  const { reply } = c;
  const user = c.server.access.users.get(c.request.text(2));
  if (user === undefined) {
    reply.null();
    return;
  }
  reply.map(6);
  reply.bulkText('flags');
  const flags = user.flags();
  reply.set(flags.length);
  for (const flag of flags) reply.simple(flag);
  reply.bulkText('passwords');
  reply.array(user.passwords.length);
  for (const hash of user.passwords) reply.bulkText(hash);
  writeSelector(reply, user.root);
  reply.bulkText('selectors');
  reply.array(user.selectors.length);
  for (const selector of user.selectors) {
    reply.map(3);
    writeSelector(reply, selector);
  }
}

function cat(c: CommandContext): void {
  const { request, reply, server } = c;
  if (request.count > 3) throw unknownForm(c);
  if (request.count === 2) {
    reply.array(aclCategories.length);
    for (const name of aclCategories) reply.simple(name);
    return;
  }
  const category = request.lower(2);
  if (!(aclCategories as readonly string[]).includes(category)) {
    throw new RedisError(`ERR Unknown category '${request.text(2)}'`);
  }
  const commands = server.registry.all.filter(({ facts }) => facts.categories.includes(category));
  reply.array(commands.length);
  for (const { name } of commands) reply.simple(name);
}

function unknownForm(c: CommandContext): RedisError {
  return new RedisError(
    `ERR unknown subcommand or wrong number of arguments for '${c.request.text(1)}'. Try ACL HELP.`,
  );
}

function genPass(c: CommandContext): void {
  let bits = passwordBitsDefault;
  if (c.request.count > 3) throw unknownForm(c);
  if (c.request.count === 3) {
    const given = parseIntegerText(c.request.text(2));
    if (typeof given !== 'number' || given <= 0 || given > passwordBitsMax) {
      throw new RedisError(
        'ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096',
      );
    }
    bits = given;
  }
  const digits = Math.ceil(bits / 4);
  c.reply.bulkText(
    randomBytes(Math.ceil(digits / 2))
      .toString('hex')
      .slice(0, digits),
  );
}

function log(c: CommandContext): void {
  const { request, reply, server } = c;
  if (request.count > 3) throw unknownForm(c);
  let count = 10;
  if (request.count === 3) {
    if (request.is(2, 'reset')) {
      server.access.log = [];
      reply.ok();
      return;
    }
    const given = parseIntegerText(request.text(2));
    if (given === undefined) throw new RedisError('ERR value is not an integer or out of range');
    count = Math.max(0, Number(given));
  }
  const entries = server.access.log.slice(0, count);
  const now = Date.now();
  reply.array(entries.length);
  for (const entry of entries) {
    reply.map(10);
    reply.bulkText('count');
    reply.integer(entry.count);
    reply.bulkText('reason');
    reply.bulkText(entry.reason);
    reply.bulkText('context');
    reply.bulkText(entry.context);
    reply.bulkText('object');
    reply.bulkText(entry.object);
    reply.bulkText('username');
    reply.bulkText(entry.username);
    reply.bulkText('age-seconds');
    reply.double((now - entry.createdMs) / 1000);
    reply.bulkText('client-info');
    reply.bulkText(entry.clientInfo);
    reply.bulkText('entry-id');
    reply.integer(entry.id);
    reply.bulkText('timestamp-created');
    reply.integer(entry.createdMs);
    reply.bulkText('timestamp-last-updated');
    reply.integer(entry.updatedMs);
  }
}

function dryRun(c: CommandContext): void {
  const { request, server, reply } = c;
  const name = request.text(2);
  const user = server.access.users.get(name);
  if (user === undefined) throw new RedisError(`ERR User '${name}' not found`);
  const inner = Request.of(request.texts(3));
  const top = server.registry.find(inner);
  if (top === undefined) throw new RedisError(`ERR Command '${request.text(3)}' not found`);
  const command = server.registry.resolve(inner);
  const denial = user.denial(command, inner);
  if (denial === undefined) reply.ok();
  else if (denial.reason === 'command')
    reply.bulkText(`User ${name} has no permissions to run the '${command.name}' command`);
  else reply.bulkText(`User ${name} has no permissions to access the '${denial.object}' ${denial.reason}`);
}

function noFile(): void {
  throw new RedisError(
    'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.',
  );
}

export const aclCommands: Commands = {
  'acl|whoami': whoAmI,
  'acl|users': users,
  'acl|list': list,
  'acl|setuser': setUser,
  'acl|deluser': delUser,
  'acl|getuser': getUser,
  'acl|cat': cat,
  'acl|genpass': genPass,
  'acl|log': log,
  'acl|dryrun': dryRun,
  'acl|load': noFile,
  'acl|save': noFile,
  'acl|help': help('acl'),
};
