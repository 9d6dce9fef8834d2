/** Estimates of memory, and the limit of stages that hold what they read. */
import { DocumentError, ErrorCode } from '../errors.js';
import { Binary, Doc, isArrayValue, type Value } from '../values.js';

/** Bytes that one blocking stage may hold before it writes to disk (`internalDocumentSourceGroupMaxMemoryBytes`). */
export const STAGE_BYTES_MAX = 104_857_600;
/** Memory beside the content of a value. */
const OVERHEAD_BYTES = 32;

/** Roughly the memory that a value takes. */
export function approximateBytes(value: Value | undefined): number {
  if (typeof value === 'string') return OVERHEAD_BYTES + value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (value instanceof Doc) return OVERHEAD_BYTES + documentBytes(value);
  if (isArrayValue(value)) {
    let bytes = OVERHEAD_BYTES;
    for (const element of value) bytes += approximateBytes(element);
    return bytes;
  }
  return value instanceof Binary ? OVERHEAD_BYTES + value.bytes.length : OVERHEAD_BYTES;
}

export function documentBytes(document: Doc): number {
  const { source } = document;
  if (source !== undefined) return source.length;
  let bytes = 5;
  for (const [name, value] of document) bytes += name.length + 2 + approximateBytes(value);
  return bytes;
}

export function noDiskUse(stage: string): DocumentError {
  return new DocumentError(
    ErrorCode.memoryLimitNoDiskUse,
    `Exceeded memory limit for ${stage}, but didn't allow external sort. Pass allowDiskUse:true to opt in.`,
  );
}

export function memoryExceeded(name: string, limit: number, used: number): DocumentError {
  return new DocumentError(
    ErrorCode.exceededMemoryLimit,
    `${name} used too much memory and cannot spill to disk. Used: ${used} bytes. Memory limit: ${limit} bytes`,
  );
}
