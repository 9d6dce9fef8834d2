/**
 * From a request to its answer: finds the command, reads what all commands have in common, makes it part of its session
 * and transaction, runs it, and turns what it gives or throws into a reply.
 */
import { EngineError, isEngineSignal, StorageFullError } from '../../engine/errors.js';
import { Doc } from '../../models/document/bson/document.js';
import { formatDocument } from '../../models/document/bson/text.js';
import { Binary, isArrayValue, Timestamp, type Value } from '../../models/document/bson/types.js';
import { checkDatabase } from '../../models/document/namespaces.js';
import { doubleValue, timestampValue } from '../../models/document/plain.js';
import { numberOf } from '../../models/document/scalars.js';
import type { Client } from './client.js';
import type { DocumentSequence } from './codec.js';
import type { Command, CommandContext, Envelope, Reply } from './command.js';
import { checkReadConcern, checkWriteConcern, unsatisfiedWriteConcern } from './concerns.js';
import { codeNameOf } from './error-codes.js';
import { failed, MongoError } from './errors.js';
import { readFields, wrongType } from './fields.js';
import { Operation } from './operation.js';
import { commandNamed } from './registry.js';
import type { MongodbServer } from './server-state.js';
import type { Session } from './sessions.js';
import { enterTransaction, errorLabels, type TransactionEntry } from './transaction-flow.js';

const ENVELOPE_NAMES = new Set([
  '$db',
  'lsid',
  'txnNumber',
  'autocommit',
  'startTransaction',
  '$clusterTime',
  '$readPreference',
  'readConcern',
  'writeConcern',
  'maxTimeMS',
  'comment',
  'apiVersion',
  'apiStrict',
  'apiDeprecationErrors',
  'stmtId',
  'stmtIds',
  '$audit',
  '$client',
  '$configServerState',
  '$configTime',
  '$topologyTime',
  '$queryOptions',
  '$replData',
  '$oplogQueryData',
  'maxTimeMSOpOnly',
  'shardVersion',
  'databaseVersion',
  'rawData',
  'serialization_context',
  'mayBypassWriteBlocking',
  'coordinator',
  'txnRetryCounter',
  'allowImplicitCollectionCreation',
  'help',
  'isClusterQueryWithoutShardKeyCmd',
]);
const READ_PREFERENCES = new Set(['primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', 'nearest']);
const MAX_TIME_MS_MAX = 2_147_483_647;

/** A request for one command, however it was framed. */
export interface CommandRequest {
  readonly body: Doc;
  /** From OP_QUERY the database stands in the namespace. */
  readonly database: string | undefined;
  readonly sequences: readonly DocumentSequence[];
  readonly exhaustAllowed: boolean;
}

export interface CommandReply {
  readonly document: Doc;
  /** Another reply follows without another request. */
  readonly repeat: boolean;
  /** Leaves only after what it tells of is on disk. */
  readonly durable?: boolean;
  /** The connection ends without this reply. */
  readonly close?: boolean;
}

