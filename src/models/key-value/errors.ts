/** What a key-value operation can refuse. Each protocol words it in its own way; `code` is stable. */
export type KeyValueErrorCode =
  | 'wrong-type'
  | 'not-an-integer'
  | 'not-a-float'
  | 'overflow'
  | 'nan-or-infinity'
  | 'hash-not-an-integer'
  | 'hash-not-a-float'
  | 'index-out-of-range'
  | 'no-such-key'
  | 'value-too-large'
  | 'out-of-memory';

export class KeyValueError extends Error {
  constructor(readonly code: KeyValueErrorCode) {
    super(code);
  }
}
