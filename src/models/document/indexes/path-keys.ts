/**
 * The keys of a document for an ascending or descending index over paths: one key for each combination that arrays give.
 *
 * A path crosses one array level a step, and every field that crosses an array must cross the same one: two arrays would
 * multiply (error 171). An array at a path's end gives one key for each element; an empty one counts as undefined, a
 * missing field as null.
 */
import { BsonType, int32At, skipValue } from '../bson/raw.js';
import { DocumentError } from '../errors.js';
import { NULL_KEY, type TextKey, UNDEFINED_KEY, valueKey } from './value-keys.js';

/** One field of an index, prepared. */
export interface PathField {
  readonly path: string;
  /** The parts of the path as UTF-8 byte strings. */
  readonly parts: readonly string[];
}

export interface PathKeys {
  /** For each key, the value keys of all fields, ascending. */
  readonly keys: string[][];
  /** For each field, bit n is set when part n of its path was an array. */
  readonly multikey: number[] | undefined;
  /** No field of the index is present in the document. */
  readonly absent: boolean;
}

/** Parts of a path whose array-ness is remembered. */
const MULTIKEY_PARTS_MAX = 31;

interface Pending {
  readonly field: number;
  /** Next part of the path. */
  part: number;
}

/** A place in the document: a value's type and offset; type 0 is nothing. */
interface Place {
  type: number;
  offset: number;
}

/** Finds a field of the document at `document` by its name as a byte string. */
export function placeOf(bytes: Buffer, document: number, name: string): Place | undefined {
  const end = document + int32At(bytes, document) - 1;
  let position = document + 4;
  const length = name.length;
  while (position < end) {
    const type = bytes[position++] ?? 0;
    let matched = 0;
    while (matched < length && bytes[position + matched] === name.charCodeAt(matched)) matched++;
    if (matched === length && bytes[position + length] === 0) return { type, offset: position + length + 1 };
    position = skipValue(bytes, type, bytes.indexOf(0, position + matched) + 1);
  }
  return undefined;
}

/** The collation applies to strings at the ends of paths and inside of documents and arrays there. */
export function pathKeys(bytes: Buffer, fields: readonly PathField[], textKey?: TextKey): PathKeys {
  const walk = new Walk(bytes, fields, textKey);
  walk.expand(
    0,
    fields.map((_, field) => ({ field, part: 0 })),
    new Array<string>(fields.length),
  );
  return { keys: walk.distinct(), multikey: walk.multikey, absent: walk.absent };
}

class Walk {
  readonly keys: string[][] = [];
  multikey: number[] | undefined;
  absent = true;

  constructor(
    private readonly bytes: Buffer,
    private readonly fields: readonly PathField[],
    private readonly textKey: TextKey | undefined,
  ) {}

  distinct(): string[][] {
    if (this.keys.length < 2) return this.keys;
    const seen = new Map<string, string[]>();
    for (const key of this.keys) seen.set(key.length === 1 ? (key[0] ?? '') : key.join(''), key);
    return [...seen.values()];
  }

  /** Resolves the pending fields below the document at `document`; `done` holds the keys of the others. */
  expand(document: number, pending: readonly Pending[], done: string[]): void {
    let array = -1;
    let arrayPath = '';
    const crossing: Pending[] = [];
    for (const { field, part } of pending) {
      const state = { field, part };
      const place = this.descend(document, state);
      if (place === undefined) {
        done[field] = NULL_KEY;
      } else if (place.type !== BsonType.array) {
        this.absent = false;
        done[field] = this.keyOf(place);
      } else {
        this.absent = false;
        const path = this.fields[field]?.parts.slice(0, state.part).join('.') ?? '';
        if (array >= 0 && array !== place.offset) throw parallelArrays(path, arrayPath);
        array = place.offset;
        arrayPath = path;
        crossing.push(state);
      }
    }
    if (crossing.length === 0) this.keys.push(done);
    else this.expandArray(array, crossing, done);
  }

  /** Follows the path through documents until its end, a missing field or an array; `state.part` moves along. */
  private descend(document: number, state: Pending): Place | undefined {
    const parts = this.fields[state.field]?.parts ?? [];
    let place = placeOf(this.bytes, document, parts[state.part] ?? '');
    for (;;) {
      state.part++;
      if (place === undefined) return undefined;
      const last = state.part === parts.length;
      if (place.type === BsonType.array) {
        if (last) return place;
        const element = positional(parts[state.part] ?? '')
          ? placeOf(this.bytes, place.offset, parts[state.part] ?? '')
          : undefined;
        if (element === undefined) return place;
        this.sawArray(state.field, state.part - 1);
        place = element;
        continue;
      }
      if (last) return place;
      if (place.type !== BsonType.object) return undefined;
      place = placeOf(this.bytes, place.offset, parts[state.part] ?? '');
    }
  }

  private expandArray(array: number, crossing: readonly Pending[], done: readonly string[]): void {
    const { bytes } = this;
    for (const { field, part } of crossing) this.sawArray(field, part - 1);
    const end = array + int32At(bytes, array) - 1;
    let position = array + 4;
    if (position >= end) {
      const key = [...done];
      for (const { field, part } of crossing) key[field] = this.ends(field, part) ? UNDEFINED_KEY : NULL_KEY;
      this.keys.push(key);
      return;
    }
    while (position < end) {
      const type = bytes[position] ?? 0;
      const offset = bytes.indexOf(0, position + 1) + 1;
      const key = [...done];
      const deeper: Pending[] = [];
      for (const { field, part } of crossing) {
        if (this.ends(field, part)) key[field] = this.keyOf({ type, offset });
        else if (type === BsonType.object) deeper.push({ field, part });
        else key[field] = NULL_KEY;
      }
      if (deeper.length === 0) this.keys.push(key);
      else this.expand(offset, deeper, key);
      position = skipValue(bytes, type, offset);
    }
  }

  private ends(field: number, part: number): boolean {
    return part === this.fields[field]?.parts.length;
  }

  private keyOf(place: Place): string {
    return valueKey(this.bytes, place.type, place.offset, this.textKey);
  }

  private sawArray(field: number, part: number): void {
    this.multikey ??= new Array<number>(this.fields.length).fill(0);
    this.multikey[field] = (this.multikey[field] ?? 0) | (1 << Math.min(part, MULTIKEY_PARTS_MAX - 1));
  }
}

function positional(part: string): boolean {
  return /^(0|[1-9][0-9]*)$/.test(part);
}

function parallelArrays(path: string, other: string): DocumentError {
  const shown = (text: string): string => Buffer.from(text.split('.').at(-1) ?? '', 'latin1').toString('utf8');
  return new DocumentError(171, `cannot index parallel arrays [${shown(path)}] [${shown(other)}]`);
}
