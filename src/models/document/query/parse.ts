/** The query language read into {@link Predicate}s, with MongoDB's refusals. */
import { badValue, DocumentError, ErrorCode, failedToParse, typeMismatch } from '../errors.js';
import {
  BsonUndefined,
  Code,
  CodeWithScope,
  type Collation,
  Decimal,
  Doc,
  formatDocument,
  formatField,
  formatValue,
  INT64_MAX,
  INT64_MIN,
  isArrayValue,
  isNumber,
  isTrue,
  Regex,
  toDouble,
  toInteger,
  type Value,
} from '../values.js';
import { type BitsOperator, parseBits } from './bits.js';
import type { ComparisonOperator } from './comparison.js';
import { parseNear, parseRegion } from './geo/regions.js';
import { parseInteger, parseNonNegativeInteger } from './integers.js';
import { parseJsonSchema } from './json-schema/schema.js';
import { conjunction, type Predicate, type Specified, visitPredicates } from './predicate.js';
import { compileRegex } from './regex.js';
import { parseTypeSet } from './type-set.js';

/** What a filter may contain where it stands; everything is allowed unless said otherwise. */
export interface Allowed {
  readonly text?: boolean;
  readonly where?: boolean;
  readonly near?: boolean;
  readonly expr?: boolean;
  readonly jsonSchema?: boolean;
}

export interface ParseOptions {
  readonly collation?: Collation | undefined;
  readonly allow?: Allowed;
  /** Keeps the tree as it was written, for reports on validation: `$and` in `$and`, `$or` of one, `$in` of one, `$all`. */
  readonly asWritten?: boolean;
}

/** Levels of operators inside each other; deeper filters cannot come from valid BSON. */
const DEPTH_MAX = 200;

/** Throws a {@link DocumentError} (mostly codes 2 and 9) for what MongoDB refuses. */
export function parseFilter(filter: Doc, options: ParseOptions = {}): Predicate {
  return new Parser(options).document(filter, false, 0);
}

const COMPARISONS: ReadonlyMap<string, ComparisonOperator> = new Map([
  ['$eq', 'eq'],
  ['$gt', 'gt'],
  ['$gte', 'gte'],
  ['$lt', 'lt'],
  ['$lte', 'lte'],
]);

const LOGICAL = new Set(['$and', '$or', '$nor']);
const TOP_LEVEL = new Set([
  ...LOGICAL,
  '$comment',
  '$expr',
  '$where',
  '$text',
  '$jsonSchema',
  '$alwaysTrue',
  '$alwaysFalse',
  '$sampleRate',
  '$ref',
  '$id',
  '$db',
]);
const BITS = new Set(['$bitsAllSet', '$bitsAnySet', '$bitsAllClear', '$bitsAnyClear']);
const NEAR = new Set(['$near', '$nearSphere', '$geoNear']);
const GEO = new Set(['$geoWithin', '$within', '$geoIntersects']);
const FIELD_OPERATORS = new Set([
  ...COMPARISONS.keys(),
  ...BITS,
  ...NEAR,
  ...GEO,
  '$ne',
  '$in',
  '$nin',
  '$not',
  '$exists',
  '$type',
  '$mod',
  '$regex',
  '$options',
  '$elemMatch',
  '$all',
  '$size',
  '$maxDistance',
  '$minDistance',
]);

class Parser {
  private readonly collation: Collation | undefined;
  private readonly allow: Allowed;
  private readonly asWritten: boolean;

  constructor(options: ParseOptions) {
    this.asWritten = options.asWritten === true;
    this.collation = options.collation;
    this.allow = options.allow ?? {};
  }

  /** `nested` says that the conditions are on a document inside of the user's document. */
  document(filter: Doc, nested: boolean, depth: number): Predicate {
    if (depth > DEPTH_MAX) throw badValue(`exceeded maximum query tree depth of ${DEPTH_MAX}`);
    const children: Predicate[] = [];
    for (const [name, value] of filter) {
      if (name.startsWith('$')) {
        const predicate = this.topLevel(name, value, nested, depth);
        if (predicate !== undefined) children.push(predicate);
      } else if (isOperators(value)) {
        children.push(...this.operators(name, value, nested, depth));
      } else if (value instanceof Regex) {
        children.push(regexPredicate(name, value, { operator: '$regex', as: Doc.fromEntries([[name, value]]) }));
      } else {
        children.push(this.comparison('eq', name, value, { operator: '$eq', as: Doc.fromEntries([[name, value]]) }));
      }
    }
    return this.conjunction(children);
  }

