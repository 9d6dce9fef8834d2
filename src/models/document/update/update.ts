/**
 * Updates: operators, a replacement, or a pipeline; compiled once for a command and applied to each document it matches.
 */
import { badValue, DocumentError, ErrorCode, failedToParse } from '../errors.js';
import type { FilterHooks } from '../query/filter.js';
import {
  BsonType,
  bsonTypeOf,
  type Collation,
  compareValues,
  DOCUMENT_BYTES_MAX,
  Doc,
  encodeDocument,
  formatField,
  isArrayValue,
  nameOfType,
  nestingOf,
  ObjectId,
  Timestamp,
  typeName,
  UNDEFINED,
  type Value,
} from '../values.js';
import { applyTree } from './apply-tree.js';
import { type ArrayFilters, parseArrayFilters } from './array-filters.js';
import { differences } from './differences.js';
import { UpdateLog } from './log.js';
import type { UpdateContext } from './operator.js';
import { OPERATORS } from './operators/index.js';
import { addPath, newRoot, type ObjectNode, updatePath } from './tree.js';

/** Deepest document that is stored: 20 levels less than a message may have. */
const STORED_NESTING_MAX = 180;

export interface UpdateOptions {
  readonly arrayFilters?: readonly Doc[];
  readonly collation?: Collation | undefined;
  /** Compiles an update pipeline into a function of the document. */
  readonly pipeline?: (stages: readonly Doc[]) => (document: Doc) => Doc;
  readonly hooks?: FilterHooks;
}

export interface ApplyOptions {
  /** Position that {@link Filter.matchPosition} gave: what `$` stands for. */
  readonly position?: number;
  readonly now: number;
  readonly timestamp: () => Timestamp;
}

export interface UpdateResult {
  /** The new document, encoded; the old bytes when nothing changed. */
  readonly bytes: Buffer;
  readonly document: Doc;
  readonly modified: boolean;
  /** What changed, path by path; undefined for a replacement, and where that would say more than the whole. */
  readonly log: UpdateLog | undefined;
}

/** An update of any kind. */
export interface Update {
  readonly kind: 'operators' | 'replacement' | 'pipeline';
  /** A path has `$`: {@link ApplyOptions.position} is needed. */
  readonly positional: boolean;
  /** The new version of a stored document. */
  apply(document: Doc, options: ApplyOptions): UpdateResult;
  /** Applies the update to the document that an upsert builds from its query. */
  insert(document: Doc, options: ApplyOptions): Doc;
}

/** `update` is a document or an array of pipeline stages. Throws a DocumentError for what MongoDB refuses. */
export function compileUpdate(update: Value, options: UpdateOptions = {}): Update {
  if (isArrayValue(update)) return compilePipeline(update, options);
  if (!(update instanceof Doc)) throw failedToParse('Update argument must be either an object or an array');
  if ((update.nameAt(0) ?? '').startsWith('$')) return new OperatorUpdate(update, options);
  if ((options.arrayFilters ?? []).length > 0)
    throw failedToParse('arrayFilters may not be specified for replacement-style updates');
  return new ReplacementUpdate(update);
}

function compilePipeline(stages: readonly Value[], options: UpdateOptions): Update {
  if ((options.arrayFilters ?? []).length > 0)
    throw failedToParse('arrayFilters may not be specified for pipeline-style updates');
  const documents = stages.map((stage) => {
    if (stage instanceof Doc) return stage;
    throw new DocumentError(ErrorCode.typeMismatch, "Each element of the 'pipeline' array must be an object");
  });
  if (options.pipeline === undefined) throw failedToParse('pipeline-style updates are not allowed in this context');
  return new PipelineUpdate(options.pipeline(documents));
}

class OperatorUpdate implements Update {
  readonly kind = 'operators';
  readonly positional: boolean;
  private readonly root: ObjectNode = newRoot();
  private readonly filters: ArrayFilters;

