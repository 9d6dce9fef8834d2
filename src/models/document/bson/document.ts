/**
 * A document in memory: ordered fields, names of any kind, duplicates kept. It begins as a view of BSON bytes: one field
 * is found by scanning them and only its value is decoded; changing it makes a list of the fields, of which the untouched
 * ones still point into the bytes and are copied as they are when the document is encoded.
 *
 * Whoever made a document may `set` and `delete` until it is handed on; then it is immutable like every value, and
 * {@link Doc.copy} (cheap) gives one to change.
 */
import { Decimal } from './decimal128.js';
import { BsonType, findField, int32At, nameAt, nameBytes, skipName, skipValue, stringAt } from './raw.js';
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
} from './types.js';

/** From this many fields on, names are found through a map. */
const INDEX_FIELDS_MIN = 12;
/** Scans of the bytes after which listing the fields pays. */
const SCANS_MAX = 4;

export class Doc {
  readonly bsonType = BsonType.object;
  /** BSON that fields may point into. */
  private bytes: Buffer | undefined;
  private start = 0;
  /** Undefined while the bytes say it all. */
  private names: string[] | undefined;
  /** Beside each name: its value, or undefined while that is still in the bytes. */
  private values: (Value | undefined)[] = [];
  /** Beside each name: offset of its type byte, or -1 for fields that were set. */
  private offsets: number[] = [];
  private positions: Map<string, number> | undefined;
  private scans = 0;
  private changed = false;

  /** The document at `offset`; the bytes must be valid and never change. */
  static fromBytes(bytes: Buffer, offset = 0): Doc {
    const document = new Doc();
    document.bytes = bytes;
    document.start = offset;
    return document;
  }

  static fromEntries(entries: Iterable<readonly [string, Value]>): Doc {
    const document = new Doc();
    for (const [name, value] of entries) document.append(name, value);
    return document;
  }

  /** A document of these fields; absent ones are left out. For names written in code: integer-like ones would move. */
  static of(fields: Readonly<Record<string, Value | undefined>>): Doc {
    const document = new Doc();
    for (const name of Object.keys(fields)) {
      const value = fields[name];
      if (value !== undefined) document.append(name, value);
    }
    return document;
  }

  /** The bytes, if they still say exactly what this document is. */
  get source(): Buffer | undefined {
    if (this.bytes === undefined || this.changed) return undefined;
    return this.bytes.subarray(this.start, this.start + int32At(this.bytes, this.start));
  }

  /** Value of the first field called `name`; undefined if there is none. */
  get(name: string): Value | undefined {
    if (this.names === undefined) {
      if (this.bytes === undefined) return undefined;
      if (this.scans < SCANS_MAX) {
        this.scans++;
        const key = nameBytes(name);
        const offset = findField(this.bytes, this.start, key);
        return offset < 0 ? undefined : valueAt(this.bytes, this.bytes[offset] ?? 0, offset + 2 + key.length);
      }
    }
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.valueOfField(index);
  }

  has(name: string): boolean {
    if (this.names !== undefined) return this.indexOf(name) >= 0;
    return this.bytes !== undefined && findField(this.bytes, this.start, nameBytes(name)) >= 0;
  }

  /** Replaces the first field called `name` where it stands, or adds one at the end. */
  set(name: string, value: Value): this {
    const index = this.indexOf(name);
    if (index < 0) return this.append(name, value);
    this.changed = true;
    this.values[index] = value;
    this.offsets[index] = -1;
    return this;
  }

  /** Adds a field at the end without looking for one of that name. */
  append(name: string, value: Value): this {
    const names = this.list();
    this.changed = true;
    this.positions?.set(name, this.positions.get(name) ?? names.length);
    names.push(name);
    this.values.push(value);
    this.offsets.push(-1);
    return this;
  }

  /** Adds a field in front of the others. */
  prepend(name: string, value: Value): this {
    this.list().unshift(name);
    this.values.unshift(value);
    this.offsets.unshift(-1);
    this.positions = undefined;
    this.changed = true;
    return this;
  }

  /** Removes the first field called `name`; says whether there was one. */
  delete(name: string): boolean {
    const index = this.indexOf(name);
    if (index < 0) return false;
    this.list().splice(index, 1);
    this.values.splice(index, 1);
    this.offsets.splice(index, 1);
    this.positions = undefined;
    this.changed = true;
    return true;
  }

  /** Number of fields. */
  get size(): number {
    return this.list().length;
  }

  get isEmpty(): boolean {
    if (this.names !== undefined) return this.names.length === 0;
    return this.bytes === undefined || int32At(this.bytes, this.start) === 5;
  }

  /** Names in order, duplicates included. */
  keys(): readonly string[] {
    return this.list();
  }

  /** Name of the field at `index` from 0. */
  nameAt(index: number): string | undefined {
    return this.list()[index];
  }

  /** Value of the field at `index` from 0. */
  at(index: number): Value | undefined {
    return index < this.list().length ? this.valueOfField(index) : undefined;
  }

  *entries(): IterableIterator<[string, Value]> {
    const names = this.list();
    for (let i = 0; i < names.length; i++) {
      const value = this.valueOfField(i);
      if (value !== undefined) yield [names[i] ?? '', value];
    }
  }

  [Symbol.iterator](): IterableIterator<[string, Value]> {
    return this.entries();
  }

  /** An empty document that can {@link take} fields of `source` without decoding them. */
  static selectionFrom(source: Doc): Doc {
    const document = new Doc();
    document.bytes = source.bytes;
    document.names = [];
    document.changed = true;
    return document;
  }

