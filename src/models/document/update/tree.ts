/**
 * An update's operators as a tree of paths, built once for a command (apply-tree.ts applies it to documents). It finds
 * conflicts when it is built (two operators on one path, or on a path and below it) and, because `$` and `$[]` become
 * positions only then, again when it is applied.
 */
import { badValue, DocumentError, ErrorCode } from '../errors.js';
import type { ArrayFilters } from './array-filters.js';
import type { UpdateOperator } from './operator.js';

export type UpdateNode = ObjectNode | ArrayNode | LeafNode | RenameNode | SourceNode;

/** Fields by name; `$` apart. */
export interface ObjectNode {
  readonly kind: 'object';
  readonly children: Map<string, UpdateNode>;
  positional: UpdateNode | undefined;
  /** The children in the order in which they are applied, once that has been found. */
  order?: readonly (readonly [string, UpdateNode])[];
}

/** `$[]` (identifier '') and `$[id]`. */
export interface ArrayNode {
  readonly kind: 'array';
  readonly children: Map<string, UpdateNode>;
}

export interface LeafNode {
  readonly kind: 'leaf';
  readonly operator: UpdateOperator;
}

/** Where `$rename` puts a field. */
export interface RenameNode {
  readonly kind: 'rename';
  readonly from: readonly string[];
}

/** Where `$rename` takes it from: there only for conflicts. */
export interface SourceNode {
  readonly kind: 'source';
}

export function newRoot(): ObjectNode {
  return { kind: 'object', children: new Map(), positional: undefined };
}

function conflict(path: string, at: string): DocumentError {
  return new DocumentError(
    ErrorCode.conflictingUpdateOperators,
    `Updating the path '${path}' would create a conflict at '${at}'`,
  );
}

function arrayFilterIdentifier(part: string): string | undefined {
  return part.length >= 3 && part.startsWith('$[') && part.endsWith(']') ? part.slice(2, -1) : undefined;
}

/** Checks a path. Throws codes 56 and 2. */
export function updatePath(path: string): readonly string[] {
  if (path === '') throw new DocumentError(ErrorCode.emptyFieldName, 'An empty update path is not valid.');
  const parts = path.split('.');
  if (parts.includes('')) {
    throw new DocumentError(
      ErrorCode.emptyFieldName,
      `The update path '${path}' contains an empty field name, which is not allowed.`,
    );
  }
  const positional = parts.filter((part) => part === '$').length;
  if (positional > 1) throw badValue(`Too many positional (i.e. '$') elements found in path '${path}'`);
  if (parts[0] === '$')
    throw badValue(`Cannot have positional (i.e. '$') element in the first position in path '${path}'`);
  if (arrayFilterIdentifier(parts[0] ?? '') !== undefined) {
    throw badValue(
      `Cannot have array filter identifier (i.e. '$[<id>]') element in the first position in path '${path}'`,
    );
  }
  return parts;
}

/** Adds a leaf at a path; `used` collects the identifiers of array filters. */
export function addPath(
  root: ObjectNode,
  path: string,
  leaf: LeafNode | RenameNode | SourceNode,
  filters: ArrayFilters,
  used: Set<string>,
): void {
  const parts = updatePath(path);
  let node: ObjectNode | ArrayNode = root;
  for (const [index, part] of parts.entries()) {
    const identifier = arrayFilterIdentifier(part);
    const here = parts.slice(0, index + 1).join('.');
    if (identifier !== undefined && identifier !== '') {
      if (!filters.has(identifier))
        throw badValue(`No array filter found for identifier '${identifier}' in path '${path}'`);
      used.add(identifier);
    }
    const name: string = identifier ?? part;
    const existing: UpdateNode | undefined = childOf(node, name);
    if (index === parts.length - 1) {
      if (existing !== undefined) throw conflict(path, path);
      setChild(node, name, leaf);
      return;
    }
    const intoArray = arrayFilterIdentifier(parts[index + 1] ?? '') !== undefined;
    const wanted = intoArray ? 'array' : 'object';
    if (existing === undefined) {
      const created: ObjectNode | ArrayNode = intoArray ? { kind: 'array', children: new Map() } : newRoot();
      setChild(node, name, created);
      node = created;
    } else if ((existing.kind === 'object' || existing.kind === 'array') && existing.kind === wanted) {
      node = existing;
    } else {
      throw conflict(path, here);
    }
  }
}

function childOf(node: ObjectNode | ArrayNode, name: string): UpdateNode | undefined {
  return node.kind === 'object' && name === '$' ? node.positional : node.children.get(name);
}

function setChild(node: ObjectNode | ArrayNode, name: string, child: UpdateNode): void {
  if (node.kind === 'object' && name === '$') node.positional = child;
  else node.children.set(name, child);
}

/** Two trees for the same value. */
export function merge(a: UpdateNode, b: UpdateNode, path: string): UpdateNode {
  if (a.kind === 'object' && b.kind === 'object') {
    const merged = newRoot();
    merged.positional = mergeOptional(a.positional, b.positional, `${path}.$`);
    mergeChildren(a, b, merged.children, path);
    return merged;
  }
  if (a.kind === 'array' && b.kind === 'array') {
    const merged: ArrayNode = { kind: 'array', children: new Map() };
    mergeChildren(a, b, merged.children, path);
    return merged;
  }
  throw conflict(path, path);
}

function mergeChildren(
  a: ObjectNode | ArrayNode,
  b: ObjectNode | ArrayNode,
  into: Map<string, UpdateNode>,
  path: string,
): void {
  for (const name of new Set([...a.children.keys(), ...b.children.keys()])) {
    const child = mergeOptional(a.children.get(name), b.children.get(name), `${path}.${name}`);
    if (child !== undefined) into.set(name, child);
  }
}

function mergeOptional(a: UpdateNode | undefined, b: UpdateNode | undefined, path: string): UpdateNode | undefined {
  return a === undefined || b === undefined ? (a ?? b) : merge(a, b, path);
}
