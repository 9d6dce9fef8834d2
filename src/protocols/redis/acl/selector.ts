/**
 * What one set of ACL rules allows: commands, keys, channels. A user has a root selector and any number of further ones;
 * a command may run when one of them allows all of it. See redis.io/docs/management/security/acl.
 */
import type { Command } from '../command.js';
import { matchesGlob } from '../glob.js';
import { type KeyUse, keysOf } from '../key-specs.js';
import type { CommandRegistry } from '../registry.js';
import type { Request } from '../request.js';

/** Why a rule was refused; the caller names the rule. */
export class AclSyntaxError extends Error {}

export const aclCategories = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
] as const;

interface KeyPattern {
  readonly read: boolean;
  readonly write: boolean;
  readonly pattern: string;
}

export type Denial = { readonly reason: 'command' } | { readonly reason: 'key' | 'channel'; readonly object: string };

const readFlags = new Set(['access']);
const writeFlags = new Set(['insert', 'delete', 'update']);

export class Selector {
  private allCommands = false;
  /** By command id. */
  private allowed: boolean[] = [];
  private firstArguments = new Map<number, Set<string>>();
  /** `+get -@dangerous …` since the last +@all or -@all, in order. */
  private commandRules: string[] = [];
  private allKeys = false;
  private keys: KeyPattern[] = [];
  private allChannels: boolean;
  private channels: string[] = [];

  constructor(
    private readonly registry: CommandRegistry,
    allChannels: boolean,
  ) {
    this.allChannels = allChannels;
  }

  copy(): Selector {
    const copy = new Selector(this.registry, this.allChannels);
    copy.allCommands = this.allCommands;
    copy.allowed = [...this.allowed];
    copy.firstArguments = new Map([...this.firstArguments].map(([id, args]) => [id, new Set(args)]));
    copy.commandRules = [...this.commandRules];
    copy.allKeys = this.allKeys;
    copy.keys = [...this.keys];
    copy.channels = [...this.channels];
    return copy;
  }

  /** Whether nothing is refused, whatever the command. */
  get unrestricted(): boolean {
    return this.allCommands && this.commandRules.length === 0 && this.allKeys && this.allChannels;
  }

  /** Applies one rule. Throws {@link AclSyntaxError}. */
  apply(rule: string): void {
    const lower = rule.toLowerCase();
    if (lower === 'allkeys' || lower === '~*') {
      this.allKeys = true;
      this.keys = [];
    } else if (lower === 'resetkeys') {
      this.allKeys = false;
      this.keys = [];
    } else if (lower === 'allchannels' || lower === '&*') {
      this.allChannels = true;
      this.channels = [];
    } else if (lower === 'resetchannels') {
      this.allChannels = false;
      this.channels = [];
    } else if (lower === 'allcommands' || lower === '+@all') this.setAll(true);
    else if (lower === 'nocommands' || lower === '-@all') this.setAll(false);
    else if (rule.startsWith('~')) this.addKeyPattern(rule.slice(1), true, true);
    else if (rule.startsWith('%')) this.applyKeyRights(rule);
    else if (rule.startsWith('&')) this.addChannel(rule.slice(1));
    else if (rule.startsWith('+') || rule.startsWith('-')) this.applyCommandRule(rule, rule.startsWith('+'));
    else throw new AclSyntaxError('Syntax error');
  }

  private setAll(allow: boolean): void {
    this.allCommands = allow;
    this.allowed = this.registry.all.map(() => allow);
    this.firstArguments.clear();
    this.commandRules = [];
  }

  private applyKeyRights(rule: string): void {
    const tilde = rule.indexOf('~');
    const rights = rule.slice(1, tilde).toUpperCase();
    if (tilde < 2 || !/^(R|W|RW|WR)$/.test(rights)) throw new AclSyntaxError('Syntax error');
    this.addKeyPattern(rule.slice(tilde + 1), rights.includes('R'), rights.includes('W'));
  }

  private addKeyPattern(pattern: string, read: boolean, write: boolean): void {
    if (/[\s\0]/.test(pattern)) throw new AclSyntaxError('Syntax error');
    if (this.allKeys) {
      throw new AclSyntaxError(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns",
      );
    }
    const known = this.keys.findIndex((other) => other.pattern === pattern);
    if (known < 0) this.keys.push({ pattern, read, write });
    else {
      const old = this.keys[known];
      this.keys[known] = { pattern, read: read || old?.read === true, write: write || old?.write === true };
    }
  }

  private addChannel(pattern: string): void {
    if (/[\s\0]/.test(pattern)) throw new AclSyntaxError('Syntax error');
    if (this.allChannels) {
      throw new AclSyntaxError(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels",
      );
    }
    if (!this.channels.includes(pattern)) this.channels.push(pattern);
  }

