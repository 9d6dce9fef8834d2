/**
 * `$jsonSchema`: JSON Schema draft 4 as MongoDB has it, with `bsonType`. A schema is compiled into rules, one for each
 * keyword, in the order in which MongoDB reports them.
 *
 * A keyword about a kind of value (`minLength`, `items`) leaves other kinds alone, unless the schema states exactly that
 * type; a keyword about another type than the one stated does nothing.
 */
import { failedToParse, typeMismatch } from '../../errors.js';
import { BsonType, bsonTypeOf, Doc, typeName, type Value } from '../../values.js';
import { arrayKeywords } from './arrays.js';
import { type Rule, SchemaContext } from './context.js';
import { encryption } from './encryption.js';
import { logicalKeywords } from './logic.js';
import { objectKeywords } from './objects.js';
import { scalarKeywords } from './scalars.js';
import { typeRule } from './types.js';

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

/** Throws codes 9, 14 and 2 for what MongoDB refuses. */
export function parseJsonSchema(schema: Doc): JsonSchema {
  return new JsonSchema(schema, true);
}

export class JsonSchema {
  private readonly rules: readonly Rule[];

  constructor(
    /** The schema as it was written. */
    readonly source: Doc,
    /** The schema of whole documents, where keywords about other values do nothing. */
    root: boolean,
  ) {
    this.rules = compileRules(source, root);
  }

  accepts(value: Value): boolean {
    const type = bsonTypeOf(value);
    return this.rules.every((rule) => holds(rule, value, type));
  }

  /** What a value fails: one document for each keyword. */
  explain(value: Value): Value[] {
    const type = bsonTypeOf(value);
    return this.rules
      .filter((rule) => !holds(rule, value, type))
      .map((rule) => explanation(rule, value, type))
      .filter((report) => report !== undefined);
  }

  /** `title` and `description`, which MongoDB repeats in reports. */
  get annotations(): { title: Value | undefined; description: Value | undefined } {
    return { title: this.source.get('title'), description: this.source.get('description') };
  }
}

function compileRules(schema: Doc, root: boolean): readonly Rule[] {
  checkKeywords(schema);
  const context = new SchemaContext(schema, root, (nested, nestedRoot) => new JsonSchema(nested, nestedRoot));
  const type = typeRule(context);
  scalarKeywords(context);
  arrayKeywords(context);
  encryption(context);
  objectKeywords(context);
  logicalKeywords(context);
  if (type !== undefined) {
    if (!root) context.add(type);
    // Only objects are stored: a schema for another type accepts nothing.
    else if (context.stated?.has(BsonType.object) === false) context.add({ ...type, accepts: () => false });
  }
  return context.rules;
}

function checkKeywords(schema: Doc): void {
  const seen = new Set<string>();
  for (const keyword of schema.keys()) {
    if (UNSUPPORTED.has(keyword)) throw failedToParse(`$jsonSchema keyword '${keyword}' is not currently supported`);
    if (!KNOWN.has(keyword)) throw failedToParse(`Unknown $jsonSchema keyword: ${keyword}`);
    if (seen.has(keyword)) throw failedToParse(`Duplicate $jsonSchema keyword: ${keyword}`);
    seen.add(keyword);
  }
  for (const keyword of ['description', 'title']) {
    const value = schema.get(keyword);
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

function holds(rule: Rule, value: Value, type: number): boolean {
  if (rule.types !== undefined && !rule.types.has(type)) return rule.strict !== true;
  return rule.accepts(value);
}

function explanation(rule: Rule, value: Value, type: number): Doc | undefined {
  const { keyword, specifiedAs, types, expected } = rule;
  if (types === undefined || types.has(type) || rule.explainsAnyType === true) {
    return Doc.of({ operatorName: keyword, specifiedAs, ...rule.explain(value) });
  }
  if (expected === undefined) return undefined;
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
