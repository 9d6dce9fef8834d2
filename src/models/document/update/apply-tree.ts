/**
 * An update's tree applied to a document. A level's parts are applied in order of their names, numbers by value, which is
 * the order in which new fields appear. Nothing is changed in place: what changes is copied, level by level.
 */
import { badValue, DocumentError, ErrorCode } from '../errors.js';
import { type ArrayValue, Doc, formatField, identical, isArrayValue, type Value } from '../values.js';
import type { ArrayFilters } from './array-filters.js';
import { type ChangedPath, UpdateLog } from './log.js';
import type { UpdateContext, UpdateOperator } from './operator.js';
import { idOf } from './operators/arithmetic.js';
import { type ArrayNode, merge, type ObjectNode, type UpdateNode } from './tree.js';

/** Most nulls that an update may put before a new element (`kMaxPaddingAllowed`). */
const PADDING_MAX = 1_500_000;

const REMOVED = Symbol('removed');
/** The value a node leaves: the same one when nothing changed, undefined when there still is none. */
type Outcome = Value | undefined | typeof REMOVED;

/** The end of what exists of a path, and the parts that would have to be made. */
interface Gap {
  readonly element: Value;
  readonly name: string;
  readonly path: ChangedPath;
  readonly missing: readonly string[];
}

export interface TreeResult {
  readonly document: Doc;
  readonly log: UpdateLog;
}

/** `position` is the array element that `$` stands for, or -1. */
export function applyTree(
  root: ObjectNode,
  document: Doc,
  position: number,
  filters: ArrayFilters,
  context: UpdateContext,
): TreeResult {
  return new Application(position, filters, context).run(root, document);
}

class Application {
  private readonly log = new UpdateLog();
  /** Fields that `$rename` has taken. */
  private readonly taken: (readonly string[])[] = [];

  constructor(
    private readonly position: number,
    private readonly filters: ArrayFilters,
    private readonly context: UpdateContext,
  ) {}

  run(root: ObjectNode, document: Doc): TreeResult {
    let result = this.applyToDocument(root, document, []);
    for (const path of this.taken) {
      this.checkRenamed(path);
      result = withoutPath(result, path);
      this.log.unset(path);
    }
    return { document: result, log: this.log };
  }

  private apply(node: UpdateNode, value: Value, path: ChangedPath): Outcome {
    switch (node.kind) {
      case 'leaf':
        return this.applyLeaf(node.operator, value, path);
      case 'rename':
        return this.applyRename(node.from, value, path);
      case 'source':
        return value;
      case 'array':
        return this.applyToElements(node, value, path);
      case 'object':
        if (value instanceof Doc) return this.applyToDocument(node, value, path);
        if (isArrayValue(value)) return this.applyToArray(node, value, path);
        for (const [name, child] of this.childrenOf(node, path)) this.create(child, gapAt(value, path, name));
        return value;
    }
  }

  /** Children in order, with `$` in its position's place. */
  private childrenOf(node: ObjectNode, path: ChangedPath): readonly (readonly [string, UpdateNode])[] {
    if (node.order !== undefined) return node.order;
    let { children } = node;
    if (node.positional !== undefined) {
      if (this.position < 0) throw badValue('The positional operator did not find the match needed from the query.');
      const name = String(this.position);
      const child = children.get(name);
      children = new Map(children).set(
        name,
        child === undefined ? node.positional : merge(child, node.positional, [...path, name].join('.')),
      );
    }
    const order = [...children].sort(([a], [b]) => compareNames(a, b));
    if (node.positional === undefined) node.order = order;
    return order;
  }

  private applyToDocument(node: ObjectNode, document: Doc, path: ChangedPath): Doc {
    let result = document;
    for (const [name, child] of this.childrenOf(node, path)) {
      const here = [...path, name];
      const value = document.get(name);
      if (value === undefined) {
        const created = this.create(child, gapAt(document, path, name));
        if (created === undefined) continue;
        if (result === document) result = document.copy();
        result.append(name, created);
        this.checkCreated(here, result);
        this.log.set(here, created, true);
        continue;
      }
      const outcome = this.apply(child, value, here);
      if (outcome === value) continue;
      if (result === document) result = document.copy();
      if (outcome === REMOVED) result.delete(name);
      else if (outcome !== undefined) result.set(name, outcome);
    }
    return result;
  }

