/**
 * Filters compiled into functions on BSON bytes. See predicate.ts for the tree, path.ts for how paths meet arrays.
 */
import { valueAt } from '../bson/document.js';
import { BsonType, countFields, int32At, skipName, skipValue, stringAt } from '../bson/raw.js';
import { badValue } from '../errors.js';
import {
  type Collation,
  Doc,
  encodeDocument,
  equalityKey,
  INT64_MAX,
  INT64_MIN,
  toDouble,
  toInteger,
  type Value,
} from '../values.js';
import { bitsTest } from './bits.js';
import { comparisonTest } from './comparison.js';
import { geoTest, nearTest } from './geo/matching.js';
import { type ParseOptions, parseFilter } from './parse.js';
import { type ElementTest, MISSING, matchedPosition, PathTest, setMatchedPosition } from './path.js';
import type { FieldPredicate, In, Mod, Predicate, RegexMatch, TextQuery, Where } from './predicate.js';
import { compileRegex } from './regex.js';

/** Says whether the document at `offset` of the bytes satisfies a filter. */
export type Matcher = (bytes: Buffer, offset: number) => boolean;

/** What the query language leaves to others. A filter that needs an absent one is refused. */
export interface FilterHooks {
  /** `$expr`: compiles an aggregation expression; variables (`let`) are its maker's affair. */
  readonly expression?: (expression: Value) => (document: Doc) => Value | undefined;
  /** `$where`: makes a function of JavaScript. */
  readonly where?: (code: Where['code']) => (document: Doc) => boolean;
  /** `$text`: whether a document found through the text index really matches (phrases, negations). */
  readonly text?: (text: TextQuery) => (document: Doc) => boolean;
  /** `$sampleRate`: a number in [0, 1). */
  readonly random?: () => number;
}

export interface FilterOptions extends ParseOptions {
  readonly hooks?: FilterHooks;
}

export class Filter {
  private readonly matcher: Matcher;

  constructor(
    /** The normalised tree, for the planner. */
    readonly predicate: Predicate,
    readonly collation: Collation | undefined,
    hooks: FilterHooks,
  ) {
    this.matcher = compilePredicate(predicate, hooks);
  }

  /** Whether the document at `offset` matches. The bytes must be valid BSON. */
  matches(bytes: Buffer, offset = 0): boolean {
    return this.matcher(bytes, offset);
  }

  matchesDocument(document: Doc): boolean {
    return this.matcher(document.source ?? encodeDocument(document), 0);
  }

  /**
   * Whether the document matches, and through which array element: what `$` stands for. Undefined if it does not match,
   * -1 if no array was involved.
   */
  matchPosition(bytes: Buffer, offset = 0): number | undefined {
    setMatchedPosition(-1);
    return this.matcher(bytes, offset) ? matchedPosition : undefined;
  }

  /** Matches every document. */
  get isEmpty(): boolean {
    return this.predicate.op === 'and' && this.predicate.children.length === 0;
  }
}

/** Throws a DocumentError with MongoDB's code for what it refuses. */
export function compileFilter(filter: Doc, options: FilterOptions = {}): Filter {
  return new Filter(parseFilter(filter, options), options.collation, options.hooks ?? {});
}

