/**
 * `$jsonSchema`: JSON Schema draft 4 as MongoDB has it, with `bsonType`. A schema is compiled into rules, one for each
 * keyword, in the order in which MongoDB reports them.
 *
 * A keyword about a kind of value (`minLength`, `items`) leaves other kinds alone, unless the schema states exactly that
 * type; a keyword about another type than the one stated does nothing.
 */
import { DocumentError, ErrorCode, failedToParse, typeMismatch } from '../errors.js';
import {
  type ArrayValue,
  Binary,
  BsonType,
  bsonTypeOf,
  compareNumbers,
  Decimal,
  Doc,
  equalityKey,
  formatValue,
  isArrayValue,
  isNumber,
  NUMBER_TYPES,
  type NumberValue,
  toDouble,
  typeName,
  typeOfName,
  type Value,
} from '../values.js';
import { parseNonNegativeInteger } from './integers.js';
import { compileRegex } from './regex.js';

/** One keyword of a schema. */
interface Rule {
  readonly keyword: string;
  /** Types the rule is about; undefined for rules about every value. */
  readonly types?: ReadonlySet<number>;
  /** Fails on values of other types too, because the schema states the type. */
  readonly strict?: boolean;
  accepts(value: Value): boolean;
  /** Why a value of the right type fails; fields after `operatorName`. */
  explain(value: Value): Record<string, Value | undefined>;
  /** `{minLength: 4}`; undefined where MongoDB does not repeat it. */
  readonly specifiedAs?: Doc;
}

const UNSUPPORTED = new Set(['$ref', '$schema', 'default', 'definitions', 'format', 'id']);
const KNOWN = new Set([
  'additionalItems',
  'additionalProperties',
  'allOf',
  'anyOf',
  'bsonType',
  'dependencies',
  'description',
  'encrypt',
  'encryptMetadata',
  'enum',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'items',
  'maxItems',
  'maxLength',
  'maxProperties',
  'maximum',
  'minItems',
  'minLength',
  'minProperties',
  'minimum',
  'multipleOf',
  'not',
  'oneOf',
  'pattern',
  'patternProperties',
  'properties',
  'required',
  'title',
  'type',
  'uniqueItems',
]);
const STRINGS: ReadonlySet<number> = new Set([BsonType.string]);
const ARRAYS: ReadonlySet<number> = new Set([BsonType.array]);
const OBJECTS: ReadonlySet<number> = new Set([BsonType.object]);
const NUMBERS: ReadonlySet<number> = new Set(NUMBER_TYPES);
const JSON_TYPES: ReadonlyMap<string, readonly number[]> = new Map([
  ['array', [BsonType.array]],
  ['boolean', [BsonType.bool]],
  ['null', [BsonType.null]],
  ['object', [BsonType.object]],
  ['string', [BsonType.string]],
  ['number', NUMBER_TYPES],
]);

/** Throws codes 9, 14 and 2 for what MongoDB refuses. */
export function parseJsonSchema(schema: Doc): JsonSchema {
  return new JsonSchema(schema, true);
}

export class JsonSchema {
  private readonly rules: readonly Rule[];

  constructor(
    private readonly schema: Doc,
    /** The schema of whole documents, where keywords about other values do nothing. */
    root: boolean,
  ) {
    this.rules = new SchemaParser(schema, root).parse();
  }

  accepts(value: Value): boolean {
    const type = bsonTypeOf(value);
    return this.rules.every((rule) => holds(rule, value, type));
  }

  /** What a value fails: one document for each keyword. */
  explain(value: Value): Value[] {
    const type = bsonTypeOf(value);
    return this.rules.filter((rule) => !holds(rule, value, type)).map((rule) => explanation(rule, value, type));
  }

  /** `title` and `description`, which MongoDB repeats in reports. */
  get annotations(): { title: Value | undefined; description: Value | undefined } {
    return { title: this.schema.get('title'), description: this.schema.get('description') };
  }
}

function holds(rule: Rule, value: Value, type: number): boolean {
  if (rule.types !== undefined && !rule.types.has(type)) return rule.strict !== true;
  return rule.accepts(value);
}

