/** Collections that clients may read and that are made of what the server knows elsewhere. */
import { decodeOplog, OPLOG_TOPIC } from '../../models/document/change-streams/oplog.js';
import { OPLOG_PREFIX, RETRY_PREFIX, rangeOf } from '../../models/document/keys.js';
import { plainDocument } from '../../models/document/plain.js';
import type { TailSource } from '../../models/document/tail.js';
import { Binary, Doc, encodeDocument } from '../../models/document/values.js';
import type { CommandContext } from './command.js';

type Maker = (context: CommandContext) => Doc[] | Promise<Doc[]>;

const COLLECTIONS: Readonly<Record<string, Maker>> = {
  'admin.system.version': () => [
    plainDocument({ _id: 'featureCompatibilityVersion', version: '7.0' }),
    plainDocument({ _id: 'authSchema', currentVersion: 5 }),
  ],
  'admin.system.users': (context) => context.server.options.authentication?.userDocuments() ?? [],
  'admin.system.roles': (context) => context.server.options.authentication?.roleDocuments() ?? [],
  'config.system.sessions': (context) =>
    [...context.server.sessions.all()].map((session) =>
      plainDocument({ _id: { id: new Binary(session.id, 4) }, lastUse: new Date(session.lastUsedMs) }),
    ),
  'config.transactions': async (context) => {
    const entries = await context.server.store.engine.read((view) =>
      [...view.scan(rangeOf(RETRY_PREFIX))].map(({ key, value }) => ({ key, value: Buffer.from(value) })),
    );
    return entries.map(({ key, value }) => {
      const stored = Doc.fromBytes(value);
      const id = Buffer.from(key.slice(RETRY_PREFIX.length, RETRY_PREFIX.length + 16), 'latin1');
      return plainDocument({
        _id: { id: new Binary(id, 4) },
        txnNum: stored.get('txnNumber'),
        lastWriteDate: stored.get('at'),
      });
    });
  },
  'local.system.replset': (context) => [
    plainDocument({
      _id: 'rs0',
      version: 1,
      term: 1,
      members: [{ _id: 0, host: context.server.hostFor(context.client) }],
      protocolVersion: 1n,
    }),
  ],
  'local.startup_log': (context) => [
    plainDocument({ _id: `${process.pid}`, startTime: new Date(context.server.startedAtMs), pid: BigInt(process.pid) }),
  ],
  'local.oplog.rs': readOplog,
};

/** All documents of a virtual collection; `undefined` when the name is none. */
export async function virtualDocuments(context: CommandContext, name: string): Promise<Buffer[] | undefined> {
  const namespace = `${context.database}.${name}`;
  if (name === 'system.views') return viewDocuments(context);
  const make = Object.hasOwn(COLLECTIONS, namespace) ? COLLECTIONS[namespace] : undefined;
  if (make === undefined) return undefined;
  return (await make(context)).map(encodeDocument);
}

export function isOplog(context: CommandContext, name: string): boolean {
  return context.database === 'local' && name === 'oplog.rs';
}

async function viewDocuments(context: CommandContext): Promise<Buffer[]> {
  const { store } = context.server;
  const collections = await store.engine.read((view) => store.catalog.list(view, context.database));
  return collections
    .filter(({ type }) => type === 'view')
    .map((view) =>
      encodeDocument(plainDocument({ _id: view.namespace, viewOn: view.viewOn, pipeline: view.pipeline })),
    );
}

async function readOplog(context: CommandContext): Promise<Doc[]> {
  const { store } = context.server;
  await store.engine.write((tx) => store.oplog.enable(tx));
  return store.engine.read((view) =>
    [...view.scan(rangeOf(OPLOG_PREFIX))].map(({ key, value }) => decodeOplog(key, Buffer.from(value)).entry),
  );
}

/** The oplog for tailable cursors. */
export function oplogTail(): TailSource {
  return {
    prefix: OPLOG_PREFIX,
    documentOf: (value) => encodeDocument(decodeOplog(OPLOG_PREFIX.padEnd(10, '\0'), Buffer.from(value)).entry),
    topic: OPLOG_TOPIC,
    alive: () => Promise.resolve(true),
  };
}
