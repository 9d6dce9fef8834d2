/** `FORMAT`: which version of the data format a directory has. */
import { readdirSync, readFileSync } from 'node:fs';
import { open as openFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { FormatError } from '../errors.js';
import { DiskLogFiles } from './log-files.js';

const formatLine = 'ROSETTA DATA 1\n';

/** True when the directory has a store of this format, false when it is empty. Else throws {@link FormatError}. */
export function checkFormat(directory: string): boolean {
  let line: string;
  try {
    line = readFileSync(join(directory, 'FORMAT'), 'latin1');
  } catch {
    const others = readdirSync(directory).filter((name) => !['lock.sock', 'lost+found', 'FORMAT.new'].includes(name));
    if (others.length === 0) return false;
    throw new FormatError(`${directory} is not empty and no data directory of Rosetta`);
  }
  if (line === formatLine) return true;
  if (/^ROSETTA DATA \d+\n$/.test(line)) throw new FormatError(`${directory} was written by a newer version`);
  throw new FormatError(`${join(directory, 'FORMAT')} is no format file of Rosetta`);
}

export async function writeFormat(directory: string): Promise<void> {
  const temporary = join(directory, 'FORMAT.new');
  const file = await openFile(temporary, 'w');
  try {
    await file.writeFile(formatLine);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(directory, 'FORMAT'));
  await new DiskLogFiles(directory).syncNames();
}
