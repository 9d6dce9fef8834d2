import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pathKeys } from '../indexes/path-keys.js';
import { valueKey } from '../indexes/value-keys.js';
import { arbitraryDocument } from '../testing/arbitrary.js';
import { bsonTypeOf, Doc, encodeDocument, encodeValue, type Value } from '../values.js';
import { pathParts } from './path.js';
import { Sort } from './sort.js';

const indexKey = (value: Value): string => valueKey(encodeValue(value), bsonTypeOf(value), 6);

test('a document sorts where the least or greatest of its index keys stands', () => {
  const path = fc.constantFrom('a', 'a.b', 'a.0', 'a.0.b', 'b.a.c');
  const nested = fc.tuple(arbitraryDocument, fc.array(arbitraryDocument, { maxLength: 3 })).map(([document, list]) => {
    return Doc.fromEntries([['a', list.length > 0 ? list : (document.get('a') ?? null)], ...document]);
  });
  fc.assert(
    fc.property(fc.oneof(arbitraryDocument, nested), path, (document, at) => {
      const bytes = encodeDocument(document);
      let keys: string[];
      try {
        keys = pathKeys(bytes, [{ path: at, parts: pathParts(at) }])
          .keys.map(([key = '']) => key)
          .sort();
      } catch {
        return;
      }
      const [ascending = null] = Sort.parse(Doc.fromEntries([[at, 1]])).key(bytes);
      const [descending = null] = Sort.parse(Doc.fromEntries([[at, -1]])).key(bytes);
      expect(indexKey(ascending)).toBe(keys[0]);
      expect(indexKey(descending)).toBe(keys.at(-1));
    }),
    { numRuns: 3000 },
  );
});