  private applyToArray(node: ObjectNode, array: ArrayValue, path: ChangedPath): ArrayValue {
    const mark = this.log.mark();
    let result: Value[] | undefined;
    let padded = false;
    for (const [name, child] of this.childrenOf(node, path)) {
      const index = positionOf(name);
      const value = index === undefined ? undefined : (result ?? array)[index];
      if (index === undefined || value === undefined) {
        const created = this.create(child, gapAt(result ?? array, path, name));
        if (created === undefined || index === undefined) continue;
        result ??= [...array];
        padded ||= index > result.length;
        while (result.length < index) result.push(null);
        result.push(created);
        this.checkCreated([...path, index], result);
        if (!padded) this.log.set([...path, index], created, true);
        continue;
      }
      const outcome = this.apply(child, value, [...path, index]);
      if (outcome === value || outcome === undefined) continue;
      result ??= [...array];
      // An element that is unset leaves a hole.
      result[index] = outcome === REMOVED ? null : outcome;
    }
    if (padded && result !== undefined) {
      this.log.rollback(mark);
      this.log.set(path, result);
    }
    return result ?? array;
  }

  private applyToElements(node: ArrayNode, value: Value, path: ChangedPath): Value {
    if (!isArrayValue(value)) {
      throw badValue(`Cannot apply array updates to non-array element ${formatField(String(path.at(-1)), value)}`);
    }
    const mark = this.log.mark();
    const result = [...value];
    const changed: number[] = [];
    let matching = 0;
    for (const [index, element] of value.entries()) {
      const here = [...path, index];
      const nodes = [...node.children].filter(([id]) => id === '' || this.filters.get(id)?.(element) === true);
      if (nodes.length === 0) continue;
      matching++;
      const merged = nodes.map(([, child]) => child).reduce((a, b) => merge(a, b, here.join('.')));
      const outcome = this.apply(merged, element, here);
      if (outcome === element || outcome === undefined) continue;
      changed.push(index);
      result[index] = outcome === REMOVED ? null : outcome;
    }
    if (changed.length === 0) return value;
    if (changed.length > 1) {
      this.log.rollback(mark);
      this.log.set(path, result);
    } else if (matching > 1) {
      this.log.rollback(mark);
      const index = changed[0] ?? 0;
      this.log.set([...path, index], result[index] ?? null);
    }
    return result;
  }

  private applyLeaf(operator: UpdateOperator, value: Value, path: ChangedPath): Outcome {
    const place = { path: path.join('.'), name: String(path.at(-1)) };
    const change = operator.update(value, place, this.context);
    if (change.kind === 'same') return value;
    if (change.kind === 'remove') {
      // An element that is unset becomes null.
      if (value === null && typeof path.at(-1) === 'number') return value;
      this.checkImmutable(path, undefined);
      if (typeof path.at(-1) === 'number') this.log.set(path, null);
      else this.log.unset(path);
      return REMOVED;
    }
    this.checkImmutable(path, change.value);
    const { value: result, appended } = change;
    if (appended !== undefined && isArrayValue(result)) {
      for (let i = result.length - appended; i < result.length; i++)
        this.log.set([...path, i], result[i] ?? null, true);
    } else {
      this.log.set(path, result);
    }
    return result;
  }

  /** The value of a field that does not exist; undefined if it stays so. */
  private create(node: UpdateNode, gap: Gap): Value | undefined {
    switch (node.kind) {
      case 'leaf': {
        const { operator } = node;
        const path = [...gap.path, ...gap.missing];
        const created = operator.create({ path: path.join('.'), name: String(path.at(-1)) }, this.context);
        if (created !== undefined) checkCreatable(gap);
        else if (operator.unreachable === 'refuse') checkViable(gap);
        return created;
      }
      case 'rename': {
        const source = this.renameSource(node.from, [...gap.path, ...gap.missing], gap.element);
        if (source !== undefined) checkCreatable(gap);
        return source;
      }
      case 'source':
        return undefined;
      case 'array':
        throw badValue(
          `The path '${[...gap.path, ...gap.missing].join('.')}' must exist in the document in order to apply array updates.`,
        );
      case 'object': {
        let document: Doc | undefined;
        for (const [name, child] of this.childrenOf(node, [...gap.path, ...gap.missing])) {
          const created = this.create(child, { ...gap, missing: [...gap.missing, name] });
          if (created !== undefined) document = (document ?? new Doc()).append(name, created);
        }
        return document;
      }
    }
  }

  private applyRename(from: readonly string[], value: Value, path: ChangedPath): Value {
    const source = this.renameSource(from, path, undefined);
    if (source === undefined || identical(source, value)) return value;
    this.checkImmutable(path, source);
    this.log.set(path, source);
    return source;
  }

