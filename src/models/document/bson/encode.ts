/** Values to BSON bytes. Documents that are still what their bytes say are copied whole, untouched fields one by one. */
import { DocumentError, ErrorCode } from '../errors.js';
import { Decimal } from './decimal128.js';
import { Doc } from './document.js';
import { BsonType, int32At, skipName, skipValue } from './raw.js';
import {
  Binary,
  BsonSymbol,
  bsonTypeOf,
  Code,
  CodeWithScope,
  DateTime,
  DbPointer,
  Double,
  isArrayValue,
  ObjectId,
  Regex,
  Timestamp,
  type Value,
} from './types.js';

/** Largest document that is built at all: a command's reply with room to spare; the stored limit is checked apart. */
const BUFFER_BYTES_MAX = 64 * 1024 * 1024;
/** Levels of nesting; deeper values cannot come from valid BSON. */
const DEPTH_MAX = 250;
/** Scratch space kept between calls, bytes. */
const KEPT_BYTES_MAX = 1024 * 1024;
/** Names of array elements made once. */
const INDEX_NAMES = Array.from({ length: 1000 }, (_, index) => String(index));

let buffer: Buffer = Buffer.allocUnsafe(16 * 1024);
let position = 0;
let depth = 0;

/** The BSON bytes of a document. Throws code 10334 beyond 64 MiB and 15 beyond 250 levels. */
export function encodeDocument(document: Doc): Buffer {
  const { source } = document;
  if (source !== undefined) return source;
  const start = position;
  try {
    writeDocument(document);
    const result = Buffer.allocUnsafe(position - start);
    buffer.copy(result, 0, start, position);
    return result;
  } finally {
    position = start;
    if (start === 0) {
      depth = 0;
      if (buffer.length > KEPT_BYTES_MAX) buffer = Buffer.allocUnsafe(16 * 1024);
    }
  }
}

/** The BSON bytes of a document with the value as its only field, called ''. The value begins at byte 6. */
export function encodeValue(value: Value): Buffer {
  return encodeDocument(new Doc().append('', value));
}

/** Size of a value's content in bytes, without type and name. */
export function valueBytes(value: Value): number {
  switch (typeof value) {
    case 'number':
      return bsonTypeOf(value) === BsonType.int ? 4 : 8;
    case 'string':
      return Buffer.byteLength(value) + 5;
    case 'boolean':
      return 1;
    case 'bigint':
      return 8;
    default:
      if (value === null) return 0;
      if (value instanceof Doc) return encodeDocument(value).length;
      return encodeValue(value).length - 7;
  }
}

function reserve(bytes: number): void {
  if (position + bytes <= buffer.length) return;
  if (position + bytes > BUFFER_BYTES_MAX) {
    const size = position + bytes;
    throw new DocumentError(
      ErrorCode.objectTooLarge,
      `BSONObj size: ${size} (0x${size.toString(16).toUpperCase()}) is invalid. Size must be between 0 and 16793600(16MB)`,
    );
  }
  const larger = Buffer.allocUnsafe(Math.min(BUFFER_BYTES_MAX, Math.max(buffer.length * 2, position + bytes)));
  buffer.copy(larger, 0, 0, position);
  buffer = larger;
}

function writeDocument(document: Doc): void {
  const { source } = document;
  if (source !== undefined) {
    copy(source, 0, source.length);
    return;
  }
  const start = open();
  const backing = document.backing;
  const names = document.keys();
  // Untouched fields beside each other are copied together.
  let from = 0;
  let to = 0;
  for (let i = 0; i < names.length; i++) {
    const offset = document.offsetAt(i);
    if (backing !== undefined && offset >= 0) {
      if (offset !== to) {
        if (to > from) copy(backing, from, to);
        from = offset;
      }
      to = skipValue(backing, backing[offset] ?? 0, skipName(backing, offset + 1));
      continue;
    }
    if (backing !== undefined && to > from) copy(backing, from, to);
    from = 0;
    to = 0;
    const value = document.at(i);
    if (value !== undefined) writeElement(names[i] ?? '', value);
  }
  if (backing !== undefined && to > from) copy(backing, from, to);
  close(start);
}

function writeArray(elements: readonly Value[]): void {
  const start = open();
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i];
    writeElement(INDEX_NAMES[i] ?? String(i), element === undefined ? null : element);
  }
  close(start);
}

