/**
 * A disk for the log that can lose power: every file has what is safe on it and what was written since the last sync.
 * It can also be full or break.
 */
import type { LogFile, LogFiles } from '../embedded/log-files.js';
import type { Chance } from './random-run.js';

/** What a disk writes as a whole. */
const sectorBytes = 512;

interface Inode {
  /** As programs see it. */
  bytes: Buffer;
  /** As it is on disk. */
  durable: Buffer;
  /** Sectors that differ. */
  readonly dirty: Set<number>;
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

export class SimulatedDisk implements LogFiles {
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  /** Bytes that new files may still take. */
  room = Number.POSITIVE_INFINITY;
  /** The error code of every write, or of every sync, from now on. */
  writeFailure: string | undefined;
  syncFailure: string | undefined;
  syncs = 0;
  /** Power losses so far: what began before one never ends well. */
  private losses = 0;
  private dead = false;

  list(): readonly string[] {
    return [...this.names.keys()];
  }

  read(name: string): Buffer {
    return Buffer.from(this.inode(name).bytes);
  }

  open(name: string): LogFile {
    const inode = this.inode(name);
    return {
      write: (bytes, length, position) => {
        this.checkPower();
        if (this.writeFailure !== undefined) throw failure(this.writeFailure);
        if (position + length > inode.bytes.length) extend(inode, position + length);
        inode.bytes.set(bytes.subarray(0, length), position);
        for (let at = Math.floor(position / sectorBytes); at * sectorBytes < position + length; at++)
          inode.dirty.add(at);
      },
      sync: async () => {
        this.checkPower();
        if (this.syncFailure !== undefined) throw failure(this.syncFailure);
        const { losses } = this;
        // What is written while the sync is under way may or may not be covered: here it is not.
        const safe = [...inode.dirty];
        const copies = safe.map((sector) => Buffer.from(sectorOf(inode.bytes, sector)));
        await new Promise((resolve) => setImmediate(resolve));
        if (losses !== this.losses) throw failure('EIO');
        this.syncs++;
        for (const [i, sector] of safe.entries()) {
          const copy = copies[i] as Buffer;
          sectorOf(inode.durable, sector).set(copy);
          if (sectorOf(inode.bytes, sector).equals(copy)) inode.dirty.delete(sector);
        }
      },
      close: () => {},
    };
  }

  createSync(name: string, bytes: number): LogFile {
    this.checkPower();
    if (bytes > this.room) throw failure('ENOSPC');
    this.room -= bytes;
    this.names.set(name, { bytes: Buffer.alloc(bytes), durable: Buffer.alloc(bytes), dirty: new Set() });
    return this.open(name);
  }

  async create(name: string, bytes: number): Promise<LogFile> {
    const { losses } = this;
    await new Promise((resolve) => setImmediate(resolve));
    if (losses !== this.losses) throw failure('EIO');
    return this.createSync(name, bytes);
  }

  rename(from: string, to: string): void {
    this.checkPower();
    this.names.set(to, this.inode(from));
    this.names.delete(from);
  }

  remove(name: string): void {
    this.checkPower();
    this.room += this.inode(name).bytes.length;
    this.names.delete(name);
  }

  async syncNames(): Promise<void> {
    if (this.syncFailure !== undefined) throw failure(this.syncFailure);
    this.checkPower();
    const { losses } = this;
    const names = new Map(this.names);
    await new Promise((resolve) => setImmediate(resolve));
    if (losses !== this.losses) throw failure('EIO');
    this.durableNames = names;
  }

  /** Power is lost, until {@link restorePower}: of each sector that was not synced, the old or the new content is there. */
  losePower(chance: Chance): void {
    this.losses++;
    this.dead = true;
    const names = chance.next() < 0.5 ? this.durableNames : this.names;
    const share = chance.one([0, 0.5, 0.9]);
    for (const inode of new Set(names.values())) {
      for (const sector of inode.dirty) {
        if (chance.next() < share) sectorOf(inode.durable, sector).set(sectorOf(inode.bytes, sector));
      }
      inode.dirty.clear();
      inode.bytes = Buffer.from(inode.durable);
    }
    this.names = new Map(names);
    this.durableNames = new Map(names);
  }

  restorePower(): void {
    this.dead = false;
  }

  /** Another disk with the same content. */
  copy(): SimulatedDisk {
    const copy = new SimulatedDisk();
    for (const [name, { bytes }] of this.names) {
      copy.names.set(name, { bytes: Buffer.from(bytes), durable: Buffer.from(bytes), dirty: new Set() });
    }
    copy.durableNames = new Map(copy.names);
    return copy;
  }

  /** The file's content, to damage it. */
  bytesOf(name: string): Buffer {
    return this.inode(name).bytes;
  }

  truncate(name: string, bytes: number): void {
    const inode = this.inode(name);
    inode.bytes = Buffer.from(inode.bytes.subarray(0, bytes));
    inode.durable = Buffer.from(inode.bytes);
  }

  private checkPower(): void {
    if (this.dead) throw failure('EIO');
  }

  private inode(name: string): Inode {
    const inode = this.names.get(name);
    if (inode === undefined) throw failure('ENOENT');
    return inode;
  }
}

function extend(inode: Inode, bytes: number): void {
  const tail = Buffer.alloc(bytes - inode.bytes.length);
  inode.bytes = Buffer.concat([inode.bytes, tail]);
  inode.durable = Buffer.concat([inode.durable, tail]);
}

function sectorOf(bytes: Buffer, sector: number): Buffer {
  return bytes.subarray(sector * sectorBytes, (sector + 1) * sectorBytes);
}
