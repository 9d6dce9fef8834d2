/**
 * Memory for a memtable's keys and values: blocks inside 1 MiB chunks, named by an integer address. No JavaScript object
 * per value, so that a million values cost the garbage collector nothing.
 *
 * Freed blocks are reused by blocks of the same size class: multiples of 16 bytes up to 512, then eight classes for each
 * doubling (an eighth wasted at most).
 */
const chunkBits = 20;
const chunkBytes = 1 << chunkBits;
const chunkMask = chunkBytes - 1;
/** Longest block: longer values live in buffers of their own. */
export const blockBytesMax = 1 << 16;

function classOf(length: number): number {
  if (length <= 512) return (Math.max(length, 1) + 15) >> 4;
  const shift = 28 - Math.clz32(length - 1);
  return 32 + ((shift - 6) << 3) + ((length - 1) >> shift) + 1 - 8;
}

/** Bytes a block for `length` bytes really has. */
export function blockCapacity(length: number): number {
  if (length <= 512) return (Math.max(length, 1) + 15) & ~15;
  const shift = 28 - Math.clz32(length - 1);
  return (((length - 1) >> shift) + 1) << shift;
}

export class Arena {
  readonly chunks: Buffer[] = [];
  /** First free address of the last chunk, and the address behind that chunk. */
  private next = 0;
  private end = 0;
  private readonly free: number[][] = [];

  get bytes(): number {
    return this.chunks.length * chunkBytes;
  }

  /** The address of a block of `blockCapacity(length)` bytes. `length` ≤ {@link blockBytesMax}. */
  allocate(length: number): number {
    const freed = this.free[classOf(length)];
    if (freed !== undefined && freed.length > 0) return freed.pop() as number;
    return this.extend(blockCapacity(length));
  }

  /** A block of at least one byte that is never released, without rounding. */
  extend(bytes: number): number {
    let address = this.next;
    if (address + bytes > this.end) {
      address = this.chunks.length << chunkBits;
      this.chunks.push(Buffer.allocUnsafeSlow(chunkBytes));
      this.end = address + chunkBytes;
    }
    this.next = address + bytes;
    return address;
  }

  release(address: number, capacity: number): void {
    const sizeClass = classOf(capacity);
    const freed = this.free[sizeClass];
    if (freed === undefined) {
      while (this.free.length < sizeClass) this.free.push([]);
      this.free[sizeClass] = [address];
    } else freed.push(address);
  }

  view(address: number, length: number): Buffer {
    const offset = address & chunkMask;
    return (this.chunks[address >>> chunkBits] as Buffer).subarray(offset, offset + length);
  }

  chunk(address: number): Buffer {
    return this.chunks[address >>> chunkBits] as Buffer;
  }

  offset(address: number): number {
    return address & chunkMask;
  }
}
