/** A command that is running: its number, its deadline, and whether somebody wants it to end. */
import { DocumentError } from '../../models/document/errors.js';

/** Work between two looks at the clock before other connections get their turn, milliseconds. */
const TURN_MS_MAX = 8;

export class Operation {
  private turnStarted = performance.now();
  private interruption: DocumentError | undefined;
  private readonly listeners = new Set<() => void>();
  readonly startedAtMs = Date.now();
  readonly started = performance.now();
  /** `database.collection`, for currentOp. */
  namespace = '';
  command: Buffer | undefined;
  private deadline = Number.POSITIVE_INFINITY;

  constructor(
    readonly id: number,
    readonly client: number,
  ) {}

  /** Time left of maxTimeMS, milliseconds. */
  get timeLeftMs(): number {
    return this.deadline - performance.now();
  }

  /** Starts the clock of maxTimeMS; 0 means no limit. */
  limit(milliseconds: number | undefined): void {
    if (milliseconds !== undefined && milliseconds > 0) this.deadline = performance.now() + milliseconds;
  }

  /** Ends the operation at its next checkpoint, and wakes it when it waits. */
  interrupt(error: DocumentError): void {
    this.interruption ??= error;
    for (const listener of [...this.listeners]) listener();
  }

  get interrupted(): boolean {
    return this.interruption !== undefined;
  }

  onInterrupt(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Throws when the operation was interrupted or has had its time (50). */
  check(): void {
    if (this.interruption !== undefined) throw this.interruption;
    if (performance.now() > this.deadline) throw new DocumentError(50, 'operation exceeded time limit');
  }

  /** A promise when others should have a turn; checks first. */
  breathe(): Promise<void> | undefined {
    this.check();
    if (performance.now() - this.turnStarted < TURN_MS_MAX) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.turnStarted = performance.now();
        resolve();
      });
    });
  }
}
