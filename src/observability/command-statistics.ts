/**
 * What a protocol counts for each of its commands. Counting is a handful of additions on plain fields: a protocol keeps
 * the {@link CommandFigures} of a command at hand and calls `record`; reading (metrics, INFO) pays for everything else.
 */

/** Bucket i counts calls that took less than 2^i µs (and at least half of that); the last takes all the rest. */
export const latencyBuckets = 32;

/** Different error codes counted for a protocol; more are counted together, as errors may quote their clients. */
const errorCodesMax = 128;
/** The code under which the others are counted. */
const otherErrors = 'OTHER';

export class CommandFigures {
  calls = 0;
  /** Of all calls together. */
  microseconds = 0;
  /** Refused before they ran: no rights, wrong number of arguments. */
  rejected = 0;
  /** Ran and answered with an error. */
  failed = 0;
  readonly histogram = new Uint32Array(latencyBuckets);

  record(microseconds: number): void {
    this.calls++;
    this.microseconds += microseconds;
    const bucket = microseconds >= 2 ** 31 ? latencyBuckets - 1 : 32 - Math.clz32(microseconds);
    this.histogram[bucket] = (this.histogram[bucket] ?? 0) + 1;
  }

  /** The time in µs that `percent` of the calls stayed under, interpolated inside its bucket; 0 without calls. */
  percentile(percent: number): number {
    const wanted = Math.max(1, Math.ceil((this.calls * percent) / 100));
    let below = 0;
    for (let bucket = 0; bucket < latencyBuckets; bucket++) {
      const inside = this.histogram[bucket] ?? 0;
      if (inside > 0 && below + inside >= wanted) {
        const lower = bucket === 0 ? 0 : 2 ** (bucket - 1);
        return lower + ((wanted - below) / inside) * (2 ** bucket - lower);
      }
      below += inside;
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

export class CommandStatistics {
  private readonly byName = new Map<string, CommandFigures>();
  private readonly byError = new Map<string, number>();

  /** The figures of a command, to be kept; `name` comes from the protocol's registry, never from a client. */
  of(name: string): CommandFigures {
    let figures = this.byName.get(name);
    if (figures === undefined) {
      figures = new CommandFigures();
      this.byName.set(name, figures);
    }
    return figures;
  }

  /** Counts an error reply by its code (`WRONGTYPE`, `11000`). */
  countError(code: string): void {
    const known = this.byError.has(code) || this.byError.size < errorCodesMax;
    const counted = known ? code : otherErrors;
    this.byError.set(counted, (this.byError.get(counted) ?? 0) + 1);
  }

  commands(): Iterable<readonly [name: string, figures: CommandFigures]> {
    return this.byName;
  }

  errors(): Iterable<readonly [code: string, count: number]> {
    return this.byError;
  }

  /** Figures that were handed out stay valid. */
  reset(): void {
    for (const figures of this.byName.values()) figures.reset();
    this.byError.clear();
  }
}
