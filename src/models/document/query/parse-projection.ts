/** The specification of a projection, read into a tree with MongoDB's refusals. */
import { DocumentError } from '../errors.js';
import {
  BsonType,
  bsonTypeOf,
  type Collation,
  Doc,
  encodeDocument,
  formatDocument,
  formatField,
  isArrayValue,
  isNumber,
  isTrue,
  toDouble,
  typeName,
  type Value,
} from '../values.js';
import { parseFieldPath } from './field-path.js';
import { compileFilter, type Filter } from './filter.js';
import { type Predicate, visitPredicates } from './predicate.js';
import type { Computed, ParsedProjection, ProjectionNode, Slice } from './projection.js';

export interface ProjectionOptions {
  /** The query whose matches are projected; `a.$` needs it. */
  readonly filter?: Filter | undefined;
  readonly collation?: Collation | undefined;
  /** Compiles an expression or a literal. */
  readonly expression?: (expression: Value) => (document: Doc) => Value | undefined;
  /** Says whether `$name` is an expression's name. */
  readonly isExpression?: (name: string) => boolean;
  /** `$project` knows no `$slice`, `$elemMatch` and `a.$` of its own. */
  readonly aggregation?: boolean;
}

const META = new Set([
  'textScore',
  'sortKey',
  'indexKey',
  'recordId',
  'geoNearDistance',
  'geoNearPoint',
  'randVal',
  'searchScore',
  'searchHighlights',
  'searchScoreDetails',
  'vectorSearchScore',
]);

export function parseProjection(specification: Doc, options: ProjectionOptions): ParsedProjection {
  return new Parser(options).parse(specification);
}

type Child = ProjectionNode | 'included' | 'excluded' | { readonly compute: Computed };

class Parser {
  private readonly root: ProjectionNode = { children: new Map() };
  private readonly slices: Slice[] = [];
  private readonly metadata = new Set<string>();
  private positional: readonly string[] | undefined;
  private kind: 'inclusion' | 'exclusion' | undefined;
  private hasElemMatch = false;
  private idGiven = false;
  private idIncluded = false;
  private idExcluded = false;

  constructor(private readonly options: ProjectionOptions) {}

  parse(specification: Doc): ParsedProjection {
    for (const [name, value] of specification) {
      if (name === '_id' || name.startsWith('_id.')) this.idGiven = true;
      this.element(name, value, this.root, []);
    }
    const kind = this.kind ?? this.ambiguousKind();
    const { children } = this.root;
    if (kind === 'inclusion') {
      if (!this.idGiven) this.root.children.set('_id', 'included');
      for (const slice of this.slices) this.includeSliced(slice);
    } else if (this.idIncluded) {
      children.delete('_id');
    }
    return { kind, root: this.root, slices: this.slices, positional: this.positional, metadata: this.metadata };
  }

  /** Projections of `_id` and find's own operators alone. */
  private ambiguousKind(): 'inclusion' | 'exclusion' {
    if (this.slices.length > 0) return this.idIncluded ? 'inclusion' : 'exclusion';
    if (this.hasElemMatch) return 'inclusion';
    if (this.metadata.size > 0) {
      if (this.options.aggregation === true) return 'inclusion';
      return this.idIncluded && !this.idExcluded ? 'inclusion' : 'exclusion';
    }
    return this.idIncluded ? 'inclusion' : 'exclusion';
  }

  private includeSliced(slice: Slice): void {
    let node = this.root;
    for (const [index, part] of slice.path.entries()) {
      const child = node.children.get(part);
      if (child === undefined) {
        const next: ProjectionNode = { children: new Map() };
        node.children.set(part, index === slice.path.length - 1 ? 'included' : next);
        node = next;
      } else if (typeof child === 'object' && 'children' in child) {
        node = child;
      } else {
        return;
      }
    }
  }

  private element(name: string, value: Value, parent: ProjectionNode, prefix: readonly string[]): void {
    const positional = positionalIn(name);
    if (positional && this.options.aggregation === true) {
      throw new DocumentError(31324, 'Cannot use positional projection in aggregation projection');
    }
    if (value instanceof Doc) {
      if (positional)
        throw new DocumentError(31271, 'positional projection cannot be used with an expression or sub object');
      this.subObject(name, value, parent, prefix);
      return;
    }
    if (typeof value === 'boolean' || isNumber(value)) {
      if (isTrue(value)) this.inclusion(name, parent, prefix, positional);
      else this.exclusion(name, parent, prefix, positional);
      return;
    }
    if (positional) throw new DocumentError(31308, 'positional projection cannot be used with a literal');
    this.literal(name, value, parent);
  }

