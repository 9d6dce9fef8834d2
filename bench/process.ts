/** Starts the servers a benchmark compares, each with its data in a temporary directory, and stops them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const startTimeoutMs = 30_000;

export interface RunningServer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly directory: string;
  stop(): Promise<void>;
}

/** Whether a program is on the PATH. */
export function installed(program: string): boolean {
  return spawnSync('which', [program]).status === 0;
}

async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`${what} did not start within ${startTimeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether something accepts connections on a loopback port. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function stopper(child: ChildProcess, directory: string): () => Promise<void> {
  return async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await exited;
      clearTimeout(force);
    }
    rmSync(directory, { recursive: true, force: true });
  };
}

/** Any program that listens on a port of its own choosing given by `args(port, directory)`. */
export async function startPeer(
  name: string,
  program: string,
  port: number,
  args: (port: number, directory: string) => readonly string[],
): Promise<RunningServer> {
  const directory = mkdtempSync(join(tmpdir(), `bench-${name}-`));
  const child = spawn(program, args(port, directory), { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
  await until(name, () => accepts(port));
  return { name, port, pid: child.pid ?? 0, directory, stop: stopper(child, directory) };
}

export const redisServerArguments = (port: number, directory: string): readonly string[] => [
  ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''],
  ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--loglevel', 'warning'],
];

/** The server built in `dist/`, with one protocol on a free port. */
export async function startRosetta(
  protocol: string,
  options: {
    readonly args?: readonly string[];
    readonly directory?: string;
    readonly nodeArgs?: readonly string[];
  } = {},
): Promise<RunningServer> {
  // Compiled, this file lies in `.tools/bench/`.
  const base = new URL('../../', import.meta.url).pathname;
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'bench-rosetta-'));
  const ready = join(directory, `ready-${process.pid}-${Date.now()}.json`);
  const others = ['redis', 'memcached', 'mongodb'].filter((name) => name !== protocol);
  const child = spawn(
    process.execPath,
    [
      ...(options.nodeArgs ?? []),
      join(base, 'dist/cli/main.js'),
      'start',
      ...['--data-dir', join(directory, 'data'), '--ready-file', ready, '--log-level', 'warn'],
      ...['--listen', `${protocol}=127.0.0.1:0`, ...others.flatMap((name) => ['--listen', `${name}=off`])],
      ...(options.args ?? []),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  await until('rosetta', () => {
    if (child.exitCode !== null) throw new Error(`rosetta ended with code ${child.exitCode}`);
    return existsSync(ready);
  });
  const addresses = JSON.parse(readFileSync(ready, 'utf8')) as { listeners: Record<string, { port: number }> };
  const port = addresses.listeners[protocol]?.port;
  if (port === undefined) throw new Error(`rosetta has no listener for ${protocol}`);
  return { name: 'rosetta', port, pid: child.pid ?? 0, directory, stop: stopper(child, directory) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Rows as a table with aligned columns: the first to the left, the others to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ');
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
