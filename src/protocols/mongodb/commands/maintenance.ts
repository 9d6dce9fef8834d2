/** Commands that change or check how collections are kept. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { createCollection, idIndexSpec } from '../../../models/document/collections.js';
import { dropCollection } from '../../../models/document/ddl.js';
import { insertDocuments } from '../../../models/document/inserts.js';
import { rangeOf } from '../../../models/document/keys.js';
import { plainDocument } from '../../../models/document/plain.js';
import { Doc } from '../../../models/document/values.js';
import { type Command, type CommandContext, collectionOf, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, bool, integer, object, required, string, strings } from '../fields.js';
import { lookUp } from '../query-options.js';
import { statusOf } from './server-status.js';

const CAPPED_BYTES_STEP = 256;

const compact = defineCommand({
  name: 'compact',
  help: 'answers that nothing was to free: the store compacts itself',
  subject: 'collection',
  fields: { force: bool(), freeSpaceTargetMB: any(), dryRun: any() },
  actions: ['compact'],
  async run(context, fields) {
    if (fields.force !== true)
      throw failed(
        20,
        'will not run compact on an active replica set primary as this is a slow blocking operation. use force:true to force',
      );
    if ((await lookUp(context, collectionOf(context))) === undefined) throw failed(26, 'collection does not exist');
    return Doc.of({ bytesFreed: 0n });
  },
});

const dbHash = defineCommand({
  name: 'dbHash',
  aliases: ['dbhash'],
  help: "a checksum of a database's documents",
  subject: 'any',
  fields: { collections: strings() },
  lenient: true,
  actions: ['dbHash'],
  async run(context, fields) {
    const started = Date.now();
    const { store } = context.storage;
    const collections = await context.storage.read((view) => store.catalog.list(view, context.database));
    const hashes = new Doc();
    const all = createHash('md5');
    const capped: string[] = [];
    for (const collection of collections) {
      if (
        collection.type === 'view' ||
        (fields.collections !== undefined &&
          fields.collections.length > 0 &&
          !fields.collections.includes(collection.name))
      )
        continue;
      if (collection.capped) capped.push(collection.name);
      const hash = createHash('md5');
      for await (const document of documentsOf(context, collection.prefix)) hash.update(document);
      const digest = hash.digest('hex');
      hashes.append(collection.name, digest);
      all.update(digest);
    }
    return plainDocument({
      host: hostname(),
      collections: hashes,
      capped,
      uuids: {},
      md5: all.digest('hex'),
      timeMillis: Date.now() - started,
    });
  },
});

/** All documents below a prefix, on a state of their own. */
async function* documentsOf(context: CommandContext, prefix: string): AsyncGenerator<Buffer> {
  const reader = await context.storage.reader();
  try {
    const batches = reader.batches(rangeOf(prefix));
    for (let batch = await batches.next(); batch !== undefined; batch = await batches.next()) {
      for (const { value } of batch) yield value;
      await context.operation.breathe();
    }
  } finally {
    reader.close();
  }
}

async function copyToCapped(context: CommandContext, from: string, to: string, size: number): Promise<void> {
  const { database, storage } = context;
  const source = await lookUp(context, from);
  if (source === undefined) throw failed(26, `source collection ${database}.${from} does not exist`);
  const options = Doc.of({ capped: true, size: Math.ceil(size / CAPPED_BYTES_STEP) * CAPPED_BYTES_STEP });
  await storage.write((scope) => {
    if (scope.store.catalog.find(scope.tx, database, to) !== undefined) throw failed(48, 'target collection exists');
    createCollection(scope, {
      database,
      name: to,
      type: 'collection',
      options,
      indexes: [{ spec: idIndexSpec(), ready: true }],
    });
  });
  let chunk: Doc[] = [];
  const flush = async (): Promise<void> => {
    await insertDocuments(storage, { database, name: to }, chunk, {
      ordered: true,
      bypassValidation: true,
      breathe: () => context.operation.breathe(),
    });
    chunk = [];
  };
  for await (const document of documentsOf(context, source.prefix)) {
    chunk.push(Doc.fromBytes(document));
    if (chunk.length >= 500) await flush();
  }
  await flush();
}

const convertToCapped = defineCommand({
  name: 'convertToCapped',
  help: 'makes a collection capped',
  subject: 'collection',
  fields: { size: required(integer()) },
  writes: true,
  actions: ['convertToCapped'],
  async run(context, fields) {
    const name = collectionOf(context);
    const temporary = `tmp.convertToCapped.${name}`;
    await copyToCapped(context, name, temporary, fields.size);
    await context.storage.write((scope) => {
      const { catalog } = scope.store;
      const old = catalog.find(scope.tx, context.database, name);
      const fresh = catalog.find(scope.tx, context.database, temporary);
      if (old !== undefined) dropCollection(scope, old);
      if (fresh !== undefined) catalog.rename(scope.tx, fresh, context.database, name);
    });
    context.server.dropped((cursor) => cursor.namespace === `${context.database}.${name}`);
    return new Doc();
  },
});

const cloneCollectionAsCapped = defineCommand({
  name: 'cloneCollectionAsCapped',
  help: 'copies a collection into a capped one',
  subject: 'collection',
  fields: { toCollection: required(string()), size: required(integer()) },
  writes: true,
  actions: ['createCollection'],
  async run(context, fields) {
    await copyToCapped(context, collectionOf(context), fields.toCollection, fields.size);
    return new Doc();
  },
});

const appendOplogNote = defineCommand({
  name: 'appendOplogNote',
  help: 'writes a note into the oplog',
  subject: 'any',
  fields: { data: required(object()) },
  lenient: true,
  adminOnly: true,
  writes: true,
  actions: ['appendOplogNote'],
  async run(context, fields) {
    await context.storage.write((scope) => scope.log({ operation: 'n', message: fields.data }));
    return new Doc();
  },
});

const getDiagnosticData = defineCommand({
  name: 'getDiagnosticData',
  help: 'serverStatus, for collectors',
  subject: 'any',
  fields: {},
  lenient: true,
  adminOnly: true,
  actions: ['serverStatus'],
  run: (context) => plainDocument({ data: { start: new Date(), serverStatus: statusOf(context), end: new Date() } }),
});

export const MAINTENANCE_COMMANDS: readonly Command[] = [
  compact,
  dbHash,
  convertToCapped,
  cloneCollectionAsCapped,
  appendOplogNote,
  getDiagnosticData,
];
