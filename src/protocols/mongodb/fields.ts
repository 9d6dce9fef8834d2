/**
 * The fields of a command: which it knows, of which type each must be, and what a handler gets. Unknown, missing,
 * doubled and mistyped fields are refused with the codes and texts of MongoDB's command parser.
 */
import { Doc } from '../../models/document/bson/document.js';
import { nameOfType } from '../../models/document/bson/names.js';
import { BsonType } from '../../models/document/bson/raw.js';
import { bsonTypeOf, isArrayValue, type Value } from '../../models/document/bson/types.js';
import { numberOf, truthOf } from '../../models/document/scalars.js';
import type { DocumentSequence } from './codec.js';
import { failed, type MongoError } from './errors.js';

/** A value and how errors name it: `find.limit`. */
export interface FieldValue {
  readonly path: string;
  readonly value: Value;
}

/** How one field is read. */
export interface FieldType<T> {
  readonly required: boolean;
  read(value: Value, path: string): T;
  /** Takes documents from a document sequence too. */
  sequence?(documents: readonly Buffer[], path: string): T;
}

export type FieldTypes = Readonly<Record<string, FieldType<unknown>>>;
export type FieldsOf<F extends FieldTypes> = { readonly [K in keyof F]: F[K] extends FieldType<infer T> ? T : never };

export function wrongType(value: Value, path: string, ...expected: readonly string[]): MongoError {
  const wanted = expected.length === 1 ? `type '${expected[0]}'` : `types '[${expected.join(', ')}]'`;
  return failed(14, `BSON field '${path}' is the wrong type '${nameOfType(bsonTypeOf(value))}', expected ${wanted}`);
}

const NUMBERS = ['long', 'int', 'decimal', 'double'] as const;

function optional<T>(read: (value: Value, path: string) => T): FieldType<T | undefined> {
  return { required: false, read };
}

/** Makes a field required: its absence is error 40414. */
export function required<T>(type: FieldType<T | undefined>): FieldType<T> {
  const { sequence } = type;
  return {
    required: true,
    read: (value, path) => type.read(value, path) as T,
    ...(sequence === undefined ? {} : { sequence: (sent, path) => sequence(sent, path) as T }),
  };
}

export function object(): FieldType<Doc | undefined> {
  return optional((value, path) => {
    if (!(value instanceof Doc)) throw wrongType(value, path, 'object');
    return value;
  });
}

export function string(): FieldType<string | undefined> {
  return optional((value, path) => {
    if (typeof value !== 'string') throw wrongType(value, path, 'string');
    return value;
  });
}

/** bool, or a number that counts as one. */
export function bool(): FieldType<boolean | undefined> {
  return optional((value, path) => {
    const truth = truthOf(value);
    if (truth === undefined) throw wrongType(value, path, 'bool', ...NUMBERS);
    return truth;
  });
}

/** bool and nothing else. */
export function strictBool(): FieldType<boolean | undefined> {
  return optional((value, path) => {
    if (typeof value !== 'boolean') throw wrongType(value, path, 'bool');
    return value;
  });
}

/** A number cut to an integer. Beyond the limits: error 51024. */
export function integer(limits: { min?: number; max?: number } = {}): FieldType<number | undefined> {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = limits;
  return optional((value, path) => {
    const number = numberOf(value);
    if (number === undefined) throw wrongType(value, path, ...NUMBERS);
    const whole = Number.isNaN(number) ? 0 : Math.trunc(number);
    const name = path.slice(path.lastIndexOf('.') + 1);
    if (whole < min) throw failed(51024, `BSON field '${name}' value must be >= ${min}, actual value '${whole}'`);
    if (whole > max) throw failed(51024, `BSON field '${name}' value must be <= ${max}, actual value '${whole}'`);
    return whole;
  });
}

/** A 64-bit integer kept exactly. */
export function long(): FieldType<bigint | undefined> {
  return optional((value, path) => {
    if (typeof value === 'bigint') return value;
    if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(value, path, 'long');
    return BigInt(value);
  });
}

/** Any value, for the handler to look at. */
export function any(): FieldType<Value | undefined> {
  return optional((value) => value);
}