  constructor(update: Doc, { arrayFilters = [], collation, hooks }: UpdateOptions) {
    this.filters = parseArrayFilters(arrayFilters, collation, hooks);
    const used = new Set<string>();
    let positional = false;
    for (const [name, fields] of update) {
      if (!OPERATORS.has(name) && name !== '$rename') {
        throw failedToParse(
          `Unknown modifier: ${name}. Expected a valid update modifier or pipeline-style update specified as an array`,
        );
      }
      if (!(fields instanceof Doc)) {
        throw failedToParse(
          `Modifiers operate on fields but we found type ${typeName(fields)} instead. For example: {$mod: {<field>: ...}} not {${formatField(name, fields)}}`,
        );
      }
      for (const [path, argument] of fields) {
        positional ||= path.split('.').includes('$');
        this.add(name, path, argument, collation, used);
      }
    }
    this.positional = positional;
    for (const identifier of this.filters.keys()) {
      if (!used.has(identifier)) {
        throw failedToParse(
          `The array filter for identifier '${identifier}' was not used in the update ${formatUpdate(update)}`,
        );
      }
    }
  }

  private add(name: string, path: string, argument: Value, collation: Collation | undefined, used: Set<string>): void {
    const parser = OPERATORS.get(name);
    if (parser === undefined) {
      this.addRename(path, argument, used);
      return;
    }
    updatePath(path);
    addPath(this.root, path, { kind: 'leaf', operator: parser(argument, path, collation) }, this.filters, used);
  }

  private addRename(path: string, argument: Value, used: Set<string>): void {
    if (typeof argument !== 'string')
      throw badValue(`The 'to' field for $rename must be a string: ${formatField(path, argument)}`);
    if (argument.includes('\0')) throw badValue("The 'to' field for $rename cannot contain an embedded null byte");
    const from = updatePath(path);
    const to = updatePath(argument);
    const shown = formatField(path, argument);
    if (path === argument) throw badValue(`The source and target field for $rename must differ: ${shown}`);
    if (`${argument}.`.startsWith(`${path}.`) || `${path}.`.startsWith(`${argument}.`)) {
      throw badValue(`The source and target field for $rename must not be on the same path: ${shown}`);
    }
    const dynamic = (parts: readonly string[]): boolean =>
      parts.some((part) => part === '$' || /^\$\[.*\]$/.test(part));
    if (dynamic(from)) throw badValue(`The source field for $rename may not be dynamic: ${path}`);
    if (dynamic(to)) throw badValue(`The destination field for $rename may not be dynamic: ${argument}`);
    addPath(this.root, path, { kind: 'source' }, this.filters, used);
    addPath(this.root, argument, { kind: 'rename', from }, this.filters, used);
  }

  apply(document: Doc, options: ApplyOptions): UpdateResult {
    const context: UpdateContext = { root: document, now: options.now, timestamp: options.timestamp, insert: false };
    const result = applyTree(this.root, document, options.position ?? -1, this.filters, context);
    if (result.log.isEmpty) return unchanged(document);
    for (const { path } of result.log.entries) if (typeof path[0] === 'string') checkTopLevelName(path[0]);
    return stored(result.document, result.log);
  }

  insert(document: Doc, options: ApplyOptions): Doc {
    const context: UpdateContext = { root: document, now: options.now, timestamp: options.timestamp, insert: true };
    return applyTree(this.root, document, -1, this.filters, context).document;
  }
}

function formatUpdate(update: Doc): string {
  return formatField('', update).slice(2);
}

class ReplacementUpdate implements Update {
  readonly kind = 'replacement';
  readonly positional = false;

  constructor(private readonly replacement: Doc) {}

  apply(document: Doc, options: ApplyOptions): UpdateResult {
    const result = this.build(document.get('_id'), options);
    if (encodeDocument(document).equals(encodeDocument(result))) return unchanged(document);
    return checked(result, undefined);
  }

  insert(document: Doc, options: ApplyOptions): Doc {
    return this.build(document.get('_id'), options);
  }

  /** The replacement with `_id` in front: its own, or the one given. */
  private build(id: Value | undefined, options: ApplyOptions): Doc {
    const result = withServerTimestamps(this.replacement, options.timestamp);
    const given = result.get('_id');
    if (id !== undefined && given !== undefined && compareValues(id, given) !== 0) throw alteredId(given);
    return withIdFirst(result, given ?? id);
  }
}

function alteredId(id: Value): DocumentError {
  return new DocumentError(
    ErrorCode.immutableField,
    `After applying the update, the (immutable) field '_id' was found to have been altered to ${formatField('_id', id)}`,
  );
}

class PipelineUpdate implements Update {
  readonly kind = 'pipeline';
  readonly positional = false;

  constructor(private readonly run: (document: Doc) => Doc) {}

