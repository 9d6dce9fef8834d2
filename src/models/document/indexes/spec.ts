/** Index specifications: what a client may ask for, completed to what listIndexes prints. */
import { parseCollation } from '../collation.js';
import { DocumentError } from '../errors.js';
import { compileFilter } from '../query/filter.js';
import { numberOf, truthOf } from '../scalars.js';
import { languageOf } from '../text/terms.js';
import { Doc, formatDocument, formatValue, typeName, type Value } from '../values.js';

/** Indexes of a collection. */
export const INDEXES_MAX = 64;
const PARTS_MAX = 32;
const TTL_SECONDS_MAX = 2_147_483_647;
const PLUGINS = new Set(['text', '2dsphere', '2d', 'hashed']);

const FIELDS = new Set([
  'v',
  'key',
  'name',
  'ns',
  'unique',
  'sparse',
  'background',
  'expireAfterSeconds',
  'partialFilterExpression',
  'hidden',
  'collation',
  'storageEngine',
  'weights',
  'default_language',
  'language_override',
  'textIndexVersion',
  '2dsphereIndexVersion',
  'bits',
  'min',
  'max',
  'bucketSize',
  'wildcardProjection',
  'prepareUnique',
  'clustered',
  'dropDups',
  'coarsestIndexedLevel',
  'finestIndexedLevel',
  'originalSpec',
]);

function cannotCreate(message: string): DocumentError {
  return new DocumentError(67, message);
}

/** Completes and checks a specification. `defaultCollation` is the collection's. */
export function normalizeSpec(spec: Doc, defaultCollation: Doc | undefined): Doc {
  const inSpec = (reason: string): DocumentError =>
    new DocumentError(9, `Error in specification ${formatDocument(spec)} :: caused by :: ${reason}`);
  for (const name of spec.keys()) {
    if (!FIELDS.has(name)) {
      throw new DocumentError(
        197,
        `Error in specification ${formatDocument(spec)} :: caused by :: The field '${name}' is not valid for an index specification. Specification: ${formatDocument(spec)}`,
      );
    }
  }
  const key = spec.get('key');
  if (!(key instanceof Doc)) throw inSpec("The 'key' field is a required property of an index specification");
  const name = spec.get('name');
  if (typeof name !== 'string') throw inSpec("The 'name' field is a required property of an index specification");
  checkKey(key, name);
  const kinds = [...key].map(([path, value]) => kindOf(path, value));
  const isId = key.size === 1 && numberOf(key.get('_id')) === 1;
  if (isId) checkIdSpec(spec);
  const result = Doc.of({ v: 2, key: kinds.includes('text') ? textKey(key) : key, name: isId ? '_id_' : name });
  for (const field of ['unique', 'sparse', 'hidden', 'prepareUnique', 'clustered'] as const) {
    const value = spec.get(field);
    if (value === undefined) continue;
    const truth = truthOf(value);
    if (truth === undefined)
      throw new DocumentError(
        14,
        `Error in specification ${formatDocument(spec)} :: caused by :: The field '${field}' has value ${field}: ${formatValue(value)}, which is not convertible to bool`,
      );
    if (truth && !(isId && field === 'unique')) result.append(field, true);
  }
  if (spec.has('background')) result.append('background', truthOf(spec.get('background')) === true);
  checkTtl(spec, key, kinds, result);
  checkPartial(spec, result);
  checkKinds(spec, kinds, result);
  appendCollation(spec, kinds, defaultCollation, result);
  if (kinds.includes('wildcard')) checkWildcard(spec, key, result);
  if (kinds.includes('text')) appendText(spec, key, result);
  if (kinds.includes('2dsphere')) result.append('2dsphereIndexVersion', spec.get('2dsphereIndexVersion') ?? 3);
  if (kinds.includes('2d')) for (const field of ['bits', 'min', 'max']) appendIf(result, field, spec.get(field));
  if (spec.has('storageEngine')) appendIf(result, 'storageEngine', spec.get('storageEngine'));
  return result;
}

function appendIf(result: Doc, name: string, value: Value | undefined): void {
  if (value !== undefined) result.append(name, value);
}

function kindOf(path: string, value: Value): string {
  if (path === '$**' || path.endsWith('.$**')) return 'wildcard';
  return typeof value === 'string' ? value : 'plain';
}

