/** From oplog entries to the events that change streams give. */
import { timestampValue } from '../plain.js';
import { Binary, Doc, isArrayValue, type Value } from '../values.js';
import { describeDiff } from './diff.js';
import type { OplogEntry } from './oplog.js';
import { encodeToken, type OplogPosition } from './resume-token.js';

/** What a stream follows. */
export type StreamScope =
  | { readonly kind: 'collection'; readonly database: string; readonly collection: string }
  | { readonly kind: 'database'; readonly database: string }
  | { readonly kind: 'cluster' };

export interface ChangeEvent {
  readonly position: OplogPosition;
  readonly operationType: string;
  readonly database: string;
  readonly collection: string;
  /** All fields but the images that have to be looked up, in order. */
  readonly document: Doc;
  /** `_id` of the document that changed. */
  readonly key: Value | undefined;
  /** Images that the oplog has. */
  readonly before: Doc | undefined;
  readonly after: Doc | undefined;
  /** The stream ends behind it. */
  readonly invalidates: boolean;
  /** Told only with showExpandedEvents. */
  readonly expanded: boolean;
}

const COMMANDS = new Set([
  'drop',
  'renameCollection',
  'dropDatabase',
  'create',
  'createIndexes',
  'dropIndexes',
  'collMod',
]);
const EXPANDED = new Set(['create', 'createIndexes', 'dropIndexes', 'modify']);

/** The events of an entry that lie in the scope, behind `after` in it. */
export function eventsOf(entry: OplogEntry, scope: StreamScope, after: number): ChangeEvent[] {
  const operations = operationsOf(entry.entry);
  const events: ChangeEvent[] = [];
  operations.forEach((operation, index) => {
    if (index <= after) return;
    const event = eventOf(entry, operation, index, operations.length > 1 || operation !== entry.entry);
    if (event !== undefined && within(event, scope)) events.push(event);
  });
  return events;
}

function operationsOf(entry: Doc): readonly Doc[] {
  const command = entry.get('op') === 'c' ? entry.get('o') : undefined;
  const operations = command instanceof Doc ? command.get('applyOps') : undefined;
  if (!isArrayValue(operations)) return [entry];
  return operations.filter((operation): operation is Doc => operation instanceof Doc);
}

function within({ database, collection, operationType, document }: ChangeEvent, scope: StreamScope): boolean {
  if (database === 'admin' || database === 'config' || database === 'local') return false;
  if (collection.startsWith('system.')) return false;
  switch (scope.kind) {
    case 'cluster':
      return true;
    case 'database':
      return database === scope.database;
    case 'collection': {
      if (database !== scope.database) return false;
      if (operationType === 'dropDatabase') return true;
      const to = document.get('to');
      return (
        collection === scope.collection ||
        (to instanceof Doc && to.get('coll') === scope.collection && to.get('db') === scope.database)
      );
    }
  }
}

function splitNamespace(namespace: string): { database: string; collection: string } {
  const dot = namespace.indexOf('.');
  return { database: namespace.slice(0, dot), collection: namespace.slice(dot + 1) };
}

function eventOf(entry: OplogEntry, operation: Doc, index: number, inTransaction: boolean): ChangeEvent | undefined {
  const namespace = operation.get('ns');
  const content = operation.get('o');
  const kind = operation.get('op');
  if (typeof namespace !== 'string' || !(content instanceof Doc)) return undefined;
  const { database, collection } = splitNamespace(namespace);
  const base = { entry, operation, index, inTransaction, database };
  if (kind === 'c') return commandEvent(base, content);
  if (kind !== 'i' && kind !== 'u' && kind !== 'd') return undefined;
  const target = operation.get('o2');
  const key = kind === 'd' ? content.get('_id') : target instanceof Doc ? target.get('_id') : content.get('_id');
  const diff = kind === 'u' && content.get('$v') === 2 ? content.get('diff') : undefined;
  const operationType = kind === 'i' ? 'insert' : kind === 'd' ? 'delete' : diff instanceof Doc ? 'update' : 'replace';
  const document = head(base, operationType);
  if (operationType === 'insert' || operationType === 'replace') document.append('fullDocument', content);
  document.append('ns', Doc.of({ db: database, coll: collection }));
  document.append('documentKey', Doc.of({ _id: key }));
  if (diff instanceof Doc) {
    const { updatedFields, removedFields, truncatedArrays } = describeDiff(diff);
    document.append('updateDescription', Doc.of({ updatedFields, removedFields, truncatedArrays }));
  }
  return event(base, operationType, collection, document, key);
}

