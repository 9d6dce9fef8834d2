/** Errors every engine may raise; `code` is stable, the sentence is not. */
export abstract class EngineError extends Error {
  abstract readonly code: string;
}

/** Something the transaction read has changed since: run it again. */
export class ConflictError extends EngineError {
  readonly code = 'CONFLICT';
  constructor() {
    super('the transaction conflicts with another one that committed first');
  }
}

/** No room to log or store a commit. Nothing was written; reads go on; writes succeed again when there is room. */
export class StorageFullError extends EngineError {
  readonly code = 'STORAGE_FULL';
}

/** The store on disk is damaged: nothing was changed. */
export class CorruptionError extends EngineError {
  readonly code = 'CORRUPTION';
}

/** The store was written by a newer version, or by something else. */
export class FormatError extends EngineError {
  readonly code = 'FORMAT';
}

/** Another process has the store open. */
export class LockedError extends EngineError {
  readonly code = 'LOCKED';
}

/** The engine cannot reach its storage now (connection lost, disk error): the outcome of a write may be unknown. */
export class UnavailableError extends EngineError {
  readonly code = 'UNAVAILABLE';
}

/** A value or key beyond the engine's limits. */
export class TooLargeError extends EngineError {
  readonly code = 'TOO_LARGE';
}

/**
 * Thrown by a view whose record is not at hand, to leave the body; the engine fetches the record and runs the body
 * again. Not an error: whoever catches unknown things inside a body passes it on.
 */
export abstract class EngineSignal {}

export function isEngineSignal(thrown: unknown): thrown is EngineSignal {
  return thrown instanceof EngineSignal;
}
