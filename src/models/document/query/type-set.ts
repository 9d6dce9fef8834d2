/** Sets of BSON types as `$type` and `bsonType` name them: codes, aliases, `number`, lists of these. */
import { badValue, typeMismatch } from '../errors.js';
import {
  type ArrayValue,
  isArrayValue,
  isNumber,
  NUMBER_TYPES,
  toDouble,
  typeOfName,
  typeOfNumber,
  type Value,
} from '../values.js';

export type TypeSet = ReadonlySet<number>;

/** Throws code 2 for unknown names and numbers, 14 for values that are neither. */
export function parseTypeSet(value: Value): TypeSet {
  const types = new Set<number>();
  const list: ArrayValue = isArrayValue(value) ? value : [value];
  for (const element of list) addType(types, element);
  return types;
}

function addType(types: Set<number>, value: Value): void {
  if (typeof value === 'string') {
    addAlias(types, value);
    return;
  }
  if (!isNumber(value)) throw typeMismatch('type must be represented as a number or a string');
  const number = toDouble(value) ?? Number.NaN;
  const shown = Number.isNaN(number) ? 'nan' : String(number);
  if (number === 0) throw badValue(`Invalid numerical type code: ${shown}. Instead use {$exists:false}.`);
  const type = typeOfNumber(number);
  if (type === undefined) throw badValue(`Invalid numerical type code: ${shown}`);
  types.add(type);
}

function addAlias(types: Set<number>, alias: string): void {
  if (alias === 'number') {
    for (const type of NUMBER_TYPES) types.add(type);
    return;
  }
  const type = typeOfName(alias);
  if (type !== undefined) {
    types.add(type);
    return;
  }
  if (alias === 'missing') {
    throw badValue("'missing' is not a legal type name. To query for non-existence of a field, use {$exists:false}.");
  }
  throw badValue(`Unknown type name alias: ${alias}`);
}