  private inclusion(name: string, parent: ProjectionNode, prefix: readonly string[], positional: boolean): void {
    const isId = name === '_id' && parent === this.root;
    if (positional) this.parsePositional(name, parent, prefix);
    else {
      this.add(parent, name, 'included');
      if (isId) this.idIncluded = true;
    }
    if (isId) return;
    if (this.kind === 'exclusion')
      throw new DocumentError(31253, `Cannot do inclusion on field ${name} in exclusion projection`);
    this.kind = 'inclusion';
  }

  private exclusion(name: string, parent: ProjectionNode, _prefix: readonly string[], positional: boolean): void {
    if (positional) throw new DocumentError(31395, 'positional projection cannot be used with exclusion');
    this.add(parent, name, 'excluded');
    if (name === '_id' && parent === this.root) {
      this.idExcluded = true;
      return;
    }
    if (this.kind === 'inclusion')
      throw new DocumentError(31254, `Cannot do exclusion on field ${name} in inclusion projection`);
    this.kind = 'exclusion';
  }

  private parsePositional(name: string, parent: ProjectionNode, prefix: readonly string[]): void {
    if (this.positional !== undefined)
      throw new DocumentError(31276, 'Cannot specify more than one positional projection per query.');
    if (this.hasElemMatch) throw new DocumentError(31256, 'Cannot specify positional operator and $elemMatch.');
    const { filter } = this.options;
    if (filter === undefined)
      throw new DocumentError(51050, 'Projections with a positional operator require a matcher');
    if (!name.endsWith('.$')) {
      throw new DocumentError(
        31394,
        `As of 4.4, it's illegal to specify positional operator in the middle of a path.Positional projection may only be used at the end, for example: a.b.$. If the query previously used a form like a.b.$.d, remove the parts following the '$' and the results will be equivalent.`,
      );
    }
    const path = name.slice(0, -2);
    if (positionalIn(path)) throw new DocumentError(31287, `Cannot use positional operator twice: ${name}`);
    const field = prefix[0] ?? path.split('.')[0] ?? '';
    if (!mentions(filter.predicate, field)) {
      throw new DocumentError(31277, `Positional projection '${name}' does not match the query document.`);
    }
    this.positional = [...prefix, ...parseFieldPath(path)];
    this.add(parent, path, 'included');
  }

  private literal(name: string, value: Value, parent: ProjectionNode): void {
    const computed = this.compile(value);
    this.add(parent, name, { compute: computed });
    if (this.kind === 'exclusion') {
      throw new DocumentError(31310, `Cannot use an expression ${formatField(name, value)} in an exclusion projection`);
    }
    this.kind = 'inclusion';
  }

  private compile(value: Value): Computed {
    const compile = this.options.expression;
    if (compile !== undefined) return compile(value);
    if (typeof value === 'string' && value.startsWith('$')) {
      throw new DocumentError(31325, 'Expressions are not allowed in this projection');
    }
    return () => value;
  }

  private subObject(name: string, value: Doc, parent: ProjectionNode, prefix: readonly string[]): void {
    const operator = value.nameAt(0) ?? '';
    if (value.size === 1 && operator.startsWith('$')) {
      this.operator(name, operator, value, parent);
      return;
    }
    if (value.isEmpty)
      throw new DocumentError(51270, 'An empty sub-projection is not a valid value. Found empty object at path');
    const node: ProjectionNode = { children: new Map() };
    this.add(parent, name, node);
    const path = [...prefix, ...parseFieldPath(name)];
    for (const [field, inner] of value) {
      if (field.includes('.') && this.options.aggregation === true) {
        throw new DocumentError(
          40183,
          `FieldPath field names may not contain '.' in a nested object: found '${field}' in ${formatDocument(value)}`,
        );
      }
      this.element(field, inner, node, path);
    }
  }

  private operator(name: string, operator: string, value: Doc, parent: ProjectionNode): void {
    const argument = value.at(0) ?? null;
    const find = this.options.aggregation !== true;
    if (find && operator === '$slice' && this.slice(name, argument, parent)) return;
    if (operator === '$elemMatch') {
      if (!find) throw new DocumentError(168, 'Cannot use $elemMatch in this context');
      this.elemMatch(name, value, argument, parent);
      return;
    }
    if (operator === '$meta') {
      this.meta(name, argument, parent);
      return;
    }
    if (this.options.expression === undefined || this.options.isExpression?.(operator) === false) {
      throw new DocumentError(31325, `Unknown expression ${operator}`);
    }
    if (this.kind === 'exclusion')
      throw new DocumentError(31252, 'Cannot use expression other than $meta in exclusion projection');
    this.kind = 'inclusion';
    this.add(parent, name, { compute: this.options.expression(value) });
  }

