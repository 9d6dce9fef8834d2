/** The `rosetta` program as a child process, for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `npm test` builds it. */
const program = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
/** Printed when every listener accepts connections. */
const readySign = 'connect with';

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export class RosettaProcess {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Outcome>;
  private readonly child: ChildProcess;
  private onOutput = (): void => {};

  constructor(args: readonly string[], options: RunOptions = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('ROSETTA_'));
    this.child = spawn(process.execPath, [program, ...args], {
      cwd: options.cwd,
      env: { ...Object.fromEntries(inherited), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.onOutput();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Resolves when the program has printed its table of listeners; rejects when it ends before. */
  async listening(): Promise<void> {
    const ready = new Promise<boolean>((resolve) => {
      this.onOutput = () => {
        if (this.stdout.includes(readySign)) resolve(true);
      };
      this.onOutput();
    });
    if (await Promise.race([ready, this.ended.then(() => false)])) return;
    throw new Error(`rosetta ended before it was ready:\n${this.stderr}`);
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.child.kill(signal);
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Outcome> {
    this.kill(signal);
    return this.ended;
  }
}

/** Runs a command to its end. */
export function runRosetta(args: readonly string[], options?: RunOptions): Promise<Outcome> {
  return new RosettaProcess(args, options).ended;
}

/** What the ready file holds. */
export interface ReadyFile {
  readonly version: string;
  readonly pid: number;
  readonly dataDirectory: string;
  readonly listeners: Readonly<Record<string, { readonly host: string; readonly port: number; readonly tls: boolean }>>;
}

export function readReadyFile(path: string): ReadyFile {
  return JSON.parse(readFileSync(path, 'utf8')) as ReadyFile;
}

/** A temporary directory, removed by the returned function. */
export function temporaryDirectory(name: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `rosetta-test-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
