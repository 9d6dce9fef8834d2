/** Keywords about strings and numbers. */
import { failedToParse, typeMismatch } from '../../errors.js';
import { compareNumbers, Decimal, isNumber, type NumberValue, toDouble, type Value } from '../../values.js';
import { parseNonNegativeInteger } from '../integers.js';
import { compileRegex } from '../regex.js';
import { NUMBERS, type SchemaContext, STRINGS, type TypeSet } from './context.js';

export function scalarKeywords(context: SchemaContext): void {
  const pattern = context.get('pattern');
  if (pattern !== undefined) {
    if (typeof pattern !== 'string') throw typeMismatch("$jsonSchema keyword 'pattern' must be a string");
    const regex = compileRegex(pattern, '');
    context.restrict(STRINGS, {
      keyword: 'pattern',
      expected: ['regex', 'string', 'symbol'],
      specifiedAs: context.specified('pattern'),
      accepts: (value) => typeof value === 'string' && regex.test(value),
      explain: (value) => ({ reason: 'regular expression did not match', consideredValue: value }),
    });
  }
  length(
    context,
    'maxLength',
    STRINGS,
    (value, limit) => typeof value === 'string' && codePoints(value) <= limit,
    'specified string length was not satisfied',
    ['string'],
  );
  length(
    context,
    'minLength',
    STRINGS,
    (value, limit) => typeof value === 'string' && codePoints(value) >= limit,
    'specified string length was not satisfied',
    ['string'],
  );
  multipleOf(context);
  bound(context, 'maximum', 'exclusiveMaximum', -1);
  bound(context, 'minimum', 'exclusiveMinimum', 1);
}

export function length(
  context: SchemaContext,
  keyword: string,
  types: TypeSet,
  accepts: (value: Value, limit: number) => boolean,
  reason: string,
  expected?: readonly string[],
): void {
  const value = context.get(keyword);
  if (value === undefined) return;
  const limit = Number(parseNonNegativeInteger(keyword, value));
  context.restrict(types, {
    keyword,
    ...(expected === undefined ? {} : { expected }),
    specifiedAs: context.specified(keyword),
    accepts: (candidate) => accepts(candidate, limit),
    explain: (candidate) => ({ reason, consideredValue: candidate }),
  });
}

function multipleOf(context: SchemaContext): void {
  const value = context.get('multipleOf');
  if (value === undefined) return;
  if (!isNumber(value)) throw typeMismatch("$jsonSchema keyword 'multipleOf' must be a number");
  const divisor = decimalOf(value);
  if (divisor.negative || divisor.isZero)
    throw failedToParse("$jsonSchema keyword 'multipleOf' must have a positive value");
  context.restrict(NUMBERS, {
    keyword: 'multipleOf',
    expected: ['decimal', 'double', 'int', 'long'],
    specifiedAs: context.specified('multipleOf'),
    accepts: (candidate) => isNumber(candidate) && decimalOf(candidate).remainder(divisor).isZero,
    explain: (candidate) => ({
      reason: 'considered value is not a multiple of the specified value',
      consideredValue: candidate,
    }),
  });
}

/** `sign` is 1 for a minimum and -1 for a maximum. */
function bound(context: SchemaContext, keyword: string, exclusive: string, sign: number): void {
  const limit = context.get(keyword);
  const excluded = context.get(exclusive);
  if (limit === undefined) {
    if (excluded !== undefined)
      throw failedToParse(`$jsonSchema keyword '${keyword}' must be a present if ${exclusive} is present`);
    return;
  }
  if (excluded !== undefined && typeof excluded !== 'boolean')
    throw typeMismatch(`$jsonSchema keyword '${exclusive}' must be a boolean`);
  if (!isNumber(limit)) throw typeMismatch(`$jsonSchema keyword '${keyword}' must be a number`);
  context.restrict(NUMBERS, {
    keyword,
    explainsAnyType: true,
    specifiedAs: context.specified(keyword, exclusive),
    accepts: (candidate) => {
      if (!isNumber(candidate)) return false;
      const order = compareNumbers(candidate, limit) * sign;
      return order > 0 || (order === 0 && excluded !== true);
    },
    explain: (candidate) => ({ reason: 'comparison failed', consideredValue: candidate }),
  });
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function decimalOf(value: NumberValue): Decimal {
  if (value instanceof Decimal) return value;
  return typeof value === 'bigint' ? Decimal.fromBigInt(value) : Decimal.fromNumber(toDouble(value) ?? Number.NaN);
}