interface EventBase {
  readonly entry: OplogEntry;
  readonly operation: Doc;
  readonly index: number;
  readonly inTransaction: boolean;
  readonly database: string;
}

function event(
  base: EventBase,
  operationType: string,
  collection: string,
  document: Doc,
  key: Value | undefined,
): ChangeEvent {
  const { entry, index, database } = base;
  const image = (name: string): Doc | undefined => {
    const value = entry.images?.get(`${name}${index}`);
    return value instanceof Doc ? value : undefined;
  };
  return {
    position: { time: entry.time, index },
    operationType,
    database,
    collection,
    document,
    key,
    before: image('p'),
    after: image('a'),
    invalidates: false,
    expanded: EXPANDED.has(operationType),
  };
}

/** The fields that every event begins with. */
function head({ entry, operation, index, inTransaction }: EventBase, operationType: string): Doc {
  const document = Doc.of({
    _id: encodeToken({ time: entry.time, index }, 'event'),
    operationType,
    clusterTime: timestampValue(entry.time),
  });
  const uuid = operation.get('ui');
  if (uuid instanceof Binary) document.append('collectionUUID', uuid);
  const wall = entry.entry.get('wall');
  if (wall !== undefined) document.append('wallTime', wall);
  if (inTransaction) {
    const session = entry.entry.get('lsid');
    const number = entry.entry.get('txnNumber');
    if (session !== undefined) document.append('lsid', session);
    if (number !== undefined) document.append('txnNumber', number);
  }
  return document;
}

function commandEvent(base: EventBase, command: Doc): ChangeEvent | undefined {
  const name = command.nameAt(0) ?? '';
  if (!COMMANDS.has(name)) return undefined;
  const value = command.at(0);
  if (name === 'dropDatabase') {
    const document = head(base, 'dropDatabase').append('ns', Doc.of({ db: base.database }));
    return event(base, 'dropDatabase', '', document, undefined);
  }
  if (typeof value !== 'string') return undefined;
  if (name === 'renameCollection') return renameEvent(base, command, value);
  const operationType = name === 'collMod' ? 'modify' : name;
  const document = head(base, operationType).append('ns', Doc.of({ db: base.database, coll: value }));
  if (EXPANDED.has(operationType)) {
    const description = new Doc();
    if (name === 'createIndexes') description.append('indexes', [withoutName(command)]);
    else if (name === 'dropIndexes') description.append('indexes', [base.operation.get('o2') ?? null]);
    else for (const [field, content] of withoutName(command)) description.append(field, content);
    document.append('operationDescription', description);
  }
  return event(base, operationType, value, document, undefined);
}

function withoutName(command: Doc): Doc {
  const rest = command.copy();
  rest.delete(command.nameAt(0) ?? '');
  return rest;
}

function renameEvent(base: EventBase, command: Doc, from: string): ChangeEvent | undefined {
  const to = command.get('to');
  if (typeof to !== 'string') return undefined;
  const source = splitNamespace(from);
  const target = splitNamespace(to);
  const document = head(base, 'rename')
    .append('ns', Doc.of({ db: source.database, coll: source.collection }))
    .append('to', Doc.of({ db: target.database, coll: target.collection }));
  return { ...event(base, 'rename', source.collection, document, undefined), database: source.database };
}

/** The event that ends a stream after `last`, if that must end it. */
export function invalidation(last: ChangeEvent, scope: StreamScope): ChangeEvent | undefined {
  const { operationType } = last;
  const ends =
    scope.kind === 'collection'
      ? operationType === 'drop' || operationType === 'rename' || operationType === 'dropDatabase'
      : scope.kind === 'database' && operationType === 'dropDatabase';
  if (!ends) return undefined;
  const document = Doc.of({
    _id: encodeToken(last.position, 'invalidate'),
    operationType: 'invalidate',
    clusterTime: last.document.get('clusterTime'),
    wallTime: last.document.get('wallTime'),
  });
  return { ...last, operationType: 'invalidate', document, key: undefined, invalidates: true, expanded: false };
}
