/** Cuts the byte stream of a connection into wire messages by their leading little-endian length. */

/** Longest message that is accepted, bytes (`MaxMessageSizeBytes`). */
export const MESSAGE_BYTES_MAX = 48_000_000;
/** The header alone, bytes. */
export const HEADER_BYTES = 16;

/** The stream cannot be understood any more: the connection is closed without an answer, as mongod does. */
export class BrokenStream extends Error {}

export class FrameAssembler {
  private parts: Buffer[] = [];
  private held = 0;
  /** Length of the message being collected; 0 while its length is not known. */
  private wanted = 0;

  constructor(private readonly onFrame: (frame: Buffer) => void) {}

  /** Bytes kept for a message that is not complete. */
  get heldBytes(): number {
    return this.held;
  }

  /**
   * Takes bytes that are valid during the call only. Every complete message is handed over as a buffer of its own.
   * Throws {@link BrokenStream} for a length outside of [16, 48000000].
   */
  push(bytes: Buffer, length: number): void {
    let position = 0;
    while (position < length) {
      if (this.held === 0 && length - position >= 4) {
        const size = checkedLength(bytes.readInt32LE(position));
        if (length - position >= size) {
          this.onFrame(Buffer.from(bytes.subarray(position, position + size)));
          position += size;
          continue;
        }
        this.wanted = size;
      }
      position = this.collect(bytes, position, length);
    }
  }

  private collect(bytes: Buffer, from: number, length: number): number {
    const until = Math.min(length, from + (this.wanted === 0 ? 4 : this.wanted) - this.held);
    this.parts.push(Buffer.from(bytes.subarray(from, until)));
    this.held += until - from;
    if (this.wanted === 0 && this.held === 4) this.wanted = checkedLength(Buffer.concat(this.parts).readInt32LE(0));
    if (this.wanted !== 0 && this.held === this.wanted) {
      const frame = this.parts.length === 1 ? (this.parts[0] as Buffer) : Buffer.concat(this.parts, this.held);
      this.parts = [];
      this.held = 0;
      this.wanted = 0;
      this.onFrame(frame);
    }
    return until;
  }
}

function checkedLength(size: number): number {
  if (size < HEADER_BYTES || size > MESSAGE_BYTES_MAX) throw new BrokenStream(`message of ${size} bytes`);
  return size;
}
