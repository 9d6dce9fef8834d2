/**
 * Why a document does not satisfy a validator: the `details` of errInfo of error 121. The predicate must have been parsed
 * as written (see {@link ParseOptions.asWritten}).
 */
import { valueAt } from '../bson/document.js';
import { BsonType } from '../bson/raw.js';
import { DocumentError } from '../errors.js';
import { bsonTypeOf, Doc, nameOfType, type Value } from '../values.js';
import { compilePredicate, type FilterHooks } from './filter.js';
import { MISSING, PathTest } from './path.js';
import type { FieldPredicate, Predicate, Specified } from './predicate.js';

/** Most values of an array that a report repeats (`internalQueryMaxDocValidationErrorConsideredValues`). */
const CONSIDERED_MAX = 10;

/** `bytes` must fail the predicate. */
export function explainFailure(predicate: Predicate, bytes: Buffer, hooks: FilterHooks = {}): Doc {
  return new Report(bytes, hooks).explain(predicate, false);
}

class Report {
  constructor(
    private readonly bytes: Buffer,
    private readonly hooks: FilterHooks,
  ) {}

  /** `inverted` says that the predicate holds and should not. */
  explain(predicate: Predicate, inverted: boolean): Doc {
    switch (predicate.op) {
      case 'and':
        if (predicate.all !== undefined) return this.condition(predicate.all, 'all', inverted, true);
        return this.clauses('$and', predicate.children, inverted);
      case 'or':
        return this.clauses('$or', predicate.children, inverted);
      case 'nor':
        return this.clauses('$nor', predicate.children, !inverted);
      case 'not':
        return this.negation(predicate.child, predicate.specified, inverted);
      case 'jsonSchema': {
        if (inverted) return Doc.of({ operatorName: '$jsonSchema', reason: 'schema matched' });
        const { schema } = predicate;
        return Doc.of({
          operatorName: '$jsonSchema',
          ...schema.annotations,
          schemaRulesNotSatisfied: schema.explain(Doc.fromBytes(this.bytes)),
        });
      }
      case 'expr':
        return this.expression(predicate.expression, predicate.specified, inverted);
      case 'always':
        return described(predicate.specified, {
          reason: `expression always evaluates to ${predicate.value ? 'true' : 'false'}`,
        });
      case 'sampleRate':
        return Doc.of({
          operatorName: '$sampleRate',
          specifiedAs: Doc.of({ $sampleRate: predicate.rate }),
          reason: inverted ? 'expression did match' : 'expression did not match',
          expressionResult: inverted,
        });
      case 'where':
      case 'text':
        return Doc.of({ operatorName: `$${predicate.op}`, reason: 'expression did not match' });
      default:
        return this.condition(predicate, predicate.op, inverted, isArrayCondition(predicate));
    }
  }

  private holds(predicate: Predicate): boolean {
    try {
      return compilePredicate(predicate, this.hooks)(this.bytes, 0);
    } catch {
      return false;
    }
  }

  /** The clauses at fault: those that hold where that is wrong (`satisfied`), else those that fail. */
  private clauses(name: string, children: readonly Predicate[], satisfied: boolean): Doc {
    const failing: Value[] = [];
    for (const [index, child] of children.entries()) {
      if (this.holds(child) !== satisfied && !throwsError(child, this.bytes, this.hooks)) continue;
      failing.push(Doc.of({ index, details: this.explain(child, satisfied) }));
    }
    return Doc.of({ operatorName: name, [satisfied ? 'clausesSatisfied' : 'clausesNotSatisfied']: failing });
  }

  private negation(child: Predicate, specified: Specified, inverted: boolean): Doc {
    // `$ne`, `$nin` and `{$exists: false}` are reported on as they are written.
    if (specified.operator !== '$not' && 'path' in child && child.op !== 'not') {
      return this.condition({ ...child, specified }, child.op, !inverted, false);
    }
    return Doc.of({ operatorName: '$not', details: this.explain(child, !inverted) });
  }

  private expression(expression: Value, specified: Specified, inverted: boolean): Doc {
    try {
      const result = this.hooks.expression?.(expression)(Doc.fromBytes(this.bytes));
      return described(specified, {
        reason: inverted ? 'expression did match' : 'expression did not match',
        expressionResult: result ?? null,
      });
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      const details = Doc.of({ code: error.code, codeName: `Location${error.code}`, errmsg: error.message });
      return described(specified, { reason: 'failed to evaluate aggregation expression', details });
    }
  }

