/** Equality of values whatever the order of their fields. */
import { Doc, equalityKey, isArrayValue, type Value } from '../../values.js';

/** Equal for values that differ only in the order of fields. */
export function unorderedKey(value: Value): string | number {
  return equalityKey(sorted(value));
}

function sorted(value: Value): Value {
  if (value instanceof Doc) {
    return Doc.fromEntries(
      [...value].map(([name, field]) => [name, sorted(field)] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
  return isArrayValue(value) ? value.map(sorted) : value;
}