function explanation(rule: Rule, value: Value, type: number): Value {
  const { keyword, specifiedAs, types } = rule;
  if (types === undefined || types.has(type))
    return Doc.of({ operatorName: keyword, specifiedAs, ...rule.explain(value) });
  const expected = [...(keyword === 'pattern' ? [BsonType.regex, BsonType.string, BsonType.symbol] : types)]
    .map(nameOf)
    .sort();
  const [only] = expected;
  return Doc.of({
    operatorName: keyword,
    specifiedAs,
    reason: 'type did not match',
    consideredType: typeName(value),
    ...(expected.length === 1 && only !== undefined ? { expectedType: only } : { expectedTypes: expected }),
    consideredValue: value,
  });
}

function nameOf(type: number): string {
  for (const name of ['array', 'object', 'string', 'int', 'long', 'double', 'decimal', 'regex', 'symbol', 'binData']) {
    if (typeOfName(name) === type) return name;
  }
  return 'unknown';
}

class SchemaParser {
  private readonly rules: Rule[] = [];
  private stated: ReadonlySet<number> | undefined;

  constructor(
    private readonly schema: Doc,
    private readonly root: boolean,
  ) {}

  parse(): Rule[] {
    this.checkKeywords();
    const type = this.typeRule();
    this.scalarKeywords();
    this.arrayKeywords();
    this.encryption();
    this.objectKeywords();
    this.logicalKeywords();
    if (type !== undefined) {
      if (!this.root) this.rules.push(type);
      // Only objects are stored: a schema for another type accepts nothing.
      else if (this.stated?.has(BsonType.object) === false) this.rules.push({ ...type, accepts: () => false });
    }
    return this.rules;
  }

  private get(keyword: string): Value | undefined {
    return this.schema.get(keyword);
  }

  private checkKeywords(): void {
    const seen = new Set<string>();
    for (const keyword of this.schema.keys()) {
      if (UNSUPPORTED.has(keyword)) throw failedToParse(`$jsonSchema keyword '${keyword}' is not currently supported`);
      if (!KNOWN.has(keyword)) throw failedToParse(`Unknown $jsonSchema keyword: ${keyword}`);
      if (seen.has(keyword)) throw failedToParse(`Duplicate $jsonSchema keyword: ${keyword}`);
      seen.add(keyword);
    }
    for (const keyword of ['description', 'title']) {
      const value = this.get(keyword);
      if (value !== undefined && typeof value !== 'string')
        throw typeMismatch(`$jsonSchema keyword '${keyword}' must be of type string`);
    }
    if (seen.has('type') && seen.has('bsonType'))
      throw failedToParse("Cannot specify both $jsonSchema keywords 'type' and 'bsonType'");
    for (const keyword of ['type', 'bsonType']) {
      if (seen.has(keyword) && seen.has('encrypt')) {
        throw failedToParse(
          `$jsonSchema keyword 'encrypt' cannot be used in conjunction with '${keyword}', 'encrypt' implies type 'bsonType::BinData'`,
        );
      }
    }
  }