  /** The value to rename, if there is one; it is taken away afterwards. `end` is the deepest value of the target's path. */
  private renameSource(from: readonly string[], to: ChangedPath, end: Value | undefined): Value | undefined {
    let value: Value | undefined = this.context.root;
    let crossed: string | undefined;
    for (const [index, part] of from.entries()) {
      const name = from[index - 1] ?? '';
      if (value instanceof Doc) {
        value = value.get(part);
      } else if (isArrayValue(value)) {
        crossed = name;
        const position = positionOf(part);
        if (position === undefined) throw cannotTraverse(from, index, name, value);
        value = value[position];
      } else {
        throw cannotTraverse(from, index, name, value);
      }
      if (value === undefined) return undefined;
    }
    if (crossed !== undefined) throw this.renamedArray('source', from.join('.'), crossed);
    const array = to.findIndex((part) => typeof part === 'number');
    if (array > 0) throw this.renamedArray('destination', to.join('.'), String(to[array - 1]));
    if (end !== undefined && isArrayValue(end)) throw this.renamedArray('destination', to.join('.'), String(to.at(-2)));
    this.taken.push(from);
    return value;
  }

  private renamedArray(which: string, path: string, array: string): DocumentError {
    return badValue(
      `The ${which} field cannot be an array element, '${path}' in doc with ${idOf(this.context)} has an array field called '${array}'`,
    );
  }

  private checkRenamed(path: readonly string[]): void {
    if (this.context.insert || path[0] !== '_id') return;
    throw new DocumentError(
      ErrorCode.immutableField,
      `Unsetting the path '${path.join('.')}' using $rename would modify the immutable field '_id'`,
    );
  }

  /** `_id` and what is in it may not change; a document equal to the old one may be set. */
  private checkImmutable(path: ChangedPath, value: Value | undefined): void {
    if (this.context.insert || path[0] !== '_id') return;
    const message =
      path.length === 1 && value instanceof Doc
        ? `Updating the path '_id' to ${formatField('_id', value)} would modify the immutable field '_id'`
        : `Performing an update on the path '${path.join('.')}' would modify the immutable field '_id'`;
    throw new DocumentError(ErrorCode.immutableField, message);
  }

  private checkCreated(path: ChangedPath, parent: Value): void {
    if (this.context.insert || path[0] !== '_id' || path.length === 1) return;
    const above = path.slice(0, -1).join('.');
    throw new DocumentError(
      ErrorCode.immutableField,
      `Updating the path '${above}' to ${formatField(String(path.at(-2)), parent)} would modify the immutable field '_id'`,
    );
  }
}

function gapAt(element: Value, path: ChangedPath, name: string): Gap {
  return { element, name: String(path.at(-1) ?? ''), path, missing: [name] };
}

/** Whether the first missing part can be made in the value where the path ends. Throws codes 28 and 34. */
function checkCreatable({ element, name, missing }: Gap): void {
  if (element instanceof Doc) return;
  const part = missing[0] ?? '';
  const position = isArrayValue(element) ? positionOf(part) : undefined;
  if (position === undefined || !isArrayValue(element)) {
    throw new DocumentError(
      ErrorCode.pathNotViable,
      `Cannot create field '${part}' in element {${formatField(name, element)}}`,
    );
  }
  if (position - element.length > PADDING_MAX) {
    throw new DocumentError(ErrorCode.cannotBackfillArray, `can't backfill more than ${PADDING_MAX} elements`);
  }
}

function checkViable({ element, name, path, missing }: Gap): void {
  if (element instanceof Doc) return;
  const part = missing[0] ?? '';
  if (isArrayValue(element) && positionOf(part) !== undefined) return;
  throw new DocumentError(
    ErrorCode.pathNotViable,
    `Cannot use the part (${part}) of (${[...path, ...missing].join('.')}) to traverse the element ({${formatField(name, element)}})`,
  );
}

function cannotTraverse(path: readonly string[], index: number, name: string, value: Value | undefined): DocumentError {
  return new DocumentError(
    ErrorCode.pathNotViable,
    `cannot use the part (${name} of ${path.slice(0, index + 1).join('.')}) to traverse the element ({${formatField(name, value ?? null)}})`,
  );
}

function positionOf(part: string): number | undefined {
  return /^[0-9]{1,9}$/.test(part) ? Number(part) : undefined;
}

/** Numbers by value, other names by bytes. */
function compareNames(a: string, b: string): number {
  const left = positionOf(a);
  const right = positionOf(b);
  if (left !== undefined && right !== undefined) return left - right;
  return a < b ? -1 : a > b ? 1 : 0;
}

function withoutPath(document: Doc, [name = '', ...rest]: readonly string[]): Doc {
  const copy = document.copy();
  const value = document.get(name);
  if (rest.length > 0 && value instanceof Doc) copy.set(name, withoutPath(value, rest));
  else copy.delete(name);
  return copy;
}