function checkKey(key: Doc, name: string): void {
  if (key.isEmpty) throw cannotCreate('Index keys cannot be an empty object');
  if (name === '') throw cannotCreate('index name cannot be empty');
  if (key.size > PARTS_MAX) throw new DocumentError(13103, 'too many compound keys');
  const seen = new Set<string>();
  for (const [path, value] of key) {
    if (path === '') throw cannotCreate('Index keys cannot be an empty field.');
    if (seen.has(path))
      throw new DocumentError(
        9,
        `The field '${path}' appears multiple times in the index key pattern ${formatDocument(key)}`,
      );
    seen.add(path);
    if (path.startsWith('.') || path.endsWith('.') || path.includes('..'))
      throw cannotCreate('Index key contains an illegal field name: field name contains an empty part');
    if (path.startsWith('$') && path !== '$**')
      throw cannotCreate(`Index key contains an illegal field name: field name starts with '$'.`);
    if (typeof value === 'string') {
      if (value === '') throw cannotCreate('Values in the index key pattern cannot be empty strings');
      if (!PLUGINS.has(value)) throw cannotCreate(`Unknown index plugin '${value}'`);
      continue;
    }
    const number = numberOf(value);
    if (number === undefined)
      throw cannotCreate(
        `Values in v:2 index key pattern cannot be of type ${typeName(value)}. Only numbers > 0, numbers < 0, and strings are allowed.`,
      );
    if (number === 0 || Number.isNaN(number)) throw cannotCreate('Values in the index key pattern cannot be 0.');
  }
}

const ID_FIELDS = new Set(['v', 'key', 'name', 'ns', 'collation', 'clustered', 'background']);

function checkIdSpec(spec: Doc): void {
  for (const name of spec.keys()) {
    if (!ID_FIELDS.has(name) && !(name === 'unique' && spec.has('clustered'))) {
      throw new DocumentError(
        197,
        `The field '${name}' is not valid for an _id index specification. Specification: ${formatDocument(spec)}`,
      );
    }
  }
}

function checkTtl(spec: Doc, key: Doc, kinds: readonly string[], result: Doc): void {
  const value = spec.get('expireAfterSeconds');
  if (value === undefined) return;
  const seconds = numberOf(value);
  if (seconds === undefined)
    throw cannotCreate(
      `TTL index 'expireAfterSeconds' option must be numeric, but received a type of '${typeName(value)}'. Index spec: ${formatDocument(spec)}`,
    );
  if (seconds < 0)
    throw cannotCreate(
      `TTL index 'expireAfterSeconds' option cannot be less than 0. Index spec: ${formatDocument(spec)}`,
    );
  if (seconds > TTL_SECONDS_MAX)
    throw cannotCreate(
      `TTL index 'expireAfterSeconds' option must be within an acceptable range, try a different number than ${seconds}. Index spec: ${formatDocument(spec)}`,
    );
  if (key.size !== 1)
    throw cannotCreate(
      `TTL indexes are single-field indexes, compound indexes do not support TTL. Index spec: ${formatDocument(spec)}`,
    );
  if (kinds[0] === 'wildcard') throw cannotCreate(`Index type 'wildcard' cannot be a TTL index`);
  if (key.has('_id'))
    throw cannotCreate(
      `The field 'expireAfterSeconds' is not valid for an _id index specification. Specification: ${formatDocument(spec)}`,
    );
  result.append('expireAfterSeconds', value);
}

function checkPartial(spec: Doc, result: Doc): void {
  const filter = spec.get('partialFilterExpression');
  if (filter === undefined) return;
  if (!(filter instanceof Doc))
    throw new DocumentError(14, `The field 'partialFilterExpression' must be an object, but got ${typeName(filter)}`);
  if (truthOf(spec.get('sparse')) === true)
    throw cannotCreate(`cannot mix "partialFilterExpression" and "sparse" options`);
  const { predicate } = compileFilter(filter, {
    allow: { text: false, where: false, near: false, expr: false, jsonSchema: false },
  });
  checkPartialPredicate(predicate, 0);
  result.append('partialFilterExpression', filter);
}

const PARTIAL_OPERATORS = new Set([
  'and',
  'or',
  'eq',
  'gt',
  'gte',
  'lt',
  'lte',
  'in',
  'exists',
  'type',
  'geoWithin',
  'geoIntersects',
  'always',
]);

