/** Keywords about documents. */
import { failedToParse, typeMismatch } from '../../errors.js';
import { Doc, formatValue, isArrayValue, typeName, type Value } from '../../values.js';
import { parseNonNegativeInteger } from '../integers.js';
import { compileRegex } from '../regex.js';
import { type Compiled, OBJECTS, type SchemaContext } from './context.js';

export function objectKeywords(context: SchemaContext): void {
  const required = parseRequired(context.get('required'));
  const properties = namedProperties(context);
  allowedProperties(context, new Set(properties.keys()));
  if (required.length > 0) {
    const missing = (value: Value): string[] =>
      value instanceof Doc ? required.filter((name) => !value.has(name)) : [];
    context.restrict(OBJECTS, {
      keyword: 'required',
      specifiedAs: context.specified('required'),
      accepts: (value) => missing(value).length === 0,
      explain: (value) => ({ missingProperties: missing(value).sort() }),
    });
  }
  const count = 'specified number of properties was not satisfied';
  for (const [keyword, sign] of [
    ['minProperties', 1],
    ['maxProperties', -1],
  ] as const) {
    const limit = context.get(keyword);
    if (limit === undefined) continue;
    const number = Number(parseNonNegativeInteger(keyword, limit));
    context.restrict(OBJECTS, {
      keyword,
      specifiedAs: context.specified(keyword),
      accepts: (value) => value instanceof Doc && (value.size - number) * sign >= 0,
      explain: (value) => ({ reason: count, numberOfProperties: value instanceof Doc ? value.size : 0 }),
    });
  }
  dependencies(context);
}

function namedProperties(context: SchemaContext): ReadonlyMap<string, Compiled> {
  const schemas = new Map<string, Compiled>();
  const properties = context.get('properties');
  if (properties === undefined) return schemas;
  if (!(properties instanceof Doc)) throw typeMismatch("$jsonSchema keyword 'properties' must be an object");
  for (const [name, schema] of properties) {
    if (!(schema instanceof Doc))
      throw typeMismatch(`Nested schema for $jsonSchema property '${name}' must be an object`);
    schemas.set(name, context.compile(schema, false));
  }
  const failing = (value: Value): [string, Compiled, Value][] => {
    const list: [string, Compiled, Value][] = [];
    if (!(value instanceof Doc)) return list;
    for (const [name, schema] of schemas) {
      const field = value.get(name);
      if (field !== undefined && !schema.accepts(field)) list.push([name, schema, field]);
    }
    return list;
  };
  context.restrict(OBJECTS, {
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
function allowedProperties(context: SchemaContext, named: ReadonlySet<string>): void {
  const patterns = parsePatterns(context, context.get('patternProperties'));
  const additional = context.get('additionalProperties');
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
    context.restrict(OBJECTS, {
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
    context.restrict(OBJECTS, {
      keyword: 'additionalProperties',
      specifiedAs: context.specified('additionalProperties'),
      accepts: (value) => others(value).length === 0,
      explain: (value) => ({ additionalProperties: others(value).map(([name]) => name) }),
    });
    return;
  }
  const schema = context.compile(additional, false);
  context.restrict(OBJECTS, {
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

function dependencies(context: SchemaContext): void {
  const dependencies = context.get('dependencies');
  if (dependencies === undefined) return;
  if (!(dependencies instanceof Doc)) throw typeMismatch("$jsonSchema keyword 'dependencies' must be an object");
  const checks: ((value: Doc) => Value | undefined)[] = [];
  for (const [conditionalProperty, dependency] of dependencies) {
    if (dependency instanceof Doc) {
      const schema = context.compile(dependency, context.root);
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
  context.restrict(OBJECTS, {
    keyword: 'dependencies',
    accepts: (value) => failing(value).length === 0,
    explain: (value) => ({ failingDependencies: failing(value) }),
  });
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

function parsePatterns(
  context: SchemaContext,
  value: Value | undefined,
): { source: string; regex: RegExp; schema: Compiled }[] {
  if (value === undefined) return [];
  if (!(value instanceof Doc)) throw typeMismatch("$jsonSchema keyword 'patternProperties' must be an object");
  return [...value].map(([source, schema]) => {
    if (!(schema instanceof Doc)) {
      throw typeMismatch(`$jsonSchema keyword 'patternProperties' has property '${source}' which is not an object`);
    }
    return { source, regex: compileRegex(source, ''), schema: context.compile(schema, false) };
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
