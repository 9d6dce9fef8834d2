/**
 * A filter as a tree, normalised: what the planner takes index bounds from and what is compiled into a matcher.
 *
 * - `$ne`, `$nin` and `{$exists: false}` are `not` around their opposite; `$all` is `and`; `$in` of one value is `eq`.
 * - Nested `and`s are one; a filter of one condition is that condition, an empty one is `and` of nothing.
 * - Conditions inside of `$elemMatch` on values have the path ''.
 */
import type { Code, CodeWithScope, Collation, Doc, Regex, Value } from '../values.js';
import type { BitsOperator } from './bits.js';
import type { ComparisonOperator } from './comparison.js';
import type { GeoRegion, NearQuery } from './geo/regions.js';
import type { JsonSchema } from './json-schema/schema.js';
import type { TypeSet } from './type-set.js';

/** How the client wrote a condition, for messages. */
export interface Specified {
  /** `$gt`, or `$eq` where the client wrote only a value. */
  readonly operator: string;
  /** For instance `{a: {$gt: 1}}`. */
  readonly as: Doc;
}

interface Condition {
  readonly path: string;
  readonly specified: Specified;
}

export interface Comparison extends Condition {
  readonly op: ComparisonOperator;
  readonly value: Value;
  readonly collation: Collation | undefined;
}

export interface In extends Condition {
  readonly op: 'in';
  readonly values: readonly Value[];
  readonly patterns: readonly Regex[];
  readonly collation: Collation | undefined;
}

export interface RegexMatch extends Condition {
  readonly op: 'regex';
  readonly regex: Regex;
}

export interface Exists extends Condition {
  readonly op: 'exists';
}

export interface TypeMatch extends Condition {
  readonly op: 'type';
  readonly types: TypeSet;
}

export interface Mod extends Condition {
  readonly op: 'mod';
  readonly divisor: bigint;
  readonly remainder: bigint;
}

export interface Size extends Condition {
  readonly op: 'size';
  readonly size: number;
}

export interface Bits extends Condition {
  readonly op: 'bits';
  readonly operator: BitsOperator;
  readonly positions: readonly number[];
}

/** One element, a document, satisfies `child` by itself. */
export interface ElemMatchObject extends Condition {
  readonly op: 'elemMatchObject';
  readonly child: Predicate;
}

/** One element satisfies all `children`, whose path is ''. */
export interface ElemMatchValue extends Condition {
  readonly op: 'elemMatchValue';
  readonly children: readonly Predicate[];
}

export interface Geo extends Condition {
  readonly op: 'geoWithin' | 'geoIntersects';
  readonly region: GeoRegion;
}

/** Needs an index, which gives the order too; as a condition alone it only bounds the distance. */
export interface Near extends Condition {
  readonly op: 'near';
  readonly near: NearQuery;
}

export interface And {
  readonly op: 'and' | 'or' | 'nor';
  readonly children: readonly Predicate[];
  /** An `and` that was `$all`; only in trees kept as written. */
  readonly all?: Condition;
}

export interface Not {
  readonly op: 'not';
  readonly child: Predicate;
  readonly path: string;
  readonly specified: Specified;
}

export interface Expr {
  readonly op: 'expr';
  readonly expression: Value;
  readonly specified: Specified;
}

export interface Where {
  readonly op: 'where';
  readonly code: string | Code | CodeWithScope;
}

export interface TextQuery {
  readonly search: string;
  readonly language: string | undefined;
  readonly caseSensitive: boolean;
  readonly diacriticSensitive: boolean;
}

export interface Text {
  readonly op: 'text';
  readonly text: TextQuery;
}

export interface Schema {
  readonly op: 'jsonSchema';
  readonly schema: JsonSchema;
}

export interface Always {
  readonly op: 'always';
  readonly value: boolean;
  readonly specified: Specified;
}

export interface SampleRate {
  readonly op: 'sampleRate';
  readonly rate: number;
}

export type FieldPredicate =
  | Comparison
  | In
  | RegexMatch
  | Exists
  | TypeMatch
  | Mod
  | Size
  | Bits
  | ElemMatchObject
  | ElemMatchValue
  | Geo
  | Near;

export type Predicate = FieldPredicate | And | Not | Expr | Where | Text | Schema | Always | SampleRate;

/** An `and` without needless levels. */
export function conjunction(children: readonly Predicate[]): Predicate {
  const flat = children.flatMap((child) => (child.op === 'and' ? child.children : [child]));
  const [only] = flat;
  return flat.length === 1 && only !== undefined ? only : { op: 'and', children: flat };
}

/** Calls `visit` for the predicate and all below it, those under `$elemMatch` included. */
export function visitPredicates(predicate: Predicate, visit: (predicate: Predicate) => void): void {
  visit(predicate);
  if ('children' in predicate) for (const child of predicate.children) visitPredicates(child, visit);
  else if ('child' in predicate) visitPredicates(predicate.child, visit);
}
