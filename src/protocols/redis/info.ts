/** INFO: sections and their fields, named as in Redis 7.2; monitoring tools parse them. */
import { createHash, randomBytes } from 'node:crypto';
import os from 'node:os';
import type { RedisServer } from './server.js';
import { redisVersion } from './version.js';

/** A line `name:value`. */
type Field = readonly [string, string | number];

const runId = randomBytes(20).toString('hex');
const buildId = createHash('sha1').update(redisVersion).digest('hex').slice(0, 16);

/** Sections by name; `default` leaves out the last two of `everything`. */
const sections: Readonly<Record<string, (server: RedisServer, keyspace: readonly string[]) => readonly Field[]>> = {
  server: serverSection,
  clients: clientsSection,
  memory: memorySection,
  persistence: persistenceSection,
  stats: statsSection,
  replication: replicationSection,
  cpu: cpuSection,
  modules: () => [],
  commandstats: commandSection,
  errorstats: errorSection,
  latencystats: latencySection,
  cluster: () => [['cluster_enabled', 0]],
  keyspace: (_server, keyspace) =>
    keyspace.map((line): Field => [line.split('\0')[0] ?? '', line.split('\0')[1] ?? '']),
};
const titles: Readonly<Record<string, string>> = {
  cpu: 'CPU',
  commandstats: 'Commandstats',
  errorstats: 'Errorstats',
  latencystats: 'Latencystats',
};
const byDefault = new Set(Object.keys(sections).filter((name) => name !== 'commandstats' && name !== 'latencystats'));

/** The text of INFO for the sections asked for; `keyspace` has `db0\0keys=…` for every database that is not empty. */
export function infoText(server: RedisServer, asked: readonly string[], keyspace: readonly string[]): string {
  const wanted = new Set<string>();
  for (const name of asked.length === 0 ? ['default'] : asked.map((word) => word.toLowerCase())) {
    if (name === 'default') for (const section of byDefault) wanted.add(section);
    else if (name === 'all' || name === 'everything') for (const section of Object.keys(sections)) wanted.add(section);
    else wanted.add(name);
  }
  const parts: string[] = [];
  for (const [name, fieldsOf] of Object.entries(sections)) {
    if (!wanted.has(name)) continue;
    const lines = fieldsOf(server, keyspace).map(([field, value]) => `${field}:${value}\r\n`);
    const title = titles[name] ?? name.charAt(0).toUpperCase() + name.slice(1);
    parts.push(`# ${title}\r\n${lines.join('')}`);
  }
  return parts.join('\r\n');
}

export { runId };

