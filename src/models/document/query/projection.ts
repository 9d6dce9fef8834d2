/**
 * Projections: which fields of a document a client gets, and fields computed beside them. All fields are included or all
 * are excluded, but for `_id`. Fields keep the document's order; computed ones come after them. Included fields are
 * copied from the document's bytes.
 */
import { DocumentError } from '../errors.js';
import { type ArrayValue, Doc, encodeDocument, isArrayValue, type Value } from '../values.js';
import type { Filter } from './filter.js';
import { type ProjectionOptions, parseProjection } from './parse-projection.js';

/** What is known of a document beside its fields. */
export type Metadata = ReadonlyMap<string, Value>;

export type Computed = (document: Doc, metadata: Metadata | undefined) => Value | undefined;

/** A level of the projected document. */
export interface ProjectionNode {
  readonly children: Map<string, ProjectionNode | 'included' | 'excluded' | { readonly compute: Computed }>;
}

export interface Slice {
  readonly path: readonly string[];
  readonly skip: number | undefined;
  readonly limit: number;
}

export interface ParsedProjection {
  readonly kind: 'inclusion' | 'exclusion';
  readonly root: ProjectionNode;
  /** `{a: {$slice: ...}}`, applied to what the tree leaves. */
  readonly slices: readonly Slice[];
  /** `{'a.$': 1}`: path of the array of which the matched element stays. */
  readonly positional: readonly string[] | undefined;
  /** Kinds of metadata asked for. */
  readonly metadata: ReadonlySet<string>;
}

const NOTHING: ParsedProjection = {
  kind: 'exclusion',
  root: { children: new Map() },
  slices: [],
  positional: undefined,
  metadata: new Set(),
};

/** Reads a projection. Throws a {@link DocumentError} with MongoDB's code. */
export function compileProjection(specification: Doc, options: ProjectionOptions = {}): Projection {
  if (specification.isEmpty) return new Projection(NOTHING, undefined);
  return new Projection(parseProjection(specification, options), options.filter);
}

export class Projection {
  constructor(
    private readonly parsed: ParsedProjection,
    private readonly filter: Filter | undefined,
  ) {}

  get kind(): 'inclusion' | 'exclusion' {
    return this.parsed.kind;
  }

  /** Gives documents as they are. */
  get isEmpty(): boolean {
    const { kind, root, slices, positional } = this.parsed;
    return kind === 'exclusion' && root.children.size === 0 && slices.length === 0 && positional === undefined;
  }

  /** Kinds of metadata that {@link apply} wants, such as `textScore`. */
  get metadata(): ReadonlySet<string> {
    return this.parsed.metadata;
  }

  /** Dotted paths of a projection that only includes; undefined for any other. For covered queries. */
  get includedPaths(): readonly string[] | undefined {
    const { kind, root, slices, positional } = this.parsed;
    if (kind !== 'inclusion' || slices.length > 0 || positional !== undefined) return undefined;
    const paths: string[] = [];
    return collectIncluded(root, '', paths) ? paths : undefined;
  }

  /** The projected document. `metadata` gives what `$meta` asks for. */
  apply(document: Doc, metadata?: Metadata): Doc {
    const { kind, root, slices, positional } = this.parsed;
    let result = kind === 'inclusion' ? include(root, document) : exclude(root, document);
    for (const slice of slices) result = sliceAt(result, slice, 0);
    if (positional !== undefined) result = this.keepMatched(document, result, positional);
    return compute(root, result, document, metadata);
  }

  private keepMatched(document: Doc, result: Doc, path: readonly string[]): Doc {
    const position = this.filter?.matchPosition(document.source ?? encodeDocument(document));
    if (position === undefined || position < 0) {
      throw new DocumentError(
        51246,
        "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching element in the array",
      );
    }
    return keepElement(result, path, 0, position);
  }
}

function collectIncluded(node: ProjectionNode, prefix: string, paths: string[]): boolean {
  for (const [name, child] of node.children) {
    if (child === 'included') paths.push(prefix + name);
    else if (child === 'excluded') {
      if (prefix !== '' || name !== '_id') return false;
    } else if ('compute' in child || !collectIncluded(child, `${prefix}${name}.`, paths)) return false;
  }
  return true;
}

