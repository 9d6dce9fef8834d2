/** FUNCTION and FCALL. */
import type { CommandContext, Commands } from '../command.js';
import { RedisError } from '../errors.js';
import { matchesGlob } from '../glob.js';
import { help } from '../help.js';
import { parseIntegerText } from '../numbers.js';
import { dropLibraries, dropLibrary, type Library, storeLibrary } from '../scripting/functions.js';
import { functionsTopic } from '../scripting/scripting.js';

/** Tells the other servers of a shared store. */
function announce(c: CommandContext): void {
  c.db.tx.publish(functionsTopic, Buffer.alloc(0));
}

function load(c: CommandContext): void {
  const { request } = c;
  const { functions } = c.server.scripting;
  let replace = false;
  for (let i = 2; i < request.count - 1; i++) {
    if (!request.is(i, 'replace')) throw new RedisError(`ERR Unknown option given: ${request.text(i)}`);
    replace = true;
  }
  const library = functions.compile(request.text(request.count - 1));
  functions.assertFits(library, replace);
  storeLibrary(c.db.tx, library);
  announce(c);
  c.afterCommit(() => functions.add(library));
  c.reply.bulkText(library.name);
}

function remove(c: CommandContext): void {
  const { functions } = c.server.scripting;
  const name = c.request.text(2);
  if (!functions.libraries.has(name)) throw new RedisError('ERR Library not found');
  dropLibrary(c.db.tx, name);
  announce(c);
  c.afterCommit(() => functions.remove(name));
  c.reply.ok();
}

function flush(c: CommandContext): void {
  const { request } = c;
  if (request.count > 3 || (request.count === 3 && !request.is(2, 'async') && !request.is(2, 'sync'))) {
    throw new RedisError('ERR FUNCTION FLUSH only supports SYNC|ASYNC option');
  }
  dropLibraries(c.db.tx);
  announce(c);
  c.afterCommit(() => c.server.scripting.functions.clear());
  c.reply.ok();
}

function list(c: CommandContext): void {
  const { request, reply } = c;
  let withCode = false;
  let pattern: string | undefined;
  for (let i = 2; i < request.count; i++) {
    if (!withCode && request.is(i, 'withcode')) withCode = true;
    else if (pattern === undefined && request.is(i, 'libraryname')) {
      if (i + 1 >= request.count) throw new RedisError('ERR library name argument was not given');
      pattern = request.text(++i);
    } else throw new RedisError(`ERR Unknown argument ${request.text(i)}`);
  }
  const wanted = [...c.server.scripting.functions.libraries.values()].filter(
    ({ name }) => pattern === undefined || matchesGlob(pattern, name),
  );
  reply.array(wanted.length);
  for (const library of wanted) writeLibrary(c, library, withCode);
}

function writeLibrary(c: CommandContext, library: Library, withCode: boolean): void {
  const { reply } = c;
  reply.map(withCode ? 4 : 3);
  reply.bulkText('library_name');
  reply.bulkText(library.name);
  reply.bulkText('engine');
  reply.bulkText('LUA');
  reply.bulkText('functions');
  reply.array(library.functions.length);
  for (const { name, description, flags } of library.functions) {
    reply.map(3);
    reply.bulkText('name');
    reply.bulkText(name);
    reply.bulkText('description');
    if (description === undefined) reply.null();
    else reply.bulkText(description);
    reply.bulkText('flags');
    reply.set(flags.size);
    for (const flag of flags) reply.simple(flag);
  }
  if (withCode) {
    reply.bulkText('library_code');
    reply.bulkText(library.code);
  }
}

function stats(c: CommandContext): void {
  const { reply } = c;
  const { functions } = c.server.scripting;
  reply.map(2);
  reply.bulkText('running_script');
  reply.null();
  reply.bulkText('engines');
  reply.map(1);
  reply.bulkText('LUA');
  reply.map(2);
  reply.bulkText('libraries_count');
  reply.integer(functions.libraries.size);
  reply.bulkText('functions_count');
  reply.integer(functions.functionCount);
}

function fcall(readOnly: boolean) {
  return (c: CommandContext): void => {
    const { request, server } = c;
    const called = server.scripting.functions.function(request.text(1));
    if (called === undefined) throw new RedisError('ERR Function not found');
    const count = parseIntegerText(request.text(2));
    if (count === undefined) throw new RedisError('ERR Bad number of keys provided');
    if (count > request.count - 3) throw new RedisError("ERR Number of keys can't be greater than number of args");
    if (count < 0) throw new RedisError("ERR Number of keys can't be negative");
    const noWrites = called.flags.has('no-writes');
    if (readOnly && !noWrites) throw new RedisError('ERR Can not execute a script with write flag using *_ro command.');
    const first = 3 + Number(count);
    server.scripting.interpreter.runFunction(called.reference, c, {
      readOnly: noWrites,
      name: called.name,
      keys: request.texts(3, first),
      args: request.texts(first),
    });
  };
}

export const functionCommands: Commands = {
  'function|load': { run: load, access: 'write' },
  'function|delete': { run: remove, access: 'write' },
  'function|flush': { run: flush, access: 'write' },
  'function|list': list,
  'function|stats': stats,
  'function|kill': () => {
    throw new RedisError('NOTBUSY No scripts in execution right now.');
  },
  'function|help': help('function'),
  fcall: { run: fcall(false), access: 'write' },
  fcall_ro: { run: fcall(true), access: 'read' },
};
