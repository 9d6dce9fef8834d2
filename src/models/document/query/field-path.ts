/** Dotted paths as projections and expressions take them. */
import { DocumentError } from '../errors.js';

/** Most parts of a path (`BSONDepth`). */
const PARTS_MAX = 200;

/** The parts of a path. Throws codes 40352, 40353, 15998, 16410 and 15 for paths that cannot be. */
export function parseFieldPath(path: string): readonly string[] {
  if (path === '') throw new DocumentError(40352, 'FieldPath cannot be constructed with empty string');
  if (path.endsWith('.')) throw new DocumentError(40353, "FieldPath must not end with a '.'.");
  const parts = path.split('.');
  if (parts.length > PARTS_MAX) throw new DocumentError(15, `FieldPath is too long`);
  for (const part of parts) {
    if (part === '') throw new DocumentError(15998, 'FieldPath field names may not be empty strings.');
    if (part.startsWith('$')) {
      throw new DocumentError(
        16410,
        "FieldPath field names may not start with '$'. Consider using $getField or $setField.",
      );
    }
    if (part.includes('\0')) throw new DocumentError(16411, "FieldPath field names may not contain '\\0'.");
  }
  return parts;
}