/** A field that is accepted and does nothing here. */
export function ignored(): FieldType<undefined> {
  return optional(() => undefined);
}

/** An array of documents; in a message they may come as a document sequence. */
export function documents(): FieldType<readonly Doc[] | undefined> {
  return {
    required: false,
    read: (value, path) => {
      if (!isArrayValue(value)) throw wrongType(value, path, 'array');
      return value.map((element, i) => {
        if (!(element instanceof Doc)) throw wrongType(element, `${path}.${i}`, 'object');
        return element;
      });
    },
    sequence: (sent) => sent.map((bytes) => Doc.fromBytes(bytes)),
  };
}

/** An array of any values. */
export function array(): FieldType<readonly Value[] | undefined> {
  return optional((value, path) => {
    if (!isArrayValue(value)) throw wrongType(value, path, 'array');
    return value;
  });
}

export function strings(): FieldType<readonly string[] | undefined> {
  return optional((value, path) => {
    if (!isArrayValue(value)) throw wrongType(value, path, 'array');
    return value.map((element, i) => {
      if (typeof element !== 'string') throw wrongType(element, `${path}.${i}`, 'string');
      return element;
    });
  });
}

export function oneOf<const V extends string>(...values: readonly V[]): FieldType<V | undefined> {
  return optional((value, path) => {
    if (typeof value !== 'string') throw wrongType(value, path, 'string');
    const known = values.find((candidate) => candidate === value);
    if (known === undefined) throw failed(2, `Enumeration value '${value}' for field '${path}' is not a valid value.`);
    return known;
  });
}

/** A document whose fields are known in turn; `owner` replaces its path in errors. */
export function nested<F extends FieldTypes>(fields: F, owner?: string): FieldType<FieldsOf<F> | undefined> {
  return optional((value, path) => {
    if (!(value instanceof Doc)) throw wrongType(value, path, 'object');
    return readFields(owner ?? path, fields, value);
  });
}

/** Documents whose fields are known in turn. */
export function arrayOf<F extends FieldTypes>(fields: F): FieldType<readonly FieldsOf<F>[] | undefined> {
  return {
    required: false,
    read: (value, path) => {
      if (!isArrayValue(value)) throw wrongType(value, path, 'array');
      return value.map((element, i) => {
        if (!(element instanceof Doc)) throw wrongType(element, `${path}.${i}`, 'object');
        return readFields(path, fields, element);
      });
    },
    sequence: (sent, path) => sent.map((bytes) => readFields(path, fields, Doc.fromBytes(bytes))),
  };
}

/**
 * Reads a document by its description. `skip` says which names are somebody else's (the envelope's). `owner` is the name
 * before the dot in errors.
 */
export function readFields<F extends FieldTypes>(
  owner: string,
  types: F,
  document: Doc,
  sequences: readonly DocumentSequence[] = [],
  skip: (name: string) => boolean = () => false,
): FieldsOf<F> {
  const found: Record<string, unknown> = {};
  const seen = new Set<string>();
  for (const [name, value] of document) {
    if (skip(name)) continue;
    const type = Object.hasOwn(types, name) ? types[name] : undefined;
    if (type === undefined) throw failed(40415, `BSON field '${owner}.${name}' is an unknown field.`);
    if (seen.has(name)) throw failed(40413, `BSON field '${owner}.${name}' is a duplicate field`);
    const bsonType = bsonTypeOf(value);
    if ((bsonType === BsonType.null || bsonType === BsonType.undefined) && !type.required) continue;
    seen.add(name);
    found[name] = type.read(value, `${owner}.${name}`);
  }
  for (const { name, documents: sent } of sequences) {
    const type = Object.hasOwn(types, name) ? types[name] : undefined;
    if (type?.sequence === undefined)
      throw failed(40472, `The ${owner} command does not take document sequence ${name}`);
    if (seen.has(name)) throw failed(40433, `Duplicate field between body and document sequence ${owner}.${name}`);
    seen.add(name);
    found[name] = type.sequence(sent, `${owner}.${name}`);
  }
  for (const name in types) {
    if (types[name]?.required === true && !seen.has(name)) {
      throw failed(40414, `BSON field '${owner}.${name}' is missing but a required field`);
    }
  }
  return found as FieldsOf<F>;
}
