/**
 * The MongoDB wire protocol: bytes to messages and back. Documents stay BSON bytes here; what they mean is for the
 * commands. See the OP_MSG and OP_COMPRESSED specifications.
 */
import { compress, decompress } from './compression.js';
import { crc32c } from './crc32c.js';
import { BrokenStream, HEADER_BYTES } from './frames.js';

export const OpCode = {
  reply: 1,
  query: 2004,
  compressed: 2012,
  msg: 2013,
} as const;

/** OP_MSG flags. Bits 0–15 must be understood, 16–31 may be ignored. */
export const MsgFlag = {
  checksumPresent: 1,
  moreToCome: 2,
  exhaustAllowed: 1 << 16,
} as const;

const UNDERSTOOD_FLAGS = MsgFlag.checksumPresent | MsgFlag.moreToCome;
/** Most document sequences of a message. */
const SEQUENCES_MAX = 2;

/** An array field of the command that travels beside its body. */
export interface DocumentSequence {
  readonly name: string;
  readonly documents: readonly Buffer[];
}

interface Envelope {
  readonly requestId: number;
  /** The compressor the request used, for its reply. */
  readonly compressor: number | undefined;
}

export interface MsgRequest extends Envelope {
  readonly kind: 'msg';
  readonly body: Buffer;
  readonly sequences: readonly DocumentSequence[];
  /** The client expects no answer. */
  readonly moreToCome: boolean;
  readonly exhaustAllowed: boolean;
  readonly checksum: boolean;
}

export interface QueryRequest extends Envelope {
  readonly kind: 'query';
  readonly namespace: string;
  readonly numberToReturn: number;
  readonly query: Buffer;
}

/** A request that is answered with an error, after which the connection goes on or not. */
export interface RefusedRequest extends Envelope {
  readonly kind: 'refused';
  readonly code: number;
  readonly message: string;
  readonly close: boolean;
  readonly checksum: boolean;
  readonly moreToCome: boolean;
}

export type Request = MsgRequest | QueryRequest | RefusedRequest;

/** Reads one frame. Throws {@link BrokenStream} where mongod closes the connection without a word. */
export function decodeRequest(frame: Buffer): Request {
  const requestId = frame.readInt32LE(4);
  const opCode = frame.readInt32LE(12);
  if (opCode !== OpCode.compressed) return decodeBody(frame, HEADER_BYTES, requestId, opCode, undefined);
  if (frame.length < HEADER_BYTES + 9) throw new BrokenStream('short OP_COMPRESSED');
  const original = frame.readInt32LE(HEADER_BYTES);
  const size = frame.readInt32LE(HEADER_BYTES + 4);
  const compressor = frame[HEADER_BYTES + 8] ?? 0;
  if (original === OpCode.compressed) throw new BrokenStream('OP_COMPRESSED inside OP_COMPRESSED');
  const plain = decompress(compressor, frame.subarray(HEADER_BYTES + 9), size);
  return decodeBody(plain, 0, requestId, original, compressor);
}

function decodeBody(
  bytes: Buffer,
  start: number,
  requestId: number,
  opCode: number,
  compressor: number | undefined,
): Request {
  if (opCode === OpCode.msg) return decodeMsg(bytes, start, requestId, compressor);
  if (opCode === OpCode.query) return decodeQuery(bytes, start, requestId, compressor);
  throw new BrokenStream(`opcode ${opCode}`);
}

function decodeQuery(bytes: Buffer, start: number, requestId: number, compressor: number | undefined): QueryRequest {
  const nameEnd = bytes.indexOf(0, start + 4);
  if (nameEnd < 0 || nameEnd + 1 + 8 + 5 > bytes.length) throw new BrokenStream('short OP_QUERY');
  const document = nameEnd + 9;
  const size = bytes.readInt32LE(document);
  if (size < 5 || document + size > bytes.length) throw new BrokenStream('OP_QUERY document outside of its message');
  return {
    kind: 'query',
    requestId,
    compressor,
    namespace: bytes.toString('utf8', start + 4, nameEnd),
    numberToReturn: bytes.readInt32LE(nameEnd + 5),
    query: bytes.subarray(document, document + size),
  };
}

