/** Random values for property tests. */
import fc from 'fast-check';
import { Decimal } from '../bson/decimal128.js';
import { Doc } from '../bson/document.js';
import {
  Binary,
  BsonSymbol,
  Code,
  CodeWithScope,
  DateTime,
  DbPointer,
  double,
  MAX_KEY,
  MIN_KEY,
  ObjectId,
  Regex,
  Timestamp,
  UNDEFINED,
  type Value,
} from '../bson/types.js';

const name = fc.oneof(
  fc.constantFrom('a', 'b', 'c', '0', '1', '__proto__', 'длинное имя'),
  fc.string({ maxLength: 4 }).map((text) => text.replaceAll('\0', '')),
);
const text = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'A', 'ab', '\u{1f600}', '\uffff'),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
);
const objectId = fc
  .uint8Array({ minLength: 12, maxLength: 12 })
  .map((bytes) => new ObjectId(Buffer.from(bytes).latin1Slice()));
const decimal = fc
  .tuple(
    fc.boolean(),
    fc.bigInt({ min: 0n, max: 10n ** 34n - 1n }),
    fc.oneof(fc.integer({ min: -40, max: 40 }), fc.integer({ min: -6176, max: 6111 })),
  )
  .map(([negative, digits, exponent]) => Decimal.of(negative, digits, exponent));
const corner = fc.constantFrom<Value>(
  0,
  -1,
  1,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 53,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  5e-324,
  Number.MAX_VALUE,
  Decimal.NAN,
  Decimal.INFINITY,
  Decimal.NEGATIVE_INFINITY,
  Decimal.ZERO,
  1n,
);

export const arbitraryNumber: fc.Arbitrary<Value> = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.integer(),
  fc.integer({ min: -3, max: 3 }).map(double),
  fc.integer({ min: -3, max: 3 }).map(BigInt),
  fc.integer({ min: -3, max: 3 }).map((number) => Decimal.fromNumber(number)),
  fc.double().map(double),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  decimal,
  corner,
);

const scalar: fc.Arbitrary<Value> = fc.oneof(
  { arbitrary: arbitraryNumber, weight: 6 },
  { arbitrary: text, weight: 3 },
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom<Value>(UNDEFINED, MIN_KEY, MAX_KEY),
  objectId,
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((ms) => DateTime.fromBigInt(ms)),
  fc.integer().map((ms) => new DateTime(ms)),
  fc.tuple(fc.nat(3), fc.nat()).map(([seconds, increment]) => new Timestamp(seconds, increment)),
  fc
    .tuple(fc.uint8Array({ maxLength: 4 }), fc.nat(255))
    .map(([bytes, subtype]) => new Binary(Buffer.from(bytes), subtype === 2 ? 0 : subtype)),
  fc.tuple(name, fc.constantFrom('', 'i', 'im')).map(([pattern, flags]) => new Regex(pattern, flags)),
  text.map((code) => new Code(code)),
  text.map((symbol) => new BsonSymbol(symbol)),
  fc.tuple(text, objectId).map(([namespace, id]) => new DbPointer(namespace, id)),
);

const { value } = fc.letrec<{ value: Value; document: Doc; array: readonly Value[] }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { arbitrary: scalar, weight: 4 },
    tie('document'),
    tie('array'),
    tie('document').map((scope) => new CodeWithScope('f', scope)),
  ),
  document: fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map((fields) => Doc.fromEntries(fields)),
  array: fc.array(tie('value'), { maxLength: 4 }),
}));

export const arbitraryValue: fc.Arbitrary<Value> = value;
export const arbitraryDocument: fc.Arbitrary<Doc> = fc
  .array(fc.tuple(name, value), { maxLength: 5 })
  .map((fields) => Doc.fromEntries(fields));
