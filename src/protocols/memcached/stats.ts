/** `stats` and its arguments: the figures that monitoring reads. */
import type { MemcachedClient } from './client.js';
import { memcachedVersion } from './version.js';

type Row = readonly [string, string | number];

/** All rows of plain `stats`; `items` counts the database's keys. */
export function generalStats(client: MemcachedClient, items: number): Row[] {
  const { server } = client;
  const { statistics, store } = server;
  const now = Date.now();
  const { user, system } = process.cpuUsage();
  const engine = store.engine.statistics();
  const bytes = (engine.memtableBytes ?? 0) + (engine.storedBytes ?? 0);
  const seconds = (microseconds: number): string => (microseconds / 1e6).toFixed(6);
  return [
    ['pid', process.pid],
    ['uptime', Math.floor((now - server.startedMs) / 1000)],
    ['time', Math.floor(now / 1000)],
    ['version', memcachedVersion],
    ['libevent', `libuv ${process.versions.uv}`],
    ['pointer_size', 64],
    ['rusage_user', seconds(user)],
    ['rusage_system', seconds(system)],
    ['max_connections', server.options.connectionsMax ?? 1024],
    ['curr_connections', server.clients.size],
    ['total_connections', statistics.totalConnections],
    ['rejected_connections', statistics.rejectedConnections],
    ['connection_structures', server.clients.size],
    ['response_obj_oom', 0],
    ['response_obj_count', 1],
    ['response_obj_bytes', 0],
    ['read_buf_count', 1],
    ['read_buf_bytes', 65536],
    ['read_buf_bytes_free', 0],
    ['read_buf_oom', 0],
    ['reserved_fds', 0],
    ...Object.entries(statistics.counts),
    ['limit_maxbytes', server.memoryLimitMegabytes * 1024 * 1024],
    ['accepting_conns', 1],
    ['listen_disabled_num', 0],
    ['time_in_listen_disabled_us', 0],
    ['threads', 1],
    ['conn_yields', 0],
    ['hash_power_level', 16],
    ['hash_bytes', 524288],
    ['hash_is_expanding', 0],
    ['slab_reassign_rescues', 0],
    ['slab_reassign_chunk_rescues', 0],
    ['slab_reassign_evictions_nomem', 0],
    ['slab_reassign_inline_reclaim', 0],
    ['slab_reassign_busy_items', 0],
    ['slab_reassign_busy_deletes', 0],
    ['slab_reassign_running', 0],
    ['slabs_moved', 0],
    ['lru_crawler_running', 0],
    ['lru_crawler_starts', 0],
    ['lru_maintainer_juggles', 0],
    ['malloc_fails', 0],
    ['log_worker_dropped', 0],
    ['log_worker_written', 0],
    ['log_watcher_skipped', 0],
    ['log_watcher_sent', 0],
    ['log_watchers', 0],
    ['unexpected_napi_ids', 0],
    ['round_robin_fallback', 0],
    ['bytes', bytes],
    ['curr_items', items],
    ['total_items', statistics.totalItems],
    ['slab_global_page_pool', 0],
    ['expired_unfetched', statistics.expiredUnfetched],
    ['evicted_unfetched', 0],
    ['evicted_active', 0],
    ['evictions', 0],
    ['reclaimed', store.expiredKeys],
    ['crawler_reclaimed', 0],
    ['crawler_items_checked', 0],
    ['lrutail_reflocked', 0],
    ['moves_to_cold', 0],
    ['moves_to_warm', 0],
    ['moves_within_lru', 0],
    ['direct_reclaims', 0],
    ['lru_bumps_dropped', 0],
  ];
}

function settings(client: MemcachedClient): Row[] {
  const { server } = client;
  const address = server.options.address?.();
  return [
    ['maxbytes', server.memoryLimitMegabytes * 1024 * 1024],
    ['maxconns', server.options.connectionsMax ?? 1024],
    ['tcpport', address?.port ?? 11211],
    ['udpport', 0],
    ['inter', address?.host ?? 'NULL'],
    ['verbosity', 0],
    ['oldest', 0],
    ['evictions', 'on'],
    ['domain_socket', 'NULL'],
    ['umask', 700],
    ['growth_factor', '1.25'],
    ['chunk_size', 48],
    ['num_threads', 1],
    ['num_threads_per_udp', 1],
    ['stat_key_prefix', ':'],
    ['detail_enabled', 'no'],
    ['reqs_per_event', 20],
    ['cas_enabled', 'yes'],
    ['tcp_backlog', 1024],
    ['binding_protocol', 'auto-negotiate'],
    ['auth_enabled_sasl', server.logins.open ? 'no' : 'yes'],
    ['auth_enabled_ascii', server.logins.open ? 'no' : 'yes'],
    ['item_size_max', server.itemSizeMax],
    ['maxconns_fast', 'yes'],
    ['hashpower_init', 0],
    ['slab_reassign', 'yes'],
    ['slab_automove', 1],
    ['lru_crawler', 'yes'],
    ['lru_maintainer_thread', 'yes'],
    ['flush_enabled', 'yes'],
    ['dump_enabled', 'yes'],
    ['hash_algorithm', 'murmur3'],
    ['idle_timeout', 0],
    ['watcher_logbuf_size', 262144],
    ['worker_logbuf_size', 65536],
    ['inline_ascii_response', 'no'],
  ];
}

