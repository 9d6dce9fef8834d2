/**
 * Dotted paths through BSON bytes, as filters walk them. A path reaches elements:
 *
 * - Through documents by name. Where a part is missing, the path reaches "nothing" (type {@link MISSING}).
 * - Through an array on the way by trying the rest of the path on each of its documents, and, if the part is a number,
 *   on the element at that position. Elements that are neither reach nothing at all, not even "missing".
 * - At an array at the end: each element, then the array itself; or, for conditions on arrays, the array alone.
 */
import { BsonType, findField, int32At, nameBytes, skipName, skipValue } from '../bson/raw.js';

/** Stands for the type of a value that is not there. */
export const MISSING = 0;

/** Says whether an element satisfies a condition: its BSON type (or {@link MISSING}) and where its content begins. */
export type ElementTest = (bytes: Buffer, type: number, offset: number) => boolean;

/** Parts of a path as {@link findField} takes them. */
export type PathParts = readonly string[];

export function pathParts(path: string): PathParts {
  return path.split('.').map(nameBytes);
}

/** Path parts that are positions in arrays: digits only, as MongoDB compares them with element names. */
export function isPosition(part: string): boolean {
  if (part.length === 0 || part.length > 10) return false;
  for (let i = 0; i < part.length; i++) {
    const digit = part.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return false;
  }
  return true;
}

/**
 * Position of the array element that satisfied the last test, of the outermost array crossed without naming a position:
 * what `$` in updates and projections means. Meaningful only right after a match; -1 if no array was crossed.
 */
export let matchedPosition = -1;

export function setMatchedPosition(position: number): void {
  matchedPosition = position;
}

/** A condition on the elements that one path reaches. */
export class PathTest {
  private readonly parts: PathParts;
  private readonly last: number;

  constructor(
    path: string,
    private readonly test: ElementTest,
    /** Whether an array at the end is tested element by element too. */
    private readonly intoLeafArray: boolean,
  ) {
    this.parts = pathParts(path);
    this.last = this.parts.length - 1;
  }

  /** Whether any element reached from the document at `document` satisfies the test. */
  matches(bytes: Buffer, document: number): boolean {
    return this.walk(bytes, document, 0);
  }

  private walk(bytes: Buffer, from: number, first: number): boolean {
    const { parts, last } = this;
    let document = from;
    for (let i = first; ; i++) {
      const part = parts[i] ?? '';
      const position = findField(bytes, document, part);
      if (position < 0) return this.test(bytes, MISSING, 0);
      const type = bytes[position] ?? 0;
      const offset = position + 2 + part.length;
      if (type === BsonType.array) return this.walkArray(bytes, offset, i + 1);
      if (i === last) return this.test(bytes, type, offset);
      if (type !== BsonType.object) return this.test(bytes, MISSING, 0);
      document = offset;
    }
  }

  /** `next` is the part to apply to the array's elements; beyond the last one, the array is the path's end. */
  private walkArray(bytes: Buffer, array: number, next: number): boolean {
    const part = this.parts[next];
    if (part === undefined) return this.testLeafArray(bytes, array);
    const wanted = isPosition(part) ? Number(part) : -1;
    const end = array + int32At(bytes, array) - 1;
    let position = array + 4;
    for (let index = 0; position < end; index++) {
      const type = bytes[position] ?? 0;
      const offset = skipName(bytes, position + 1);
      if (type === BsonType.object && this.walk(bytes, offset, next)) {
        matchedPosition = index;
        return true;
      }
      if (index === wanted && String(index) === part && this.matchesAt(bytes, type, offset, next + 1)) return true;
      position = skipValue(bytes, type, offset);
    }
    return false;
  }

  /** The element that a position in the path named. */
  private matchesAt(bytes: Buffer, type: number, offset: number, next: number): boolean {
    if (next > this.last) return this.test(bytes, type, offset);
    if (type === BsonType.object) return this.walk(bytes, offset, next);
    return type === BsonType.array && this.walkArray(bytes, offset, next);
  }

  private testLeafArray(bytes: Buffer, array: number): boolean {
    if (this.intoLeafArray) {
      const end = array + int32At(bytes, array) - 1;
      let position = array + 4;
      for (let index = 0; position < end; index++) {
        const type = bytes[position] ?? 0;
        const offset = skipName(bytes, position + 1);
        if (this.test(bytes, type, offset)) {
          matchedPosition = index;
          return true;
        }
        position = skipValue(bytes, type, offset);
      }
    }
    return this.test(bytes, BsonType.array, array);
  }
}
