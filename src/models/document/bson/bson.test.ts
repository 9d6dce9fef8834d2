import { Decimal128, deserialize, Long, serialize } from 'bson';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DocumentError } from '../errors.js';
import { arbitraryDocument } from '../testing/arbitrary.js';
import { Doc } from './document.js';
import { encodeDocument } from './encode.js';
import { validateDocument } from './validate.js';

/** Makes every nested view decode and encode again. */
function rebuilt(document: Doc): Doc {
  const again = (value: unknown): never => {
    if (value instanceof Doc) return rebuilt(value) as never;
    return (Array.isArray(value) ? value.map(again) : value) as never;
  };
  return Doc.fromEntries([...document].map(([name, value]) => [name, again(value)] as const));
}

describe('documents', () => {
  test('decoded and encoded again are the same bytes', () => {
    fc.assert(
      fc.property(arbitraryDocument, (document) => {
        const bytes = encodeDocument(document);
        validateDocument(bytes);
        expect(encodeDocument(rebuilt(Doc.fromBytes(bytes))).equals(bytes)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('agree with the driver’s BSON library', () => {
    fc.assert(
      fc.property(arbitraryDocument, (document) => {
        const bytes = encodeDocument(document);
        const plain = deserialize(bytes, { promoteValues: false, bsonRegExp: true });
        expect(plain).toBeDefined();
      }),
    );
    const sample = {
      a: 1,
      b: 1.5,
      c: Long.fromString('9007199254740993'),
      d: Decimal128.fromString('1.50'),
      e: ['x', null, { y: true }],
    };
    const bytes = Buffer.from(serialize(sample));
    expect(encodeDocument(rebuilt(Doc.fromBytes(bytes))).equals(bytes)).toBe(true);
  });

  test('keep untouched fields byte for byte when another is set', () => {
    // A string of broken UTF-8 in field "s".
    const bytes = encodeDocument(Doc.of({ s: 'xy', n: 1 }));
    bytes[bytes.indexOf('xy')] = 0xff;
    const changed = Doc.fromBytes(bytes).copy().set('n', 2);
    const result = encodeDocument(changed);
    expect(result.subarray(0, bytes.length - 5).equals(bytes.subarray(0, bytes.length - 5))).toBe(true);
    expect(Doc.fromBytes(result).get('n')).toBe(2);
  });

  test('keep order and duplicates, find the first', () => {
    const document = Doc.fromEntries([
      ['b', 1],
      ['1', 2],
      ['b', 3],
      ['__proto__', 4],
    ]);
    const read = Doc.fromBytes(encodeDocument(document));
    expect([...read]).toEqual([
      ['b', 1],
      ['1', 2],
      ['b', 3],
      ['__proto__', 4],
    ]);
    expect(read.get('b')).toBe(1);
    const many = Doc.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i % 30}`, i] as const));
    expect(many.get('f3')).toBe(3);
    many.delete('f3');
    expect(many.get('f3')).toBe(33);
    expect(many.set('f3', 'x').get('f3')).toBe('x');
    expect(many.size).toBe(39);
  });
});

describe('validation', () => {
  test('never throws anything but a document error, and what passes can be read', () => {
    fc.assert(
      fc.property(
        arbitraryDocument,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        (document, changes) => {
          const bytes = Buffer.from(encodeDocument(document));
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          try {
            validateDocument(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(DocumentError);
            return;
          }
          encodeDocument(rebuilt(Doc.fromBytes(bytes)));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('refuses wrong sizes and too many levels', () => {
    const code = (bytes: Buffer): number => {
      try {
        validateDocument(bytes);
        return 0;
      } catch (error) {
        return error instanceof DocumentError ? error.code : -1;
      }
    };
    expect(code(Buffer.alloc(0))).toBe(22);
    expect(code(Buffer.from([5, 0, 0, 0, 0]))).toBe(0);
    expect(code(Buffer.from([6, 0, 0, 0, 0, 0]))).toBe(22);
    expect(code(Buffer.from([0xff, 0xff, 0xff, 0x7f, 0]))).toBe(10334);
    const nested = (levels: number): Buffer => {
      let document = new Doc();
      for (let i = 1; i < levels; i++) document = Doc.of({ a: document });
      return encodeDocument(document);
    };
    expect(code(nested(200))).toBe(0);
    expect(code(nested(201))).toBe(15);
  });
});
