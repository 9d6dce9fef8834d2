/** COMMAND and its subcommands: what the registry knows, told to clients. */
import type { ArgumentFacts, Command, CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { matchesGlob } from '../glob.js';
import { help } from '../help.js';
import { keysOf } from '../key-specs.js';
import type { ReplyWriter } from '../reply.js';
import { Request } from '../request.js';

function writeStatuses(reply: ReplyWriter, words: readonly string[]): void {
  reply.set(words.length);
  for (const word of words) reply.simple(word);
}

/** A JSON value as a reply: objects are maps, numbers integers, other scalars bulk strings. */
function writeValue(reply: ReplyWriter, value: unknown): void {
  if (Array.isArray(value)) {
    reply.array(value.length);
    for (const item of value) writeValue(reply, item);
  } else if (typeof value === 'number') reply.integer(value);
  else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    reply.map(entries.length);
    for (const [name, item] of entries) {
      reply.bulkText(name);
      writeValue(reply, item);
    }
  } else reply.bulkText(String(value));
}

function writeInfo(reply: ReplyWriter, command: Command | undefined): void {
  if (command === undefined) {
    reply.nullArray();
    return;
  }
  const { facts } = command;
  reply.array(10);
  reply.bulkText(facts.name);
  reply.integer(facts.arity);
  writeStatuses(reply, facts.flags);
  reply.integer(facts.first);
  reply.integer(facts.last);
  reply.integer(facts.step);
  writeStatuses(
    reply,
    facts.categories.map((category) => `@${category}`),
  );
  reply.array(facts.tips.length);
  for (const tip of facts.tips) reply.bulkText(tip);
  reply.array(facts.keySpecs.length);
  for (const spec of facts.keySpecs) {
    reply.map(spec.notes === undefined ? 3 : 4);
    if (spec.notes !== undefined) {
      reply.bulkText('notes');
      reply.bulkText(spec.notes);
    }
    reply.bulkText('flags');
    writeStatuses(reply, spec.flags);
    reply.bulkText('begin_search');
    writeValue(reply, spec.begin_search);
    reply.bulkText('find_keys');
    writeValue(reply, spec.find_keys);
  }
  reply.array(command.subcommands.size);
  for (const sub of command.subcommands.values()) writeInfo(reply, sub);
}

function writeArguments(reply: ReplyWriter, list: readonly ArgumentFacts[]): void {
  reply.array(list.length);
  for (const argument of list) {
    const entries = Object.entries(argument);
    reply.map(entries.length);
    for (const [name, value] of entries) {
      reply.bulkText(name);
      if (name === 'arguments') writeArguments(reply, value as readonly ArgumentFacts[]);
      else if (name === 'flags') writeStatuses(reply, value as readonly string[]);
      else writeValue(reply, value);
    }
  }
}

function writeDocs(reply: ReplyWriter, command: Command): void {
  const { facts } = command;
  const fields: [string, () => void][] = [];
  const textField = (name: string, value: string | undefined): void => {
    if (value !== undefined) fields.push([name, () => reply.bulkText(value)]);
  };
  textField('summary', facts.summary);
  textField('since', facts.since);
  textField('group', facts.group);
  textField('complexity', facts.complexity);
  const { docFlags, history } = facts;
  if (docFlags !== undefined) fields.push(['doc_flags', () => writeStatuses(reply, docFlags)]);
  textField('deprecated_since', facts.deprecatedSince);
  textField('replaced_by', facts.replacedBy);
  if (history !== undefined) {
    fields.push([
      'history',
      () => {
        reply.set(history.length);
        for (const [since, what] of history) {
          reply.array(2);
          reply.bulkText(since);
          reply.bulkText(what);
        }
      },
    ]);
  }
  const argumentFacts = facts.arguments;
  if (argumentFacts !== undefined) fields.push(['arguments', () => writeArguments(reply, argumentFacts)]);
  if (command.subcommands.size > 0) {
    fields.push([
      'subcommands',
      () => {
        reply.map(command.subcommands.size);
        for (const sub of command.subcommands.values()) {
          reply.bulkText(sub.name);
          writeDocs(reply, sub);
        }
      },
    ]);
  }
  reply.map(fields.length);
  for (const [name, write] of fields) {
    reply.bulkText(name);
    write();
  }
}

function all(c: CommandContext): void {
  const { top } = c.server.registry;
  c.reply.array(top.size);
  for (const command of top.values()) writeInfo(c.reply, command);
}

function info(c: CommandContext): void {
  if (c.request.count === 2) {
    all(c);
    return;
  }
  const names = c.request.texts(2);
  c.reply.array(names.length);
  for (const name of names) writeInfo(c.reply, c.server.registry.named(name.toLowerCase()));
}

function docs(c: CommandContext): void {
  const { registry } = c.server;
  const found =
    c.request.count === 2
      ? [...registry.top.values()]
      : c.request.texts(2).flatMap((name) => registry.named(name.toLowerCase()) ?? []);
  c.reply.map(found.length);
  for (const command of found) {
    c.reply.bulkText(command.name);
    writeDocs(c.reply, command);
  }
}

function list(c: CommandContext): void {
  const { request, server } = c;
  let commands = [...server.registry.all];
  if (request.count !== 2) {
    if (request.count !== 5 || !request.is(2, 'filterby')) throw syntaxError();
    const value = request.text(4);
    switch (request.lower(3)) {
      case 'module':
        commands = [];
        break;
      case 'aclcat':
        commands = commands.filter(({ facts }) => facts.categories.includes(value.toLowerCase()));
        break;
      case 'pattern':
        commands = commands.filter(({ name }) => matchesGlob(value, name, true));
        break;
      default:
        throw syntaxError();
    }
  }
  c.reply.set(commands.length);
  for (const { name } of commands) c.reply.bulkText(name);
}

function inner(c: CommandContext): { command: Command; request: Request } {
  const request = Request.of(c.request.texts(2));
  let command: Command;
  try {
    command = c.server.registry.resolve(request);
  } catch (thrown) {
    if (thrown instanceof RedisError && thrown.message.startsWith('ERR wrong number')) {
      throw new RedisError('ERR Invalid number of arguments specified for command');
    }
    throw new RedisError('ERR Invalid command specified');
  }
  return { command, request };
}

function getKeys(withFlags: boolean) {
  return (c: CommandContext): void => {
    const { command, request } = inner(c);
    if (command.facts.keySpecs.length === 0) throw new RedisError('ERR The command has no key arguments');
    const uses = keysOf(command, request);
    if (uses === undefined) throw new RedisError('ERR Invalid arguments specified for command');
    if (uses.length === 0 && !command.flags.has('no_mandatory_keys')) {
      throw new RedisError('ERR Invalid arguments specified for command');
    }
    c.reply.array(uses.length);
    for (const use of uses) {
      if (withFlags) c.reply.array(2);
      c.reply.bulkText(request.text(use.index));
      if (withFlags) writeStatuses(c.reply, use.flags);
    }
  };
}

export const commandCommands: Commands = {
  command: all,
  'command|count': (c) => c.reply.integer(c.server.registry.top.size),
  'command|info': info,
  'command|docs': docs,
  'command|list': list,
  'command|getkeys': getKeys(false),
  'command|getkeysandflags': getKeys(true),
  'command|help': help('command'),
};
