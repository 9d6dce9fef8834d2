/**
 * Applies the diff of an oplog entry (`$v: 2`) to a document: the other direction of {@link UpdateLog.diff}. Needed for
 * `applyOps` and for archives with an oplog. What the document no longer has is passed over, so that a diff may be applied
 * again.
 */
import { DocumentError } from '../errors.js';
import { type ArrayValue, Doc, isArrayValue, toDouble, type Value } from '../values.js';

/** Throws code 4770500 and others for diffs that are none. */
export function applyDiff(document: Doc, diff: Doc): Doc {
  const result = document.copy();
  for (const [section, value] of diff) {
    if (section === 'd') {
      for (const name of fieldsOf(value).keys()) result.delete(name);
    } else if (section === 'u') {
      for (const [name, field] of fieldsOf(value)) result.set(name, field);
    } else if (section === 'i') {
      // Inserted fields come last, also where they moved there.
      for (const [name, field] of fieldsOf(value)) {
        result.delete(name);
        result.append(name, field);
      }
    } else if (section.startsWith('s')) {
      const name = section.slice(1);
      const before = document.get(name);
      if (before !== undefined) result.set(name, applyBelow(before, fieldsOf(value)));
    } else {
      throw new DocumentError(4770503, `Unexpected section: ${section}`);
    }
  }
  return result;
}

function fieldsOf(value: Value): Doc {
  if (value instanceof Doc) return value;
  throw new DocumentError(4770507, 'Expected section of a diff to be an object');
}

function applyBelow(before: Value, diff: Doc): Value {
  if (diff.get('a') === true) return isArrayValue(before) ? applyToArray(before, diff) : before;
  return before instanceof Doc ? applyDiff(before, diff) : before;
}

function applyToArray(before: ArrayValue, diff: Doc): ArrayValue {
  const size = toDouble(diff.get('l'));
  const result = size === undefined ? [...before] : before.slice(0, size);
  for (const [section, value] of diff) {
    if (section === 'a' || section === 'l') continue;
    const index = Number(section.slice(1));
    if (!/^[us][0-9]{1,9}$/.test(section))
      throw new DocumentError(4770514, `Unexpected element of an array diff: ${section}`);
    while (result.length < index) result.push(null);
    const element = result[index];
    if (section.startsWith('u')) result[index] = value;
    else if (element !== undefined) result[index] = applyBelow(element, fieldsOf(value));
  }
  return result;
}