export async function dispatch(server: MongodbServer, client: Client, request: CommandRequest): Promise<CommandReply> {
  const operation = new Operation(server.operationId(), client.id);
  const name = request.body.nameAt(0) ?? '';
  let command: Command | undefined;
  let entry: TransactionEntry | undefined;
  let envelope: Envelope | undefined;
  let session: Session | undefined;
  client.operation = operation;
  client.lastCommandMs = Date.now();
  server.operations.set(operation.id, operation);
  try {
    command = commandNamed(name);
    if (command === undefined) throw failed(59, `no such command: '${name}'`);
    envelope = readEnvelope(request.body, request.database, name);
    checkDatabase(envelope.database);
    if (command.adminOnly === true && envelope.database !== 'admin') {
      throw failed(13, `${command.name} may only be run against the admin database.`);
    }
    checkApiVersion(command, envelope, request.body, server);
    const failure = server.failPoints.hit(command.name, undefined);
    if (failure !== undefined) {
      const reply = await inject(failure);
      if (reply !== undefined) return reply;
    }
    authorize(server, client, command, envelope, request.body);
    gossip(server, request.body);
    checkReadConcern(command, envelope, server.store.clock.now);
    checkWriteConcern(command, envelope);
    operation.namespace = namespaceOf(envelope.database, request.body);
    operation.command = request.body.source;
    session = envelope.sessionId === undefined ? undefined : server.sessions.use(envelope.sessionId, userKey(client));
    operation.limit(command.name === 'getMore' || command.name === 'hello' ? undefined : envelope.maxTimeMs);
    entry = await enterTransaction(server, command, envelope, session);
    const context: CommandContext = {
      server,
      client,
      envelope,
      database: envelope.database,
      body: request.body,
      session,
      storage: entry.storage,
      operation,
      exhaustAllowed: request.exhaustAllowed,
      repeat: false,
    };
    const owner = command.owner ?? command.name;
    const fields =
      command.lenient === true
        ? readLeniently(owner, command, request)
        : readFields(
            owner,
            command.fields,
            request.body,
            request.sequences,
            (field) => field === name || ENVELOPE_NAMES.has(field),
          );
    const reply = await command.run(context, fields);
    await entry.leave();
    const concern = unsatisfiedWriteConcern(command, envelope);
    if (concern !== undefined && !reply.has('writeConcernError')) reply.append('writeConcernError', concern);
    finish(server, client, command, operation, false);
    const document = reply.has('ok') ? reply : reply.append('ok', doubleValue(1));
    const durable = command.writes === true && waitsForDisk(envelope);
    return { document: withClocks(server, document), repeat: context.repeat, durable };
  } catch (thrown) {
    if (isEngineSignal(thrown)) throw thrown;
    const error = asMongoError(thrown);
    const labels = errorLabels(error, command, envelope, session, followsChanges(server, request.body));
    await entry?.fail(error);
    if (command !== undefined) finish(server, client, command, operation, true);
    return { document: withClocks(server, errorReply(error, labels)), repeat: false };
  } finally {
    client.operation = undefined;
    server.operations.delete(operation.id);
  }
}

/** A majority of one is this node's disk; `{w: 1}` and `{w: 0}` alone may be lost in a crash of the machine. */
function waitsForDisk({ writeConcern }: Envelope): boolean {
  if (writeConcern === undefined) return true;
  const w = writeConcern.get('w');
  const journal = writeConcern.get('j');
  if (journal === true) return true;
  return journal !== false && (w === undefined || typeof w === 'string' || (numberOf(w) ?? 0) > 1);
}

function namespaceOf(database: string, body: Doc): string {
  const subject = body.at(0);
  return typeof subject === 'string' ? `${database}.${subject}` : `${database}.$cmd`;
}

/** Opens a change stream, or takes from one (or from a cursor that is gone, and may have been one). */
function followsChanges(server: MongodbServer, body: Doc): boolean {
  const subject = body.at(0);
  if (body.nameAt(0) === 'getMore') {
    return typeof subject === 'bigint' && server.cursors.get(subject)?.resumeToken !== undefined;
  }
  const pipeline = body.nameAt(0) === 'aggregate' ? body.get('pipeline') : undefined;
  const stage = isArrayValue(pipeline) ? pipeline[0] : undefined;
  return stage instanceof Doc && stage.nameAt(0) === '$changeStream';
}

function userKey(client: Client): string | undefined {
  return client.user === undefined ? undefined : `${client.user.database}.${client.user.name}`;
}

/** Unknown fields of old commands are let through. */
function readLeniently(owner: string, command: Command, request: CommandRequest): Readonly<Record<string, unknown>> {
  const types = command.fields;
  const skip = (field: string): boolean => !Object.hasOwn(types, field);
  return readFields(owner, types, request.body, request.sequences, skip);
}

function finish(
  server: MongodbServer,
  client: Client,
  command: Command,
  operation: Operation,
  hasFailed: boolean,
): void {
  const { statistics } = server;
  statistics.command(command.name, hasFailed);
  if (command.counter === undefined) statistics.opcounters.command++;
  else if (command.counter !== 'insert') statistics.opcounters[command.counter]++;
  const latency =
    statistics.latencies[command.writes === true ? 'writes' : command.reads === true ? 'reads' : 'commands'];
  latency.ops++;
  latency.latency += Math.round((performance.now() - operation.started) * 1000);
  client.lastCommandMs = Date.now();
}

