import { Doc } from '../../../models/document/bson/document.js';
import { ObjectId, Timestamp } from '../../../models/document/bson/types.js';
import { type Plain, plainDocument } from '../../../models/document/plain.js';
import { numberOf } from '../../../models/document/scalars.js';
import type { Client } from '../client.js';
import { type CommandContext, defineCommand } from '../command.js';
import { agreedCompressors } from '../compression.js';
import { failed } from '../errors.js';
import { any, bool, integer, object, strings } from '../fields.js';
import { MESSAGE_BYTES_MAX } from '../frames.js';
import { type MongodbServer, SET_NAME } from '../server-state.js';
import { SESSION_TIMEOUT_MINUTES } from '../sessions.js';

/** Newest wire version spoken: MongoDB 7.0's. */
const WIRE_VERSION = 21;
const DOCUMENT_BYTES_MAX = 16_777_216;
const BATCH_STATEMENTS_MAX = 100_000;
/** The counter of `topologyVersion`: the topology of a single node never changes. */
const TOPOLOGY_COUNTER = 6n;
const CLIENT_METADATA_BYTES_MAX = 512;
const APPLICATION_NAME_BYTES_MAX = 128;

const fields = {
  helloOk: bool(),
  client: object(),
  compression: strings(),
  saslSupportedMechs: any(),
  speculativeAuthenticate: object(),
  topologyVersion: object(),
  maxAwaitTimeMS: integer(),
  loadBalanced: bool(),
  forShell: any(),
  hostInfo: any(),
  internalClient: any(),
  hangUpOnStepDown: any(),
};

interface HelloFields {
  readonly helloOk: boolean | undefined;
  readonly client: Doc | undefined;
  readonly compression: readonly string[] | undefined;
  readonly saslSupportedMechs: unknown;
  readonly speculativeAuthenticate: Doc | undefined;
  readonly topologyVersion: Doc | undefined;
  readonly maxAwaitTimeMS: number | undefined;
}

export const hello = defineCommand({
  name: 'hello',
  help: 'who this server is, what it can do, and that it is the primary',
  subject: 'any',
  fields,
  lenient: true,
  beforeLogin: true,
  apiVersion1: true,
  run: (context, given) => answer(context, given, 'isWritablePrimary'),
});

export const isMaster = defineCommand({
  name: 'isMaster',
  aliases: ['ismaster'],
  help: "hello's old name",
  subject: 'any',
  fields,
  lenient: true,
  beforeLogin: true,
  run: (context, given) => answer(context, given, 'ismaster'),
});

async function answer(context: CommandContext, given: HelloFields, primaryField: string): Promise<Doc> {
  const { server, client } = context;
  remember(client, given.client);
  if (shouldWait(given, context)) await pause(context, given.maxAwaitTimeMS ?? 0);
  const reply = describe(server, client, given, primaryField);
  const { authentication } = server.options;
  if (typeof given.saslSupportedMechs === 'string' && authentication !== undefined) {
    const dot = given.saslSupportedMechs.indexOf('.');
    if (dot < 0) throw failed(2, `UserName must contain a '.' separated database.user pair`);
    const user = { database: given.saslSupportedMechs.slice(0, dot), name: given.saslSupportedMechs.slice(dot + 1) };
    const mechanisms = await authentication.mechanismsOf(user);
    if (mechanisms !== undefined) reply.append('saslSupportedMechs', mechanisms);
  }
  await speculate(context, given.speculativeAuthenticate, reply);
  return reply;
}

/** A login begun inside of hello; what is wrong with it is left to the login proper. */
async function speculate(context: CommandContext, command: Doc | undefined, reply: Doc): Promise<void> {
  const { authentication } = context.server.options;
  if (command === undefined || authentication === undefined || command.nameAt(0) !== 'saslStart') return;
  const database = command.get('db');
  try {
    const started = await authentication.saslStart(
      context.client,
      typeof database === 'string' ? database : 'admin',
      command,
    );
    reply.append('speculativeAuthenticate', started);
  } catch {
    context.client.conversation = undefined;
  }
}

