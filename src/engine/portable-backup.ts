/**
 * A backup any engine can write and read: one consistent state as entries in key order.
 *
 *   rosetta.backup   the line "ROSETTA-BACKUP 1\n", then blocks: length (4 bytes, little-endian), CRC-32 of the payload
 *                    (4 bytes), payload; a payload is a run of entries: key length, value length (4 bytes each), key,
 *                    value. A block of length 0 ends the file, so that a cut-off file is told from a whole one.
 *   manifest.json    format, number of entries, when it was made. Written last: a directory without it is no backup.
 */
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Engine, Entry, Snapshot } from './engine.js';
import { CorruptionError, FormatError } from './errors.js';

const magic = 'ROSETTA-BACKUP 1\n';
const dataFile = 'rosetta.backup';
const manifestFile = 'manifest.json';
const blockBytes = 1 << 20;
/** Entries restored in one transaction. */
const restoreBatch = 1000;
/** Every key of a store lies in this range: no key begins with the byte 0xff. */
const everything = { start: '', end: '\xff' };

export interface BackupManifest {
  readonly format: 1;
  readonly entries: number;
  readonly createdAt: string;
}

/** Writes the snapshot's state into an empty or missing directory and closes the snapshot. */
export async function writeBackup(snapshot: Snapshot, directory: string): Promise<BackupManifest> {
  await mkdir(directory, { recursive: true });
  if ((await readdir(directory)).length > 0) throw new Error(`the backup directory ${directory} is not empty`);
  const file = await open(join(directory, dataFile), 'wx');
  let entries = 0;
  try {
    await file.write(Buffer.from(magic, 'latin1'));
    const batches = snapshot.batches(everything);
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    const flush = async (): Promise<void> => {
      if (pendingBytes === 0) return;
      const payload = Buffer.concat(pending);
      const header = Buffer.alloc(8);
      header.writeUInt32LE(payload.length, 0);
      header.writeUInt32LE(crc32(payload), 4);
      await file.writev([header, payload]);
      pending = [];
      pendingBytes = 0;
    };
    for (let batch = await batches.next(); batch !== undefined; batch = await batches.next()) {
      for (const { key, value } of batch) {
        const lengths = Buffer.alloc(8);
        lengths.writeUInt32LE(key.length, 0);
        lengths.writeUInt32LE(value.length, 4);
        pending.push(lengths, Buffer.from(key, 'latin1'), value);
        pendingBytes += 8 + key.length + value.length;
        entries++;
        if (pendingBytes >= blockBytes) await flush();
      }
    }
    await flush();
    await file.write(Buffer.alloc(8));
    await file.sync();
  } finally {
    await file.close();
    snapshot.close();
  }
  const manifest: BackupManifest = { format: 1, entries, createdAt: new Date().toISOString() };
  const temporary = join(directory, `${manifestFile}.tmp`);
  await writeFile(temporary, `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
  await rename(temporary, join(directory, manifestFile));
  return manifest;
}

export async function readManifest(directory: string): Promise<BackupManifest> {
  let manifest: Partial<BackupManifest>;
  try {
    manifest = JSON.parse(await readFile(join(directory, manifestFile), 'utf8')) as Partial<BackupManifest>;
  } catch (cause) {
    throw new FormatError(`${directory} is no finished backup: ${manifestFile} cannot be read`, { cause });
  }
  const { format, entries, createdAt } = manifest;
  if (format !== 1 || typeof entries !== 'number' || typeof createdAt !== 'string') {
    throw new FormatError(`the backup in ${directory} has a format that this version does not know`);
  }
  return { format, entries, createdAt };
}

/** The entries of a backup, block by block. Throws {@link CorruptionError} where the file is damaged or cut off. */
export async function* readBackup(directory: string): AsyncGenerator<readonly Entry[]> {
  const damaged = (): CorruptionError => new CorruptionError(`the backup in ${directory} is damaged`);
  let rest = Buffer.alloc(0);
  let begun = false;
  for await (const chunk of createReadStream(join(directory, dataFile), { highWaterMark: 2 * blockBytes })) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    if (!begun) {
      if (rest.length < magic.length) continue;
      if (rest.latin1Slice(0, magic.length) !== magic) throw new FormatError(`${directory} holds no Rosetta backup`);
      rest = rest.subarray(magic.length);
      begun = true;
    }
    while (rest.length >= 8) {
      const length = rest.readUInt32LE(0);
      if (length === 0) return;
      if (rest.length < 8 + length) break;
      const payload = rest.subarray(8, 8 + length);
      if (crc32(payload) !== rest.readUInt32LE(4)) throw damaged();
      yield entriesOf(payload, damaged);
      rest = rest.subarray(8 + length);
    }
  }
  throw damaged();
}

function entriesOf(payload: Buffer, damaged: () => CorruptionError): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at < payload.length; ) {
    if (at + 8 > payload.length) throw damaged();
    const keyEnd = at + 8 + payload.readUInt32LE(at);
    const end = keyEnd + payload.readUInt32LE(at + 4);
    if (end > payload.length) throw damaged();
    entries.push({ key: payload.latin1Slice(at + 8, keyEnd), value: Buffer.from(payload.subarray(keyEnd, end)) });
    at = end;
  }
  return entries;
}

/** Loads a backup into an engine that must be empty. `progress` hears how many entries are in. */
export async function restoreInto(
  engine: Engine,
  directory: string,
  progress: (entries: number, total: number) => void = () => {},
): Promise<BackupManifest> {
  const manifest = await readManifest(directory);
  const occupied = await engine.read((view) => [...view.scan(everything, { limit: 1 })].length > 0);
  if (occupied) throw new Error('a backup can be restored only into an empty store');
  let restored = 0;
  for await (const entries of readBackup(directory)) {
    for (let from = 0; from < entries.length; from += restoreBatch) {
      const batch = entries.slice(from, from + restoreBatch);
      await engine.write((tx) => {
        for (const { key, value } of batch) tx.put(key, Buffer.from(value));
      });
      await engine.settled('everysec');
      restored += batch.length;
      progress(restored, manifest.entries);
    }
  }
  if (restored !== manifest.entries) throw new CorruptionError(`the backup in ${directory} lacks entries`);
  await engine.settled('always');
  return manifest;
}