/** Rows of `stats` by its argument; `undefined`: unknown. */
export function statsRows(
  client: MemcachedClient,
  what: string | undefined,
  items: number,
): readonly Row[] | undefined {
  switch (what) {
    case undefined:
      return generalStats(client, items);
    case 'settings':
      return settings(client);
    case 'items':
      if (items === 0) return [];
      return (
        [
          'number',
          'number_hot',
          'number_warm',
          'number_cold',
          'age_hot',
          'age_warm',
          'age',
          'mem_requested',
          'evicted',
          'evicted_nonzero',
          'evicted_time',
          'outofmemory',
          'tailrepairs',
          'reclaimed',
          'expired_unfetched',
          'evicted_unfetched',
          'evicted_active',
          'crawler_reclaimed',
          'crawler_items_checked',
          'lrutail_reflocked',
          'moves_to_cold',
          'moves_to_warm',
          'moves_within_lru',
          'direct_reclaims',
          'hits_to_hot',
          'hits_to_warm',
          'hits_to_cold',
          'hits_to_temp',
        ] as const
      ).map((name): Row => [`items:1:${name}`, name === 'number' || name === 'number_cold' ? items : 0]);
    case 'slabs':
      return [
        ['1:chunk_size', 96],
        ['1:chunks_per_page', 10922],
        ['1:total_pages', 1],
        ['1:total_chunks', 10922],
        ['1:used_chunks', items],
        ['1:free_chunks', 0],
        ['1:free_chunks_end', 0],
        ['active_slabs', 1],
        ['total_malloced', 1048576],
      ];
    case 'sizes':
      return [['sizes_status', 'disabled']];
    case 'conns':
      return [...client.server.clients].flatMap((other): Row[] => [
        [`${other.connection.id}:addr`, `tcp:${other.connection.remoteAddress}:${other.connection.remotePort}`],
        [`${other.connection.id}:listen_addr`, `tcp:${other.connection.localAddress}:${other.connection.localPort}`],
        [`${other.connection.id}:state`, 'conn_parse_cmd'],
        [`${other.connection.id}:secs_since_last_cmd`, 0],
      ]);
    default:
      return undefined;
  }
}

/** Answers `stats [what …]`. */
export function writeStats(client: MemcachedClient, words: readonly string[]): void {
  const [what] = words;
  if (what === 'reset') {
    client.server.statistics.reset();
    client.writeText('RESET\r\n');
    return;
  }
  if (what === 'detail') {
    client.writeText(
      words[1] === 'dump'
        ? 'END\r\n'
        : words[1] === 'on' || words[1] === 'off'
          ? 'OK\r\n'
          : 'CLIENT_ERROR usage: stats detail on|off|dump\r\n',
    );
    return;
  }
  if (what === 'cachedump') {
    cachedump(client, words);
    return;
  }
  client.after(
    client.server.store.size(client.server.database),
    (items) => {
      const rows = statsRows(client, what, items);
      if (rows === undefined) client.writeText('ERROR\r\n');
      else {
        for (const [name, value] of rows) client.writeText(`STAT ${name} ${value}\r\n`);
        client.writeText('END\r\n');
      }
    },
    (text) => client.writeText(`SERVER_ERROR ${text}\r\n`),
  );
}

/** `stats cachedump class limit`: the items, all of one class here. */
function cachedump(client: MemcachedClient, words: readonly string[]): void {
  const limit = Number(words[2] ?? 0);
  if (words.length < 3 || !Number.isInteger(limit)) {
    client.writeText('CLIENT_ERROR bad command line\r\n');
    return;
  }
  client.read(
    (db) => {
      const lines: string[] = [];
      for (const item of client.server.store.strings(db)) {
        const expires = item.deadline === 0 ? 0 : Math.floor(item.deadline / 1000);
        lines.push(`ITEM ${item.key} [${item.size - item.key.length} b; ${expires} s]\r\n`);
        if (limit !== 0 && lines.length === limit) break;
      }
      return lines.join('');
    },
    (text) => client.writeText(`${text}END\r\n`),
    (text) => client.writeText(`SERVER_ERROR ${text}\r\n`),
  );
}
