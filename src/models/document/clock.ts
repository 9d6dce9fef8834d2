/**
 * The logical clock: BSON timestamps (seconds since 1970 and an increment within the second) that strictly increase, over
 * restarts too. Every write takes one, the oplog is ordered by them, and clients receive the last as `operationTime`.
 */

export interface Timestamp {
  readonly seconds: number;
  readonly increment: number;
}

/** The clock may be led this far into the future by clients (`maxAcceptableLogicalClockDriftSecs`), seconds. */
const DRIFT_SECONDS_MAX = 31_536_000;

export function compareTimestamps(a: Timestamp, b: Timestamp): number {
  return a.seconds - b.seconds || a.increment - b.increment;
}

export class LogicalClock {
  private seconds: number;
  private increment = 0;

  /**
   * `past` is the last timestamp known to have been given out before the start. The clock begins in the second after the
   * current one, because more may have been given out in this second before a quick restart.
   */
  constructor(past: Timestamp = { seconds: 0, increment: 0 }) {
    this.seconds = Math.max(Math.floor(Date.now() / 1000), past.seconds) + 1;
  }

  /** The last timestamp given out. */
  get now(): Timestamp {
    return { seconds: this.seconds, increment: this.increment };
  }

  /** A new timestamp, later than all before it. */
  tick(): Timestamp {
    const seconds = Math.floor(Date.now() / 1000);
    if (seconds > this.seconds) {
      this.seconds = seconds;
      this.increment = 1;
    } else {
      this.increment++;
    }
    return this.now;
  }

  /** Learns of a time from elsewhere; says whether it was within the accepted drift. */
  advance(to: Timestamp): boolean {
    if (compareTimestamps(to, this.now) <= 0) return true;
    if (to.seconds > Date.now() / 1000 + DRIFT_SECONDS_MAX) return false;
    this.seconds = to.seconds;
    this.increment = to.increment;
    return true;
  }
}
