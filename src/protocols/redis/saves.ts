/** SAVE and BGSAVE: every acknowledged write is in the log already; a save waits until it is on the disk. */
import type { Engine } from '../../engine/engine.js';

export class Saves {
  running = false;
  count = 0;
  lastMs = Date.now();
  lastFailed = false;
  /** -1 before the first. */
  lastSeconds = -1;
  commitsAtLast: number;

  constructor(private readonly engine: Engine) {
    this.commitsAtLast = engine.statistics().commits;
  }

  async now(): Promise<void> {
    const startedMs = Date.now();
    const { commits } = this.engine.statistics();
    this.running = true;
    try {
      await this.engine.settled('always');
      this.lastFailed = false;
      this.count++;
      this.lastMs = Date.now();
      this.lastSeconds = Math.floor((this.lastMs - startedMs) / 1000);
      this.commitsAtLast = commits;
    } catch (thrown) {
      this.lastFailed = true;
      throw thrown;
    } finally {
      this.running = false;
    }
  }
}