/** What a failure of any kind is to a client. */
export function asMongoError(thrown: unknown): MongoError {
  if (thrown instanceof MongoError) return thrown;
  if (thrown instanceof StorageFullError) return failed(14031, thrown.message);
  if (thrown instanceof EngineError) return failed(1, thrown.message);
  if (thrown instanceof Error) return failed(1, `internal error: ${thrown.message}`, thrown);
  return failed(1, 'internal error');
}

export function errorReply(error: MongoError, labels: readonly string[] = []): Doc {
  const reply = new Doc();
  if (labels.length > 0) reply.append('errorLabels', labels);
  reply.append('ok', doubleValue(0)).append('errmsg', error.message).append('code', error.code);
  reply.append('codeName', codeNameOf(error.code));
  for (const [name, value] of Object.entries(error.details ?? {})) {
    if (value !== undefined && name !== 'cause') reply.append(name, value as Value);
  }
  return reply;
}

/** Without keys to sign with: MongoDB's own answer without authentication. */
const UNSIGNED = Doc.of({ hash: new Binary(Buffer.alloc(20)), keyId: 0n });

/** Appends `$clusterTime` and operationTime. */
export function withClocks(server: MongodbServer, reply: Reply): Doc {
  const now = timestampValue(server.store.clock.now);
  return reply.append('$clusterTime', Doc.of({ clusterTime: now, signature: UNSIGNED })).append('operationTime', now);
}

function readEnvelope(body: Doc, database: string | undefined, name: string): Envelope {
  const db = body.get('$db') ?? database;
  if (db === undefined) throw failed(40571, 'OP_MSG requests require a $db argument');
  if (typeof db !== 'string') throw wrongType(db, 'OP_MSG.$db', 'string');
  checkReadPreference(body);
  const { txnNumber, autocommit, startTransaction } = sessionFields(body);
  return {
    name,
    database: db,
    sessionId: documentField(body, 'lsid', 'OperationSessionInfo.lsid'),
    txnNumber,
    autocommit,
    startTransaction,
    readConcern: documentField(body, 'readConcern', `${name}.readConcern`),
    writeConcern: documentField(body, 'writeConcern', `${name}.writeConcern`),
    maxTimeMs: maxTimeOf(body.get('maxTimeMS')),
    comment: body.get('comment'),
    apiVersion: textField(body, 'apiVersion'),
    apiStrict: body.get('apiStrict') === true,
    statementIds: statementIdsOf(body),
  };
}

function sessionFields(body: Doc): Pick<Envelope, 'txnNumber' | 'autocommit' | 'startTransaction'> {
  const txnNumber = body.get('txnNumber');
  const number = txnNumber === undefined ? undefined : numberOf(txnNumber);
  if (txnNumber !== undefined && number === undefined)
    throw wrongType(txnNumber, 'OperationSessionInfo.txnNumber', 'long');
  const autocommit = body.get('autocommit');
  if (autocommit !== undefined && typeof autocommit !== 'boolean') {
    throw wrongType(autocommit, 'OperationSessionInfo.autocommit', 'bool');
  }
  return {
    txnNumber:
      typeof txnNumber === 'bigint' ? txnNumber : number === undefined ? undefined : BigInt(Math.trunc(number)),
    autocommit,
    startTransaction: body.get('startTransaction') === true,
  };
}

function statementIdsOf(body: Doc): readonly number[] | undefined {
  const ids = body.get('stmtIds');
  if (isArrayValue(ids)) return ids.map((id) => numberOf(id) ?? 0);
  const id = numberOf(body.get('stmtId'));
  return id === undefined ? undefined : [id];
}

function documentField(body: Doc, name: string, path: string): Doc | undefined {
  const value = body.get(name);
  if (value === undefined || value === null) return undefined;
  if (!(value instanceof Doc)) throw wrongType(value, path, 'object');
  return value;
}

