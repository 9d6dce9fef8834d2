/** First stages of pipelines that tell about the server: `$collStats`, `$indexStats`, `$currentOp`, `$listSessions`. */
import { hostname } from 'node:os';
import { plainDocument } from '../../models/document/plain.js';
import { Binary, Doc, encodeDocument } from '../../models/document/values.js';
import type { CommandContext } from './command.js';
import { collectionStatistics } from './commands/statistics.js';
import { currentOperations } from './current-operations.js';
import { failed } from './errors.js';
import { lookUp } from './query-options.js';

type Source = (context: CommandContext, collection: string | undefined, specification: Doc) => Promise<Doc[]>;

const SOURCES: Readonly<Record<string, Source>> = {
  $collStats: collStats,
  $indexStats: indexStats,
  $currentOp: async (context) => currentOperations(context.server),
  $listSessions: async (context) => sessions(context),
  $listLocalSessions: async (context) => sessions(context),
  $planCacheStats: async () => [],
  $listSearchIndexes: searchIndexes,
  $search: searchIndexes,
  $searchMeta: searchIndexes,
  $vectorSearch: searchIndexes,
};

/** The documents of such a stage; `undefined` when the stage is another one. */
export async function serverStage(
  context: CommandContext,
  collection: string | undefined,
  stage: Doc | undefined,
): Promise<Buffer[] | undefined> {
  const name = stage?.nameAt(0) ?? '';
  const source = Object.hasOwn(SOURCES, name) ? SOURCES[name] : undefined;
  if (source === undefined) return undefined;
  const specification = stage?.at(0);
  return (await source(context, collection, specification instanceof Doc ? specification : new Doc())).map(
    encodeDocument,
  );
}

async function searchIndexes(): Promise<Doc[]> {
  throw failed(
    31082,
    'Using $search and $vectorSearch aggregation stages requires additional configuration. Please connect to Atlas or an AtlasCLI local deployment to enable. For more information on how to connect, see https://dochub.mongodb.org/core/atlas-cli-deploy-local-reqs.',
  );
}

async function collStats(context: CommandContext, collection: string | undefined, specification: Doc): Promise<Doc[]> {
  if (collection === undefined) throw failed(73, '$collStats is not valid on an aggregate of a database');
  const ns = `${context.database}.${collection}`;
  const document = plainDocument({ ns, host: hostname(), localTime: new Date() });
  const found = await lookUp(context, collection);
  const missing = (part: string): Error =>
    failed(
      26,
      `PlanExecutor error during aggregation :: caused by :: Unable to retrieve ${part} in $collStats stage :: caused by :: Collection [${ns}] not found.`,
    );
  if (specification.has('latencyStats')) {
    const none = { ops: 0n, latency: 0n };
    document.append('latencyStats', plainDocument({ reads: none, writes: none, commands: none, transactions: none }));
  }
  if (specification.has('storageStats')) {
    if (found === undefined) throw missing('storageStats');
    const statistics = await collectionStatistics(context, collection, 1);
    statistics.delete('ns');
    document.append('storageStats', statistics);
  }
  if (specification.has('count')) {
    if (found === undefined) throw missing('count');
    document.append('count', BigInt((await context.storage.store.totals(found)).documents));
  }
  return [document];
}

async function indexStats(context: CommandContext, collection: string | undefined): Promise<Doc[]> {
  const found = collection === undefined ? undefined : await lookUp(context, collection);
  return (found?.indexes ?? []).map((index) =>
    plainDocument({
      name: index.name,
      key: index.keyPattern,
      host: context.server.hostFor(context.client),
      accesses: { ops: 0n, since: new Date(context.server.startedAtMs) },
      spec: Doc.fromBytes(index.spec),
    }),
  );
}

function sessions(context: CommandContext): Doc[] {
  return [...context.server.sessions.all()].map((session) =>
    plainDocument({ _id: { id: new Binary(session.id, 4) }, lastUse: new Date(session.lastUsedMs) }),
  );
}