function checkPartialPredicate(predicate: { op: string; children?: readonly unknown[] }, depth: number): void {
  if (!PARTIAL_OPERATORS.has(predicate.op)) {
    throw cannotCreate(
      `Expression not supported in partial index: ${predicate.op === 'not' ? '$not' : `$${predicate.op}`}`,
    );
  }
  for (const child of predicate.children ?? []) {
    checkPartialPredicate(child as { op: string; children?: readonly unknown[] }, depth + 1);
  }
}

function checkKinds(spec: Doc, kinds: readonly string[], result: Doc): void {
  const hashed = kinds.filter((kind) => kind === 'hashed').length;
  if (hashed > 1) throw new DocumentError(31303, 'A maximum of one index field is allowed to be hashed');
  if (hashed === 1 && truthOf(spec.get('unique')) === true)
    throw new DocumentError(16764, 'Currently hashed indexes cannot guarantee uniqueness. Use a regular index.');
  void result;
}

function appendCollation(spec: Doc, kinds: readonly string[], inherited: Doc | undefined, result: Doc): void {
  const given = spec.get('collation');
  const plain = kinds.every((kind) => kind === 'plain' || kind === 'hashed' || kind === 'wildcard');
  if (given !== undefined && !(given instanceof Doc))
    throw new DocumentError(14, `The field 'collation' must be an object, but got ${typeName(given)}`);
  const collation =
    given instanceof Doc
      ? parseCollation(given)
      : inherited === undefined || !plain
        ? undefined
        : parseCollation(inherited);
  if (collation === undefined) return;
  if (!plain)
    throw cannotCreate(
      `Index type '${kinds.find((kind) => kind !== 'plain')}' does not support collation: ${formatDocument(Doc.of({ ...collation.spec }))}`,
    );
  result.append('collation', Doc.of({ ...collation.spec }));
}

function checkWildcard(spec: Doc, key: Doc, result: Doc): void {
  if (truthOf(spec.get('unique')) === true)
    throw cannotCreate("Index type 'wildcard' does not support the unique option");
  if (truthOf(spec.get('clustered')) === true) throw cannotCreate('Wildcard indexes cannot be clustered');
  for (const [path, value] of key) {
    if ((path === '$**' || path.endsWith('.$**')) && typeof value === 'string')
      throw cannotCreate(`Wildcard indexes do not support ${value} index type`);
  }
  const projection = spec.get('wildcardProjection');
  if (projection === undefined) return;
  if (!key.has('$**'))
    throw new DocumentError(9, `The field 'wildcardProjection' is only allowed when 'key' is {"$**": ±1}`);
  if (!(projection instanceof Doc) || projection.isEmpty)
    throw new DocumentError(9, `The 'wildcardProjection' field can't be an empty object`);
  result.append('wildcardProjection', projection);
}

function textKey(key: Doc): Doc {
  const result = new Doc();
  let done = false;
  for (const [path, value] of key) {
    if (value !== 'text') result.append(path, value);
    else if (!done) {
      done = true;
      result.append('_fts', 'text').append('_ftsx', 1);
    }
  }
  return result;
}

function appendText(spec: Doc, key: Doc, result: Doc): void {
  const weights = new Map<string, Value>();
  for (const [path, value] of key) if (value === 'text' && path !== '_fts') weights.set(path, 1);
  const given = spec.get('weights');
  if (given instanceof Doc) {
    for (const [path, weight] of given) {
      const number = numberOf(weight);
      if (number === undefined || number < 1 || number >= 100_000)
        throw cannotCreate(`text index weight must be in the exclusive interval (0,100000) but found: ${number}`);
      weights.set(path, weight);
    }
  }
  const language = spec.get('default_language');
  if (language !== undefined && typeof language !== 'string')
    throw cannotCreate('default_language needs a string type');
  languageOf(typeof language === 'string' ? language : 'english');
  const sorted = [...weights].sort(([a], [b]) => (a < b ? -1 : 1));
  result.append('weights', Doc.fromEntries(sorted));
  result.append('default_language', language ?? 'english');
  result.append('language_override', spec.get('language_override') ?? 'language');
  result.append('textIndexVersion', spec.get('textIndexVersion') ?? 3);
}