  private conjunction(children: readonly Predicate[]): Predicate {
    const [only] = children;
    if (!this.asWritten) return conjunction(children);
    return children.length === 1 && only !== undefined ? only : { op: 'and', children };
  }

  private topLevel(name: string, value: Value, nested: boolean, depth: number): Predicate | undefined {
    const specified: Specified = { operator: name, as: Doc.fromEntries([[name, value]]) };
    switch (name) {
      case '$and':
      case '$or':
      case '$nor':
        return this.logical(name, value, nested, depth);
      case '$comment':
        return undefined;
      case '$ref':
      case '$id':
      case '$db':
        return { op: 'eq', path: name, value, collation: name === '$id' ? this.collation : undefined, specified };
      case '$expr':
        if (nested) throw badValue('$expr can only be applied to the top-level document');
        if (this.allow.expr === false) {
          throw new DocumentError(ErrorCode.queryFeatureNotAllowed, '$expr is not allowed in this context');
        }
        return { op: 'expr', expression: value, specified };
      case '$where':
        return this.where(value, nested);
      case '$text':
        return this.text(value, nested);
      case '$jsonSchema':
        if (this.allow.jsonSchema === false) {
          throw new DocumentError(ErrorCode.queryFeatureNotAllowed, '$jsonSchema is not allowed in this context');
        }
        if (!(value instanceof Doc)) throw typeMismatch('$jsonSchema must be an object');
        return { op: 'jsonSchema', schema: parseJsonSchema(value) };
      case '$alwaysTrue':
      case '$alwaysFalse':
        if (parseInteger(name, value) !== 1n) throw failedToParse(`${name} must be an integer value of 1`);
        return { op: 'always', value: name === '$alwaysTrue', specified };
      case '$sampleRate':
        return sampleRate(value);
      default:
        throw badValue(
          `unknown top level operator: ${name}. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.`,
        );
    }
  }

  private logical(name: '$and' | '$or' | '$nor', value: Value, nested: boolean, depth: number): Predicate {
    if (!isArrayValue(value)) throw badValue(`${name} must be an array`);
    if (value.length === 0) throw badValue('$and/$or/$nor must be a nonempty array');
    const children = value.map((element) => {
      if (!(element instanceof Doc)) throw badValue('$or/$and/$nor entries need to be full objects');
      return this.document(element, nested, depth + 1);
    });
    if (name === '$and') return this.asWritten ? { op: 'and', children } : conjunction(children);
    const [only] = children;
    if (name === '$or' && children.length === 1 && only !== undefined && !this.asWritten) return only;
    return { op: name === '$or' ? 'or' : 'nor', children };
  }

  private where(value: Value, nested: boolean): Predicate {
    if (this.allow.where === false) throw badValue('$where is not allowed in this context');
    if (nested) throw badValue('$elemMatch cannot contain $where expression');
    if (typeof value === 'string' || value instanceof Code || value instanceof CodeWithScope)
      return { op: 'where', code: value };
    throw badValue('$where got bad type');
  }

