/**
 * What an update operator is: something that makes a new value of the one at its path. Paths, arrays, conflicts and
 * change records are the tree's affair (tree.ts); an operator sees one value.
 */
import type { Collation, Doc, Timestamp, Value } from '../values.js';

/** What an update knows beside the document. */
export interface UpdateContext {
  /** The document before the update. */
  readonly root: Doc;
  /** Milliseconds since 1970; the same for the whole command. */
  readonly now: number;
  /** A new cluster time. */
  readonly timestamp: () => Timestamp;
  /** The document is being inserted by an upsert. */
  readonly insert: boolean;
}

/** Where an operator is applied. */
export interface Place {
  /** The path taken, with positions for `$` and `$[]`. */
  readonly path: string;
  /** Its last part. */
  readonly name: string;
}

/** The new value, the same one when nothing changes; or that the field goes away. */
export type Change =
  | {
      readonly kind: 'set';
      readonly value: Value /** Elements added at an array's end, all else as it was. */;
      readonly appended?: number;
    }
  | { readonly kind: 'same' }
  | { readonly kind: 'remove' };

export const SAME: Change = { kind: 'same' };

export interface UpdateOperator {
  /** `$set`. */
  readonly name: string;
  /** The change of a value that is there. */
  update(value: Value, place: Place, context: UpdateContext): Change;
  /** The value where there is none; undefined if the operator leaves missing fields alone. */
  create(place: Place, context: UpdateContext): Value | undefined;
  /**
   * What a path that cannot be followed means (a field inside of a number): an operator that makes fields cannot make
   * it, one that takes away has nothing to do, `ignore`, or is wrong there, `refuse`.
   */
  readonly unreachable: 'create' | 'ignore' | 'refuse';
}

/** Reads an operator's argument for one path. Throws a DocumentError for wrong ones. */
export type OperatorParser = (argument: Value, path: string, collation: Collation | undefined) => UpdateOperator;

export function set(value: Value): Change {
  return { kind: 'set', value };
}
