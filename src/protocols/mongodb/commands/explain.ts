import { hostname } from 'node:os';
import { plainDocument } from '../../../models/document/plain.js';
import {
  type ExplainedQuery,
  executionStats,
  printedFilter,
  queryPlanner,
} from '../../../models/document/planner/explain.js';
import { openQuery } from '../../../models/document/queries.js';
import { numberOf } from '../../../models/document/scalars.js';
import { Doc, isArrayValue, type Value } from '../../../models/document/values.js';
import { type CommandContext, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { object, oneOf, required } from '../fields.js';
import { collationOf, filterOf, hintOf, lookUp } from '../query-options.js';
import { MONGODB_VERSION } from '../server-state.js';

/** What of a command explain shows: the part that finds documents. */
interface Explained {
  readonly collection: string;
  readonly query: Doc;
  readonly sort?: Doc | undefined;
  readonly projection?: Doc | undefined;
  readonly skip: number;
  readonly limit: number;
  readonly collation?: Doc | undefined;
  readonly hint?: Value | undefined;
  readonly top?: string;
}

export const explain = defineCommand({
  name: 'explain',
  help: 'how a command would find its documents, and what that takes',
  subject: 'any',
  fields: { verbosity: oneOf('queryPlanner', 'executionStats', 'allPlansExecution'), explain: object() },
  apiVersion1: true,
  reads: true,
  actions: ['find'],
  async run(context, fields) {
    const command = required(object()).read(context.body.at(0) ?? null, 'explain.explain');
    return explainCommand(context, command, fields.verbosity ?? 'allPlansExecution');
  },
});

type Verbosity = 'queryPlanner' | 'executionStats' | 'allPlansExecution';

export async function explainCommand(context: CommandContext, command: Doc, verbosity: Verbosity): Promise<Doc> {
  const explained = explainedOf(command);
  const reply = Doc.of({ explainVersion: '1' });
  const collection = await lookUp(context, explained.collection);
  const collation = collationOf(explained.collation, collection);
  const filter = filterOf(explained.query, collation);
  const source = await openQuery(context.storage, {
    namespace: { database: context.database, name: explained.collection },
    filter,
    query: explained.query,
    sort: explained.sort,
    skip: explained.skip,
    limit: explained.limit,
    collation,
    hint: hintOf(explained.hint),
    breathe: () => context.operation.breathe(),
  });
  if (source === undefined || collection === undefined) {
    reply.append('queryPlanner', missingPlan(context, explained));
    if (verbosity !== 'queryPlanner') reply.append('executionStats', emptyStats());
  } else {
    const query: ExplainedQuery = {
      plan: source.plan,
      skip: explained.skip,
      limit: explained.limit,
      projection: explained.projection,
      ...(explained.top === undefined ? {} : { top: explained.top }),
    };
    reply.append('queryPlanner', queryPlanner(query, collection, printedFilter(filter.predicate)));
    try {
      if (verbosity !== 'queryPlanner') {
        const started = performance.now();
        let given = 0;
        for (let batch = await source.nextRecords(); batch !== undefined; batch = await source.nextRecords())
          given += batch.length;
        const figures = { ...source.run.statistics, milliseconds: performance.now() - started, given };
        reply.append('executionStats', executionStats(query, figures, verbosity === 'allPlansExecution'));
      }
    } finally {
      source.close();
    }
  }
  return reply
    .append('command', command.has('$db') ? command : command.copy().append('$db', context.database))
    .append('serverInfo', serverInfo(context))
    .append(
      'serverParameters',
      plainDocument({
        internalQueryFacetBufferSizeBytes: 104_857_600,
        internalQueryMaxBlockingSortMemoryUsageBytes: 104_857_600,
      }),
    );
}

function serverInfo(context: CommandContext): Doc {
  return plainDocument({
    host: hostname(),
    port: context.client.connection.localPort,
    version: MONGODB_VERSION,
    gitVersion: '0000000000000000000000000000000000000000',
  });
}

function missingPlan(context: CommandContext, explained: Explained): Doc {
  return plainDocument({
    namespace: `${context.database}.${explained.collection}`,
    indexFilterSet: false,
    parsedQuery: explained.query,
    queryHash: '00000000',
    planCacheKey: '00000000',
    maxIndexedOrSolutionsReached: false,
    maxIndexedAndSolutionsReached: false,
    maxScansToExplodeReached: false,
    winningPlan: { stage: 'EOF' },
    rejectedPlans: [],
  });
}

function emptyStats(): Doc {
  return plainDocument({
    executionSuccess: true,
    nReturned: 0,
    executionTimeMillis: 0,
    totalKeysExamined: 0,
    totalDocsExamined: 0,
    executionStages: { stage: 'EOF', nReturned: 0 },
  });
}

function explainedOf(command: Doc): Explained {
  const name = command.nameAt(0) ?? '';
  const subject = command.at(0);
  if (typeof subject !== 'string') throw failed(73, 'collection name has invalid type');
  const document = (field: string, of: Doc = command): Doc | undefined => {
    const value = of.get(field);
    return value instanceof Doc ? value : undefined;
  };
  const base = { collection: subject, skip: 0, limit: 0, collation: document('collation'), hint: command.get('hint') };
  switch (name) {
    case 'find':
      return {
        ...base,
        query: document('filter') ?? new Doc(),
        sort: emptyIsNone(document('sort')),
        projection: document('projection'),
        skip: numberOf(command.get('skip')) ?? 0,
        limit: Math.abs(numberOf(command.get('limit')) ?? 0),
      };
    case 'count':
      return { ...base, query: document('query') ?? new Doc(), top: 'COUNT' };
    case 'distinct':
      return { ...base, query: document('query') ?? new Doc() };
    case 'findAndModify':
    case 'findandmodify':
      return {
        ...base,
        query: document('query') ?? new Doc(),
        sort: emptyIsNone(document('sort')),
        limit: 1,
        top: command.get('remove') === true ? 'DELETE' : 'UPDATE',
      };
    case 'update':
    case 'delete': {
      const list = command.get(`${name}s`);
      const statement = isArrayValue(list) ? list[0] : undefined;
      const first = statement instanceof Doc ? statement : new Doc();
      return {
        ...base,
        query: document('q', first) ?? new Doc(),
        collation: document('collation', first),
        hint: first.get('hint'),
        top: name.toUpperCase(),
      };
    }
    case 'aggregate': {
      const pipeline = command.get('pipeline');
      const stage = isArrayValue(pipeline) ? pipeline[0] : undefined;
      const match = stage instanceof Doc ? document('$match', stage) : undefined;
      return { ...base, query: match ?? new Doc() };
    }
    default:
      throw failed(59, `Explain failed due to unknown command: ${name}`);
  }
}

function emptyIsNone(document: Doc | undefined): Doc | undefined {
  return document === undefined || document.isEmpty ? undefined : document;
}
