/** The compressors of OP_COMPRESSED. See the MongoDB wire compression specification. */
import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { BrokenStream, MESSAGE_BYTES_MAX } from './frames.js';

const snappy = createRequire(import.meta.url)('snappyjs') as {
  compress(bytes: Buffer): Buffer;
  uncompress(bytes: Buffer, maxLength?: number): Buffer;
};

interface Compressor {
  readonly id: number;
  readonly name: string;
  compress(bytes: Buffer): Buffer;
  /** Throws for damaged input; may return another length than `size`, which the caller refuses. */
  decompress(bytes: Buffer, size: number): Buffer;
}

const noop: Compressor = { id: 0, name: 'noop', compress: (bytes) => bytes, decompress: (bytes) => bytes };

const snappyCompressor: Compressor = {
  id: 1,
  name: 'snappy',
  compress: (bytes) => snappy.compress(bytes),
  decompress: (bytes, size) => snappy.uncompress(bytes, size),
};

const zlibCompressor: Compressor = {
  id: 2,
  name: 'zlib',
  compress: (bytes) => zlib.deflateSync(bytes),
  decompress: (bytes, size) => zlib.inflateSync(bytes, { maxOutputLength: Math.max(size, 1) }),
};

/** Present from Node 22.15 on. */
interface ZstdFunctions {
  zstdCompressSync?(bytes: Buffer): Buffer;
  zstdDecompressSync?(bytes: Buffer, options: { maxOutputLength: number }): Buffer;
}

function zstdOf(functions: ZstdFunctions): Compressor[] {
  const { zstdCompressSync, zstdDecompressSync } = functions;
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return [];
  return [
    {
      id: 3,
      name: 'zstd',
      compress: (bytes) => zstdCompressSync(bytes),
      decompress: (bytes, size) => zstdDecompressSync(bytes, { maxOutputLength: Math.max(size, 1) }),
    },
  ];
}

const COMPRESSORS: readonly Compressor[] = [noop, snappyCompressor, zlibCompressor, ...zstdOf(zlib as ZstdFunctions)];

/** What a hello may agree on, by name: those of the client's that we have, in the client's order. */
export function agreedCompressors(offered: readonly string[]): string[] {
  return offered.filter((name) => name !== 'noop' && COMPRESSORS.some((compressor) => compressor.name === name));
}

function compressorOf(id: number): Compressor {
  const compressor = COMPRESSORS.find((candidate) => candidate.id === id);
  if (compressor === undefined) throw new BrokenStream(`unknown compressor ${id}`);
  return compressor;
}

export function compress(id: number, bytes: Buffer): Buffer {
  return compressorOf(id).compress(bytes);
}

/** `size` is what the sender declared; anything else than exactly that many bytes breaks the stream. */
export function decompress(id: number, bytes: Buffer, size: number): Buffer {
  if (size < 0 || size > MESSAGE_BYTES_MAX) throw new BrokenStream(`compressed message of ${size} bytes`);
  const compressor = compressorOf(id);
  let plain: Buffer;
  try {
    plain = compressor.decompress(bytes, size);
  } catch {
    throw new BrokenStream(`damaged ${compressor.name} data`);
  }
  if (plain.length !== size) throw new BrokenStream(`${compressor.name} data of ${plain.length} bytes, not ${size}`);
  return plain;
}