  private text(value: Value, nested: boolean): Predicate {
    if (nested) throw badValue('$text can only be applied to the top-level document');
    if (this.allow.text === false) throw badValue('$text is not allowed in this context');
    if (!(value instanceof Doc)) throw badValue('$text expects an object');
    const search = value.get('$search');
    const language = value.get('$language');
    const flag = (name: string): boolean => {
      const given = value.get(name);
      if (given === undefined) return false;
      if (typeof given !== 'boolean') {
        throw typeMismatch(`"${name}" had the wrong type. Expected bool, found ${formatValue(given)}`);
      }
      return given;
    };
    if (search === undefined) throw new DocumentError(ErrorCode.noSuchKey, 'Missing expected field "$search"');
    if (typeof search !== 'string') throw typeMismatch('"$search" had the wrong type. Expected string');
    if (language !== undefined && typeof language !== 'string') {
      throw typeMismatch('"$language" had the wrong type. Expected string');
    }
    for (const name of value.keys()) {
      if (!['$search', '$language', '$caseSensitive', '$diacriticSensitive'].includes(name)) {
        throw badValue('extra fields in $text');
      }
    }
    return {
      op: 'text',
      text: {
        search,
        language,
        caseSensitive: flag('$caseSensitive'),
        diacriticSensitive: flag('$diacriticSensitive'),
      },
    };
  }

  /** The conditions of `{path: {$gt: 1, $lt: 5}}`. */
  private operators(path: string, operators: Doc, nested: boolean, depth: number): Predicate[] {
    const first = operators.nameAt(0) ?? '';
    if (NEAR.has(first)) {
      const value = operators.at(0);
      if (value instanceof Doc || (value !== undefined && isArrayValue(value))) {
        if (this.allow.near === false) {
          throw badValue('$geoNear, $near, and $nearSphere are not allowed in this context');
        }
        const specified = { operator: first, as: Doc.fromEntries([[path, operators]]) };
        return [{ op: 'near', path, near: parseNear(operators), specified }];
      }
    }
    const predicates: Predicate[] = [];
    for (const [name, value] of operators) {
      const predicate = this.operator(path, operators, name, value, nested, depth);
      if (predicate !== undefined) predicates.push(predicate);
    }
    return predicates;
  }

  private operator(
    path: string,
    context: Doc,
    name: string,
    value: Value,
    nested: boolean,
    depth: number,
  ): Predicate | undefined {
    const specified: Specified = { operator: name, as: Doc.fromEntries([[path, Doc.fromEntries([[name, value]])]]) };
    const comparison = COMPARISONS.get(name);
    if (comparison !== undefined) return this.comparison(comparison, path, value, specified);
    if (BITS.has(name)) {
      const operator = name as BitsOperator;
      return { op: 'bits', path, operator, positions: parseBits(operator, value, path), specified };
    }
    switch (name) {
      case '$ne': {
        if (value instanceof Regex) throw badValue("Can't have regex as arg to $ne.");
        return { op: 'not', path, child: this.comparison('eq', path, value, specified), specified };
      }
      case '$in':
      case '$nin': {
        const child = this.in(name, path, value, specified);
        return name === '$in' ? child : { op: 'not', path, child, specified };
      }
      case '$not':
        return this.not(path, value, nested, depth, specified);
      case '$exists': {
        const exists: Predicate = { op: 'exists', path, specified };
        return isTrue(value) ? exists : { op: 'not', path, child: exists, specified };
      }
      case '$type': {
        const types = parseTypeSet(value);
        if (types.size === 0) throw failedToParse(`${path} must match at least one type`);
        return { op: 'type', path, types, specified };
      }
      case '$mod':
        return { op: 'mod', path, ...parseMod(value), specified };
      case '$options':
        if (!context.has('$regex')) throw badValue('$options needs a $regex');
        return undefined;
      case '$regex':
        return regexPredicate(path, regexOf(context), {
          operator: '$regex',
          as: Doc.fromEntries([[path, regexFields(context)]]),
        });
      case '$elemMatch':
        return this.elemMatch(path, value, depth, specified);
      case '$all':
        return this.all(path, value, depth, specified);
      case '$size': {
        const size = parseSize(value);
        return { op: 'size', path, size, specified };
      }
      case '$geoWithin':
      case '$within':
      case '$geoIntersects': {
        const op = name === '$geoIntersects' ? 'geoIntersects' : 'geoWithin';
        return { op, path, region: parseRegion(context, op), specified };
      }
      case '$near':
      case '$nearSphere':
      case '$geoNear':
        throw badValue(`near must be first in: ${formatDocument(context)}`);
      case '$where':
        throw badValue('$where cannot be applied to a field');
      default:
        throw badValue(`unknown operator: ${name}`);
    }
  }