  private typeRule(): Rule | undefined {
    for (const keyword of ['type', 'bsonType']) {
      const value = this.get(keyword);
      if (value === undefined) continue;
      const types = parseTypes(keyword, value);
      this.stated = types;
      return {
        keyword,
        specifiedAs: this.specified(keyword),
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

  private specified(...keywords: string[]): Doc {
    const fields = new Doc();
    for (const keyword of keywords) {
      const value = this.get(keyword);
      if (value !== undefined) fields.append(keyword, value);
    }
    return fields;
  }

  /** Adds a rule about values of `types`. */
  private restrict(types: ReadonlySet<number>, rule: Rule): void {
    if (this.root && types !== OBJECTS) return;
    const { stated } = this;
    if (stated !== undefined && (stated.size === 1 || sameTypes(stated, NUMBERS))) {
      const [type] = stated;
      if (type === undefined || !types.has(type)) return;
      this.rules.push({ ...rule, types, strict: !this.root });
      return;
    }
    this.rules.push({ ...rule, types });
  }

  private scalarKeywords(): void {
    const pattern = this.get('pattern');
    if (pattern !== undefined) {
      if (typeof pattern !== 'string') throw typeMismatch("$jsonSchema keyword 'pattern' must be a string");
      const regex = compileRegex(pattern, '');
      this.restrict(STRINGS, {
        keyword: 'pattern',
        specifiedAs: this.specified('pattern'),
        accepts: (value) => typeof value === 'string' && regex.test(value),
        explain: (value) => ({ reason: 'regular expression did not match', consideredValue: value }),
      });
    }
    this.length(
      'maxLength',
      STRINGS,
      (value, limit) => typeof value === 'string' && codePoints(value) <= limit,
      'specified string length was not satisfied',
    );
    this.length(
      'minLength',
      STRINGS,
      (value, limit) => typeof value === 'string' && codePoints(value) >= limit,
      'specified string length was not satisfied',
    );
    this.multipleOf();
    this.bound('maximum', 'exclusiveMaximum', -1);
    this.bound('minimum', 'exclusiveMinimum', 1);
  }

  private length(
    keyword: string,
    types: ReadonlySet<number>,
    accepts: (value: Value, limit: number) => boolean,
    reason: string,
  ): void {
    const value = this.get(keyword);
    if (value === undefined) return;
    const limit = Number(parseNonNegativeInteger(keyword, value));
    this.restrict(types, {
      keyword,
      specifiedAs: this.specified(keyword),
      accepts: (candidate) => accepts(candidate, limit),
      explain: (candidate) => ({ reason, consideredValue: candidate }),
    });
  }

  private multipleOf(): void {
    const value = this.get('multipleOf');
    if (value === undefined) return;
    if (!isNumber(value)) throw typeMismatch("$jsonSchema keyword 'multipleOf' must be a number");
    const divisor = decimalOf(value);
    if (divisor.negative || divisor.isZero)
      throw failedToParse("$jsonSchema keyword 'multipleOf' must have a positive value");
    this.restrict(NUMBERS, {
      keyword: 'multipleOf',
      specifiedAs: this.specified('multipleOf'),
      accepts: (candidate) => isNumber(candidate) && decimalOf(candidate).remainder(divisor).isZero,
      explain: (candidate) => ({
        reason: 'considered value is not a multiple of the specified value',
        consideredValue: candidate,
      }),
    });
  }

  /** `sign` is 1 for a minimum and -1 for a maximum. */
  private bound(keyword: string, exclusive: string, sign: number): void {
    const limit = this.get(keyword);
    const excluded = this.get(exclusive);
    if (limit === undefined) {
      if (excluded !== undefined)
        throw failedToParse(`$jsonSchema keyword '${keyword}' must be a present if ${exclusive} is present`);
      return;
    }
    if (excluded !== undefined && typeof excluded !== 'boolean')
      throw typeMismatch(`$jsonSchema keyword '${exclusive}' must be a boolean`);
    if (!isNumber(limit)) throw typeMismatch(`$jsonSchema keyword '${keyword}' must be a number`);
    this.restrict(NUMBERS, {
      keyword,
      specifiedAs: this.specified(keyword, exclusive),
      accepts: (candidate) => {
        if (!isNumber(candidate)) return false;
        const order = compareNumbers(candidate, limit) * sign;
        return order > 0 || (order === 0 && excluded !== true);
      },
      explain: (candidate) => ({ reason: 'comparison failed', consideredValue: candidate }),
    });
  }

  private arrayKeywords(): void {
    const size = 'array did not match specified length';
    this.length('minItems', ARRAYS, (value, limit) => isArrayValue(value) && value.length >= limit, size);
    this.length('maxItems', ARRAYS, (value, limit) => isArrayValue(value) && value.length <= limit, size);
    const unique = this.get('uniqueItems');
    if (unique !== undefined && typeof unique !== 'boolean')
      throw typeMismatch("$jsonSchema keyword 'uniqueItems' must be a boolean");
    if (unique === true) {
      this.restrict(ARRAYS, {
        keyword: 'uniqueItems',
        specifiedAs: this.specified('uniqueItems'),
        accepts: (value) => isArrayValue(value) && duplicate(value) === undefined,
        explain: (value) => ({
          reason: 'found a duplicate item',
          consideredValue: value,
          duplicatedValue: isArrayValue(value) ? duplicate(value) : undefined,
        }),
      });
    }
    const items = this.get('items');
    const additional = this.get('additionalItems');
    if (items !== undefined) this.items(items);
    if (additional !== undefined)
      this.additionalItems(additional, items !== undefined && isArrayValue(items) ? items.length : undefined);
  }

  private items(items: Value): void {
    if (items instanceof Doc) {
      const schema = new JsonSchema(items, false);
      this.restrict(ARRAYS, {
        keyword: 'items',
        accepts: (value) => isArrayValue(value) && value.every((element) => schema.accepts(element)),
        explain: (value) => failingItem(value, 0, schema, 'At least one item did not match the sub-schema'),
      });
      return;
    }
    if (!isArrayValue(items))
      throw typeMismatch(`$jsonSchema keyword 'items' must be an array or an object, not ${typeName(items)}`);
    const schemas = items.map((item) => {
      if (!(item instanceof Doc)) {
        throw typeMismatch(
          `$jsonSchema keyword 'items' requires that each element of the array is an object, but found a ${typeName(item)}`,
        );
      }
      return new JsonSchema(item, false);
    });
    const failing = (value: Value): number[] =>
      isArrayValue(value)
        ? [...schemas.keys()].filter((i) => i < value.length && schemas[i]?.accepts(value[i] ?? null) === false)
        : [];
    this.restrict(ARRAYS, {
      keyword: 'items',
      accepts: (value) => failing(value).length === 0,
      explain: (value) => ({
        details: failing(value).map((i) =>
          Doc.of({ itemIndex: i, details: schemas[i]?.explain(isArrayValue(value) ? (value[i] ?? null) : null) ?? [] }),
        ),
      }),
    });
  }

  private additionalItems(additional: Value, start: number | undefined): void {
    if (typeof additional !== 'boolean' && !(additional instanceof Doc)) {
      throw typeMismatch(
        `$jsonSchema keyword 'additionalItems' must be either an object or a boolean, but got a ${typeName(additional)}`,
      );
    }
    const schema = additional instanceof Doc ? new JsonSchema(additional, false) : undefined;
    if (start === undefined || additional === true) return;
    if (schema === undefined) {
      this.restrict(ARRAYS, {
        keyword: 'additionalItems',
        specifiedAs: this.specified('additionalItems'),
        accepts: (value) => isArrayValue(value) && value.length <= start,
        explain: (value) => ({
          reason: 'found additional items',
          additionalItems: isArrayValue(value) ? value.slice(start) : [],
        }),
      });
      return;
    }
    this.restrict(ARRAYS, {
      keyword: 'additionalItems',
      accepts: (value) => isArrayValue(value) && value.slice(start).every((element) => schema.accepts(element)),
      explain: (value) =>
        failingItem(value, start, schema, 'At least one additional item did not match the sub-schema'),
    });
  }

  private encryption(): void {
    const encrypt = this.get('encrypt');
    const metadata = this.get('encryptMetadata');
    if (encrypt !== undefined && metadata !== undefined) {
      throw failedToParse("Cannot specify both $jsonSchema keywords 'encrypt' and 'encryptMetadata'");
    }
    if (metadata !== undefined && !(metadata instanceof Doc))
      throw typeMismatch("$jsonSchema keyword 'encryptMetadata' must be an object ");
    if (metadata instanceof Doc && metadata.isEmpty)
      throw failedToParse("$jsonSchema keyword 'encryptMetadata' cannot be an empty object ");
    if (encrypt === undefined) return;
    if (!(encrypt instanceof Doc)) throw typeMismatch("$jsonSchema keyword 'encrypt' must be an object ");
    const inner = encrypt.get('bsonType');
    const types = inner === undefined ? undefined : parseTypes('bsonType', inner);
    const encrypted = (value: Value): value is Binary => value instanceof Binary && value.subtype === 6;
    this.rules.push({
      keyword: 'encrypt',
      // A blob of deterministic or random encryption says its original type in byte 17.
      accepts: (value) => encrypted(value) && (types === undefined || types.has(value.bytes[17] ?? 0)),
      explain: (value) => ({ reason: encrypted(value) ? 'encrypted value has wrong type' : 'value was not encrypted' }),
    });
  }

  private objectKeywords(): void {
    const required = parseRequired(this.get('required'));
    const properties = this.properties();
    this.allowedProperties(new Set(properties.keys()));
    if (required.length > 0) {
      const missing = (value: Value): string[] =>
        value instanceof Doc ? required.filter((name) => !value.has(name)) : [];
      this.restrict(OBJECTS, {
        keyword: 'required',
        specifiedAs: this.specified('required'),
        accepts: (value) => missing(value).length === 0,
        explain: (value) => ({ missingProperties: missing(value).sort() }),
      });
    }
    const count = 'specified number of properties was not satisfied';
    for (const [keyword, sign] of [
      ['minProperties', 1],
      ['maxProperties', -1],
    ] as const) {
      const limit = this.get(keyword);
      if (limit === undefined) continue;
      const number = Number(parseNonNegativeInteger(keyword, limit));
      this.restrict(OBJECTS, {
        keyword,
        specifiedAs: this.specified(keyword),
        accepts: (value) => value instanceof Doc && (value.size - number) * sign >= 0,
        explain: (value) => ({ reason: count, numberOfProperties: value instanceof Doc ? value.size : 0 }),
      });
    }
    this.dependencies();
  }

  private properties(): ReadonlyMap<string, JsonSchema> {
    const schemas = new Map<string, JsonSchema>();
    const properties = this.get('properties');
    if (properties === undefined) return schemas;
    if (!(properties instanceof Doc)) throw typeMismatch("$jsonSchema keyword 'properties' must be an object");
    for (const [name, schema] of properties) {
      if (!(schema instanceof Doc))
        throw typeMismatch(`Nested schema for $jsonSchema property '${name}' must be an object`);
      schemas.set(name, new JsonSchema(schema, false));
    }
    const failing = (value: Value): [string, JsonSchema, Value][] => {
      const list: [string, JsonSchema, Value][] = [];
      if (!(value instanceof Doc)) return list;
      for (const [name, schema] of schemas) {
        const field = value.get(name);
        if (field !== undefined && !schema.accepts(field)) list.push([name, schema, field]);
      }
      return list;
    };
    this.restrict(OBJECTS, {
      keyword: 'properties',
      accepts: (value) => failing(value).length === 0,
      explain: (value) => ({
        propertiesNotSatisfied: failing(value).map(([propertyName, schema, field]) =>
          Doc.of({ propertyName, ...schema.annotations, details: schema.explain(field) }),
        ),
      }),
    });
    return schemas;
  }

  /** `patternProperties` and `additionalProperties`. */
  private allowedProperties(named: ReadonlySet<string>): void {
    const patterns = parsePatterns(this.get('patternProperties'));
    const additional = this.get('additionalProperties');
    if (additional !== undefined && typeof additional !== 'boolean' && !(additional instanceof Doc)) {
      throw typeMismatch("$jsonSchema keyword 'additionalProperties' must be an object or a boolean");
    }
    if (patterns.length > 0) {
      const failing = (value: Value): Value[] => {
        const list: Value[] = [];
        if (!(value instanceof Doc)) return list;
        for (const [propertyName, field] of value) {
          for (const { source, regex, schema } of patterns) {
            if (regex.test(propertyName) && !schema.accepts(field)) {
              list.push(
                Doc.of({ propertyName, ...schema.annotations, regexMatched: source, details: schema.explain(field) }),
              );
            }
          }
        }
        return list;
      };
      this.restrict(OBJECTS, {
        keyword: 'patternProperties',
        accepts: (value) => failing(value).length === 0,
        explain: (value) => ({ details: failing(value) }),
      });
    }
    if (additional === undefined || additional === true) return;
    const others = (value: Value): [string, Value][] =>
      value instanceof Doc
        ? [...value].filter(([name]) => !named.has(name) && !patterns.some(({ regex }) => regex.test(name)))
        : [];
    if (additional === false) {
      this.restrict(OBJECTS, {
        keyword: 'additionalProperties',
        specifiedAs: this.specified('additionalProperties'),
        accepts: (value) => others(value).length === 0,
        explain: (value) => ({ additionalProperties: others(value).map(([name]) => name) }),
      });
      return;
    }
    const schema = new JsonSchema(additional, false);
    this.restrict(OBJECTS, {
      keyword: 'additionalProperties',
      accepts: (value) => others(value).every(([, field]) => schema.accepts(field)),
      explain: (value) => {
        const [name, field] = others(value).find(([, candidate]) => !schema.accepts(candidate)) ?? ['', null];
        return {
          reason: 'at least one additional property did not match the subschema',
          failingProperty: name,
          details: schema.explain(field),
        };
      },
    });
  }

  private dependencies(): void {
    const dependencies = this.get('dependencies');
    if (dependencies === undefined) return;
    if (!(dependencies instanceof Doc)) throw typeMismatch("$jsonSchema keyword 'dependencies' must be an object");
    const checks: ((value: Doc) => Value | undefined)[] = [];
    for (const [conditionalProperty, dependency] of dependencies) {
      if (dependency instanceof Doc) {
        const schema = new JsonSchema(dependency, this.root);
        checks.push((value) =>
          !value.has(conditionalProperty) || schema.accepts(value)
            ? undefined
            : Doc.of({ conditionalProperty, ...schema.annotations, details: schema.explain(value) }),
        );
      } else {
        const names = parseDependency(conditionalProperty, dependency);
        checks.push((value) => {
          const missing = names.filter((name) => !value.has(name));
          return !value.has(conditionalProperty) || missing.length === 0
            ? undefined
            : Doc.of({ conditionalProperty, missingProperties: missing });
        });
      }
    }
    const failing = (value: Value): Value[] =>
      value instanceof Doc ? checks.map((check) => check(value)).filter((failure) => failure !== undefined) : [];
    this.restrict(OBJECTS, {
      keyword: 'dependencies',
      accepts: (value) => failing(value).length === 0,
      explain: (value) => ({ failingDependencies: failing(value) }),
    });
  }

  private logicalKeywords(): void {
    for (const keyword of ['allOf', 'anyOf', 'oneOf'] as const) {
      const value = this.get(keyword);
      if (value !== undefined) this.logical(keyword, value);
    }
    const not = this.get('not');
    if (not !== undefined) {
      if (!(not instanceof Doc))
        throw typeMismatch(
          `$jsonSchema keyword 'not' must be an object, but found an element of type ${typeName(not)}`,
        );
      const schema = new JsonSchema(not, this.root);
      this.rules.push({
        keyword: 'not',
        accepts: (value) => !schema.accepts(value),
        explain: () => ({ reason: 'child expression matched' }),
      });
    }
    this.enumeration();
  }

  private logical(keyword: 'allOf' | 'anyOf' | 'oneOf', value: Value): void {
    if (!isArrayValue(value)) throw typeMismatch(`$jsonSchema keyword '${keyword}' must be an array`);
    if (value.length === 0)
      throw new DocumentError(ErrorCode.badValue, `$jsonSchema keyword '${keyword}' must be a non-empty array`);
    const schemas = value.map((element) => {
      if (!(element instanceof Doc)) {
        throw typeMismatch(
          `$jsonSchema keyword '${keyword}' must be an array of objects, but found an element of type ${typeName(element)}`,
        );
      }
      return new JsonSchema(element, this.root);
    });
    const failures = (candidate: Value): Value[] =>
      schemas.flatMap((schema, index) =>
        schema.accepts(candidate) ? [] : [Doc.of({ index, ...schema.annotations, details: schema.explain(candidate) })],
      );
    const count = (candidate: Value): number => schemas.filter((schema) => schema.accepts(candidate)).length;
    this.rules.push({
      keyword,
      accepts: (candidate) => {
        if (keyword === 'allOf') return schemas.every((schema) => schema.accepts(candidate));
        return keyword === 'anyOf' ? schemas.some((schema) => schema.accepts(candidate)) : count(candidate) === 1;
      },
      explain: (candidate) => {
        if (keyword === 'oneOf' && count(candidate) > 1) {
          const matching = [...schemas.keys()].filter((index) => schemas[index]?.accepts(candidate) === true);
          return { reason: 'more than one subschema matched', matchingSchemaIndexes: matching };
        }
        return { schemasNotSatisfied: failures(candidate) };
      },
    });
  }

  private enumeration(): void {
    const values = this.get('enum');
    if (values === undefined) return;
    if (!isArrayValue(values))
      throw typeMismatch(
        `$jsonSchema keyword 'enum' must be an array, but found an element of type ${typeName(values)}`,
      );
    if (values.length === 0) throw failedToParse("$jsonSchema keyword 'enum' cannot be an empty array");
    const keys = new Set(values.map(unorderedKey));
    if (keys.size !== values.length)
      throw failedToParse("$jsonSchema keyword 'enum' array cannot contain duplicate values.");
    this.rules.push({
      keyword: 'enum',
      specifiedAs: this.specified('enum'),
      accepts: (value) => keys.has(unorderedKey(value)),
      explain: (value) => ({ reason: 'value was not found in enum', consideredValue: value }),
    });
  }
}

function sameTypes(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return a.size === b.size && [...a].every((type) => b.has(type));
}

function parseTypes(keyword: string, value: Value): ReadonlySet<number> {
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
  throw new DocumentError(ErrorCode.badValue, `Unknown type name alias: ${name}`);
}

function parseRequired(value: Value | undefined): readonly string[] {
  if (value === undefined) return [];
  if (!isArrayValue(value)) {
    throw typeMismatch(
      `$jsonSchema keyword 'required' must be an array, but found an element of type ${typeName(value)}`,
    );
  }
  const names = value.map((name) => {
    if (typeof name === 'string') return name;
    throw typeMismatch(
      `$jsonSchema keyword 'required' must be an array of strings, but found an element of type: ${typeName(name)}`,
    );
  });
  if (names.length === 0) throw failedToParse("$jsonSchema keyword 'required' cannot be an empty array");
  if (new Set(names).size !== names.length)
    throw failedToParse("$jsonSchema keyword 'required' array cannot contain duplicate values");
  return names;
}

function parsePatterns(value: Value | undefined): { source: string; regex: RegExp; schema: JsonSchema }[] {
  if (value === undefined) return [];
  if (!(value instanceof Doc)) throw typeMismatch("$jsonSchema keyword 'patternProperties' must be an object");
  return [...value].map(([source, schema]) => {
    if (!(schema instanceof Doc)) {
      throw typeMismatch(`$jsonSchema keyword 'patternProperties' has property '${source}' which is not an object`);
    }
    return { source, regex: compileRegex(source, ''), schema: new JsonSchema(schema, false) };
  });
}

function parseDependency(property: string, value: Value): string[] {
  if (!isArrayValue(value)) {
    throw typeMismatch(
      `property '${property}' in $jsonSchema keyword 'dependencies' must be either an object or an array`,
    );
  }
  if (value.length === 0)
    throw failedToParse(`property '${property}' in $jsonSchema keyword 'dependencies' cannot be an empty array`);
  const names: string[] = [];
  for (const name of value) {
    if (typeof name !== 'string') {
      throw typeMismatch(
        `array '${property}' in $jsonSchema keyword 'dependencies' can only contain strings, but found element of type: ${typeName(name)}`,
      );
    }
    if (names.includes(name)) {
      throw failedToParse(
        `array '${property}' in $jsonSchema keyword 'dependencies' contains duplicate element: ${formatValue(name).slice(1, -1)}`,
      );
    }
    names.push(name);
  }
  return names;
}

function failingItem(value: Value, start: number, schema: JsonSchema, reason: string): Record<string, Value> {
  const elements = isArrayValue(value) ? value : [];
  const itemIndex = elements.findIndex((element, index) => index >= start && !schema.accepts(element));
  return { reason, itemIndex, details: schema.explain(elements[itemIndex] ?? null) };
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

function duplicate(array: ArrayValue): Value | undefined {
  const seen = new Set<string | number>();
  return array.find((element) => {
    const key = unorderedKey(element);
    if (seen.has(key)) return true;
    seen.add(key);
    return false;
  });
}

/** Equal for values that differ only in the order of fields. */
function unorderedKey(value: Value): string | number {
  return equalityKey(sorted(value));
}

function sorted(value: Value): Value {
  if (value instanceof Doc) {
    return Doc.fromEntries(
      [...value].map(([name, field]) => [name, sorted(field)] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
  return isArrayValue(value) ? value.map(sorted) : value;
}
