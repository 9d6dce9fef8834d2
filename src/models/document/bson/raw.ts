/**
 * Reading BSON in place. Nothing here checks lengths: bytes from outside pass {@link validateDocument} (validate.ts)
 * once, and are trusted from then on.
 *
 *     document   int32 size, elements, 0x00
 *     element    type byte, name as cstring, value
 *
 * See bsonspec.org, version 1.1.
 */

export const BsonType = {
  double: 0x01,
  string: 0x02,
  object: 0x03,
  array: 0x04,
  binary: 0x05,
  undefined: 0x06,
  objectId: 0x07,
  bool: 0x08,
  date: 0x09,
  null: 0x0a,
  regex: 0x0b,
  dbPointer: 0x0c,
  code: 0x0d,
  symbol: 0x0e,
  codeWithScope: 0x0f,
  int: 0x10,
  timestamp: 0x11,
  long: 0x12,
  decimal: 0x13,
  maxKey: 0x7f,
  minKey: 0xff,
} as const;

/** Any byte may stand where a type stands; the ones of {@link BsonType} are valid. */
export type BsonTypeCode = number;

/** Bytes of an empty document: its size and the closing zero. */
export const EMPTY_DOCUMENT_BYTES = 5;

export function int32At(bytes: Buffer, offset: number): number {
  return (
    (bytes[offset] ?? 0) |
    ((bytes[offset + 1] ?? 0) << 8) |
    ((bytes[offset + 2] ?? 0) << 16) |
    ((bytes[offset + 3] ?? 0) << 24)
  );
}

/** Offset just past the zero that ends the name (or regex part) beginning at `offset`. */
export function skipName(bytes: Buffer, offset: number): number {
  let position = offset;
  while (bytes[position] !== 0) position++;
  return position + 1;
}

/** Bytes of a value by type where its content does not say; 255 for the others. */
const FIXED_SIZE = new Uint8Array(256).fill(255);
for (const [type, size] of [
  [BsonType.double, 8],
  [BsonType.undefined, 0],
  [BsonType.objectId, 12],
  [BsonType.bool, 1],
  [BsonType.date, 8],
  [BsonType.null, 0],
  [BsonType.int, 4],
  [BsonType.timestamp, 8],
  [BsonType.long, 8],
  [BsonType.decimal, 16],
  [BsonType.maxKey, 0],
  [BsonType.minKey, 0],
] as const) {
  FIXED_SIZE[type] = size;
}

/** Offset just past the value of `type` that begins at `offset`. */
export function skipValue(bytes: Buffer, type: BsonTypeCode, offset: number): number {
  const size = FIXED_SIZE[type] ?? 255;
  return size === 255 ? skipSized(bytes, type, offset) : offset + size;
}

function skipSized(bytes: Buffer, type: BsonTypeCode, offset: number): number {
  switch (type) {
    case BsonType.string:
    case BsonType.code:
    case BsonType.symbol:
      return offset + 4 + int32At(bytes, offset);
    case BsonType.object:
    case BsonType.array:
    case BsonType.codeWithScope:
      return offset + int32At(bytes, offset);
    case BsonType.binary:
      return offset + 5 + int32At(bytes, offset);
    case BsonType.regex:
      return skipName(bytes, skipName(bytes, offset));
    case BsonType.dbPointer:
      return offset + 16 + int32At(bytes, offset);
    default:
      throw new RangeError(`BSON type ${type}`);
  }
}

/** A field's name made ready for {@link findField}: UTF-8 as a byte string. */
export function nameBytes(name: string): string {
  for (let i = 0; i < name.length; i++) {
    if (name.charCodeAt(i) > 127) return Buffer.from(name, 'utf8').latin1Slice();
  }
  return name;
}

/**
 * Offset of the type byte of the first field called `name` (see {@link nameBytes}) in the document at `document`, or -1.
 * Its value begins at `offset + 2 + name.length`.
 */
export function findField(bytes: Buffer, document: number, name: string): number {
  const end = document + int32At(bytes, document) - 1;
  const length = name.length;
  let position = document + 4;
  while (position < end) {
    const start = position;
    const type = bytes[position++] ?? 0;
    let matched = 0;
    while (matched < length && bytes[position] === name.charCodeAt(matched)) {
      position++;
      matched++;
    }
    if (matched === length && bytes[position] === 0) return start;
    while (bytes[position] !== 0) position++;
    position = skipValue(bytes, type, position + 1);
  }
  return -1;
}

/** Number of fields (or elements) of the document at `document`. */
export function countFields(bytes: Buffer, document: number): number {
  const end = document + int32At(bytes, document) - 1;
  let position = document + 4;
  let count = 0;
  while (position < end) {
    count++;
    position = skipValue(bytes, bytes[position] ?? 0, skipName(bytes, position + 1));
  }
  return count;
}

/** The string whose length begins at `offset`. */
export function stringAt(bytes: Buffer, offset: number): string {
  return textBetween(bytes, offset + 4, offset + 3 + int32At(bytes, offset));
}

/** Below this many bytes, reading ASCII one by one beats the call into the runtime. */
const SHORT_TEXT_BYTES = 12;

/** UTF-8 between two offsets; broken sequences become U+FFFD. */
export function textBetween(bytes: Buffer, start: number, end: number): string {
  if (end - start > SHORT_TEXT_BYTES) return bytes.utf8Slice(start, end);
  let text = '';
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    if (byte > 127) return bytes.utf8Slice(start, end);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Names that occur again and again, by a hash of their bytes: the same string each time, made once. */
const KNOWN_NAMES: (string | undefined)[] = new Array<string | undefined>(4096).fill(undefined);
const KNOWN_NAME_LENGTH_MAX = 32;

/** The name (or regex part) that begins at `offset`. */
export function nameAt(bytes: Buffer, offset: number): string {
  let end = offset;
  let hash = 0;
  let all = 0;
  for (;;) {
    const byte = bytes[end] ?? 0;
    if (byte === 0) break;
    hash = (Math.imul(hash, 31) + byte) | 0;
    all |= byte;
    end++;
  }
  const length = end - offset;
  if (all > 127 || length > KNOWN_NAME_LENGTH_MAX) return bytes.utf8Slice(offset, end);
  const slot = (hash ^ (hash >>> 12)) & 4095;
  const known = KNOWN_NAMES[slot];
  if (known !== undefined && known.length === length) {
    let i = 0;
    while (i < length && known.charCodeAt(i) === bytes[offset + i]) i++;
    if (i === length) return known;
  }
  const name = bytes.latin1Slice(offset, end);
  KNOWN_NAMES[slot] = name;
  return name;
}
