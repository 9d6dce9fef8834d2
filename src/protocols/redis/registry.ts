/** All commands this server knows: the facts of assets/redis-commands.json joined with the functions of `commands/`. */
import { readFileSync } from 'node:fs';
import type { Access, Command, CommandDefinition, CommandFacts, Commands, Run } from './command.js';
import { commandFamilies } from './commands/index.js';
import { RedisError } from './errors.js';
import type { Request } from './request.js';

const factsFile = new URL('../../../assets/redis-commands.json', import.meta.url);

function accessOf(facts: CommandFacts, given: Access | undefined): Access {
  if (given !== undefined) return given;
  if (facts.flags.includes('write')) return 'write';
  return facts.flags.includes('readonly') ? 'read' : 'none';
}

export class CommandRegistry {
  /** Every known command and subcommand; the index is the command's id. */
  readonly all: Command[] = [];
  /** Facts of commands that are not there yet, for the compatibility page. */
  readonly missing: CommandFacts[] = [];
  private readonly byName = new Map<string, Command>();
  private readonly recent: (Command | undefined)[] = new Array<Command | undefined>(recentSlots).fill(undefined);
  private readonly recentNames: Uint8Array[] = new Array<Uint8Array>(recentSlots).fill(new Uint8Array(0));

  constructor(families: readonly Commands[] = commandFamilies) {
    const definitions = new Map<string, CommandDefinition>();
    for (const family of families) {
      for (const [name, entry] of Object.entries(family)) {
        if (definitions.has(name)) throw new Error(`the command ${name} is registered twice`);
        definitions.set(name, typeof entry === 'function' ? { run: entry } : entry);
      }
    }
    const facts = JSON.parse(readFileSync(factsFile, 'utf8')) as CommandFacts[];
    for (const fact of facts) this.add(fact, definitions);
    for (const name of definitions.keys()) throw new Error(`the command ${name} has no facts`);
  }

  /** Top-level commands by name. */
  get top(): ReadonlyMap<string, Command> {
    return this.byName;
  }

  /** By lower-case name; subcommands as `config|get`. */
  named(name: string): Command | undefined {
    const bar = name.indexOf('|');
    if (bar < 0) return this.byName.get(name);
    return this.byName.get(name.slice(0, bar))?.subcommands.get(name.slice(bar + 1));
  }

  /**
   * The command of a request, its subcommand where it has some. Throws the error for unknown commands, unknown
   * subcommands and wrong numbers of words.
   */
  resolve(request: Request): Command {
    let command = this.find(request);
    if (command === undefined) throw unknownCommand(request);
    if (command.subcommands.size !== 0) {
      if (request.count < 2) {
        if (command.arity !== -1) throw wrongArity(command.name);
        return command;
      }
      const sub = command.subcommands.get(request.lower(1));
      if (sub === undefined) {
        const text = request.text(1).slice(0, 128);
        throw new RedisError(`ERR unknown subcommand '${text}'. Try ${command.name.toUpperCase()} HELP.`);
      }
      command = sub;
    }
    const { arity } = command;
    if (arity > 0 ? request.count !== arity : request.count < -arity) throw wrongArity(command.name);
    return command;
  }

  /** The top-level command that word 0 names. Requests repeat themselves: a small cache spares the string. */
  find(request: Request): Command | undefined {
    const { bytes } = request;
    const start = request.start(0);
    const length = request.end(0) - start;
    const slot = (length * 31 + (bytes[start] ?? 0) * 7 + (bytes[start + length - 1] ?? 0)) & (recentSlots - 1);
    const name = this.recentNames[slot];
    if (name !== undefined && name.length === length && length !== 0) {
      let i = 0;
      while (i < length && name[i] === bytes[start + i]) i++;
      if (i === length) return this.recent[slot];
    }
    const command = this.byName.get(request.lower(0));
    if (command !== undefined) {
      this.recent[slot] = command;
      this.recentNames[slot] = Uint8Array.from(bytes.subarray(start, start + length));
    }
    return command;
  }

  /** rename-command: under another name, or (empty) none at all. */
  rename(name: string, to: string): void {
    const command = this.byName.get(name);
    if (command === undefined) throw new RedisError(`ERR No such command in rename-command`);
    this.byName.delete(name);
    if (to !== '') this.byName.set(to.toLowerCase(), command);
    this.recent.fill(undefined);
    this.recentNames.fill(new Uint8Array(0));
  }

  private add(facts: CommandFacts, definitions: Map<string, CommandDefinition>, parent?: Command): Command | undefined {
    const definition = definitions.get(facts.name);
    definitions.delete(facts.name);
    const hasChildren = (facts.subcommands ?? []).some((sub) => definitions.has(sub.name));
    if (definition === undefined && !hasChildren) {
      this.missing.push(facts);
      return undefined;
    }
    const subcommands = new Map<string, Command>();
    const command: Command = {
      name: facts.name,
      facts,
      run: definition?.run ?? neverRun,
      access: accessOf(facts, definition?.access),
      arity: facts.arity,
      flags: new Set(facts.flags),
      subcommands,
      id: this.all.length,
      parent,
    };
    this.all.push(command);
    if (parent === undefined) this.byName.set(facts.name, command);
    for (const sub of facts.subcommands ?? []) {
      const child = this.add(sub, definitions, command);
      if (child !== undefined) subcommands.set(sub.name.slice(sub.name.indexOf('|') + 1), child);
    }
    return command;
  }
}

const recentSlots = 256;

const neverRun: Run = () => {
  throw new Error('a container command has no function of its own');
};

function wrongArity(name: string): RedisError {
  return new RedisError(`ERR wrong number of arguments for '${name}' command`);
}

function unknownCommand(request: Request): RedisError {
  let args = '';
  for (let i = 1; i < request.count && args.length < 128; i++)
    args += `'${request.text(i).slice(0, 128 - args.length)}' `;
  return new RedisError(`ERR unknown command '${request.text(0).slice(0, 128)}', with args beginning with: ${args}`);
}
