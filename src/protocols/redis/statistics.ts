/** Figures for INFO, LATENCY HISTOGRAM and SLOWLOG, by command and in all. */
import type { Command } from './command.js';

/** Buckets of powers of two microseconds: bucket i counts calls that took less than 2^i µs. */
const buckets = 32;

export class CommandFigures {
  calls = 0;
  microseconds = 0;
  rejected = 0;
  failed = 0;
  readonly histogram = new Uint32Array(buckets);

  record(microseconds: number): void {
    this.calls++;
    this.microseconds += microseconds;
    const bucket = microseconds < 1 ? 0 : Math.min(buckets - 1, 32 - Math.clz32(microseconds));
    this.histogram[bucket] = (this.histogram[bucket] ?? 0) + 1;
  }

  /** The time that `percent` of the calls stayed under, in microseconds, as an HdrHistogram rounds it. */
  percentile(percent: number): number {
    const wanted = Math.max(1, Math.ceil((this.calls * percent) / 100));
    let seen = 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      seen += this.histogram[bucket] ?? 0;
      if (seen >= wanted) return 2 ** bucket - 1 + 0.003 * 2 ** Math.max(0, bucket - 1);
    }
    return 0;
  }

  reset(): void {
    this.calls = 0;
    this.microseconds = 0;
    this.rejected = 0;
    this.failed = 0;
    this.histogram.fill(0);
  }
}

export class ServerStatistics {
  connections = 0;
  rejectedConnections = 0;
  commands = 0;
  errors = 0;
  hits = 0;
  misses = 0;
  inputBytes = 0;
  outputBytes = 0;
  evictedKeys = 0;
  evictedClients = 0;
  /** Commands a second, sampled. */
  instantaneousOps = 0;
  /** By command id. */
  readonly byCommand: (CommandFigures | undefined)[] = [];
  /** By the first word of the error. */
  readonly byError = new Map<string, number>();
  private sampledCommands = 0;
  private sampledMs = performance.now();

  figures(command: Command): CommandFigures {
    let figures = this.byCommand[command.id];
    if (figures === undefined) {
      figures = new CommandFigures();
      this.byCommand[command.id] = figures;
    }
    return figures;
  }

  error(text: string): void {
    this.errors++;
    const blank = text.indexOf(' ');
    const code = blank < 0 ? text : text.slice(0, blank);
    this.byError.set(code, (this.byError.get(code) ?? 0) + 1);
  }

  /** Called about ten times a second. */
  sample(): void {
    const now = performance.now();
    const elapsed = now - this.sampledMs;
    if (elapsed < 50) return;
    this.instantaneousOps = Math.round(((this.commands - this.sampledCommands) * 1000) / elapsed);
    this.sampledCommands = this.commands;
    this.sampledMs = now;
  }

  reset(): void {
    this.connections = 0;
    this.rejectedConnections = 0;
    this.commands = 0;
    this.sampledCommands = 0;
    this.errors = 0;
    this.hits = 0;
    this.misses = 0;
    this.inputBytes = 0;
    this.outputBytes = 0;
    this.evictedKeys = 0;
    this.evictedClients = 0;
    for (const figures of this.byCommand) figures?.reset();
    this.byError.clear();
  }
}
