/** Errors as MongoDB's clients receive them. */
import { DocumentError } from '../../models/document/errors.js';

/** An error of the model is already one of MongoDB's: a code, a sentence, and what goes beside them in the reply. */
export { DocumentError as MongoError };

/** `cause` is kept for the log and not sent. */
export function failed(code: number, message: string, cause?: Error): DocumentError {
  return new DocumentError(code, message, cause === undefined ? undefined : { cause });
}
