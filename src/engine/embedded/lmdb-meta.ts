/** The beginning of an LMDB file, data format 2: two pages that say where everything else is. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { CorruptionError, FormatError } from '../errors.js';

/**
 * Looks at LMDB's two meta pages before the library does, since the library trusts them blindly: a wrong page number in them, or
 * a file that was cut off, would end the process.
 */
export function checkMeta(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    // LMDB creates the file before it writes the pages.
    if (size === 0) return;
    const first = readMeta(file, 0);
    const second = readMeta(file, first.pageBytes);
    const { lastPage, rootPages, pageBytes } = first.transaction > second.transaction ? first : second;
    // Pages allocated last may never have been written, if they were free again at the end of their transaction.
    const wholeBytes = Math.max((lastPage * pageBytes) / 2, ...rootPages.map((page) => (page + 1) * pageBytes));
    if (wholeBytes > size) throw new CorruptionError('the store is damaged: data.mdb is cut off');
  } finally {
    closeSync(file);
  }
}

interface MetaPage {
  readonly pageBytes: number;
  /** Of the free list and of the table of tables; none while they are empty. */
  readonly rootPages: readonly number[];
  readonly lastPage: number;
  readonly transaction: number;
}

function readMeta(file: number, position: number): MetaPage {
  const page = Buffer.alloc(160);
  const whole = readSync(file, page, 0, page.length, position) === page.length;
  const pageBytes = page.readUInt32LE(48);
  if (!whole || page.readUInt32LE(24) !== 0xbeefc0de || pageBytes < 256 || (pageBytes & (pageBytes - 1)) !== 0) {
    throw new CorruptionError('the store is damaged: data.mdb has no valid meta pages');
  }
  if (page.readUInt32LE(28) !== 2) throw new FormatError(`the store has LMDB's data format ${page.readUInt32LE(28)}`);
  const noPage = 0xffff_ffff_ffff_ffffn;
  const rootPages = [page.readBigUInt64LE(88), page.readBigUInt64LE(136)].filter((root) => root !== noPage).map(Number);
  return {
    pageBytes,
    rootPages,
    lastPage: Number(page.readBigUInt64LE(144)),
    transaction: Number(page.readBigUInt64LE(152)),
  };
}
