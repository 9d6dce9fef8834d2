import { describe, expect, test } from 'vitest';
import {
  Binary,
  BsonSymbol,
  Code,
  compareValues,
  DateTime,
  Decimal,
  Doc,
  double,
  encodeValue,
  isArrayValue,
  MAX_KEY,
  MIN_KEY,
  ObjectId,
  Regex,
  Timestamp,
  type Value,
} from '../values.js';
import { invert } from './number-keys.js';
import { skipValueKey, valueKey } from './value-keys.js';

function keyOf(value: Value): string {
  const bytes = encodeValue(value);
  return valueKey(bytes, bytes[4] ?? 0, 6);
}

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const NUMBERS: readonly (Value | undefined)[] = [
  0,
  double(-0),
  1,
  double(1),
  1n,
  -1,
  1.5,
  -1.5,
  0.1,
  double(2 ** 53),
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 53n + 2n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  double(2 ** 63),
  double(Number.MAX_VALUE),
  double(5e-324),
  double(Number.POSITIVE_INFINITY),
  double(Number.NEGATIVE_INFINITY),
  double(Number.NaN),
  ...[
    '0.1',
    '0.10',
    '-0.1',
    '1',
    '1E400',
    '-1E400',
    '1E-400',
    '9007199254740993',
    '9007199254740992.5',
    'NaN',
    'Infinity',
    '-Infinity',
    '1E-6176',
    '0.1000000000000000055511151231257827',
  ].map((text) => Decimal.parse(text)),
];

function randomValue(random: () => number, depth = 0): Value {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  switch (Math.floor(random() * (depth > 2 ? 12 : 14))) {
    case 0:
    case 1:
    case 2:
      return pick(NUMBERS) ?? 0;
    case 3:
      return pick(['', 'a', 'b', 'ab', 'a\0', 'a\0b', 'a\x01', 'a\x02', 'ä', '\u{1f600}', '\uffff']);
    case 4:
      return pick([null, true, false, MIN_KEY, MAX_KEY]);
    case 5:
      return new ObjectId(pick(['\0', 'a', '\xff']).repeat(12));
    case 6:
      return new DateTime(pick([0, -1, 1, 8.64e15, -8.64e15]));
    case 7:
      return new Timestamp(pick([0, 1, 4294967295]), pick([0, 1, 4294967295]));
    case 8:
      return new Binary(Buffer.from(pick(['', 'a', 'ab', 'b'])), pick([0, 4, 128]));
    case 9:
      return new Regex(pick(['a', 'ab', 'b']), pick(['', 'i']));
    case 10:
      return pick([new Code('a'), new Code('b'), new BsonSymbol('a')]);
    case 11:
      return (random() - 0.5) * 10 ** Math.floor(random() * 40 - 20);
    case 12:
      return Array.from({ length: Math.floor(random() * 3) }, () => randomValue(random, depth + 1));
    default:
      return Doc.fromEntries(
        Array.from(
          { length: Math.floor(random() * 3) },
          () => [pick(['a', 'b', 'ab']), randomValue(random, depth + 1)] as const,
        ),
      );
  }
}

describe('value keys', () => {
  const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

  test(`order as values do (seed ${seed})`, () => {
    const random = randomOf(seed);
    for (let i = 0; i < 20_000; i++) {
      const a = randomValue(random);
      const b = randomValue(random);
      const [x, y] = [keyOf(a), keyOf(b)];
      const order = x < y ? -1 : x > y ? 1 : 0;
      if (order !== Math.sign(compareValues(a, b))) {
        expect.fail(`${describeValue(a)} and ${describeValue(b)} compare ${compareValues(a, b)}, their keys ${order}`);
      }
      const inverted = invert(x) < invert(y) ? 1 : invert(x) > invert(y) ? -1 : 0;
      expect(inverted).toBe(order);
    }
  });

  test(`end where they say (seed ${seed})`, () => {
    const random = randomOf(seed);
    for (let i = 0; i < 2_000; i++) {
      const key = keyOf(randomValue(random));
      expect(skipValueKey(`${key}\x1e`, 0, false)).toBe(key.length);
      expect(skipValueKey(`${invert(key)}\x1e`, 0, true)).toBe(key.length);
    }
  });
});

function describeValue(value: Value): string {
  if (isArrayValue(value)) return `[${value.map(describeValue).join()}]`;
  if (value instanceof Doc) return `{${[...value].map(([name, inner]) => `${name}:${describeValue(inner)}`).join()}}`;
  return value instanceof Decimal
    ? `Decimal(${value.toString()})`
    : typeof value === 'bigint'
      ? `${value}n`
      : JSON.stringify(value);
}