  /** Find's own `$slice`; false when the argument has the form of the expression. */
  private slice(name: string, argument: Value, parent: ProjectionNode): boolean {
    let slice: Slice | undefined;
    const path = parseFieldPath(name);
    if (isNumber(argument)) {
      slice = { path, skip: undefined, limit: clamped(argument) };
    } else if (isArrayValue(argument)) {
      const [skip, limit] = argument;
      const expression = this.options.expression !== undefined && !(skip !== undefined && isNumber(skip));
      if (expression) return false;
      if (skip === undefined || limit === undefined || argument.length !== 2) {
        throw new DocumentError(31272, '$slice array argument should be of form [skip, limit]');
      }
      if (!isNumber(skip))
        throw new DocumentError(31257, `$slice expects the skip argument to be a number, got ${typeName(skip)}`);
      if (!isNumber(limit))
        throw new DocumentError(31258, `$slice expects the limit argument to be a number, got ${typeName(limit)}`);
      const count = clamped(limit);
      if (count <= 0) throw new DocumentError(31259, `$slice limit must be positive, got ${count}`);
      slice = { path, skip: clamped(skip), limit: count };
    } else {
      throw new DocumentError(31273, '$slice only supports numbers and [skip, limit] arrays');
    }
    this.checkCollision(parent, path);
    this.slices.push(slice);
    return true;
  }

  private elemMatch(name: string, value: Doc, argument: Value, parent: ProjectionNode): void {
    if (!(argument instanceof Doc)) {
      throw new DocumentError(31274, `elemMatch: Invalid argument, object required, but got ${typeName(argument)}`);
    }
    if (this.positional !== undefined)
      throw new DocumentError(31255, 'Cannot specify positional operator and $elemMatch.');
    if (name.includes('.') || parent !== this.root) {
      throw new DocumentError(31275, 'Cannot use $elemMatch projection on a nested field.');
    }
    const filter = compileFilter(Doc.fromEntries([[name, value]]), {
      collation: this.options.collation,
      allow: { text: false, where: false, near: false, expr: false, jsonSchema: false },
    });
    this.hasElemMatch = true;
    this.add(parent, name, {
      compute: (document) => {
        const array = document.get(name);
        if (array === undefined || !isArrayValue(array)) return undefined;
        const position = filter.matchPosition(encodeDocument(Doc.fromEntries([[name, array]])));
        const element = position === undefined ? undefined : array[position];
        return element === undefined ? undefined : [element];
      },
    });
  }

  private meta(name: string, argument: Value, parent: ProjectionNode): void {
    if (bsonTypeOf(argument) !== BsonType.string || typeof argument !== 'string') {
      throw new DocumentError(17307, '$meta only supports string arguments');
    }
    if (!META.has(argument)) throw new DocumentError(17308, `Unsupported argument to $meta: ${argument}`);
    this.metadata.add(argument);
    this.add(parent, name, { compute: (_, metadata) => metadata?.get(argument) });
  }

  private checkCollision(parent: ProjectionNode, path: readonly string[]): void {
    let node: ProjectionNode | undefined = parent;
    for (const [index, part] of path.entries()) {
      const child: Child | undefined = node?.children.get(part);
      if (child === undefined) return;
      if (index === path.length - 1) throw new DocumentError(31250, `Path collision at ${path.join('.')}`);
      node = typeof child === 'object' && 'children' in child ? child : undefined;
      if (node === undefined) throw collision(path, index);
    }
  }

  private add(parent: ProjectionNode, name: string, child: Child): void {
    const path = parseFieldPath(name);
    let node = parent;
    for (const [index, part] of path.entries()) {
      const existing = node.children.get(part);
      if (index === path.length - 1) {
        if (existing !== undefined) throw new DocumentError(31250, `Path collision at ${name}`);
        node.children.set(part, child);
      } else if (existing === undefined) {
        const next: ProjectionNode = { children: new Map() };
        node.children.set(part, next);
        node = next;
      } else if (typeof existing === 'object' && 'children' in existing) {
        node = existing;
      } else {
        throw collision(path, index);
      }
    }
  }
}

function collision(path: readonly string[], index: number): DocumentError {
  return new DocumentError(
    31249,
    `Path collision at ${path.join('.')} remaining portion ${path.slice(index + 1).join('.')}`,
  );
}

function positionalIn(name: string): boolean {
  return name === '$' || name.endsWith('.$') || name.includes('.$.');
}

const INT_MAX = 2 ** 31 - 1;

/** A number as an int32, cut at its ends. */
function clamped(value: Value): number {
  const number = toDouble(value) ?? 0;
  if (Number.isNaN(number)) return 0;
  return Math.max(-INT_MAX - 1, Math.min(INT_MAX, Math.trunc(number)));
}

/** Whether a query has a condition on the field or below it. */
function mentions(predicate: Predicate, field: string): boolean {
  let found = false;
  visitPredicates(predicate, (node) => {
    if ('path' in node && node.path.split('.')[0] === field) found = true;
  });
  return found;
}
