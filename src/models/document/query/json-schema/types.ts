/** The types that `type` and `bsonType` name. */
import { badValue, failedToParse, typeMismatch } from '../../errors.js';
import {
  type ArrayValue,
  BsonType,
  bsonTypeOf,
  isArrayValue,
  NUMBER_TYPES,
  typeName,
  typeOfName,
  type Value,
} from '../../values.js';
import type { Rule, SchemaContext, TypeSet } from './context.js';

const JSON_TYPES: ReadonlyMap<string, readonly number[]> = new Map([
  ['array', [BsonType.array]],
  ['boolean', [BsonType.bool]],
  ['null', [BsonType.null]],
  ['object', [BsonType.object]],
  ['string', [BsonType.string]],
  ['number', NUMBER_TYPES],
]);

export function typeRule(context: SchemaContext): Rule | undefined {
  for (const keyword of ['type', 'bsonType']) {
    const value = context.get(keyword);
    if (value === undefined) continue;
    const types = parseTypes(keyword, value);
    context.stated = types;
    return {
      keyword,
      specifiedAs: context.specified(keyword),
      accepts: (candidate) => types.has(bsonTypeOf(candidate)),
      explain: (candidate) => ({
        reason: 'type did not match',
        consideredValue: candidate,
        consideredType: typeName(candidate),
      }),
    };
  }
  return undefined;
}

export function parseTypes(keyword: string, value: Value): TypeSet {
  const names: ArrayValue = isArrayValue(value) ? value : [value];
  if (!isArrayValue(value) && typeof value !== 'string') {
    throw typeMismatch(`$jsonSchema keyword '${keyword}' must be either a string or an array of strings`);
  }
  const types = new Set<number>();
  const seen = new Set<string>();
  for (const name of names) {
    if (typeof name !== 'string') throw typeMismatch(`$jsonSchema keyword '${keyword}' array elements must be strings`);
    if (name === 'integer') throw failedToParse("$jsonSchema type 'integer' is not currently supported.");
    if (seen.has(name)) throw failedToParse(`$jsonSchema keyword '${keyword}' has duplicate value: ${name}`);
    seen.add(name);
    for (const type of typesOf(keyword, name)) types.add(type);
  }
  if (types.size === 0) throw failedToParse(`$jsonSchema keyword '${keyword}' must name at least one type`);
  return types;
}

function typesOf(keyword: string, name: string): readonly number[] {
  if (keyword === 'type' || name === 'number') {
    const types = JSON_TYPES.get(name);
    if (types !== undefined) return types;
  } else {
    const type = typeOfName(name);
    if (type !== undefined) return [type];
  }
  throw badValue(`Unknown type name alias: ${name}`);
}
