/** Names of databases and collections: what MongoDB allows. */
import { DocumentError } from './errors.js';

/** Longest database name, bytes. */
const DATABASE_BYTES_MAX = 63;
/** Longest `database.collection`, bytes. */
const NAMESPACE_BYTES_MAX = 255;

function invalid(message: string): DocumentError {
  return new DocumentError(73, message);
}

/** Throws code 73. */
export function checkDatabase(name: string, namespace = name): void {
  if (name === '') throw invalid(`Invalid database name: '${name}'`);
  const bytes = Buffer.byteLength(name);
  if (bytes > DATABASE_BYTES_MAX)
    throw invalid(`db name must be at most ${DATABASE_BYTES_MAX} characters, found: ${bytes}`);
  if (name.includes('\0')) throw invalid('namespaces cannot have embedded null characters');
  if (name.includes('.')) throw invalid(`'.' is an invalid character in a db name: ${name}`);
  if (/[/\\ "$]/.test(name) && name !== '$external') throw invalid(`Invalid namespace specified '${namespace}'`);
}

/** Throws code 73 for names that no command may use. */
export function checkNamespace(database: string, collection: string): void {
  checkDatabase(database, `${database}.${collection}`);
  if (collection === '') throw invalid(`Invalid namespace specified '${database}.'`);
  if (collection.includes('\0')) throw invalid('namespaces cannot have embedded null characters');
  if (collection.startsWith('.')) throw invalid(`Collection names cannot start with '.': ${collection}`);
}

/** Throws code 73 for names that no new collection may have. */
export function checkNewCollection(database: string, collection: string): void {
  checkNamespace(database, collection);
  const namespace = `${database}.${collection}`;
  if (collection.includes('$')) throw invalid(`Invalid collection name: ${collection}`);
  if (Buffer.byteLength(namespace) > NAMESPACE_BYTES_MAX) {
    throw invalid(`Fully qualified namespace is too long. Namespace: ${namespace} Max: ${NAMESPACE_BYTES_MAX}`);
  }
}
