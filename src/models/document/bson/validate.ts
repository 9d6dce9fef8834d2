/**
 * Checks BSON from outside once, so that everything behind may trust sizes and types. UTF-8 in values is not checked:
 * MongoDB stores what it is sent.
 */
import { DocumentError, ErrorCode } from '../errors.js';
import { BsonType, int32At, skipName, skipValue } from './raw.js';

/** Levels of nesting that a message may have (`BSONDepth::kDefaultMaxAllowableDepth`). */
export const NESTING_MAX = 200;
/** Largest document that a client may store, bytes. */
export const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;
/** Room beyond {@link DOCUMENT_BYTES_MAX} for a command around a document, bytes. */
export const DOCUMENT_INTERNAL_BYTES_MAX = DOCUMENT_BYTES_MAX + 16 * 1024;

function invalid(message: string): DocumentError {
  return new DocumentError(ErrorCode.invalidBson, message);
}

/** The error for a document of `size` bytes, which is too large (or no size at all). */
export function sizeError(size: number): DocumentError {
  const hex = (size >>> 0).toString(16).toUpperCase();
  return new DocumentError(
    ErrorCode.objectTooLarge,
    `BSONObj size: ${size} (0x${hex}) is invalid. Size must be between 0 and ${DOCUMENT_INTERNAL_BYTES_MAX}(16MB)`,
  );
}

/**
 * Checks that `bytes` is exactly one well-formed document. Throws code 22 (InvalidBSON), 15 for more than 200 levels,
 * 10334 beyond 16 MiB and 16 KiB.
 */
export function validateDocument(bytes: Buffer): void {
  const size = bytes.length < 4 ? bytes.length : int32At(bytes, 0);
  if (size > DOCUMENT_INTERNAL_BYTES_MAX || size < 0) throw sizeError(size);
  if (size !== bytes.length || size < 5) throw invalid('incorrect BSON length');
  const end = validateAt(bytes, 0, bytes.length, 1);
  if (end !== bytes.length) throw invalid('incorrect BSON length');
}

/** Checks the document at `offset` that must end by `limit`; answers where it ends. */
function validateAt(bytes: Buffer, offset: number, limit: number, depth: number): number {
  if (depth > NESTING_MAX) {
    throw new DocumentError(ErrorCode.overflow, `BSONObj exceeded maximum nested object depth: ${NESTING_MAX}`);
  }
  if (limit - offset < 5) throw invalid('not enough bytes for a document');
  const size = int32At(bytes, offset);
  if (size < 5 || size > limit - offset) throw invalid(`invalid bson length ${size}`);
  const end = offset + size - 1;
  if (bytes[end] !== 0) throw invalid('document without a terminating zero');
  let position = offset + 4;
  while (position < end) {
    const type = bytes[position] ?? 0;
    position = validateValue(bytes, type, skipText(bytes, position + 1, end), end, depth);
    if (position > end) throw invalid('value runs beyond its document');
  }
  return end + 1;
}

/** Just past the zero that ends a cstring, which must lie before `end`. */
function skipText(bytes: Buffer, offset: number, end: number): number {
  let position = offset;
  while (position < end && bytes[position] !== 0) position++;
  if (position >= end) throw invalid('unterminated name');
  return position + 1;
}

function validateString(bytes: Buffer, offset: number, end: number): number {
  if (end - offset < 5) throw invalid('not enough bytes for a string');
  const length = int32At(bytes, offset);
  if (length < 1 || length > end - offset - 4) throw invalid(`invalid string length ${length}`);
  if (bytes[offset + 3 + length] !== 0) throw invalid('string without a terminating zero');
  return offset + 4 + length;
}

function validateValue(bytes: Buffer, type: number, offset: number, end: number, depth: number): number {
  switch (type) {
    case BsonType.double:
    case BsonType.date:
    case BsonType.timestamp:
    case BsonType.long:
      return offset + 8;
    case BsonType.int:
      return offset + 4;
    case BsonType.string:
    case BsonType.code:
    case BsonType.symbol:
      return validateString(bytes, offset, end);
    case BsonType.object:
    case BsonType.array:
      return validateAt(bytes, offset, end, depth + 1);
    case BsonType.binary: {
      if (end - offset < 5) throw invalid('not enough bytes for binary data');
      const length = int32At(bytes, offset);
      if (length < 0 || length > end - offset - 5) throw invalid(`invalid binary length ${length}`);
      return offset + 5 + length;
    }
    case BsonType.objectId:
      return offset + 12;
    case BsonType.bool:
      if (offset < end && (bytes[offset] ?? 0) > 1) throw invalid('boolean that is neither 0 nor 1');
      return offset + 1;
    case BsonType.null:
    case BsonType.undefined:
    case BsonType.minKey:
    case BsonType.maxKey:
      return offset;
    case BsonType.regex:
      return skipText(bytes, skipText(bytes, offset, end), end);
    case BsonType.dbPointer:
      return validateString(bytes, offset, end) + 12;
    case BsonType.codeWithScope: {
      if (end - offset < 14) throw invalid('not enough bytes for code with scope');
      const size = int32At(bytes, offset);
      if (size < 14 || size > end - offset) throw invalid(`invalid code with scope length ${size}`);
      const scope = validateString(bytes, offset + 4, offset + size);
      if (validateAt(bytes, scope, offset + size, depth + 1) !== offset + size) {
        throw invalid('code with scope of another length than it says');
      }
      return offset + size;
    }
    case BsonType.decimal:
      return offset + 16;
    default:
      throw invalid(`Unrecognized BSON type ${type}`);
  }
}

/** Levels of nesting of the valid document at `offset`: 1 when nothing is nested. */
export function nestingOf(bytes: Buffer, offset = 0): number {
  const end = offset + int32At(bytes, offset) - 1;
  let deepest = 0;
  let position = offset + 4;
  while (position < end) {
    const type = bytes[position] ?? 0;
    const content = skipName(bytes, position + 1);
    if (type === BsonType.object || type === BsonType.array) deepest = Math.max(deepest, nestingOf(bytes, content));
    position = skipValue(bytes, type, content);
  }
  return deepest + 1;
}
