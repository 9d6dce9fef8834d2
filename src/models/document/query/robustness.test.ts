import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DocumentError } from '../errors.js';
import { arbitraryDocument, arbitraryValue } from '../testing/arbitrary.js';
import { compileUpdate } from '../update/update.js';
import { Doc, encodeDocument, Timestamp, type Value } from '../values.js';
import { compileFilter } from './filter.js';
import { compileProjection } from './projection.js';
import { Sort } from './sort.js';

const OPERATORS = [
  '$eq',
  '$ne',
  '$gt',
  '$gte',
  '$lt',
  '$lte',
  '$in',
  '$nin',
  '$and',
  '$or',
  '$nor',
  '$not',
  '$exists',
  '$type',
  '$mod',
  '$regex',
  '$options',
  '$elemMatch',
  '$all',
  '$size',
  '$bitsAllSet',
  '$bitsAnyClear',
  '$geoWithin',
  '$geoIntersects',
  '$near',
  '$nearSphere',
  '$geometry',
  '$box',
  '$polygon',
  '$center',
  '$centerSphere',
  '$maxDistance',
  '$jsonSchema',
  '$expr',
  '$where',
  '$text',
  '$search',
  '$comment',
  '$ref',
  '$id',
  '$slice',
  '$meta',
  '$each',
  '$position',
  '$sort',
  '$set',
  '$unset',
  '$inc',
  '$mul',
  '$push',
  '$pull',
  '$pullAll',
  '$pop',
  '$addToSet',
  '$bit',
  '$rename',
  '$min',
  '$max',
  '$currentDate',
  '$setOnInsert',
  'type',
  'coordinates',
  'properties',
  'items',
  'required',
  'bsonType',
  'enum',
  'anyOf',
  'not',
  'minimum',
  'pattern',
];
const PATHS = ['a', 'b', 'a.b', 'a.0', 'a.$', 'a.$[]', 'a.$[x].b', '', 'a.', '_id', '_id.x', '0'];

const name = fc.oneof(
  { arbitrary: fc.constantFrom(...OPERATORS), weight: 3 },
  { arbitrary: fc.constantFrom(...PATHS), weight: 2 },
);
const { request } = fc.letrec<{ request: Doc; value: Value }>((tie) => ({
  request: fc.array(fc.tuple(name, tie('value')), { maxLength: 3 }).map((fields) => Doc.fromEntries(fields)),
  value: fc.oneof({ maxDepth: 4 }, arbitraryValue, fc.array(tie('value'), { maxLength: 3 }), tie('request')),
}));

/** Runs something that may refuse its input but may not fail otherwise. */
function refusesOrWorks(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    expect(error.code).toBeGreaterThan(0);
  }
}

test('whatever is sent as a filter, projection, sort or update is refused with a code or works', () => {
  fc.assert(
    fc.property(
      request,
      fc.constantFrom(undefined, ...OPERATORS, ...PATHS),
      arbitraryDocument,
      (sent, around, document) => {
        const whole = around === undefined ? sent : Doc.fromEntries([[around, sent]]);
        const given = Doc.fromBytes(encodeDocument(whole));
        const stored = Doc.fromBytes(encodeDocument(document));
        refusesOrWorks(() => compileFilter(given).matchesDocument(stored));
        refusesOrWorks(() => compileProjection(given, { filter: compileFilter(new Doc()) }).apply(stored));
        refusesOrWorks(() => Sort.parse(given).key(encodeDocument(document)));
        refusesOrWorks(() => {
          const arrayFilters = sent.keys().some((path) => path.includes('[x]')) ? [Doc.of({ x: 1 })] : [];
          const update = compileUpdate(given, { arrayFilters });
          update.apply(stored, { position: 0, now: 0, timestamp: () => new Timestamp(1, 1) });
        });
      },
    ),
    { numRuns: 3000 },
  );
});