export function compilePredicate(predicate: Predicate, hooks: FilterHooks = {}): Matcher {
  switch (predicate.op) {
    case 'and':
      return all(predicate.children.map((child) => compilePredicate(child, hooks)));
    case 'or':
      return keepingPosition(any(predicate.children.map((child) => compilePredicate(child, hooks))));
    case 'nor': {
      const some = keepingPosition(any(predicate.children.map((child) => compilePredicate(child, hooks))));
      return (bytes, offset) => !some(bytes, offset);
    }
    case 'not': {
      const child = keepingPosition(compilePredicate(predicate.child, hooks));
      return (bytes, offset) => !child(bytes, offset);
    }
    case 'always':
      return predicate.value ? () => true : () => false;
    case 'expr': {
      if (hooks.expression === undefined) throw badValue('$expr is not allowed in this context');
      const evaluate = hooks.expression(predicate.expression);
      return (bytes, offset) => isTruthy(evaluate(Doc.fromBytes(bytes, offset)));
    }
    case 'where': {
      if (hooks.where === undefined) throw badValue('$where is not allowed in this context');
      const call = hooks.where(predicate.code);
      return (bytes, offset) => call(Doc.fromBytes(bytes, offset));
    }
    case 'text': {
      // Without a hook the index has decided.
      const check = hooks.text?.(predicate.text);
      return check === undefined ? () => true : (bytes, offset) => check(Doc.fromBytes(bytes, offset));
    }
    case 'jsonSchema': {
      const { schema } = predicate;
      return (bytes, offset) => schema.accepts(Doc.fromBytes(bytes, offset));
    }
    case 'sampleRate': {
      const random = hooks.random ?? Math.random;
      return () => random() < predicate.rate;
    }
    default: {
      const test = new PathTest(predicate.path, elementTest(predicate, hooks), intoLeafArray(predicate));
      return (bytes, offset) => test.matches(bytes, offset);
    }
  }
}

function isTruthy(value: Value | undefined): boolean {
  return value !== undefined && value !== null && value !== false && (value === true || toDouble(value) !== 0);
}

function all(children: readonly Matcher[]): Matcher {
  const [first, second, third] = children;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (third === undefined) return (bytes, offset) => first(bytes, offset) && second(bytes, offset);
  return (bytes, offset) => {
    for (const child of children) if (!child(bytes, offset)) return false;
    return true;
  };
}

function any(children: readonly Matcher[]): Matcher {
  return (bytes, offset) => {
    for (const child of children) if (child(bytes, offset)) return true;
    return false;
  };
}

/** Conditions that do not say which array element is meant. */
function keepingPosition(matcher: Matcher): Matcher {
  return (bytes, offset) => {
    const before = matchedPosition;
    const result = matcher(bytes, offset);
    setMatchedPosition(before);
    return result;
  };
}

/** Conditions on arrays as such look at no elements. */
function intoLeafArray({ op }: FieldPredicate): boolean {
  return op !== 'size' && op !== 'elemMatchObject' && op !== 'elemMatchValue';
}

function elementTest(predicate: FieldPredicate, hooks: FilterHooks): ElementTest {
  switch (predicate.op) {
    case 'eq':
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return comparisonTest(predicate.op, predicate.value, predicate.collation);
    case 'in':
      return inTest(predicate);
    case 'regex':
      return regexTest(predicate.regex);
    case 'exists':
      return (_, type) => type !== MISSING;
    case 'type': {
      const { types } = predicate;
      return (_, type) => types.has(type);
    }
    case 'mod':
      return modTest(predicate);
    case 'size': {
      const { size } = predicate;
      return (bytes, type, offset) => type === BsonType.array && countFields(bytes, offset) === size;
    }
    case 'bits':
      return bitsTest(predicate.operator, predicate.positions);
    case 'elemMatchObject':
      return elementsTest(objectTest(compilePredicate(predicate.child, hooks)));
    case 'elemMatchValue':
      return elementsTest(allTests(predicate.children.map((child) => valueTest(child, hooks))));
    case 'geoWithin':
    case 'geoIntersects':
      return geoTest(predicate.op, predicate.region);
    case 'near':
      return nearTest(predicate.near);
  }
}

/** A condition inside of `$elemMatch` on values, applied to one element. */
function valueTest(predicate: Predicate, hooks: FilterHooks): ElementTest {
  switch (predicate.op) {
    case 'not': {
      const child = valueTest(predicate.child, hooks);
      return (bytes, type, offset) => !child(bytes, type, offset);
    }
    case 'and':
      return allTests(predicate.children.map((child) => valueTest(child, hooks)));
    case 'always':
      return () => predicate.value;
    case 'or':
    case 'nor':
    case 'expr':
    case 'where':
    case 'text':
    case 'jsonSchema':
    case 'sampleRate':
      throw badValue(`unknown operator: $${predicate.op}`);
    default:
      return elementTest(predicate, hooks);
  }
}

