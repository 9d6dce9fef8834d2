/** Whether a query asks for no more documents than a partial index has. */
import type { Index } from '../indexes/index.js';
import type { FieldPredicate, Predicate } from '../query/predicate.js';
import { bsonTypeOf, compareValues, typeOrder, type Value } from '../values.js';
import { conjuncts, isFieldPredicate } from './index-bounds.js';

export function partialImplied(query: Predicate, index: Index): boolean {
  const wanted = index.partialPredicate;
  return wanted === undefined || implied(query, wanted);
}

/** Every document that satisfies `query` satisfies `wanted`. */
function implied(query: Predicate, wanted: Predicate): boolean {
  if (wanted.op === 'and') return wanted.children.every((child) => implied(query, child));
  if (query.op === 'or') return query.children.every((child) => implied(child, wanted));
  if (wanted.op === 'or') return wanted.children.some((child) => implied(query, child));
  if (!isFieldPredicate(wanted)) return false;
  return conjuncts(query).some(
    (child) => isFieldPredicate(child) && child.path === wanted.path && narrower(child, wanted),
  );
}

function narrower(query: FieldPredicate, wanted: FieldPredicate): boolean {
  if (query.op === 'in' && query.patterns.length === 0) {
    return query.values.every((value) => narrower({ ...query, op: 'eq', value } as FieldPredicate, wanted));
  }
  switch (wanted.op) {
    case 'exists':
      return (
        query.op === 'exists' ||
        (holdsValue(query) && query.value !== null) ||
        query.op === 'regex' ||
        query.op === 'type'
      );
    case 'type':
      return (
        (query.op === 'eq' && wanted.types.has(bsonTypeOf(query.value))) ||
        (query.op === 'type' && query.types === wanted.types)
      );
    case 'in':
      return query.op === 'eq' && wanted.values.some((value) => compareValues(value, query.value) === 0);
    case 'eq':
      return query.op === 'eq' && compareValues(query.value, wanted.value) === 0;
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return holdsValue(query) && withinRange(query.op, query.value, wanted.op, wanted.value);
    default:
      return false;
  }
}

function holdsValue(query: FieldPredicate): query is Extract<FieldPredicate, { value: Value }> {
  return 'value' in query;
}

function withinRange(op: string, value: Value, wanted: string, limit: Value): boolean {
  if (typeOrder(bsonTypeOf(value)) !== typeOrder(bsonTypeOf(limit))) return false;
  const order = compareValues(value, limit);
  switch (wanted) {
    case 'gt':
      return op === 'gt' ? order >= 0 : (op === 'gte' || op === 'eq') && order > 0;
    case 'gte':
      return (op === 'gt' || op === 'gte' || op === 'eq') && order >= 0;
    case 'lt':
      return op === 'lt' ? order <= 0 : (op === 'lte' || op === 'eq') && order < 0;
    default:
      return (op === 'lt' || op === 'lte' || op === 'eq') && order <= 0;
  }
}
