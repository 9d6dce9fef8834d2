/** Counters of the memcached protocol, as `stats` prints them. */
export class MemcachedStatistics {
  totalConnections = 0;
  rejectedConnections = 0;
  totalItems = 0;
  expiredUnfetched = 0;
  readonly counts: Record<string, number> = {};
  private readonly names = [
    'cmd_get',
    'cmd_set',
    'cmd_flush',
    'cmd_touch',
    'cmd_meta',
    'get_hits',
    'get_misses',
    'get_expired',
    'get_flushed',
    'delete_misses',
    'delete_hits',
    'incr_misses',
    'incr_hits',
    'decr_misses',
    'decr_hits',
    'cas_misses',
    'cas_hits',
    'cas_badval',
    'touch_hits',
    'touch_misses',
    'store_too_large',
    'store_no_memory',
    'auth_cmds',
    'auth_errors',
    'bytes_read',
    'bytes_written',
  ] as const;

  constructor() {
    this.reset();
  }

  add(name: (typeof this.names)[number], by = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }

  hit(kind: 'get' | 'delete' | 'incr' | 'decr' | 'cas' | 'touch', found: boolean): void {
    const name = `${kind}_${found ? 'hits' : 'misses'}`;
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }

  reset(): void {
    for (const name of this.names) this.counts[name] = 0;
    this.totalItems = 0;
    this.totalConnections = 0;
  }
}
