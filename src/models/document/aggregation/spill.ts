/**
 * A temporary file of BSON documents, written once and read once from the start: what blocking stages cannot hold. The
 * file has no name from the moment it is open, so that nothing is left behind.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Bytes gathered before they are written, and read at a time. */
const CHUNK_BYTES = 256 * 1024;

export class SpillFile {
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private written = 0;

  private constructor(private file: FileHandle | undefined) {}

  static async create(directory = tmpdir()): Promise<SpillFile> {
    const path = join(directory, `rosetta-spill-${randomUUID()}`);
    const file = await open(path, 'wx+', 0o600);
    await unlink(path);
    return new SpillFile(file);
  }

  async write(document: Buffer): Promise<void> {
    this.pending.push(document);
    this.pendingBytes += document.length;
    if (this.pendingBytes >= CHUNK_BYTES) await this.finish();
  }

  /** Writes what is gathered. */
  async finish(): Promise<void> {
    if (this.pendingBytes === 0 || this.file === undefined) return;
    const bytes = Buffer.concat(this.pending);
    this.pending = [];
    this.pendingBytes = 0;
    await this.file.write(bytes, 0, bytes.length, this.written);
    this.written += bytes.length;
  }

  async *read(): AsyncGenerator<Buffer> {
    let rest: Buffer = Buffer.alloc(0);
    for (let offset = 0; offset < this.written; ) {
      if (this.file === undefined) return;
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, this.written - offset));
      const { bytesRead } = await this.file.read(chunk, 0, chunk.length, offset);
      offset += bytesRead;
      const bytes =
        rest.length === 0 ? chunk.subarray(0, bytesRead) : Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      let position = 0;
      while (position + 4 <= bytes.length) {
        const end = position + bytes.readInt32LE(position);
        if (end > bytes.length) break;
        yield bytes.subarray(position, end);
        position = end;
      }
      rest = bytes.subarray(position);
    }
  }

  /** Frees the disk space; nobody waits for it. */
  remove(): void {
    const { file } = this;
    this.file = undefined;
    this.pending = [];
    void file?.close().catch(() => undefined);
  }
}