  private comparison(op: ComparisonOperator, path: string, value: Value, specified: Specified): Predicate {
    if (value instanceof Regex && op !== 'eq')
      throw badValue(`Can't have RegEx as arg to predicate over field '${path}'.`);
    if (value instanceof BsonUndefined) throw badValue('cannot compare to undefined');
    return { op, path, value, collation: this.collation, specified };
  }

  private in(name: string, path: string, value: Value, specified: Specified): Predicate {
    if (!isArrayValue(value)) throw badValue(`${name} needs an array`);
    const values: Value[] = [];
    const patterns: Regex[] = [];
    for (const element of value) {
      if (isOperators(element)) throw badValue('cannot nest $ under $in');
      if (element instanceof BsonUndefined) throw badValue('InMatchExpression equality cannot be undefined');
      if (element instanceof Regex) {
        compileRegex(element.pattern, element.flags);
        patterns.push(element);
      } else {
        values.push(element);
      }
    }
    const [only] = values;
    if (values.length === 1 && only !== undefined && patterns.length === 0 && !this.asWritten) {
      return { op: 'eq', path, value: only, collation: this.collation, specified };
    }
    return { op: 'in', path, values, patterns, collation: this.collation, specified };
  }

  private not(path: string, value: Value, nested: boolean, depth: number, specified: Specified): Predicate {
    if (value instanceof Regex) {
      const written = { operator: '$regex', as: Doc.fromEntries([[path, value]]) };
      return { op: 'not', path, child: regexPredicate(path, value, written), specified };
    }
    if (!(value instanceof Doc)) throw badValue('$not needs a regex or a document');
    if (value.isEmpty) throw badValue('$not cannot be empty');
    if (depth > DEPTH_MAX) throw badValue(`exceeded maximum query tree depth of ${DEPTH_MAX}`);
    return { op: 'not', path, child: this.conjunction(this.operators(path, value, nested, depth + 1)), specified };
  }

  private elemMatch(path: string, value: Value, depth: number, specified: Specified): Predicate {
    if (!(value instanceof Doc)) throw badValue('$elemMatch needs an Object');
    const first = value.nameAt(0) ?? '';
    const onValues = first.startsWith('$') && !TOP_LEVEL.has(first) && !isDbRef(value, true);
    if (onValues) {
      return { op: 'elemMatchValue', path, children: this.operators('', value, true, depth + 1), specified };
    }
    const child = this.document(value, true, depth + 1);
    visitPredicates(child, ({ op }) => {
      if (op === 'near') throw badValue('$near must be top-level expr');
    });
    return { op: 'elemMatchObject', path, child, specified };
  }

  private all(path: string, value: Value, depth: number, specified: Specified): Predicate {
    if (!isArrayValue(value)) throw badValue('$all needs an array');
    if (value.length === 0) return { op: 'always', value: false, specified };
    const children: Predicate[] = [];
    const firstElement = value[0];
    if (firstElement instanceof Doc && firstElement.nameAt(0) === '$elemMatch') {
      for (const element of value) {
        const inner = element instanceof Doc && element.nameAt(0) === '$elemMatch' ? element.at(0) : undefined;
        if (inner === undefined) throw badValue('$all/$elemMatch has to be consistent');
        children.push(this.elemMatch(path, inner, depth, specified));
      }
      return this.allOf(path, children, specified);
    }
    for (const element of value) {
      if (element instanceof Regex) children.push(regexPredicate(path, element, specified));
      else if (element instanceof Doc && FIELD_OPERATORS.has(element.nameAt(0) ?? '')) {
        throw badValue('no $ expressions in $all');
      } else children.push(this.comparison('eq', path, element, specified));
    }
    return this.allOf(path, children, specified);
  }

  private allOf(path: string, children: readonly Predicate[], specified: Specified): Predicate {
    return this.asWritten ? { op: 'and', children, all: { path, specified } } : conjunction(children);
  }
}