  /** Adds the field at `index` of `source`, which this is a selection from, at the end. */
  take(source: Doc, index: number): void {
    const names = this.list();
    this.positions = undefined;
    names.push(source.list()[index] ?? '');
    this.values.push(source.values[index]);
    this.offsets.push(source.offsets[index] ?? -1);
  }

  /** A document with the same fields that may be changed. */
  copy(): Doc {
    const document = new Doc();
    document.bytes = this.bytes;
    document.start = this.start;
    document.changed = this.changed;
    if (this.names !== undefined) {
      document.names = this.names.slice();
      document.values = this.values.slice();
      document.offsets = this.offsets.slice();
    }
    return document;
  }

  /** For the encoder: offset in {@link backing} of the field at `index`, or -1 when only the value knows. */
  offsetAt(index: number): number {
    return this.offsets[index] ?? -1;
  }

  get backing(): Buffer | undefined {
    return this.bytes;
  }

  private valueOfField(index: number): Value | undefined {
    const known = this.values[index];
    if (known !== undefined) return known;
    const offset = this.offsets[index] ?? -1;
    if (this.bytes === undefined || offset < 0) return undefined;
    const value = valueAt(this.bytes, this.bytes[offset] ?? 0, skipName(this.bytes, offset + 1));
    this.values[index] = value;
    return value;
  }

  private indexOf(name: string): number {
    const names = this.list();
    if (names.length < INDEX_FIELDS_MIN) return names.indexOf(name);
    let positions = this.positions;
    if (positions === undefined) {
      positions = new Map();
      for (let i = names.length - 1; i >= 0; i--) positions.set(names[i] ?? '', i);
      this.positions = positions;
    }
    return positions.get(name) ?? -1;
  }

  private list(): string[] {
    if (this.names !== undefined) return this.names;
    const names: string[] = [];
    const { bytes } = this;
    if (bytes !== undefined) {
      const end = this.start + int32At(bytes, this.start) - 1;
      let position = this.start + 4;
      while (position < end) {
        this.offsets.push(position);
        this.values.push(undefined);
        names.push(nameAt(bytes, position + 1));
        position = skipValue(bytes, bytes[position] ?? 0, skipName(bytes, position + 1));
      }
    }
    this.names = names;
    return names;
  }
}

/** The value of BSON type `type` whose content begins at `offset`. Documents stay views of the bytes. */
export function valueAt(bytes: Buffer, type: number, offset: number): Value {
  switch (type) {
    case BsonType.int:
      return int32At(bytes, offset);
    case BsonType.string:
      return stringAt(bytes, offset);
    case BsonType.double:
      return double(bytes.readDoubleLE(offset));
    case BsonType.object:
      return Doc.fromBytes(bytes, offset);
    case BsonType.array:
      return arrayAt(bytes, offset);
    case BsonType.objectId:
      return new ObjectId(bytes.latin1Slice(offset, offset + 12));
    case BsonType.bool:
      return bytes[offset] !== 0;
    case BsonType.date:
      return dateAt(bytes, offset);
    case BsonType.null:
      return null;
    case BsonType.long:
      return bytes.readBigInt64LE(offset);
    case BsonType.decimal:
      return Decimal.fromBytes(bytes, offset);
    case BsonType.timestamp:
      return new Timestamp(int32At(bytes, offset + 4) >>> 0, int32At(bytes, offset) >>> 0);
    case BsonType.binary:
      return binaryAt(bytes, offset);
    case BsonType.undefined:
      return UNDEFINED;
    case BsonType.regex:
      return new Regex(nameAt(bytes, offset), nameAt(bytes, skipName(bytes, offset)));
    case BsonType.dbPointer: {
      const id = offset + 4 + int32At(bytes, offset);
      return new DbPointer(stringAt(bytes, offset), new ObjectId(bytes.latin1Slice(id, id + 12)));
    }
    case BsonType.code:
      return new Code(stringAt(bytes, offset));
    case BsonType.symbol:
      return new BsonSymbol(stringAt(bytes, offset));
    case BsonType.codeWithScope:
      return new CodeWithScope(
        stringAt(bytes, offset + 4),
        Doc.fromBytes(bytes, offset + 8 + int32At(bytes, offset + 4)),
      );
    case BsonType.minKey:
      return MIN_KEY;
    case BsonType.maxKey:
      return MAX_KEY;
    default:
      throw new RangeError(`BSON type ${type}`);
  }
}

/** The elements of the array at `offset`, in order; their names do not matter. */
export function arrayAt(bytes: Buffer, offset: number): Value[] {
  const end = offset + int32At(bytes, offset) - 1;
  const elements: Value[] = [];
  let position = offset + 4;
  while (position < end) {
    const type = bytes[position] ?? 0;
    const content = skipName(bytes, position + 1);
    elements.push(valueAt(bytes, type, content));
    position = skipValue(bytes, type, content);
  }
  return elements;
}

function dateAt(bytes: Buffer, offset: number): DateTime {
  const high = int32At(bytes, offset + 4);
  if (high > -0x20_0000 && high < 0x20_0000) {
    return new DateTime(high * 0x1_0000_0000 + (int32At(bytes, offset) >>> 0));
  }
  return DateTime.fromBigInt(bytes.readBigInt64LE(offset));
}

function binaryAt(bytes: Buffer, offset: number): Binary {
  const length = int32At(bytes, offset);
  return new Binary(bytes.subarray(offset + 5, offset + 5 + length), bytes[offset + 4] ?? 0);
}

/** The values of a field at the end of a path would need arrays to be crossed; this follows documents only. */
export function getPath(document: Doc, parts: readonly string[]): Value | undefined {
  let value: Value | undefined = document;
  for (const part of parts) {
    if (!(value instanceof Doc)) return undefined;
    value = value.get(part);
  }
  return value;
}
