/**
 * Resume tokens: a place in the oplog as hexadecimal text that orders as the oplog does.
 *
 *     82 seconds (8 digits) increment (8) index in the transaction (8) kind (2)
 *
 * Kind 01 is an event, 00 a mark that everything up to here was seen, 02 an invalidation.
 */
import type { Timestamp } from '../clock.js';
import { DocumentError } from '../errors.js';
import { Doc, encodeDocument, typeName, type Value } from '../values.js';

export type TokenKind = 'mark' | 'event' | 'invalidate';

/** A place in the oplog: everything up to and including it has been seen. */
export interface OplogPosition {
  readonly time: Timestamp;
  /** Number of the operation in the entry; -1 before the first, {@link WHOLE_ENTRY} behind the last. */
  readonly index: number;
}

export const WHOLE_ENTRY = 0x7fff_ffff;
const PREFIX = '82';
const KINDS: readonly TokenKind[] = ['mark', 'event', 'invalidate'];

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

export function encodeToken({ time, index }: OplogPosition, kind: TokenKind): Doc {
  const data = PREFIX + hex(time.seconds, 8) + hex(time.increment, 8) + hex(index + 1, 8) + hex(KINDS.indexOf(kind), 2);
  return Doc.of({ _data: data });
}

export function encodeTokenBytes(position: OplogPosition, kind: TokenKind): Buffer {
  return encodeDocument(encodeToken(position, kind));
}

/** Throws 40647 and 50811 for what is no token. */
export function decodeToken(token: Doc): { position: OplogPosition; kind: TokenKind } {
  const data: Value | undefined = token.get('_data');
  if (typeof data !== 'string') {
    throw new DocumentError(
      40647,
      `Bad resume token: _data of missing or of wrong type. Expected string, got ${typeName(data)}`,
    );
  }
  const match = /^82([0-9a-f]{8})([0-9a-f]{8})([0-9a-f]{8})([0-9a-f]{2})$/i.exec(data);
  const [, seconds = '', increment = '', index = '', kind = ''] = match ?? [];
  const known = KINDS[Number.parseInt(kind, 16)];
  if (match === null || known === undefined) throw new DocumentError(50811, `Invalid resume token: ${data}`);
  const number = (text: string): number => Number.parseInt(text, 16);
  return {
    position: { time: { seconds: number(seconds), increment: number(increment) }, index: number(index) - 1 },
    kind: known,
  };
}
