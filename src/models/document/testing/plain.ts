/** Documents for tests, written as plain objects. */
import { Doc, type Value } from '../values.js';

export type Plain = Value | { readonly [name: string]: Plain } | readonly Plain[];

export function value(plain: Plain): Value {
  if (Array.isArray(plain)) return plain.map((element: Plain) => value(element));
  if (plain !== null && typeof plain === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(plain))) {
    return Doc.fromEntries(Object.entries(plain).map(([name, field]) => [name, value(field as Plain)] as const));
  }
  return plain as Value;
}

export function doc(plain: Plain): Doc {
  const made = value(plain);
  if (!(made instanceof Doc)) throw new TypeError('not a document');
  return made;
}
