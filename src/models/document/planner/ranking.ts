/** Queries whose documents have a rank beside their fields: `$text` a score, `$near` a distance. */

import type { Collection } from '../collection.js';
import { valuesAt } from '../duplicate-key.js';
import { DocumentError } from '../errors.js';
import type { Index } from '../indexes/index.js';
import { nearDistance } from '../query/geo/matching.js';
import type { Near, Predicate, Text } from '../query/predicate.js';
import { TextSearch } from '../text/search.js';
import { Doc, double, type Value } from '../values.js';
import { conjuncts } from './index-bounds.js';

export interface Ranking {
  /** The index the query needs. */
  readonly index: Index;
  /** Terms to look for in a text index. */
  readonly terms: readonly string[] | undefined;
  /** What the document has, `undefined` when it does not match. */
  rank(document: Buffer): { readonly metadata: ReadonlyMap<string, Value>; readonly distance: number } | undefined;
  /** The nearest come first. */
  readonly ordered: boolean;
}

/** Throws 27 and 291 when the index is missing. */
export function rankingOf(collection: Collection, predicate: Predicate): Ranking | undefined {
  for (const child of conjuncts(predicate)) {
    if (child.op === 'text') return textRanking(collection, child);
    if (child.op === 'near') return nearRanking(collection, child);
  }
  return undefined;
}

function textRanking(collection: Collection, { text }: Text): Ranking {
  const index = collection.usable().find(({ kind }) => kind === 'text');
  const options = index?.textOptions;
  if (index === undefined || options === undefined) throw new DocumentError(27, 'text index required for $text query');
  const search = new TextSearch(text, options);
  return {
    index,
    terms: search.terms,
    ordered: false,
    rank: (document) => {
      const score = search.score(Doc.fromBytes(document));
      return score === undefined ? undefined : { metadata: new Map([['textScore', double(score)]]), distance: 0 };
    },
  };
}

function nearRanking(collection: Collection, { path, near }: Near): Ranking {
  const index = collection
    .usable()
    .find(({ parts }) => parts.some((part) => part.path === path && (part.kind === '2d' || part.kind === '2dsphere')));
  if (index === undefined) {
    throw new DocumentError(
      291,
      'error processing query: planner returned error :: caused by :: unable to find index for $geoNear query',
    );
  }
  const parts = path.split('.');
  return {
    index,
    terms: undefined,
    ordered: true,
    rank: (document) => {
      let distance: number | undefined;
      for (const value of valuesAt(Doc.fromBytes(document), parts)) {
        const own = nearDistance(near, value);
        if (own !== undefined && (distance === undefined || own < distance)) distance = own;
      }
      return distance === undefined
        ? undefined
        : { metadata: new Map([['geoNearDistance', double(distance)]]), distance };
    },
  };
}