function open(): number {
  if (++depth > DEPTH_MAX) {
    throw new DocumentError(ErrorCode.overflow, `Exceeded depth limit of ${DEPTH_MAX} when building an object`);
  }
  reserve(4);
  position += 4;
  return position - 4;
}

function close(start: number): void {
  depth--;
  reserve(1);
  buffer[position++] = 0;
  writeInt32(position - start, start);
}

function copy(source: Buffer, start: number, end: number): void {
  reserve(end - start);
  source.copy(buffer, position, start, end);
  position += end - start;
}

function writeInt32(value: number, at: number): void {
  buffer[at] = value;
  buffer[at + 1] = value >>> 8;
  buffer[at + 2] = value >>> 16;
  buffer[at + 3] = value >>> 24;
}

function appendInt32(value: number): void {
  reserve(4);
  writeInt32(value, position);
  position += 4;
}

/** Writes UTF-8 and a zero; a name cannot contain one. */
function writeCString(text: string): void {
  writeUtf8(text);
  reserve(1);
  buffer[position++] = 0;
}

const SHORT_TEXT_LENGTH = 32;

function writeUtf8(text: string): void {
  const { length } = text;
  reserve(length * 3);
  if (length <= SHORT_TEXT_LENGTH) {
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 127) break;
      buffer[position + i] = unit;
    }
    if (i === length) {
      position += length;
      return;
    }
  }
  position += buffer.utf8Write(text, position);
}

function writeString(text: string): void {
  appendInt32(0);
  const start = position;
  writeCString(text);
  writeInt32(position - start, start - 4);
}

function writeElement(name: string, value: Value): void {
  reserve(1);
  buffer[position++] = bsonTypeOf(value);
  writeCString(name);
  writeContent(value);
}

function writeContent(value: Value): void {
  switch (typeof value) {
    case 'number':
      if (bsonTypeOf(value) === BsonType.int) appendInt32(value);
      else writeDouble(value);
      return;
    case 'string':
      writeString(value);
      return;
    case 'boolean':
      reserve(1);
      buffer[position++] = value ? 1 : 0;
      return;
    case 'bigint':
      writeInt64(value);
      return;
    default:
      if (value !== null) writeObject(value);
  }
}

function writeDouble(value: number): void {
  reserve(8);
  buffer.writeDoubleLE(value, position);
  position += 8;
}

function writeInt64(value: bigint): void {
  reserve(8);
  buffer.writeBigInt64LE(BigInt.asIntN(64, value), position);
  position += 8;
}

function writeObjectId(id: ObjectId): void {
  reserve(12);
  buffer.latin1Write(id.bytes, position, 12);
  position += 12;
}

function writeObject(value: Exclude<Value, number | string | boolean | bigint | null>): void {
  if (value instanceof Doc) writeDocument(value);
  else if (isArrayValue(value)) writeArray(value);
  else if (value instanceof ObjectId) writeObjectId(value);
  else if (value instanceof DateTime) writeDate(value);
  else if (value instanceof Double) writeDouble(value.value);
  else if (value instanceof Decimal) {
    reserve(16);
    value.writeTo(buffer, position);
    position += 16;
  } else if (value instanceof Timestamp) {
    appendInt32(value.increment | 0);
    appendInt32(value.seconds | 0);
  } else if (value instanceof Binary) {
    appendInt32(value.bytes.length);
    reserve(1);
    buffer[position++] = value.subtype;
    copy(value.bytes, 0, value.bytes.length);
  } else if (value instanceof Regex) {
    writeCString(value.pattern);
    writeCString(value.flags);
  } else if (value instanceof DbPointer) {
    writeString(value.namespace);
    writeObjectId(value.id);
  } else if (value instanceof Code) writeString(value.code);
  else if (value instanceof BsonSymbol) writeString(value.text);
  else if (value instanceof CodeWithScope) {
    const start = position;
    appendInt32(0);
    writeString(value.code);
    writeDocument(value.scope);
    writeInt32(position - start, start);
  }
}

function writeDate(date: DateTime): void {
  if (date.exact !== undefined) {
    writeInt64(date.exact);
    return;
  }
  const high = Math.floor(date.ms / 0x1_0000_0000);
  appendInt32((date.ms - high * 0x1_0000_0000) | 0);
  appendInt32(high);
}

/** The content of an element of raw BSON as a document of its own: `int32At` tells its size. */
export function documentBytesAt(bytes: Buffer, offset: number): Buffer {
  return bytes.subarray(offset, offset + int32At(bytes, offset));
}