  private condition(
    { path, specified }: { readonly path: string; readonly specified: Specified },
    op: FieldPredicate['op'] | 'all',
    inverted: boolean,
    wholeArrays: boolean,
  ): Doc {
    const { values, array } = valuesAt(this.bytes, path, wholeArrays);
    const reasons = REASONS[op];
    if (op === 'exists') return described(specified, { reason: inverted ? reasons[1] : reasons[0] });
    if (values.length === 0 && !array) return described(specified, { reason: 'field was missing' });
    const expected = EXPECTED[op];
    const mismatched =
      expected !== undefined && !inverted && values.every((value) => !expected.includes(nameOf(value)));
    const [first] = values;
    const considered = consideredValues(values, array && !wholeArrays);
    if (mismatched && first !== undefined) {
      const types = [...new Set(values.map(nameOf))].sort();
      const [only] = expected;
      return described(specified, {
        reason: 'type did not match',
        ...(types.length === 1 ? { consideredType: types[0] } : { consideredTypes: types }),
        ...(expected.length === 1 && only !== undefined ? { expectedType: only } : { expectedTypes: expected }),
        ...considered,
      });
    }
    const types = [...new Set(values.map(nameOf))].sort();
    const ofType = op === 'type' && types.length > 0;
    return described(specified, {
      reason: inverted ? reasons[1] : reasons[0],
      ...considered,
      ...(ofType ? (types.length === 1 ? { consideredType: types[0] } : { consideredTypes: types }) : {}),
    });
  }
}

function throwsError(predicate: Predicate, bytes: Buffer, hooks: FilterHooks): boolean {
  try {
    compilePredicate(predicate, hooks)(bytes, 0);
    return false;
  } catch {
    return true;
  }
}

function isArrayCondition({ op }: FieldPredicate): boolean {
  return op === 'size' || op === 'elemMatchObject' || op === 'elemMatchValue';
}

function nameOf(value: Value): string {
  return nameOfType(bsonTypeOf(value));
}

function described(specified: Specified, fields: Record<string, Value | undefined>): Doc {
  return Doc.of({ operatorName: specified.operator, specifiedAs: specified.as, ...fields });
}

function consideredValues(values: readonly Value[], array: boolean): Record<string, Value | undefined> {
  const [first] = values;
  if (values.length === 1 && first !== undefined) return { consideredValue: first };
  if (values.length === 0 && !array) return {};
  if (values.length <= CONSIDERED_MAX) return { consideredValues: values };
  return { consideredValues: values.slice(0, CONSIDERED_MAX), consideredValuesTruncated: true };
}

/** The values that a condition looked at: elements rather than the array around them, unless it is about arrays. */
function valuesAt(bytes: Buffer, path: string, wholeArrays: boolean): { values: Value[]; array: boolean } {
  const values: Value[] = [];
  let array = false;
  const test = new PathTest(
    path,
    (source, type, offset) => {
      if (type === BsonType.array && !wholeArrays) array = true;
      else if (type !== MISSING) values.push(valueAt(source, type, offset));
      return false;
    },
    !wholeArrays,
  );
  test.matches(bytes, 0);
  return { values, array };
}

const COMPARISON = ['comparison failed', 'comparison succeeded'] as const;
const BITWISE = ['bitwise operator failed to match', 'bitwise operator matched successfully'] as const;
const ELEMENTS = ['array did not satisfy the child predicate', 'array did satisfy the child predicate'] as const;

/** What is said of a condition that fails, and of one that holds and should not. */
const REASONS: Readonly<Record<FieldPredicate['op'] | 'all', readonly [string, string]>> = {
  eq: COMPARISON,
  gt: COMPARISON,
  gte: COMPARISON,
  lt: COMPARISON,
  lte: COMPARISON,
  in: ['no matching value found in array', 'matching value found in array'],
  regex: ['regular expression did not match', 'regular expression did match'],
  exists: ['path does not exist', 'path does exist'],
  type: ['type did not match', 'type did match'],
  mod: ['$mod did not evaluate to expected remainder', '$mod did evaluate to expected remainder'],
  size: ['array length was not equal to given size', 'array length was equal to given size'],
  bits: BITWISE,
  elemMatchObject: ELEMENTS,
  elemMatchValue: ELEMENTS,
  all: ['array did not contain all specified values', 'array did contain all specified values'],
  geoWithin: [
    'none of considered geometries was contained within the expression’s geometry',
    'at least one of considered geometries was contained within the expression’s geometry',
  ],
  geoIntersects: [
    'none of considered geometries intersected the expression’s geometry',
    'at least one of considered geometries intersected the expression’s geometry',
  ],
  near: ['geometry was not near', 'geometry was near'],
};

/** Types a condition is about, where a report says so. */
const EXPECTED: Readonly<Partial<Record<FieldPredicate['op'] | 'all', readonly string[]>>> = {
  regex: ['regex', 'string', 'symbol'],
  mod: ['decimal', 'double', 'int', 'long'],
  size: ['array'],
  bits: ['binData', 'decimal', 'double', 'int', 'long'],
  elemMatchObject: ['array'],
  elemMatchValue: ['array'],
  geoWithin: ['array', 'object'],
  geoIntersects: ['array', 'object'],
};
