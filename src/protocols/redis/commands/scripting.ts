/** EVAL, EVALSHA and their read-only forms, SCRIPT. */
import type { CommandContext, Commands } from '../command.js';
import { RedisError } from '../errors.js';
import { help } from '../help.js';
import { parseIntegerText } from '../numbers.js';
import type { Script } from '../scripting/scripts.js';

function keysAndArguments(c: CommandContext): { keys: string[]; args: string[] } {
  const { request } = c;
  const count = parseIntegerText(request.text(2));
  if (count === undefined) throw new RedisError('ERR value is not an integer or out of range');
  if (count > request.count - 3) throw new RedisError("ERR Number of keys can't be greater than number of args");
  if (count < 0) throw new RedisError("ERR Number of keys can't be negative");
  const first = 3 + Number(count);
  return { keys: request.texts(3, first), args: request.texts(first) };
}

function run(c: CommandContext, script: Script, readOnlyCommand: boolean): void {
  const { keys, args } = keysAndArguments(c);
  const { flags } = script;
  const noWrites = flags?.has('no-writes') === true;
  if (readOnlyCommand && flags !== undefined && !noWrites) {
    throw new RedisError('ERR Can not execute a script with write flag using *_ro command.');
  }
  c.server.scripting.interpreter.runScript(script.reference, c, {
    readOnly: readOnlyCommand || noWrites,
    name: script.sha,
    keys,
    args,
  });
}

function evalCommand(readOnly: boolean) {
  return (c: CommandContext): void => {
    keysAndArguments(c);
    run(c, c.server.scripting.scripts.add(c.request.text(1)), readOnly);
  };
}

function evalSha(readOnly: boolean) {
  return (c: CommandContext): void => {
    keysAndArguments(c);
    const script = c.server.scripting.scripts.get(c.request.text(1));
    if (script === undefined) throw new RedisError('NOSCRIPT No matching script. Please use EVAL.');
    run(c, script, readOnly);
  };
}

function flush(c: CommandContext): void {
  const { request } = c;
  if (request.count > 3 || (request.count === 3 && !request.is(2, 'async') && !request.is(2, 'sync'))) {
    throw new RedisError('ERR SCRIPT FLUSH only support SYNC|ASYNC option');
  }
  c.server.scripting.scripts.flush();
  c.reply.ok();
}

function exists(c: CommandContext): void {
  const shas = c.request.texts(2);
  c.reply.array(shas.length);
  for (const sha of shas) c.reply.integer(c.server.scripting.scripts.get(sha) === undefined ? 0 : 1);
}

function debug(c: CommandContext): void {
  if (c.request.is(2, 'no')) c.reply.ok();
  else if (c.request.is(2, 'yes') || c.request.is(2, 'sync')) throw new RedisError('ERR SCRIPT DEBUG is not supported');
  else throw new RedisError('ERR Use SCRIPT DEBUG YES/SYNC/NO');
}

export const scriptingCommands: Commands = {
  eval: { run: evalCommand(false), access: 'write' },
  eval_ro: { run: evalCommand(true), access: 'read' },
  evalsha: { run: evalSha(false), access: 'write' },
  evalsha_ro: { run: evalSha(true), access: 'read' },
  'script|load': (c) => c.reply.bulkText(c.server.scripting.scripts.add(c.request.text(2)).sha),
  'script|exists': exists,
  'script|flush': flush,
  'script|kill': () => {
    throw new RedisError('NOTBUSY No scripts in execution right now.');
  },
  'script|debug': debug,
  'script|help': help('script'),
};
