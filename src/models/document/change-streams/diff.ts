/**
 * Reads what changed between two versions of a document, as the oplog tells it (`$v: 2`): `d` fields removed, `u` fields with a
 * new value, `i` fields added, `s<field>` changes inside of a document or array; in an array `a: true`, `l` a shorter
 * length, `u<index>` a new element.
 */
import { Doc } from '../bson/document.js';

/** A change stream's `updateDescription` of a diff. */
export interface UpdateDescription {
  readonly updatedFields: Doc;
  readonly removedFields: string[];
  readonly truncatedArrays: Doc[];
}

export function describeDiff(diff: Doc): UpdateDescription {
  const description: UpdateDescription = { updatedFields: new Doc(), removedFields: [], truncatedArrays: [] };
  describe(diff, '', description);
  return description;
}

function describe(diff: Doc, prefix: string, into: UpdateDescription): void {
  const array = diff.get('a') === true;
  for (const [name, value] of diff) {
    if (name === 'a') continue;
    if (array && name === 'l') {
      into.truncatedArrays.push(Doc.of({ field: prefix.slice(0, -1), newSize: value }));
    } else if (!array && value instanceof Doc && (name === 'u' || name === 'i')) {
      for (const [field, content] of value) into.updatedFields.append(prefix + field, content);
    } else if (!array && value instanceof Doc && name === 'd') {
      for (const field of value.keys()) into.removedFields.push(prefix + field);
    } else if (array && name.startsWith('u')) {
      into.updatedFields.append(prefix + name.slice(1), value);
    } else if (value instanceof Doc) {
      describe(value, `${prefix}${name.slice(1)}.`, into);
    }
  }
}
