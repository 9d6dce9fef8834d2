/** Redis' error replies: the whole text after the leading `-`, its first word being the code that clients match. */
import { EngineError } from '../../engine/errors.js';
import { KeyValueError, type KeyValueErrorCode } from '../../models/key-value/errors.js';

/** An error reply, thrown out of a command. Line breaks in it become spaces on the wire. */
export class RedisError extends Error {}

export const syntaxError = (): RedisError => new RedisError('ERR syntax error');
export const notAnInteger = (): RedisError => new RedisError('ERR value is not an integer or out of range');
export const notAFloat = (): RedisError => new RedisError('ERR value is not a valid float');
export const outOfRange = (): RedisError => new RedisError('ERR value is out of range');
export const mustBePositive = (): RedisError => new RedisError('ERR value is out of range, must be positive');
export const noSuchKey = (): RedisError => new RedisError('ERR no such key');

const texts: Record<KeyValueErrorCode, string> = {
  'wrong-type': 'WRONGTYPE Operation against a key holding the wrong kind of value',
  'not-an-integer': 'ERR value is not an integer or out of range',
  'not-a-float': 'ERR value is not a valid float',
  overflow: 'ERR increment or decrement would overflow',
  'nan-or-infinity': 'ERR increment would produce NaN or Infinity',
  'hash-not-an-integer': 'ERR hash value is not an integer',
  'hash-not-a-float': 'ERR hash value is not a float',
  'index-out-of-range': 'ERR index out of range',
  'no-such-key': 'ERR no such key',
  'value-too-large': 'ERR string exceeds maximum allowed size (proto-max-bulk-len)',
  'out-of-memory': "OOM command not allowed when used memory > 'maxmemory'.",
};

const storageFullText =
  'MISCONF Errors writing to the AOF file: No space left on device. Commands that may modify the data set are disabled until there is room again';

/** The error text for anything a command threw, or `undefined` for a defect of ours. */
export function errorText(thrown: unknown): string | undefined {
  if (thrown instanceof RedisError) return thrown.message;
  if (thrown instanceof KeyValueError) return texts[thrown.code];
  if (thrown instanceof EngineError) {
    if (thrown.code === 'STORAGE_FULL') return storageFullText;
    if (thrown.code === 'UNAVAILABLE') return `MISCONF Errors writing to the AOF file: ${thrown.message}`;
    if (thrown.code === 'TOO_LARGE') return texts['value-too-large'];
    return `ERR ${thrown.message}`;
  }
  return undefined;
}
