/**
 * What a command is: its name, the fields it takes, where and when it may run, and what it does. The registry of them
 * feeds dispatch, listCommands and the compatibility page.
 */
import type { Awaitable } from '../../engine/engine.js';
import type { Doc } from '../../models/document/bson/document.js';
import { typeName } from '../../models/document/bson/names.js';
import type { Value } from '../../models/document/bson/types.js';
import { checkNamespace } from '../../models/document/namespaces.js';
import type { Storage } from '../../models/document/store.js';
import type { Client } from './client.js';
import { failed } from './errors.js';
import type { FieldsOf, FieldTypes } from './fields.js';
import type { Operation } from './operation.js';
import type { MongodbServer } from './server-state.js';
import type { Session } from './sessions.js';

/** Fields that every command takes. */
export interface Envelope {
  readonly database: string;
  readonly sessionId: Doc | undefined;
  readonly txnNumber: bigint | undefined;
  readonly autocommit: boolean | undefined;
  readonly startTransaction: boolean;
  readonly readConcern: Doc | undefined;
  readonly writeConcern: Doc | undefined;
  readonly maxTimeMs: number | undefined;
  readonly comment: Value | undefined;
  readonly apiVersion: string | undefined;
  readonly apiStrict: boolean;
  /** Statement number of a retryable write's first statement. */
  readonly statementIds: readonly number[] | undefined;
  /** How the command was called: one of its names. */
  readonly name: string;
}

export interface CommandContext {
  readonly server: MongodbServer;
  readonly client: Client;
  readonly envelope: Envelope;
  /** `$db`. */
  readonly database: string;
  /** The command as it came. */
  readonly body: Doc;
  readonly session: Session | undefined;
  /** The transaction the command is part of, or storage of its own. */
  readonly storage: Storage;
  readonly operation: Operation;
  /** The client allows several replies to this request. */
  readonly exhaustAllowed: boolean;
  /** Asks for another reply after this one without another request. */
  repeat: boolean;
}

/** Fields of the answer, without `ok` and the clocks. */
export type Reply = Doc;

/** What stands behind the command's name: a collection, the number 1, or anything. */
export type SubjectKind = 'collection' | 'any';

export interface CommandDefinition<F extends FieldTypes = FieldTypes> {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One line for listCommands and the compatibility page. */
  readonly help: string;
  /** The name before the dot in errors about fields; the command's name by default. */
  readonly owner?: string;
  readonly subject: SubjectKind;
  readonly fields: F;
  readonly adminOnly?: boolean;
  /** Allowed before login. */
  readonly beforeLogin?: boolean;
  /** Allowed in multi-document transactions. */
  readonly inTransaction?: boolean;
  /** Takes a txnNumber outside of transactions. */
  readonly retryable?: boolean;
  /** Part of API version 1. */
  readonly apiVersion1?: boolean;
  /** Takes a write concern: its answer waits for the disk. */
  readonly writes?: boolean;
  /** Takes a read concern other than local. */
  readonly reads?: boolean;
  /** What a user needs, as MongoDB's action names, on the subject. */
  readonly actions?: readonly string[];
  /** Which of serverStatus' opcounters it counts for. */
  readonly counter?: 'insert' | 'query' | 'update' | 'delete' | 'getmore';
  /** Other fields are accepted and ignored: old commands that never checked. */
  readonly lenient?: boolean;
  run(context: CommandContext, fields: FieldsOf<F>): Awaitable<Reply>;
}

/** A command whose fields' types are known inside `run` alone. */
export type Command = Omit<CommandDefinition, 'run' | 'fields'> & {
  readonly fields: FieldTypes;
  run(context: CommandContext, fields: Readonly<Record<string, unknown>>): Awaitable<Reply>;
};

export function defineCommand<const F extends FieldTypes>(definition: CommandDefinition<F>): Command {
  return definition as unknown as Command;
}

/** The collection a command is about. Throws code 73 for what is no legal name. */
export function collectionOf(context: CommandContext): string {
  const value = context.body.at(0);
  const { database } = context;
  if (typeof value !== 'string') {
    throw failed(73, `collection name has invalid type ${typeName(value)}`);
  }
  checkNamespace(database, value);
  return value;
}
