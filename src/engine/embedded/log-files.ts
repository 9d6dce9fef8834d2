/**
 * What the write-ahead log asks of a file system, and nothing more: tests put a disk that forgets, fills up or breaks in
 * its place.
 */
import {
  closeSync,
  constants,
  fdatasync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface LogFile {
  /** Writes all bytes at once (`pwrite`). */
  write(bytes: Uint8Array, length: number, position: number): void;
  /** Resolves when everything written so far is on disk (`fdatasync`). */
  sync(): Promise<void>;
  close(): void;
}

export interface LogFiles {
  list(): readonly string[];
  read(name: string): Buffer;
  open(name: string): LogFile;
  /** A file of `bytes` zeros with all its room on disk. Leaves nothing behind when there is no room. */
  createSync(name: string, bytes: number): LogFile;
  /** The same, without stopping the event loop; the file is on disk when it resolves. */
  create(name: string, bytes: number): Promise<LogFile>;
  rename(from: string, to: string): void;
  remove(name: string): void;
  /** Names created, renamed and removed so far survive a power loss. */
  syncNames(): Promise<void>;
}

const zeros = Buffer.alloc(1 << 20);

class DiskLogFile implements LogFile {
  constructor(private readonly descriptor: number) {}

  write(bytes: Uint8Array, length: number, position: number): void {
    for (let done = 0; done < length; ) {
      done += writeSync(this.descriptor, bytes, done, length - done, position + done);
    }
  }

  async sync(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      fdatasync(this.descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

export class DiskLogFiles implements LogFiles {
  constructor(private readonly directory: string) {}

  list(): readonly string[] {
    return readdirSync(this.directory);
  }

  read(name: string): Buffer {
    return readFileSync(join(this.directory, name));
  }

  open(name: string): LogFile {
    return new DiskLogFile(openSync(join(this.directory, name), 'r+'));
  }

  createSync(name: string, bytes: number): LogFile {
    const path = join(this.directory, name);
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC);
    try {
      for (let at = 0; at < bytes; ) at += writeSync(descriptor, zeros, 0, Math.min(zeros.length, bytes - at), at);
      return new DiskLogFile(descriptor);
    } catch (thrown) {
      closeSync(descriptor);
      unlinkSync(path);
      throw thrown;
    }
  }

  async create(name: string, bytes: number): Promise<LogFile> {
    const path = join(this.directory, name);
    const file = await open(path, 'w');
    try {
      for (let at = 0; at < bytes; ) {
        at += (await file.write(zeros, 0, Math.min(zeros.length, bytes - at), at)).bytesWritten;
      }
      await file.sync();
    } catch (thrown) {
      await file.close();
      await unlink(path);
      throw thrown;
    }
    await file.close();
    return this.open(name);
  }

  rename(from: string, to: string): void {
    renameSync(join(this.directory, from), join(this.directory, to));
  }

  remove(name: string): void {
    unlinkSync(join(this.directory, name));
  }

  async syncNames(): Promise<void> {
    // Windows has no handle to sync a directory with.
    if (process.platform === 'win32') return;
    const handle = await open(this.directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
