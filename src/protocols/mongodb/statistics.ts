/** Counters for serverStatus and top. */
export class Statistics {
  readonly opcounters = { insert: 0, query: 0, update: 0, delete: 0, getmore: 0, command: 0 };
  readonly documents = { inserted: 0, returned: 0, updated: 0, deleted: 0 };
  readonly latencies = {
    reads: { latency: 0, ops: 0 },
    writes: { latency: 0, ops: 0 },
    commands: { latency: 0, ops: 0 },
    transactions: { latency: 0, ops: 0 },
  };
  readonly transactions = { started: 0, committed: 0, aborted: 0 };
  readonly commands = new Map<string, { total: number; failed: number }>();
  /** By namespace: milliseconds and number of uses. */
  readonly top = new Map<string, Record<string, { time: number; count: number }>>();
  requests = 0;
  bytesIn = 0;
  bytesOut = 0;
  connectionsCreated = 0;
  ttlPasses = 0;
  ttlDeleted = 0;

  command(name: string, failed: boolean): void {
    let counts = this.commands.get(name);
    if (counts === undefined) {
      counts = { total: 0, failed: 0 };
      this.commands.set(name, counts);
    }
    counts.total++;
    if (failed) counts.failed++;
  }
}