/** Bytes as Redis prints them for people. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  for (const [unit, size] of [
    ['K', 1024],
    ['M', 1024 ** 2],
    ['G', 1024 ** 3],
  ] as const) {
    if (bytes < size * 1024) return `${(bytes / size).toFixed(2)}${unit}`;
  }
  return `${(bytes / 1024 ** 4).toFixed(2)}T`;
}

function serverSection(server: RedisServer): Field[] {
  const uptime = Math.floor((Date.now() - server.startedMs) / 1000);
  return [
    ['redis_version', redisVersion],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', buildId],
    ['redis_mode', 'standalone'],
    ['os', `${os.type()} ${os.release()} ${os.machine()}`],
    ['arch_bits', 64],
    ['monotonic_clock', 'POSIX clock_gettime'],
    ['multiplexing_api', 'epoll'],
    ['atomicvar_api', 'c11-builtin'],
    ['gcc_version', '0.0.0'],
    ['process_id', process.pid],
    ['process_supervised', 'no'],
    ['run_id', runId],
    ['tcp_port', server.port],
    ['server_time_usec', Math.floor(Date.now() * 1000)],
    ['uptime_in_seconds', uptime],
    ['uptime_in_days', Math.floor(uptime / 86400)],
    ['hz', server.settings.get('hz')],
    ['configured_hz', server.settings.get('hz')],
    ['lru_clock', Math.floor(Date.now() / 1000) & 0xffffff],
    ['executable', process.execPath],
    ['config_file', ''],
    ['io_threads_active', 0],
    ['listener0', `name=tcp,bind=${server.host},port=${server.port}`],
  ];
}

function clientsSection(server: RedisServer): Field[] {
  let timeouts = 0;
  let pubsub = 0;
  for (const client of server.clients.values()) {
    if (client.blocked?.timer !== undefined) timeouts++;
    if (client.subscriptions + client.shardChannels.size > 0) pubsub++;
  }
  return [
    ['connected_clients', server.clients.size],
    ['cluster_connections', 0],
    ['maxclients', server.settings.get('maxclients')],
    ['client_recent_max_input_buffer', 0],
    ['client_recent_max_output_buffer', 0],
    ['blocked_clients', server.blocking.count],
    ['tracking_clients', server.trackingClients()],
    ['pubsub_clients', pubsub],
    ['watching_clients', [...server.clients.values()].filter((client) => client.watched.length > 0).length],
    ['clients_in_timeout_table', timeouts],
    ['total_watched_keys', [...server.clients.values()].reduce((sum, client) => sum + client.watched.length, 0)],
    ['total_blocking_keys', server.blocking.keyCount],
    ['total_blocking_keys_on_nokey', 0],
  ];
}

function memorySection(server: RedisServer): Field[] {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  const used = server.usedMemory();
  const peak = server.peakMemory();
  const total = os.totalmem();
  const maxmemory = server.settings.maxmemory;
  const ratio = (value: number): string => value.toFixed(2);
  return [
    ['used_memory', used],
    ['used_memory_human', humanBytes(used)],
    ['used_memory_rss', rss],
    ['used_memory_rss_human', humanBytes(rss)],
    ['used_memory_peak', peak],
    ['used_memory_peak_human', humanBytes(peak)],
    ['used_memory_peak_perc', `${ratio((used / Math.max(1, peak)) * 100)}%`],
    ['used_memory_overhead', heapUsed],
    ['used_memory_startup', 0],
    ['used_memory_dataset', used],
    ['used_memory_dataset_perc', '100.00%'],
    ['allocator_allocated', heapUsed + external],
    ['allocator_active', heapTotal + external],
    ['allocator_resident', rss],
    ['total_system_memory', total],
    ['total_system_memory_human', humanBytes(total)],
    ['used_memory_lua', 0],
    ['used_memory_vm_eval', 0],
    ['used_memory_lua_human', '0B'],
    ['used_memory_scripts_eval', 0],
    ['number_of_cached_scripts', server.scripting.figures().scripts],
    ['number_of_functions', server.scripting.figures().functions],
    ['number_of_libraries', server.scripting.figures().libraries],
    ['used_memory_vm_functions', 0],
    ['used_memory_vm_total', 0],
    ['used_memory_vm_total_human', '0B'],
    ['used_memory_functions', 0],
    ['used_memory_scripts', 0],
    ['used_memory_scripts_human', '0B'],
    ['maxmemory', maxmemory],
    ['maxmemory_human', humanBytes(maxmemory)],
    ['maxmemory_policy', server.settings.get('maxmemory-policy')],
    ['allocator_frag_ratio', ratio((heapTotal + external) / (heapUsed + external))],
    ['allocator_frag_bytes', heapTotal - heapUsed],
    ['allocator_rss_ratio', ratio(rss / (heapTotal + external))],
    ['allocator_rss_bytes', Math.max(0, rss - heapTotal - external)],
    ['rss_overhead_ratio', '1.00'],
    ['rss_overhead_bytes', 0],
    ['mem_fragmentation_ratio', ratio(rss / Math.max(1, heapUsed + external))],
    ['mem_fragmentation_bytes', Math.max(0, rss - heapUsed - external)],
    ['mem_not_counted_for_evict', 0],
    ['mem_replication_backlog', 0],
    ['mem_total_replication_buffers', 0],
    ['mem_clients_slaves', 0],
    ['mem_clients_normal', server.clients.size * 2048],
    ['mem_cluster_links', 0],
    ['mem_aof_buffer', 0],
    ['mem_allocator', `v8-${process.versions.v8}`],
    ['active_defrag_running', 0],
    ['lazyfree_pending_objects', 0],
    ['lazyfreed_objects', 0],
  ];
}

function persistenceSection(server: RedisServer): Field[] {
  const engine = server.store.engine.statistics();
  const { saves } = server;
  return [
    ['loading', 0],
    ['async_loading', 0],
    ['current_cow_peak', 0],
    ['current_cow_size', 0],
    ['current_cow_size_age', 0],
    ['current_fork_perc', '0.00'],
    ['current_save_keys_processed', 0],
    ['current_save_keys_total', 0],
    ['rdb_changes_since_last_save', Math.max(0, engine.commits - saves.commitsAtLast)],
    ['rdb_bgsave_in_progress', saves.running ? 1 : 0],
    ['rdb_last_save_time', Math.floor(saves.lastMs / 1000)],
    ['rdb_last_bgsave_status', saves.lastFailed ? 'err' : 'ok'],
    ['rdb_last_bgsave_time_sec', saves.lastSeconds],
    ['rdb_current_bgsave_time_sec', saves.running ? 0 : -1],
    ['rdb_saves', saves.count],
    ['rdb_last_cow_size', 0],
    ['rdb_last_load_keys_expired', 0],
    ['rdb_last_load_keys_loaded', 0],
    ['aof_enabled', 1],
    ['aof_rewrite_in_progress', 0],
    ['aof_rewrite_scheduled', 0],
    ['aof_last_rewrite_time_sec', -1],
    ['aof_current_rewrite_time_sec', -1],
    ['aof_last_bgrewrite_status', 'ok'],
    ['aof_rewrites', 0],
    ['aof_rewrites_consecutive_failures', 0],
    ['aof_last_write_status', engine.refusing === undefined ? 'ok' : 'err'],
    ['aof_last_cow_size', 0],
    ['module_fork_in_progress', 0],
    ['module_fork_last_cow_size', 0],
    ['aof_current_size', engine.logBytes ?? 0],
    ['aof_base_size', 0],
    ['aof_pending_rewrite', 0],
    ['aof_buffer_length', 0],
    ['aof_pending_bio_fsync', 0],
    ['aof_delayed_fsync', 0],
  ];
}

function statsSection(server: RedisServer): Field[] {
  const { statistics, store, pubsub } = server;
  const traffic = server.traffic();
  return [
    ['total_connections_received', statistics.connections],
    ['total_commands_processed', statistics.commands],
    ['instantaneous_ops_per_sec', statistics.instantaneousOps],
    ['total_net_input_bytes', traffic.input],
    ['total_net_output_bytes', traffic.output],
    ['total_net_repl_input_bytes', 0],
    ['total_net_repl_output_bytes', 0],
    ['instantaneous_input_kbps', '0.00'],
    ['instantaneous_output_kbps', '0.00'],
    ['instantaneous_input_repl_kbps', '0.00'],
    ['instantaneous_output_repl_kbps', '0.00'],
    ['rejected_connections', statistics.rejectedConnections],
    ['sync_full', 0],
    ['sync_partial_ok', 0],
    ['sync_partial_err', 0],
    ['expired_keys', store.expiredKeys],
    ['expired_stale_perc', '0.00'],
    ['expired_time_cap_reached_count', 0],
    ['expire_cycle_cpu_milliseconds', 0],
    ['evicted_keys', statistics.evictedKeys],
    ['evicted_clients', statistics.evictedClients],
    ['total_eviction_exceeded_time', 0],
    ['current_eviction_exceeded_time', 0],
    ['keyspace_hits', statistics.hits],
    ['keyspace_misses', statistics.misses],
    ['pubsub_channels', pubsub.channels.size],
    ['pubsub_patterns', pubsub.patterns.size],
    ['pubsubshard_channels', pubsub.shardChannels.size],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['migrate_cached_sockets', 0],
    ['slave_expires_tracked_keys', 0],
    ['active_defrag_hits', 0],
    ['active_defrag_misses', 0],
    ['active_defrag_key_hits', 0],
    ['active_defrag_key_misses', 0],
    ['total_active_defrag_time', 0],
    ['current_active_defrag_time', 0],
    ['tracking_total_keys', 0],
    ['tracking_total_items', 0],
    ['tracking_total_prefixes', 0],
    ['unexpected_error_replies', 0],
    ['total_error_replies', statistics.errors],
    ['dump_payload_sanitizations', 0],
    ['total_reads_processed', statistics.commands],
    ['total_writes_processed', statistics.commands],
    ['io_threaded_reads_processed', 0],
    ['io_threaded_writes_processed', 0],
    ['reply_buffer_shrinks', 0],
    ['reply_buffer_expands', 0],
    ['eventloop_cycles', 0],
    ['eventloop_duration_sum', 0],
    ['eventloop_duration_cmd_sum', 0],
    ['instantaneous_eventloop_cycles_per_sec', 0],
    ['instantaneous_eventloop_duration_usec', 0],
    ['acl_access_denied_auth', server.accessDenied.auth],
    ['acl_access_denied_cmd', server.accessDenied.command],
    ['acl_access_denied_key', server.accessDenied.key],
    ['acl_access_denied_channel', server.accessDenied.channel],
  ];
}

function replicationSection(server: RedisServer): Field[] {
  return [
    ['role', server.role],
    ['connected_slaves', 0],
    ['master_failover_state', 'no-failover'],
    ['master_replid', server.replicationId],
    ['master_replid2', '0'.repeat(40)],
    ['master_repl_offset', 0],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 0],
    ['repl_backlog_size', server.settings.get('repl-backlog-size')],
    ['repl_backlog_first_byte_offset', 0],
    ['repl_backlog_histlen', 0],
  ];
}

function cpuSection(): Field[] {
  const { user, system } = process.cpuUsage();
  const seconds = (microseconds: number): string => (microseconds / 1e6).toFixed(6);
  return [
    ['used_cpu_sys', seconds(system)],
    ['used_cpu_user', seconds(user)],
    ['used_cpu_sys_children', '0.000000'],
    ['used_cpu_user_children', '0.000000'],
    ['used_cpu_sys_main_thread', seconds(system)],
    ['used_cpu_user_main_thread', seconds(user)],
  ];
}

function commandSection(server: RedisServer): Field[] {
  return server.registry.all.flatMap((command): Field[] => {
    const figures = server.statistics.byCommand[command.id];
    if (figures === undefined || figures.calls + figures.rejected + figures.failed === 0) return [];
    const usec = Math.round(figures.microseconds);
    const each = figures.calls === 0 ? 0 : figures.microseconds / figures.calls;
    return [
      [
        `cmdstat_${command.name}`,
        `calls=${figures.calls},usec=${usec},usec_per_call=${each.toFixed(2)},rejected_calls=${figures.rejected},failed_calls=${figures.failed}`,
      ],
    ];
  });
}

function errorSection(server: RedisServer): Field[] {
  return [...server.statistics.byError].map(([code, count]): Field => [`errorstat_${code}`, `count=${count}`]);
}

function latencySection(server: RedisServer): Field[] {
  const percentiles = server.settings
    .get('latency-tracking-info-percentiles')
    .split(' ')
    .filter((word) => word !== '');
  if (!server.settings.latencyTracking) return [];
  return server.registry.all.flatMap((command): Field[] => {
    const figures = server.statistics.byCommand[command.id];
    if (figures === undefined || figures.calls === 0) return [];
    const text = percentiles.map((p) => `p${p}=${figures.percentile(Number(p)).toFixed(3)}`).join(',');
    return [[`latency_percentiles_usec_${command.name}`, text]];
  });
}
