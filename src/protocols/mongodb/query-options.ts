/** Options that the commands about documents share: collation, hint, filters. */

import { type Collation, parseCollation } from '../../models/document/collation.js';
import type { Collection } from '../../models/document/collection.js';
import type { FoundRecord } from '../../models/document/planner/execute.js';
import { compileFilter, type Filter } from '../../models/document/query/filter.js';
import { compileProjection, type Metadata, type Projection } from '../../models/document/query/projection.js';
import { compileUpdate, type Update } from '../../models/document/update/update.js';
import { Binary, Doc, encodeDocument, type Value } from '../../models/document/values.js';
import type { CommandContext } from './command.js';
import { failed } from './errors.js';

const EMPTY = new Doc();

/** The collection (or view) a command is about, as it is now. */
export async function lookUp(
  context: CommandContext,
  name: string,
  database = context.database,
): Promise<Collection | undefined> {
  return context.storage.read((view) => context.storage.store.catalog.find(view, database, name));
}

/** The collation of an operation: its own, or else the collection's. */
export function collationOf(given: Doc | undefined, collection: Collection | undefined): Collation | undefined {
  return given === undefined ? collection?.collation : parseCollation(given);
}

export function hintOf(value: Value | undefined): string | Doc | undefined {
  if (value === undefined || (value instanceof Doc && value.isEmpty)) return undefined;
  if (typeof value === 'string' || value instanceof Doc) return value;
  throw failed(9, 'Hint must be a string or an object');
}

export function filterOf(query: Doc | undefined, collation: Collation | undefined, variables?: Doc): Filter {
  void variables;
  return compileFilter(query ?? EMPTY, { collation });
}

/** How found records become what the client gets; `undefined`: as they are. */
export function projectionOf(
  specification: Doc | undefined,
  filter: Filter,
  collation: Collation | undefined,
  options: { readonly showRecordId?: boolean | undefined; readonly returnKey?: boolean | undefined } = {},
): ((found: FoundRecord, collection: Collection) => Buffer) | undefined {
  const projection = specification === undefined ? undefined : compileProjection(specification, { filter, collation });
  const plain = projection === undefined || projection.isEmpty;
  if (plain && options.showRecordId !== true && options.returnKey !== true) return undefined;
  return (found, collection) => {
    if (options.returnKey === true) return encodeDocument(new Doc());
    let document = Doc.fromBytes(found.document);
    if (!plain) document = projection.apply(document, metadataOf(projection, found));
    if (options.showRecordId === true) document = document.copy().set('$recordId', recordIdOf(found, collection));
    return encodeDocument(document);
  };
}

function metadataOf(projection: Projection, found: FoundRecord): Metadata | undefined {
  if (projection.metadata.size === 0) return undefined;
  const metadata = new Map<string, Value>();
  if (projection.metadata.has('randVal')) metadata.set('randVal', Math.random());
  for (const [name, value] of found.metadata ?? []) metadata.set(name, value);
  return metadata;
}

/** Records in insertion order have a number; the others are named by their `_id`'s key. */
function recordIdOf(found: FoundRecord, collection: Collection): Value {
  if (collection.insertionOrder) return BigInt(`0x${Buffer.from(found.record.slice(1), 'latin1').toString('hex')}`);
  return new Binary(Buffer.from(found.record, 'latin1'));
}

/** The update of a statement. `variables` are the constants of a pipeline. */
export function updateOf(
  update: Value,
  arrayFilters: readonly Doc[] | undefined,
  collation: Collation | undefined,
  variables: Doc | undefined,
): Update {
  void variables;
  return compileUpdate(update, { collation, ...(arrayFilters === undefined ? {} : { arrayFilters }) });
}
