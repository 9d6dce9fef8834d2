/**
 * One process at a time in a data directory. The lock is a listening socket, because the kernel closes it with the
 * process, however that dies; a file with a process id would outlive it and could name a stranger.
 *
 * On Linux the socket has an abstract name made of the directory's device and inode: the same by any path, and taken
 * atomically. Such names end at a container's border, so there is a second socket, a file in the directory; a file that
 * nobody answers on is a dead one's. Elsewhere the file alone has to do.
 */
import { statSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { LockedError } from '../errors.js';

/** What the kernel takes as a socket's path. */
const socketPathBytesMax = 103;

export interface DirectoryLock {
  release(): Promise<void>;
}

/** Throws {@link LockedError} when a process, this one included, has the directory already. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const servers: Server[] = [];
  const release = async (): Promise<void> => {
    for (const server of servers) await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  try {
    if (process.platform === 'linux') {
      const { dev, ino } = statSync(directory, { bigint: true });
      servers.push(await listen(`\0rosetta-${dev}-${ino}`));
    }
    const path = join(directory, 'lock.sock');
    if (Buffer.byteLength(path) <= socketPathBytesMax) {
      if (!(await answers(path))) removeIfThere(path);
      servers.push(await listen(path));
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // A file system without sockets: the abstract name has to do.
    if (code !== 'EADDRINUSE' && servers.length > 0) return { release };
    await release();
    if (code !== 'EADDRINUSE') throw cause;
    throw new LockedError(`another process has the data directory ${directory} open`, { cause });
  }
  return { release };
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
