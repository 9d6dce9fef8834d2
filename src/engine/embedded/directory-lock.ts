/**
 * One process at a time in a data directory. The lock is a listening socket, because the kernel closes it with the
 * process, however that dies; a file with a process id would outlive it and could name a stranger.
 *
 * On Linux the socket has an abstract name made of the directory's device and inode, so that it is the same by any path
 * and leaves no file. Elsewhere it is a socket file, and a file that nobody answers on is a dead one's.
 */
import { statSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { LockedError } from '../errors.js';

export interface DirectoryLock {
  release(): Promise<void>;
}

/** Throws {@link LockedError} when a process, this one included, has the directory already. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const { dev, ino } = statSync(directory, { bigint: true });
  const abstract = process.platform === 'linux';
  const path = abstract ? `\0rosetta-${dev}-${ino}` : join(directory, 'lock.sock');
  if (!abstract && !(await answers(path))) removeIfThere(path);
  let server: Server;
  try {
    server = await listen(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new LockedError(`another process has the data directory ${directory} open`, { cause });
  }
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, exclusive: true }, resolve);
  });
  server.unref();
  return server;
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
}