function remember(client: Client, metadata: Doc | undefined): void {
  if (metadata === undefined) {
    client.greeted = true;
    return;
  }
  if (client.metadata !== undefined) {
    throw failed(186, 'The client metadata document may only be sent in the first hello');
  }
  const size = metadata.source?.length ?? 0;
  if (size > CLIENT_METADATA_BYTES_MAX) {
    throw failed(185, `The client metadata document must be less then or equal to ${CLIENT_METADATA_BYTES_MAX} bytes`);
  }
  const application = metadata.get('application');
  const name = application instanceof Doc ? application.get('name') : undefined;
  if (typeof name === 'string' && Buffer.byteLength(name) > APPLICATION_NAME_BYTES_MAX) {
    throw failed(
      184,
      `The 'client.application.name' field must be less then or equal to ${APPLICATION_NAME_BYTES_MAX} bytes in length`,
    );
  }
  if (!(metadata.get('driver') instanceof Doc))
    throw failed(183, "Missing required field 'driver' in the client metadata document");
  if (!(metadata.get('os') instanceof Doc))
    throw failed(183, "Missing required field 'os' in the client metadata document");
  client.metadata = metadata;
  client.greeted = true;
}

/** A client that knows this topology waits until it changes or its time is over. */
function shouldWait(given: HelloFields, context: CommandContext): boolean {
  const { topologyVersion, maxAwaitTimeMS } = given;
  if ((topologyVersion === undefined) !== (maxAwaitTimeMS === undefined)) {
    throw failed(
      31368,
      topologyVersion === undefined
        ? "A request with 'maxAwaitTimeMS' must include a 'topologyVersion'"
        : "A request with a 'topologyVersion' must include 'maxAwaitTimeMS'",
    );
  }
  if (topologyVersion === undefined || maxAwaitTimeMS === undefined) {
    if (context.exhaustAllowed) throw failed(51756, 'An exhaust hello request must specify a maxAwaitTimeMS field.');
    return false;
  }
  if (maxAwaitTimeMS < 0) throw failed(31373, 'maxAwaitTimeMS must be a non-negative integer');
  const processId = topologyVersion.get('processId');
  const counter = numberOf(topologyVersion.get('counter')) ?? 0;
  if (counter < 0) throw failed(31372, 'topologyVersion must have a non-negative counter');
  const same = processId instanceof ObjectId && processId.bytes === context.server.processId.bytes;
  if (same && counter > Number(TOPOLOGY_COUNTER)) {
    throw failed(
      31382,
      `Received a topology version with counter: ${counter} which is greater than the server topology version counter: ${TOPOLOGY_COUNTER}`,
    );
  }
  if (context.exhaustAllowed) context.repeat = true;
  return same && counter === Number(TOPOLOGY_COUNTER);
}

async function pause(context: CommandContext, milliseconds: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, milliseconds);
    timer.unref();
    const forget = context.operation.onInterrupt(done);
    function done(): void {
      clearTimeout(timer);
      forget();
      resolve();
    }
  });
  context.operation.check();
}

function describe(server: MongodbServer, client: Client, given: HelloFields, primaryField: string): Doc {
  const host = server.hostFor(client);
  const now = server.store.clock.now;
  const time = new Timestamp(now.seconds, now.increment);
  const date = new Date(now.seconds * 1000);
  const opTime: Plain = { ts: time, t: 1n };
  const compression = agreedCompressors(given.compression ?? []);
  return plainDocument({
    helloOk: given.helloOk === true ? true : undefined,
    topologyVersion: { processId: server.processId, counter: TOPOLOGY_COUNTER },
    hosts: [host],
    setName: SET_NAME,
    setVersion: 1,
    [primaryField]: true,
    secondary: false,
    primary: host,
    me: host,
    electionId: ObjectId.fromHex('7fffffff0000000000000001'),
    lastWrite: { opTime, lastWriteDate: date, majorityOpTime: opTime, majorityWriteDate: date },
    maxBsonObjectSize: DOCUMENT_BYTES_MAX,
    maxMessageSizeBytes: MESSAGE_BYTES_MAX,
    maxWriteBatchSize: BATCH_STATEMENTS_MAX,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: SESSION_TIMEOUT_MINUTES,
    connectionId: client.id,
    minWireVersion: 0,
    maxWireVersion: WIRE_VERSION,
    readOnly: false,
    compression: compression.length > 0 ? compression : undefined,
  });
}