function allTests(tests: readonly ElementTest[]): ElementTest {
  return (bytes, type, offset) => {
    for (const test of tests) if (!test(bytes, type, offset)) return false;
    return true;
  };
}

/** Applies a document's filter to an element; an array counts as a document of its positions. */
function objectTest(matcher: Matcher): ElementTest {
  return (bytes, type, offset) => (type === BsonType.object || type === BsonType.array) && matcher(bytes, offset);
}

/** Some element of an array satisfies the test; its position is what `$` then means. */
function elementsTest(test: ElementTest): ElementTest {
  return (bytes, arrayType, array) => {
    if (arrayType !== BsonType.array) return false;
    const end = array + int32At(bytes, array) - 1;
    let position = array + 4;
    for (let index = 0; position < end; index++) {
      const type = bytes[position] ?? 0;
      const offset = skipName(bytes, position + 1);
      if (test(bytes, type, offset)) {
        setMatchedPosition(index);
        return true;
      }
      position = skipValue(bytes, type, offset);
    }
    return false;
  };
}

/** Below this many values, trying them one by one beats a lookup. */
const IN_SCAN_MAX = 4;

function inTest({ values, patterns, collation }: In): ElementTest {
  const regexes = patterns.map(regexTest);
  const orPattern = (bytes: Buffer, type: number, offset: number): boolean => {
    for (const test of regexes) if (test(bytes, type, offset)) return true;
    return false;
  };
  if (values.length <= IN_SCAN_MAX) {
    const tests = [...values.map((value) => comparisonTest('eq', value, collation)), ...regexes];
    return (bytes, type, offset) => {
      for (const test of tests) if (test(bytes, type, offset)) return true;
      return false;
    };
  }
  const keys = new Set(values.map((value) => equalityKey(value, collation)));
  const hasNull = values.includes(null);
  return (bytes, type, offset) => {
    if (type === MISSING || type === BsonType.null || type === BsonType.undefined) return hasNull;
    return keys.has(equalityKey(valueAt(bytes, type, offset), collation)) || orPattern(bytes, type, offset);
  };
}

function regexTest(regex: RegexMatch['regex']): ElementTest {
  const compiled = compileRegex(regex.pattern, regex.flags);
  return (bytes, type, offset) => {
    if (type === BsonType.string || type === BsonType.symbol) return compiled.test(stringAt(bytes, offset));
    if (type !== BsonType.regex) return false;
    const stored = valueAt(bytes, type, offset);
    return (
      stored !== null &&
      typeof stored === 'object' &&
      'pattern' in stored &&
      stored.pattern === regex.pattern &&
      stored.flags === regex.flags
    );
  };
}

function modTest({ divisor, remainder }: Mod): ElementTest {
  const small = divisor > -0x8000_0000n && divisor < 0x8000_0000n ? Number(divisor) : undefined;
  const expected = Number(remainder);
  return (bytes, type, offset) => {
    if (type === BsonType.int && small !== undefined) return int32At(bytes, offset) % small === expected;
    if (type !== BsonType.int && type !== BsonType.long && type !== BsonType.double && type !== BsonType.decimal)
      return false;
    const dividend = wholePart(valueAt(bytes, type, offset));
    return dividend !== undefined && dividend % divisor === remainder;
  };
}

/** A number cut to its integer part; undefined if that does not fit 64 bits. */
function wholePart(value: Value): bigint | undefined {
  let whole = toInteger(value);
  if (whole === undefined) {
    const double = toDouble(value);
    if (double === undefined || !Number.isFinite(double)) return undefined;
    whole = BigInt(Math.trunc(double));
  }
  return whole > INT64_MAX || whole < INT64_MIN ? undefined : whole;
}