function include(node: ProjectionNode, document: Doc): Doc {
  const result = Doc.selectionFrom(document);
  const names = document.keys();
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? '';
    const child = node.children.get(name);
    if (child === undefined || child === 'excluded') continue;
    if (child === 'included') {
      result.take(document, i);
    } else if (!('compute' in child)) {
      const value = includeValue(child, document.at(i) ?? null);
      if (value !== undefined) result.append(name, value);
    }
  }
  return result;
}

/** Only documents have fields to include; arrays are gone through. */
function includeValue(node: ProjectionNode, value: Value): Value | undefined {
  if (value instanceof Doc) return include(node, value);
  if (!isArrayValue(value)) return undefined;
  return value.map((element) => includeValue(node, element)).filter((element) => element !== undefined);
}

function exclude(node: ProjectionNode, document: Doc): Doc {
  if (node.children.size === 0) return document;
  const result = Doc.selectionFrom(document);
  const names = document.keys();
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? '';
    const child = node.children.get(name);
    if (child === undefined || child === 'included') result.take(document, i);
    else if (child !== 'excluded' && !('compute' in child))
      result.append(name, excludeValue(child, document.at(i) ?? null));
  }
  return result;
}

function excludeValue(node: ProjectionNode, value: Value): Value {
  if (value instanceof Doc) return exclude(node, value);
  return isArrayValue(value) ? value.map((element) => excludeValue(node, element)) : value;
}

function hasComputed(node: ProjectionNode): boolean {
  for (const child of node.children.values()) {
    if (typeof child === 'object' && ('compute' in child || hasComputed(child))) return true;
  }
  return false;
}

/** Adds the computed fields of a level, from the whole document as it was. */
function compute(node: ProjectionNode, result: Doc, root: Doc, metadata: Metadata | undefined): Doc {
  if (!hasComputed(node)) return result;
  const changed = result.copy();
  for (const [name, child] of node.children) {
    if (typeof child !== 'object') continue;
    if ('compute' in child) {
      const value = child.compute(root, metadata);
      if (value === undefined) changed.delete(name);
      else changed.set(name, value);
    } else if (hasComputed(child)) {
      changed.set(name, computeValue(child, changed.get(name), root, metadata));
    }
  }
  return changed;
}

function computeValue(
  node: ProjectionNode,
  value: Value | undefined,
  root: Doc,
  metadata: Metadata | undefined,
): Value {
  if (value instanceof Doc) return compute(node, value, root, metadata);
  if (value !== undefined && isArrayValue(value)) {
    return value.map((element) => computeValue(node, element, root, metadata));
  }
  return compute(node, new Doc(), root, metadata);
}

function sliceAt(document: Doc, slice: Slice, depth: number): Doc {
  const name = slice.path[depth] ?? '';
  const value = document.get(name);
  if (value === undefined) return document;
  const replaced = sliceValue(value, slice, depth + 1);
  return replaced === value ? document : document.copy().set(name, replaced);
}

function sliceValue(value: Value, slice: Slice, depth: number): Value {
  if (depth === slice.path.length) return isArrayValue(value) ? sliced(value, slice) : value;
  if (value instanceof Doc) return sliceAt(value, slice, depth);
  if (!isArrayValue(value)) return value;
  return value.map((element) => (element instanceof Doc ? sliceAt(element, slice, depth) : element));
}

function sliced(array: ArrayValue, { skip, limit }: Slice): ArrayValue {
  if (skip === undefined) return limit >= 0 ? array.slice(0, limit) : array.slice(limit);
  const start = skip < 0 ? Math.max(0, array.length + skip) : skip;
  return array.slice(start, start + limit);
}

/** The first array on the path becomes an array of its matched element. */
function keepElement(document: Doc, path: readonly string[], depth: number, position: number): Doc {
  const name = path[depth] ?? '';
  const value = document.get(name);
  if (value === undefined) return document;
  if (isArrayValue(value)) {
    const element = value[position];
    if (element === undefined) {
      throw new DocumentError(
        51247,
        "Executor error during find command :: caused by :: positional operator '.$' element mismatch",
      );
    }
    return document.copy().set(name, [element]);
  }
  if (value instanceof Doc && depth + 1 < path.length) {
    return document.copy().set(name, keepElement(value, path, depth + 1, position));
  }
  return document;
}