/** A document of operators: its first name has a `$`, and it is no reference ({$ref, $id, $db}). */
function isOperators(value: Value): value is Doc {
  if (!(value instanceof Doc) || value.isEmpty) return false;
  return (value.nameAt(0) ?? '').startsWith('$') && !isDbRef(value, false);
}

function isDbRef(document: Doc, incomplete: boolean): boolean {
  if (incomplete) return document.has('$ref') || document.has('$id') || document.has('$db');
  return document.has('$ref') && document.has('$id');
}

function regexPredicate(path: string, regex: Regex, specified: Specified): Predicate {
  compileRegex(regex.pattern, regex.flags);
  return { op: 'regex', path, regex, specified };
}

/** `$regex` and `$options` in either order. */
function regexOf(context: Doc): Regex {
  let pattern = '';
  let options = '';
  for (const [name, value] of context) {
    if (name === '$regex') {
      if (typeof value === 'string') {
        pattern = value;
      } else if (value instanceof Regex) {
        pattern = value.pattern;
        if (value.flags !== '') {
          if (options !== '') throw new DocumentError(51074, 'options set in both $regex and $options');
          options = value.flags;
        }
      } else {
        throw badValue('$regex has to be a string');
      }
    } else if (name === '$options') {
      if (typeof value !== 'string') throw badValue('$options has to be a string');
      if (options !== '') throw new DocumentError(51075, 'options set in both $regex and $options');
      options = value;
    }
  }
  return new Regex(pattern, options);
}

/** The part of a field's operators that makes its regular expression. */
function regexFields(context: Doc): Doc {
  return Doc.fromEntries([...context].filter(([name]) => name === '$regex' || name === '$options'));
}

function parseMod(value: Value): { divisor: bigint; remainder: bigint } {
  if (!isArrayValue(value)) throw badValue('malformed mod, needs to be an array');
  const [divisor, remainder] = value;
  if (divisor === undefined) throw badValue('malformed mod, not enough elements');
  if (!isNumber(divisor)) throw badValue('malformed mod, divisor not a number');
  if (remainder === undefined) throw badValue('malformed mod, not enough elements');
  if (!isNumber(remainder)) throw badValue('malformed mod, remainder not a number');
  if (value.length > 2) throw badValue('malformed mod, too many elements');
  const parsed = { divisor: truncated(divisor, 'divisor'), remainder: truncated(remainder, 'remainder') };
  if (parsed.divisor === 0n) throw badValue('divisor cannot be 0');
  return parsed;
}

/** The integer part of a number that fits 64 bits. */
function truncated(value: Value, what: string): bigint {
  const double = toDouble(value) ?? Number.NaN;
  const context = `malformed mod, ${what} value is invalid :: caused by :: `;
  if (!(value instanceof Decimal ? value.isFinite : typeof value === 'bigint' || Number.isFinite(double))) {
    throw badValue(`${context}Unable to coerce NaN/Inf to integral type`);
  }
  const integer = value instanceof Decimal ? value.toBigInt() : (toInteger(value) ?? BigInt(Math.trunc(double)));
  if (integer === undefined || integer > INT64_MAX || integer < INT64_MIN) {
    throw badValue(`${context}Out of bounds coercing to integral value`);
  }
  return integer;
}

const SIZE_MAX = 2n ** 31n - 1n;

function parseSize(value: Value): number {
  const refused = (error: unknown): DocumentError =>
    error instanceof DocumentError
      ? badValue(`Failed to parse $size. ${error.message}`)
      : badValue('Failed to parse $size.');
  let size: bigint;
  try {
    size = parseNonNegativeInteger('$size', value);
  } catch (error) {
    throw refused(error);
  }
  if (size > SIZE_MAX)
    throw badValue(`Failed to parse $size. Cannot represent ${formatField('$size', value)} in an int`);
  return Number(size);
}

function sampleRate(value: Value): Predicate {
  if (!isNumber(value)) throw badValue('argument to $sampleRate must be a numeric type');
  const rate = toDouble(value) ?? Number.NaN;
  if (!(rate >= 0 && rate <= 1)) throw badValue('numeric argument to $sampleRate must be in [0, 1]');
  return { op: 'sampleRate', rate };
}
