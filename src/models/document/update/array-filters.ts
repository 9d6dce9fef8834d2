/** `arrayFilters`: which elements the path part `$[id]` stands for. */
import { badValue, failedToParse } from '../errors.js';
import { compileFilter, type FilterHooks } from '../query/filter.js';
import { parseFilter } from '../query/parse.js';
import { visitPredicates } from '../query/predicate.js';
import { type Collation, Doc, encodeDocument, type Value } from '../values.js';

export type ArrayFilters = ReadonlyMap<string, (element: Value) => boolean>;

/** Throws codes 9 and 2 as MongoDB does. */
export function parseArrayFilters(
  filters: readonly Doc[],
  collation: Collation | undefined,
  hooks: FilterHooks = {},
): ArrayFilters {
  const parsed = new Map<string, (element: Value) => boolean>();
  const allow = { text: false, where: false, near: false };
  for (const document of filters) {
    const identifier = identifierOf(document, collation);
    if (parsed.has(identifier)) {
      throw failedToParse(`Found multiple array filters with the same top-level field name ${identifier}`);
    }
    const filter = compileFilter(document, { collation, hooks, allow });
    parsed.set(identifier, (element) => filter.matches(encodeDocument(Doc.fromEntries([[identifier, element]]))));
  }
  return parsed;
}

/** The one name at the beginning of all paths of a filter. */
function identifierOf(document: Doc, collation: Collation | undefined): string {
  const names = new Set<string>();
  visitPredicates(parseFilter(document, { collation }), (predicate) => {
    if ('path' in predicate && predicate.op !== 'not' && predicate.path !== '')
      names.add(predicate.path.split('.')[0] ?? '');
  });
  // Conditions inside of $elemMatch are relative to the element.
  const outer = new Set([...names].filter((name) => mentionsOutside(document, name)));
  const [first, second] = outer;
  if (second !== undefined)
    throw failedToParse(
      `Error parsing array filter :: caused by :: Expected a single top-level field name, found '${first}' and '${second}'`,
    );
  if (first === undefined)
    throw failedToParse('Cannot use an expression without a top-level field name in arrayFilters');
  if (!/^[a-z][a-zA-Z0-9]*$/.test(first)) {
    throw badValue(
      `Error parsing array filter :: caused by :: The top-level field name must be an alphanumeric string beginning with a lowercase letter, found '${first}'`,
    );
  }
  return first;
}

function mentionsOutside(document: Doc, name: string): boolean {
  for (const [field, value] of document) {
    if (field.split('.')[0] === name) return true;
    if (field.startsWith('$') && Array.isArray(value)) {
      if (value.some((element: Value) => element instanceof Doc && mentionsOutside(element, name))) return true;
    }
  }
  return false;
}
