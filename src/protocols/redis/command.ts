/**
 * What a command is: facts (arity, flags, key positions, documentation: assets/redis-commands.json) and a function that
 * runs it. A file in `commands/` exports a {@link Commands} table; the registry joins it with the facts.
 */
import type { Database } from '../../models/key-value/database.js';
import type { Client } from './client.js';
import type { ReplyWriter } from './reply.js';
import type { Request } from './request.js';
import type { RedisServer } from './server.js';

/** What a running command works with. */
export interface CommandContext {
  readonly server: RedisServer;
  readonly client: Client;
  /** The command's words; word 0 is its name (words 0 and 1 of a subcommand). */
  request: Request;
  /** Exactly one reply is written, or an error thrown. */
  reply: ReplyWriter;
  /** The selected database inside the running transaction. Only `read` and `write` commands may touch its keys. */
  readonly db: Database;
  /** False inside MULTI and scripts, where blocking commands act as at their timeout. */
  readonly canBlock: boolean;
  /** True while EXEC or a script runs several commands as one transaction. */
  readonly inTransaction: boolean;
  /** True while a script runs the command. */
  readonly fromScript: boolean;
  /**
   * Parks the client until one of the keys changes, then runs the command again; call it instead of replying. `state`
   * comes back as `resumed` in later runs (XREAD keeps the ids that `$` stood for).
   */
  block(wait: Wait): void;
  /** The state that the first run passed to `block`; `undefined` in a first run. */
  readonly resumed: unknown;
  /** Runs after the transaction of this command has committed; at once for commands without one. */
  afterCommit(action: () => void): void;
}

export interface Wait {
  readonly keys: readonly string[];
  /** 0: for ever. */
  readonly timeoutMs: number;
  /** Writes the reply when time is up. */
  readonly onTimeout: (reply: ReplyWriter) => void;
  readonly state?: unknown;
}

/** How a command uses the store: `none` commands run outside of a transaction and may answer later (a promise). */
export type Access = 'read' | 'write' | 'none';

export type Run = (context: CommandContext) => void | Promise<void>;

export interface CommandDefinition {
  readonly run: Run;
  /** Where the facts' flags do not tell (EVAL writes, though it is not flagged so). */
  readonly access?: Access;
}

/** Commands by lower-case full name: `get`, `config|get`. */
export type Commands = Readonly<Record<string, Run | CommandDefinition>>;

/** One argument of a command's documentation, as COMMAND DOCS gives it. */
export interface ArgumentFacts {
  readonly name: string;
  readonly type: string;
  readonly [more: string]: unknown;
}

export interface KeySpec {
  readonly flags: readonly string[];
  readonly notes?: string;
  readonly begin_search: { readonly type: string; readonly spec: Readonly<Record<string, unknown>> };
  readonly find_keys: { readonly type: string; readonly spec: Readonly<Record<string, unknown>> };
}

/** The interface of a command as COMMAND, COMMAND DOCS and ACL CAT tell it. */
export interface CommandFacts {
  /** Lower case; subcommands in full: `config|get`. */
  readonly name: string;
  /** Words including the name; negative: at least that many. */
  readonly arity: number;
  readonly flags: readonly string[];
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly categories: readonly string[];
  readonly tips: readonly string[];
  readonly keySpecs: readonly KeySpec[];
  readonly summary?: string;
  readonly since?: string;
  readonly group?: string;
  readonly complexity?: string;
  readonly docFlags?: readonly string[];
  readonly deprecatedSince?: string;
  readonly replacedBy?: string;
  readonly history?: readonly (readonly [string, string])[];
  readonly arguments?: readonly ArgumentFacts[];
  readonly subcommands?: readonly CommandFacts[];
}

/** A command of the registry. */
export interface Command {
  readonly name: string;
  readonly facts: CommandFacts;
  readonly run: Run;
  readonly access: Access;
  readonly arity: number;
  readonly flags: ReadonlySet<string>;
  /** By lower-case second word; empty for plain commands. */
  readonly subcommands: ReadonlyMap<string, Command>;
  /** Position in the registry: an index for statistics and ACL bitmaps. */
  readonly id: number;
  /** The container of a subcommand. */
  readonly parent: Command | undefined;
}