  apply(document: Doc, _options: ApplyOptions): UpdateResult {
    const id = document.get('_id');
    const produced = this.run(document);
    const changedId = produced.get('_id');
    if (id !== undefined && changedId !== undefined && compareValues(id, changedId) !== 0) throw alteredId(changedId);
    const result = withIdFirst(produced, changedId ?? id);
    if (encodeDocument(document).equals(encodeDocument(result))) return unchanged(document);
    return checked(result, differences(document, result));
  }

  insert(document: Doc, _options: ApplyOptions): Doc {
    return this.run(document);
  }
}

function unchanged(document: Doc): UpdateResult {
  return { bytes: encodeDocument(document), document, modified: false, log: new UpdateLog() };
}

/** Checks a document that is new as a whole. Throws codes 52, 53, 15 and 17419. */
function checked(document: Doc, log: UpdateLog | undefined): UpdateResult {
  checkNames(document);
  return stored(document, log);
}

/** Throws codes 15 and 17419. */
function stored(document: Doc, log: UpdateLog | undefined): UpdateResult {
  const bytes = encodeDocument(document);
  checkNesting(bytes);
  if (bytes.length > DOCUMENT_BYTES_MAX) {
    throw new DocumentError(
      ErrorCode.updatedDocumentTooLarge,
      `Resulting document after update is larger than ${DOCUMENT_BYTES_MAX}`,
    );
  }
  return { bytes, document, modified: true, log };
}

/** What a document needs to be stored by an update. Throws codes 52, 53 and 15. */
export function checkStorable(document: Doc): void {
  checkNames(document);
  checkNesting(encodeDocument(document));
}

function checkNames(document: Doc): void {
  for (const name of document.keys()) checkTopLevelName(name);
  const id = document.get('_id');
  if (id !== undefined) checkId(id);
}

/** Throws code 15 for a document with too many levels. */
export function checkNesting(bytes: Buffer): void {
  if (nestingOf(bytes) > STORED_NESTING_MAX) {
    throw new DocumentError(ErrorCode.overflow, `Document exceeds maximum nesting depth of ${STORED_NESTING_MAX}`);
  }
}

function checkTopLevelName(name: string): void {
  if (!name.startsWith('$') || name === '$ref' || name === '$id' || name === '$db') return;
  throw new DocumentError(
    ErrorCode.dollarPrefixedFieldName,
    `The dollar ($) prefixed field '${name}' in '${name}' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.`,
  );
}

/** Whether a value may be an `_id`. Throws codes 53 and 52. */
export function checkId(id: Value): void {
  const type = bsonTypeOf(id);
  if (type === BsonType.array || type === BsonType.regex || id === UNDEFINED) {
    throw new DocumentError(ErrorCode.invalidIdField, `The '_id' value cannot be of type ${nameOfType(type)}`);
  }
  const dollar = id instanceof Doc ? dollarField(id) : undefined;
  if (dollar !== undefined) {
    throw new DocumentError(
      ErrorCode.dollarPrefixedFieldName,
      `_id fields may not contain '$'-prefixed fields: The dollar ($) prefixed field '${dollar}' is not valid for storage.`,
    );
  }
}

function dollarField(document: Doc): string | undefined {
  for (const [name, value] of document) {
    if (name.startsWith('$') && !['$ref', '$id', '$db'].includes(name)) return name;
    const inner = value instanceof Doc ? dollarField(value) : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** Timestamps of zeros at the top level, but for `_id`, become the server's time. */
export function withServerTimestamps(document: Doc, timestamp: () => Timestamp): Doc {
  let result = document;
  for (const [name, value] of document) {
    if (name === '_id' || !(value instanceof Timestamp) || value.seconds !== 0 || value.increment !== 0) continue;
    if (result === document) result = document.copy();
    result.set(name, timestamp());
  }
  return result;
}

/** The document with this `_id` as its first field; without one, as it is. */
export function withIdFirst(document: Doc, id: Value | undefined): Doc {
  if (id === undefined || (document.nameAt(0) === '_id' && document.at(0) === id)) return document;
  const result = document.copy();
  result.delete('_id');
  return result.prepend('_id', id);
}

/** A new `_id` for documents that come without one. */
export function withId(document: Doc): Doc {
  return withIdFirst(document, document.get('_id') ?? ObjectId.generate());
}
