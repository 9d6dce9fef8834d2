/**
 * How the command line speaks to a running server: HTTP on a unix socket in the data directory, open to the user who
 * runs the server and to nobody else.
 *
 *   POST /backup {"directory": "/absolute/path"}   → {}
 *
 * Errors answer with status 4xx or 5xx and {"error": "sentence"}.
 */
import { chmod, mkdtemp, readlink, rm, symlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import type { Engine } from '../engine/engine.js';
import type { Logger } from '../observability/logger.js';

const socketFile = 'admin.sock';
/** The shortest `sun_path` of the systems Node runs on (macOS: 104), with its closing NUL. */
const socketPathBytesMax = 103;
const requestBytesMax = 64 * 1024;
const socketMode = 0o600;

const backupRequest = z.object({ directory: z.string().refine(isAbsolute, 'expected an absolute path') });

export interface AdminSocket {
  stop(): Promise<void>;
}

export interface AdminSocketOptions {
  readonly directory: string;
  readonly engine: Engine;
  readonly logger: Logger;
}

/** The engine's lock on the directory says that no other server is there: a socket left behind is taken away. */
export async function openAdminSocket({ directory, engine, logger }: AdminSocketOptions): Promise<AdminSocket> {
  const link = join(resolve(directory), socketFile);
  await rm(link, { force: true });
  let path = link;
  let shortcut: string | undefined;
  if (Buffer.byteLength(link) > socketPathBytesMax) {
    shortcut = await mkdtemp(join(tmpdir(), 'rosetta-admin-'));
    path = join(shortcut, socketFile);
    await symlink(path, link);
  }
  const server = createServer((incoming, response) => {
    answer(engine, incoming).then(
      (body) => send(response, 200, body),
      (thrown: unknown) => {
        logger.warn({ err: thrown, url: incoming.url }, 'an administrative request failed');
        const status = thrown instanceof RequestError ? thrown.status : 500;
        send(response, status, { error: thrown instanceof Error ? thrown.message : String(thrown) });
      },
    );
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(path, () => {
      server.off('error', failed);
      listening();
    });
  });
  await chmod(path, socketMode);
  return {
    async stop() {
      const closed = new Promise((done) => server.close(done));
      server.closeIdleConnections();
      await closed;
      await rm(link, { force: true });
      if (shortcut !== undefined) await rm(shortcut, { recursive: true, force: true });
    },
  };
}

class RequestError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function answer(engine: Engine, incoming: IncomingMessage): Promise<object> {
  if (incoming.url !== '/backup') throw new RequestError(404, `there is nothing at ${incoming.url ?? ''}`);
  if (incoming.method !== 'POST') throw new RequestError(405, 'only POST');
  const body = backupRequest.safeParse(await readJson(incoming));
  if (!body.success) throw new RequestError(400, body.error.issues[0]?.message ?? 'not a valid request');
  await engine.backup(body.data.directory);
  return {};
}

async function readJson(incoming: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > requestBytesMax) throw new RequestError(413, `more than ${requestBytesMax} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    throw new RequestError(400, 'not JSON');
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length });
  response.end(bytes);
}

// --- the other end ------------------------------------------------------------------------------------------------------

/** No server answers in that data directory. */
export class NoServerError extends Error {}

/** Asks the server that runs on `dataDir`. Throws {@link NoServerError}, or an Error with the server's sentence. */
export async function askServer(dataDir: string, path: string, body: object): Promise<void> {
  const link = join(resolve(dataDir), socketFile);
  const socketPath = await readlink(link).catch(() => link);
  if (Buffer.byteLength(socketPath) > socketPathBytesMax) throw new NoServerError(`no server runs on ${dataDir}`);
  const { status, text } = await post(socketPath, path, JSON.stringify(body)).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT' && cause.code !== 'ECONNREFUSED') throw cause;
    throw new NoServerError(`no server runs on ${dataDir}`, { cause });
  });
  if (status === 200) return;
  const failure = z.object({ error: z.string() }).safeParse(JSON.parse(text));
  throw new Error(failure.success ? failure.data.error : `the server answered with status ${status}`);
}

function post(socketPath: string, path: string, body: string): Promise<{ status: number; text: string }> {
  return new Promise((done, failed) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const outgoing = request({ socketPath, path, method: 'POST', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => done({ status: response.statusCode ?? 0, text }));
      response.on('error', failed);
    });
    outgoing.on('error', failed);
    outgoing.end(body);
  });
}