function textField(body: Doc, name: string): string | undefined {
  const value = body.get(name);
  return typeof value === 'string' ? value : undefined;
}

function maxTimeOf(value: Value | undefined): number | undefined {
  if (value === undefined || value === null) return undefined;
  const number = numberOf(value);
  if (number === undefined) throw failed(2, 'maxTimeMS must be a number');
  if (!Number.isInteger(number)) throw failed(2, 'maxTimeMS has non-integral value');
  if (number < 0 || number > MAX_TIME_MS_MAX) {
    throw failed(2, `${number} value for maxTimeMS is out of range [0, ${MAX_TIME_MS_MAX}]`);
  }
  return number;
}

function checkReadPreference(body: Doc): void {
  const preference = body.get('$readPreference');
  if (!(preference instanceof Doc)) return;
  const mode = preference.get('mode');
  if (typeof mode !== 'string' || !READ_PREFERENCES.has(mode)) {
    throw failed(
      9,
      `Could not parse $readPreference mode '${String(mode)}'. Only the modes 'primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', and 'nearest' are supported.`,
    );
  }
}

function checkApiVersion(command: Command, envelope: Envelope, body: Doc, server: MongodbServer): void {
  if (envelope.apiVersion === undefined) {
    if (body.has('apiStrict') || body.has('apiDeprecationErrors')) {
      throw failed(4886600, `Provided apiStrict and/or apiDeprecationErrors without passing apiVersion`);
    }
    if (server.parameters.truth('requireApiVersion') && command.name !== 'hello') {
      throw failed(498870, "The apiVersion parameter is required, please configure your MongoClient's API version");
    }
    return;
  }
  if (envelope.apiVersion !== '1') throw failed(322, 'API version must be "1"');
  if (envelope.apiStrict && command.apiVersion1 !== true) {
    throw failed(
      323,
      `Provided apiStrict:true, but the command ${command.name} is not in API Version 1. Information on supported commands and migrations in API Version 1 can be found at https://dochub.mongodb.org/core/manual-versioned-api`,
    );
  }
}

function authorize(server: MongodbServer, client: Client, command: Command, envelope: Envelope, body: Doc): void {
  const { authentication } = server.options;
  if (authentication === undefined || !authentication.required || command.beforeLogin === true) return;
  if (client.user === undefined) {
    if (authentication.permitsFirstUser(client, command.name, envelope.database)) return;
    throw failed(13, `Command ${command.name} requires authentication`);
  }
  const { actions } = command;
  if (actions === undefined || actions.length === 0) return;
  const subject = body.at(0);
  const collection = typeof subject === 'string' && command.subject === 'collection' ? subject : '';
  if (!authentication.allowed(client.user, { actions, database: envelope.database, collection })) {
    throw failed(13, `not authorized on ${envelope.database} to execute command ${describeCommand(body)}`);
  }
}

/** The command as it stands in the refusal: without what the driver added. */
function describeCommand(body: Doc): string {
  const shown = new Doc();
  for (const [name, value] of body)
    if (!ENVELOPE_NAMES.has(name) || name === 'lsid' || name === '$db') shown.append(name, value);
  return formatDocument(shown);
}

/** Learns the cluster time that the client knows of. */
function gossip(server: MongodbServer, body: Doc): void {
  const known = body.get('$clusterTime');
  if (!(known instanceof Doc)) return;
  const time = known.get('clusterTime');
  if (time instanceof Timestamp && !server.store.clock.advance(time)) {
    throw failed(205, "New cluster time is too far from this node's wall clock time");
  }
}

async function inject(failure: Doc): Promise<CommandReply | undefined> {
  const delay = numberOf(failure.get('blockTimeMS'));
  if (failure.get('blockConnection') === true && delay !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
  if (failure.get('closeConnection') === true) return { document: new Doc(), repeat: false, close: true };
  const code = numberOf(failure.get('errorCode'));
  if (code === undefined) return undefined;
  const labels = failure.get('errorLabels');
  throw new MongoError(
    code,
    "Failing command via 'failCommand' failpoint",
    isArrayValue(labels) ? { errorLabels: labels } : undefined,
  );
}
