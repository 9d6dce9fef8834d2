/** A query over documents that are all there: those of virtual collections. */
import type { Collation } from './collation.js';
import type { Filter } from './query/filter.js';
import { compileProjection } from './query/projection.js';
import { Sort } from './query/sort.js';
import { numberOf } from './scalars.js';
import { Doc, encodeDocument } from './values.js';

export interface Selection {
  readonly filter: Filter;
  readonly sort: Doc | undefined;
  readonly skip: number | undefined;
  readonly limit: number | undefined;
  readonly projection: Doc | undefined;
  readonly collation: Collation | undefined;
}

export function selectFrom(documents: readonly Buffer[], selection: Selection): Buffer[] {
  const { filter, sort, skip = 0, limit = 0, projection, collation } = selection;
  let found = documents.filter((document) => filter.matches(document));
  const natural = sort === undefined ? undefined : numberOf(sort.get('$natural'));
  if (natural !== undefined) {
    if (natural < 0) found.reverse();
  } else if (sort !== undefined) {
    const order = Sort.parse(sort, collation);
    found = found
      .map((document) => ({ document, key: order.key(document) }))
      .sort((a, b) => order.compare(a.key, b.key))
      .map(({ document }) => document);
  }
  found = found.slice(skip, limit === 0 ? undefined : skip + limit);
  const project = projection === undefined ? undefined : compileProjection(projection, { filter, collation });
  if (project === undefined || project.isEmpty) return found;
  return found.map((document) => encodeDocument(project.apply(Doc.fromBytes(document))));
}