function decodeMsg(bytes: Buffer, start: number, requestId: number, compressor: number | undefined): Request {
  if (bytes.length < start + 5) throw new BrokenStream('short OP_MSG');
  const flags = bytes.readInt32LE(start);
  const checksum = (flags & MsgFlag.checksumPresent) !== 0;
  const moreToCome = (flags & MsgFlag.moreToCome) !== 0;
  const refuse = (code: number, message: string, close = false): RefusedRequest => ({
    kind: 'refused',
    requestId,
    compressor,
    code,
    message,
    close,
    checksum,
    moreToCome,
  });
  if ((flags & 0xffff & ~UNDERSTOOD_FLAGS) !== 0) {
    return refuse(223, `Message contains illegal flags value: Ob${(flags >>> 0).toString(2).padStart(32, '0')}`, true);
  }
  const end = checksum ? bytes.length - 4 : bytes.length;
  // The checksum covers the message as it was sent; inside OP_COMPRESSED only the header in front of it could tell.
  if (checksum && start === HEADER_BYTES && crc32c(bytes, 0, end) !== bytes.readUInt32LE(end)) {
    return refuse(288, 'OP_MSG checksum does not match contents', true);
  }
  let body: Buffer | undefined;
  const sequences: DocumentSequence[] = [];
  let position = start + 4;
  while (position < end) {
    const kind = bytes[position++];
    if (end - position < 4) throw new BrokenStream('short OP_MSG section');
    const size = bytes.readInt32LE(position);
    if (size < 5 || size > end - position) throw new BrokenStream('OP_MSG section outside of its message');
    if (kind === 0) {
      if (body !== undefined) return refuse(40430, 'Multiple body sections in message');
      body = bytes.subarray(position, position + size);
    } else if (kind === 1) {
      const sequence = decodeSequence(bytes, position + 4, position + size);
      if (sequences.some(({ name }) => name === sequence.name)) {
        return refuse(40431, `Duplicate document sequence: ${sequence.name}`);
      }
      sequences.push(sequence);
      if (sequences.length > SEQUENCES_MAX) return refuse(233, 'Too many document sequences in OP_MSG');
    } else {
      return refuse(40432, `Unknown section kind ${kind}`);
    }
    position += size;
  }
  if (body === undefined) return refuse(40587, 'OP_MSG messages must have a body');
  const exhaustAllowed = (flags & MsgFlag.exhaustAllowed) !== 0;
  return { kind: 'msg', requestId, compressor, body, sequences, moreToCome, exhaustAllowed, checksum };
}

function decodeSequence(bytes: Buffer, start: number, end: number): DocumentSequence {
  const nameEnd = bytes.indexOf(0, start);
  if (nameEnd < 0 || nameEnd >= end) throw new BrokenStream('document sequence without a name');
  const documents: Buffer[] = [];
  let position = nameEnd + 1;
  while (position < end) {
    const size = end - position < 5 ? 0 : bytes.readInt32LE(position);
    if (size < 5 || size > end - position) throw new BrokenStream('document outside of its sequence');
    documents.push(bytes.subarray(position, position + size));
    position += size;
  }
  return { name: bytes.toString('utf8', start, nameEnd), documents };
}

/** How a reply is put on the wire. */
export interface ReplyFormat {
  readonly requestId: number;
  readonly responseTo: number;
  readonly compressor?: number | undefined;
  readonly checksum?: boolean;
  readonly moreToCome?: boolean;
}

/** An OP_MSG of one document (given in parts that are put together here), compressed if the request was. */
export function encodeMsg(parts: readonly Buffer[], format: ReplyFormat): Buffer {
  let size = HEADER_BYTES + 5;
  for (const part of parts) size += part.length;
  const checksum = format.checksum === true && format.compressor === undefined;
  const message = Buffer.allocUnsafe(checksum ? size + 4 : size);
  writeHeader(message, message.length, format, OpCode.msg);
  message.writeInt32LE(
    (checksum ? MsgFlag.checksumPresent : 0) | (format.moreToCome === true ? MsgFlag.moreToCome : 0),
    16,
  );
  message[20] = 0;
  let position = 21;
  for (const part of parts) {
    message.set(part, position);
    position += part.length;
  }
  if (checksum) message.writeUInt32LE(crc32c(message, 0, size), size);
  return format.compressor === undefined ? message : encodeCompressed(message, format.compressor);
}

/** An OP_REPLY with one document, for the few commands that still arrive as OP_QUERY. */
export function encodeReply(document: Buffer, format: ReplyFormat): Buffer {
  const message = Buffer.allocUnsafe(HEADER_BYTES + 20 + document.length);
  writeHeader(message, message.length, format, OpCode.reply);
  message.writeInt32LE(8, 16); // AwaitCapable
  message.fill(0, 20, 32); // cursorID, startingFrom
  message.writeInt32LE(1, 32);
  message.set(document, 36);
  return format.compressor === undefined ? message : encodeCompressed(message, format.compressor);
}

function encodeCompressed(message: Buffer, compressor: number): Buffer {
  const plain = message.subarray(HEADER_BYTES);
  const packed = compress(compressor, plain);
  const result = Buffer.allocUnsafe(HEADER_BYTES + 9 + packed.length);
  message.copy(result, 0, 0, HEADER_BYTES);
  result.writeInt32LE(result.length, 0);
  result.writeInt32LE(OpCode.compressed, 12);
  result.writeInt32LE(message.readInt32LE(12), 16);
  result.writeInt32LE(plain.length, 20);
  result[24] = compressor;
  result.set(packed, 25);
  return result;
}

function writeHeader(message: Buffer, length: number, format: ReplyFormat, opCode: number): void {
  message.writeInt32LE(length, 0);
  message.writeInt32LE(format.requestId, 4);
  message.writeInt32LE(format.responseTo, 8);
  message.writeInt32LE(opCode, 12);
}
