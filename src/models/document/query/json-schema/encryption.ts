/** `encrypt`: client-side encrypted values. */
import { failedToParse, typeMismatch } from '../../errors.js';
import { Binary, Doc, type Value } from '../../values.js';
import type { SchemaContext } from './context.js';
import { parseTypes } from './types.js';

export function encryption(context: SchemaContext): void {
  const encrypt = context.get('encrypt');
  const metadata = context.get('encryptMetadata');
  if (encrypt !== undefined && metadata !== undefined) {
    throw failedToParse("Cannot specify both $jsonSchema keywords 'encrypt' and 'encryptMetadata'");
  }
  if (metadata !== undefined && !(metadata instanceof Doc))
    throw typeMismatch("$jsonSchema keyword 'encryptMetadata' must be an object ");
  if (metadata instanceof Doc && metadata.isEmpty)
    throw failedToParse("$jsonSchema keyword 'encryptMetadata' cannot be an empty object ");
  if (encrypt === undefined) return;
  if (!(encrypt instanceof Doc)) throw typeMismatch("$jsonSchema keyword 'encrypt' must be an object ");
  const inner = encrypt.get('bsonType');
  const types = inner === undefined ? undefined : parseTypes('bsonType', inner);
  const encrypted = (value: Value): value is Binary => value instanceof Binary && value.subtype === 6;
  context.add({
    keyword: 'encrypt',
    // A blob of deterministic or random encryption says its original type in byte 17.
    accepts: (value) => encrypted(value) && (types === undefined || types.has(value.bytes[17] ?? 0)),
    explain: (value) => ({ reason: encrypted(value) ? 'encrypted value has wrong type' : 'value was not encrypted' }),
  });
}
