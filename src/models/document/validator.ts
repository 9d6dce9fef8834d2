/** Validators of collections. */
import type { Collection } from './collection.js';

/** Throws 121 with errInfo when `after` breaks the collection's rules (moderate: unless `before` did already). */
export function validate(collection: Collection, after: Buffer, before: Buffer | undefined): void {
  void collection;
  void after;
  void before;
}
