/** Stream ids: two unsigned 64-bit numbers, kept as a byte string of 16 bytes so that `<` is their order. */

export type StreamId = string;

export const minStreamId: StreamId = '\0'.repeat(16);
export const maxStreamId: StreamId = '\xff'.repeat(16);
const uint64Max = 0xffff_ffff_ffff_ffffn;

function encodeUint64(value: bigint): string {
  let text = '';
  for (let shift = 56n; shift >= 0n; shift -= 8n) text += String.fromCharCode(Number((value >> shift) & 255n));
  return text;
}

function decodeUint64(text: string, offset: number): bigint {
  let value = 0n;
  for (let i = offset; i < offset + 8; i++) value = (value << 8n) | BigInt(text.charCodeAt(i));
  return value;
}

/** Eight bytes of a number below 2^53. */
function encodeNumber(value: number): string {
  const high = Math.floor(value / 0x1_0000_0000);
  return String.fromCharCode(
    (high >>> 24) & 255,
    (high >>> 16) & 255,
    (high >>> 8) & 255,
    high & 255,
    (value >>> 24) & 255,
    (value >>> 16) & 255,
    (value >>> 8) & 255,
    value & 255,
  );
}

export function streamId(ms: bigint | number, seq: bigint | number): StreamId {
  return (
    (typeof ms === 'number' ? encodeNumber(ms) : encodeUint64(ms)) +
    (typeof seq === 'number' ? encodeNumber(seq) : encodeUint64(seq))
  );
}

export function msOf(id: StreamId): bigint {
  return decodeUint64(id, 0);
}

export function seqOf(id: StreamId): bigint {
  return decodeUint64(id, 8);
}

/** `ms-seq` */
export function formatStreamId(id: StreamId): string {
  return `${msOf(id)}-${seqOf(id)}`;
}

/** The next id; `undefined` after the last possible one. */
export function nextStreamId(id: StreamId): StreamId | undefined {
  if (id === maxStreamId) return undefined;
  const seq = seqOf(id);
  return seq === uint64Max ? streamId(msOf(id) + 1n, 0) : streamId(msOf(id), seq + 1n);
}

/** The id before; `undefined` before 0-0. */
export function previousStreamId(id: StreamId): StreamId | undefined {
  if (id === minStreamId) return undefined;
  const seq = seqOf(id);
  return seq === 0n ? streamId(msOf(id) - 1n, uint64Max) : streamId(msOf(id), seq - 1n);
}

function parseUint64(text: string): bigint | undefined {
  if (!/^\d{1,20}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value > uint64Max ? undefined : value;
}

/** `ms`, `ms-seq` or `ms-*`; `seq` is undefined for `ms-*`, `missingSeq` where none is given. */
export function parseStreamId(text: string, missingSeq: bigint): { ms: bigint; seq: bigint | undefined } | undefined {
  const dash = text.indexOf('-');
  const ms = parseUint64(dash < 0 ? text : text.slice(0, dash));
  if (ms === undefined) return undefined;
  if (dash < 0) return { ms, seq: missingSeq };
  const rest = text.slice(dash + 1);
  if (rest === '*') return { ms, seq: undefined };
  const seq = parseUint64(rest);
  return seq === undefined ? undefined : { ms, seq };
}

export { uint64Max };
