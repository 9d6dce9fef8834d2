/** CRC-64 "Jones" (polynomial 0xad93d23594c935a9, reflected), as RDB files and DUMP payloads end with it. */

const polynomial = 0x95ac9329ac4bc9b5n; // 0xad93d23594c935a9 reflected

/** The table's entries as low and high halves: 32-bit arithmetic is what JavaScript does fast. */
const low = new Uint32Array(256);
const high = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  let crc = BigInt(i);
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  low[i] = Number(crc & 0xffffffffn);
  high[i] = Number(crc >> 32n);
}

/** A checksum that grows with the bytes it is given. */
export class Crc64 {
  private lo = 0;
  private hi = 0;

  update(bytes: Uint8Array): this {
    let { lo, hi } = this;
    for (let i = 0; i < bytes.length; i++) {
      const index = (lo ^ (bytes[i] ?? 0)) & 255;
      lo = ((lo >>> 8) | (hi << 24)) ^ (low[index] ?? 0);
      hi = (hi >>> 8) ^ (high[index] ?? 0);
    }
    this.lo = lo >>> 0;
    this.hi = hi >>> 0;
    return this;
  }

  /** Eight bytes, little-endian. */
  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(this.lo, 0);
    bytes.writeUInt32LE(this.hi, 4);
    return bytes;
  }
}

export function crc64(bytes: Uint8Array): Buffer {
  return new Crc64().update(bytes).digest();
}
