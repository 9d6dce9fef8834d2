/** A PostgreSQL server of the tests' own: a fresh cluster in a temporary directory, on a free port of the loopback. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

const startTimeoutMs = 30_000;

/** Where `initdb` and `postgres` are; `undefined` when PostgreSQL is not installed. */
export function postgresBinaries(): string | undefined {
  const given = process.env.ROSETTA_TEST_POSTGRES_BIN;
  if (given !== undefined) return given;
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return undefined;
  const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(root, version, 'bin')).find((path) => existsSync(join(path, 'initdb')));
}

/** PostgreSQL refuses to run as root: the account its package brings runs it then. */
function account(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

export class PostgresCluster {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly binaries: string,
    readonly directory: string,
    readonly port: number,
    private readonly as: ReturnType<typeof account>,
  ) {}

  static async start(): Promise<PostgresCluster> {
    const binaries = postgresBinaries();
    if (binaries === undefined) throw new Error('PostgreSQL is not installed');
    const directory = mkdtempSync(join(tmpdir(), 'rosetta-postgres-'));
    const as = account();
    if (as !== undefined) chownSync(directory, as.uid, as.gid);
    execFileSync(
      join(binaries, 'initdb'),
      ['-D', join(directory, 'data'), '-U', 'rosetta', '-A', 'trust', '-E', 'UTF8', '--no-sync'],
      {
        stdio: 'ignore',
        cwd: directory,
        ...as,
      },
    );
    const cluster = new PostgresCluster(binaries, directory, await freePort(), as);
    await cluster.run();
    return cluster;
  }

  /** Starts the server on the cluster, again after {@link stop}. */
  async run(): Promise<void> {
    this.child = spawn(
      join(this.binaries, 'postgres'),
      [
        ...['-D', join(this.directory, 'data'), '-p', String(this.port), '-h', '127.0.0.1', '-k', this.directory],
        ...['-c', 'fsync=off', '-c', 'max_connections=200', '-c', 'max_pred_locks_per_transaction=256'],
      ],
      { stdio: 'ignore', cwd: this.directory, ...this.as },
    );
    const deadline = Date.now() + startTimeoutMs;
    for (;;) {
      const client = new pg.Client({ connectionString: this.url('postgres') });
      try {
        await client.connect();
        return;
      } catch (thrown) {
        if (Date.now() > deadline) throw thrown;
        await new Promise((resolve) => setTimeout(resolve, 50));
      } finally {
        await client.end().catch(() => {});
      }
    }
  }

  url(database: string): string {
    return `postgres://rosetta@127.0.0.1:${this.port}/${database}`;
  }

  /** A new, empty database; gives its URL. */
  async createDatabase(name: string): Promise<string> {
    const client = new pg.Client({ connectionString: this.url('postgres') });
    await client.connect();
    await client.query(`CREATE DATABASE "${name}"`);
    await client.end();
    return this.url(name);
  }

  /** `SIGINT`: a fast, orderly stop; `SIGKILL`: a crash. */
  async stop(signal: 'SIGINT' | 'SIGKILL' = 'SIGINT'): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await exited;
    this.child = undefined;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
