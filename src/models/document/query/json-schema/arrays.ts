/** Keywords about arrays. */
import { typeMismatch } from '../../errors.js';
import { type ArrayValue, Doc, isArrayValue, typeName, type Value } from '../../values.js';
import { ARRAYS, type Compiled, type SchemaContext } from './context.js';
import { length } from './scalars.js';
import { unorderedKey } from './unordered.js';

export function arrayKeywords(context: SchemaContext): void {
  const size = 'array did not match specified length';
  length(context, 'minItems', ARRAYS, (value, limit) => isArrayValue(value) && value.length >= limit, size);
  length(context, 'maxItems', ARRAYS, (value, limit) => isArrayValue(value) && value.length <= limit, size);
  const unique = context.get('uniqueItems');
  if (unique !== undefined && typeof unique !== 'boolean')
    throw typeMismatch("$jsonSchema keyword 'uniqueItems' must be a boolean");
  if (unique === true) {
    context.restrict(ARRAYS, {
      keyword: 'uniqueItems',
      specifiedAs: context.specified('uniqueItems'),
      accepts: (value) => isArrayValue(value) && duplicate(value) === undefined,
      explain: (value) => ({
        reason: 'found a duplicate item',
        consideredValue: value,
        duplicatedValue: isArrayValue(value) ? duplicate(value) : undefined,
      }),
    });
  }
  const items = context.get('items');
  const additional = context.get('additionalItems');
  if (items !== undefined) itemsRule(context, items);
  if (additional !== undefined)
    additionalItems(context, additional, items !== undefined && isArrayValue(items) ? items.length : undefined);
}

function itemsRule(context: SchemaContext, items: Value): void {
  if (items instanceof Doc) {
    const schema = context.compile(items, false);
    context.restrict(ARRAYS, {
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
    return context.compile(item, false);
  });
  const failing = (value: Value): number[] =>
    isArrayValue(value)
      ? [...schemas.keys()].filter((i) => i < value.length && schemas[i]?.accepts(value[i] ?? null) === false)
      : [];
  context.restrict(ARRAYS, {
    keyword: 'items',
    accepts: (value) => failing(value).length === 0,
    explain: (value) => ({
      details: failing(value).map((i) =>
        Doc.of({ itemIndex: i, details: schemas[i]?.explain(isArrayValue(value) ? (value[i] ?? null) : null) ?? [] }),
      ),
    }),
  });
}

function additionalItems(context: SchemaContext, additional: Value, start: number | undefined): void {
  if (typeof additional !== 'boolean' && !(additional instanceof Doc)) {
    throw typeMismatch(
      `$jsonSchema keyword 'additionalItems' must be either an object or a boolean, but got a ${typeName(additional)}`,
    );
  }
  const schema = additional instanceof Doc ? context.compile(additional, false) : undefined;
  if (start === undefined || additional === true) return;
  if (schema === undefined) {
    context.restrict(ARRAYS, {
      keyword: 'additionalItems',
      specifiedAs: context.specified('additionalItems'),
      accepts: (value) => isArrayValue(value) && value.length <= start,
      explain: (value) => ({
        reason: 'found additional items',
        additionalItems: isArrayValue(value) ? value.slice(start) : [],
      }),
    });
    return;
  }
  context.restrict(ARRAYS, {
    keyword: 'additionalItems',
    accepts: (value) => isArrayValue(value) && value.slice(start).every((element) => schema.accepts(element)),
    explain: (value) => failingItem(value, start, schema, 'At least one additional item did not match the sub-schema'),
  });
}

function failingItem(value: Value, start: number, schema: Compiled, reason: string): Record<string, Value> {
  const elements = isArrayValue(value) ? value : [];
  const itemIndex = elements.findIndex((element, index) => index >= start && !schema.accepts(element));
  return { reason, itemIndex, details: schema.explain(elements[itemIndex] ?? null) };
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
