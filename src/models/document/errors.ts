/**
 * Failures of the document model as MongoDB names them: a code that clients branch on, and its text. Other protocols
 * translate by code.
 */

/** Codes with names, as in MongoDB's `error_codes.yml`; a code that is not here is the number of one assertion. */
export const ErrorCode = {
  internalError: 1,
  badValue: 2,
  noSuchKey: 4,
  graphContainsCycle: 5,
  failedToParse: 9,
  unauthorized: 13,
  typeMismatch: 14,
  overflow: 15,
  invalidLength: 16,
  illegalOperation: 20,
  invalidBson: 22,
  lockTimeout: 24,
  namespaceNotFound: 26,
  indexNotFound: 27,
  pathNotViable: 28,
  cannotBackfillArray: 34,
  conflictingUpdateOperators: 40,
  cursorNotFound: 43,
  noMatchingDocument: 47,
  namespaceExists: 48,
  dollarPrefixedFieldName: 52,
  invalidIdField: 53,
  notSingleValueField: 54,
  emptyFieldName: 56,
  immutableField: 66,
  cannotCreateIndex: 67,
  invalidOptions: 72,
  notExactValueField: 111,
  writeConflict: 112,
  documentValidationFailure: 121,
  exceededMemoryLimit: 146,
  cannotIndexParallelArrays: 171,
  queryFeatureNotAllowed: 224,
  conversionFailure: 241,
  changeStreamFatalError: 280,
  noQueryExecutionPlans: 291,
  memoryLimitNoDiskUse: 292,
  objectTooLarge: 10334,
  duplicateKey: 11000,
  updatedDocumentTooLarge: 17419,
  upsertedDocumentTooLarge: 17420,
} as const;

/** A request that MongoDB would refuse, with its code and text. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';

  constructor(
    readonly code: number,
    message: string,
    /** More fields of the answer, for instance `errInfo`, `keyPattern`, `keyValue`. */
    readonly details?: Readonly<Record<string, unknown>>,
  ) {
    super(message);
  }
}

export function badValue(message: string): DocumentError {
  return new DocumentError(ErrorCode.badValue, message);
}

export function failedToParse(message: string): DocumentError {
  return new DocumentError(ErrorCode.failedToParse, message);
}

export function typeMismatch(message: string): DocumentError {
  return new DocumentError(ErrorCode.typeMismatch, message);
}