  private applyCommandRule(rule: string, allow: boolean): void {
    const name = rule.slice(1).toLowerCase();
    if (name.startsWith('@')) {
      if (!(aclCategories as readonly string[]).includes(name.slice(1))) {
        throw new AclSyntaxError('Unknown command or category name in ACL');
      }
      for (const command of this.registry.all) {
        if (command.facts.categories.includes(name.slice(1))) this.allow(command, allow, false);
      }
      this.noteRule(name, allow);
      return;
    }
    const bar = name.indexOf('|');
    const command = this.registry.named(bar < 0 ? name : name.slice(0, bar));
    if (command === undefined) throw new AclSyntaxError('Unknown command or category name in ACL');
    if (bar < 0) {
      this.allow(command, allow, true);
      this.firstArguments.delete(command.id);
      this.noteRule(name, allow);
      return;
    }
    const second = name.slice(bar + 1);
    const sub = command.subcommands.get(second);
    if (sub !== undefined) {
      this.allowed[sub.id] = allow;
      this.noteRule(name, allow);
      return;
    }
    if (second.includes('|') || (command.subcommands.size > 0 && second !== '')) {
      throw new AclSyntaxError(
        second.includes('|')
          ? 'Allowing first-arg of a subcommand is not supported'
          : 'Unknown command or category name in ACL',
      );
    }
    if (!allow) throw new AclSyntaxError('Unknown command or category name in ACL');
    if (second === '') throw new AclSyntaxError('Syntax error');
    const known = this.firstArguments.get(command.id);
    if (known === undefined) this.firstArguments.set(command.id, new Set([second]));
    else known.add(second);
    this.noteRule(name, true);
  }

  private allow(command: Command, allow: boolean, withSubcommands: boolean): void {
    this.allowed[command.id] = allow;
    if (withSubcommands) for (const sub of command.subcommands.values()) this.allowed[sub.id] = allow;
  }

  /** A later rule about the same commands takes the place of an earlier one. */
  private noteRule(name: string, allow: boolean): void {
    this.commandRules = this.commandRules.filter(
      (rule) => rule.slice(1) !== name && !rule.slice(1).startsWith(`${name}|`),
    );
    this.commandRules.push((allow ? '+' : '-') + name);
  }

  // --- questions ------------------------------------------------------------------------------------------------------

  /** `undefined`: the command may run with these words. */
  denial(command: Command, request: Request): Denial | undefined {
    if (!this.allCommands || this.commandRules.length > 0) {
      if (this.allowed[command.id] !== true && !command.flags.has('no_auth')) {
        const first = this.firstArguments.get(command.id);
        if (first === undefined || request.count < 2 || !first.has(request.lower(1))) return { reason: 'command' };
      }
    }
    if (!this.allKeys) {
      for (const use of keysOf(command, request) ?? []) {
        const key = request.text(use.index);
        if (!this.allowsKey(key, use)) return { reason: 'key', object: key };
      }
    }
    if (!this.allChannels) {
      for (const { name, literal } of channelsOf(command, request)) {
        const fits = this.channels.some((pattern) => (literal ? pattern === name : matchesGlob(pattern, name)));
        if (!fits) return { reason: 'channel', object: name };
      }
    }
    return undefined;
  }

  private allowsKey(key: string, use: KeyUse): boolean {
    const reads = use.flags.some((flag) => readFlags.has(flag));
    const writes = use.flags.some((flag) => writeFlags.has(flag));
    return this.keys.some(
      ({ pattern, read, write }) => (!reads || read) && (!writes || write) && matchesGlob(pattern, key),
    );
  }

  // --- descriptions ---------------------------------------------------------------------------------------------------

  describeCommands(): string {
    return [this.allCommands ? '+@all' : '-@all', ...this.commandRules].join(' ');
  }

  describeKeys(): string {
    if (this.allKeys) return '~*';
    return this.keys
      .map(({ pattern, read, write }) =>
        read && write ? `~${pattern}` : `%${read ? 'R' : ''}${write ? 'W' : ''}~${pattern}`,
      )
      .join(' ');
  }

  describeChannels(): string {
    return this.allChannels ? '&*' : this.channels.map((pattern) => `&${pattern}`).join(' ');
  }

  /** As ACL LIST prints it; `resetchannels` where no channel is allowed from the start. */
  describe(): string {
    const parts: string[] = [];
    const keys = this.describeKeys();
    if (keys !== '') parts.push(keys);
    parts.push(
      this.allChannels ? '&*' : ['resetchannels', this.describeChannels()].filter((part) => part !== '').join(' '),
    );
    parts.push(this.describeCommands());
    return parts.join(' ');
  }
}

/** The channels a command names; patterns of PSUBSCRIBE must be allowed literally. */
function channelsOf(command: Command, request: Request): { name: string; literal: boolean }[] {
  switch (command.name) {
    case 'publish':
    case 'spublish':
      return [{ name: request.text(1), literal: false }];
    case 'subscribe':
    case 'ssubscribe':
      return request.texts(1).map((name) => ({ name, literal: false }));
    case 'psubscribe':
      return request.texts(1).map((name) => ({ name, literal: true }));
    default:
      return [];
  }
}
