/** Error 11000: which index, which values. */

import { Doc } from './bson/document.js';
import { encodeValue } from './bson/encode.js';
import { formatDocument } from './bson/text.js';
import { isArrayValue, type Value } from './bson/types.js';
import type { Collection } from './collection.js';
import { DocumentError, ErrorCode } from './errors.js';
import { type Index, textKeyOf } from './indexes/index.js';
import { valueKey } from './indexes/value-keys.js';

export function duplicateKeyError(
  collection: Collection,
  index: Index | undefined,
  document: Buffer,
  key: string,
): DocumentError {
  const pattern = index?.keyPattern ?? Doc.of({ _id: 1 });
  const values = keyValuesOf(Doc.fromBytes(document), pattern, index, key);
  const collation = index?.collation;
  const note = collation === undefined ? '' : ` collation: ${formatDocument(Doc.of({ ...collation.spec }))}`;
  return new DocumentError(
    ErrorCode.duplicateKey,
    `E11000 duplicate key error collection: ${collection.namespace} index: ${index?.name ?? '_id_'}${note} dup key: ${formatDocument(values)}`,
    { keyPattern: pattern, keyValue: values },
  );
}

/** The values of the index' fields that have the key that was found twice. */
function keyValuesOf(document: Doc, pattern: Doc, index: Index | undefined, key: string): Doc {
  const values = new Doc();
  const textKey = textKeyOf(index?.collation);
  for (const path of pattern.keys()) {
    const candidates = valuesAt(document, path.split('.'));
    const matching = candidates.find((value) => {
      const bytes = encodeValue(value);
      return key.includes(valueKey(bytes, bytes[4] ?? 0, 6, textKey));
    });
    values.append(path, matching ?? candidates[0] ?? null);
  }
  return values;
}

/** Everything at a path; elements of arrays each, arrays at the end of the path too. */
export function valuesAt(value: Value | undefined, parts: readonly string[]): Value[] {
  if (value === undefined) return [];
  const [part, ...rest] = parts;
  if (part === undefined) return isArrayValue(value) ? [...value, value] : [value];
  if (isArrayValue(value)) return value.flatMap((element) => (element instanceof Doc ? valuesAt(element, parts) : []));
  return value instanceof Doc ? valuesAt(value.get(part), rest) : [];
}
