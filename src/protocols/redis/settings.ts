/**
 * The settings that CONFIG GET and CONFIG SET know: name, kind, default, bounds, and whether they may change at run time.
 * Settings that the server acts upon are read through typed properties; the others are kept and told back, because tools
 * ask for them (`docs/compatibility/redis.md` lists which is which).
 */
import { RedisError } from './errors.js';
import { matchesGlob } from './glob.js';
import { parseIntegerText } from './numbers.js';
import type { RedisOptions } from './server.js';

type Mutability = 'mutable' | 'immutable' | 'protected';

interface SettingBase {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly mutability?: Mutability;
}
interface TextSetting extends SettingBase {
  readonly kind: 'text' | 'percent-or-memory' | 'special';
  readonly initial: string;
}
interface FlagSetting extends SettingBase {
  readonly kind: 'flag';
  readonly initial: 'yes' | 'no';
}
interface ChoiceSetting extends SettingBase {
  readonly kind: 'choice';
  readonly initial: string;
  readonly choices: readonly string[];
}
interface NumberSetting extends SettingBase {
  readonly kind: 'number' | 'memory';
  readonly initial: number;
  readonly min: number;
  readonly max: number;
}
export type Setting = TextSetting | FlagSetting | ChoiceSetting | NumberSetting;

const int32Max = 2 ** 31 - 1;
const int64Max = Number.MAX_SAFE_INTEGER;

const flag = (name: string, initial: 'yes' | 'no', more: Partial<SettingBase> = {}): Setting => ({
  kind: 'flag',
  name,
  initial,
  ...more,
});
const text = (name: string, initial: string, more: Partial<SettingBase> = {}): Setting => ({
  kind: 'text',
  name,
  initial,
  ...more,
});
const special = (name: string, initial: string, more: Partial<SettingBase> = {}): Setting => ({
  kind: 'special',
  name,
  initial,
  ...more,
});
const choice = (
  name: string,
  initial: string,
  choices: readonly string[],
  more: Partial<SettingBase> = {},
): Setting => ({ kind: 'choice', name, initial, choices, ...more });
const number = (name: string, initial: number, min: number, max: number, more: Partial<SettingBase> = {}): Setting => ({
  kind: 'number',
  name,
  initial,
  min,
  max,
  ...more,
});
const memory = (name: string, initial: number, min: number, max: number, more: Partial<SettingBase> = {}): Setting => ({
  kind: 'memory',
  name,
  initial,
  min,
  max,
  ...more,
});
const fixed = { mutability: 'immutable' } as const;

export const evictionPolicies = [
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'noeviction',
] as const;

/** Every setting of Redis 7.2. */
export const settingTable: readonly Setting[] = [
  // memory and keys
  memory('maxmemory', 0, 0, int64Max),
  choice('maxmemory-policy', 'noeviction', evictionPolicies),
  number('maxmemory-samples', 5, 1, 64),
  number('maxmemory-eviction-tenacity', 10, 0, 100),
  { kind: 'percent-or-memory', name: 'maxmemory-clients', initial: '0' },
  number('active-expire-effort', 1, 1, 10),
  number('lfu-log-factor', 10, 0, int32Max),
  number('lfu-decay-time', 1, 0, int32Max),
  ...[
    'lazyfree-lazy-eviction',
    'lazyfree-lazy-expire',
    'lazyfree-lazy-server-del',
    'lazyfree-lazy-user-del',
    'lazyfree-lazy-user-flush',
  ].map((name) => flag(name, 'no')),
  flag('replica-lazy-flush', 'no', { aliases: ['slave-lazy-flush'] }),
  flag('activedefrag', 'no'),
  memory('active-defrag-ignore-bytes', 104857600, 1, int64Max),
  number('active-defrag-cycle-min', 1, 1, 99),
  number('active-defrag-cycle-max', 25, 1, 99),
  number('active-defrag-threshold-lower', 10, 0, 1000),
  number('active-defrag-threshold-upper', 100, 0, 1000),
  number('active-defrag-max-scan-fields', 1000, 1, int64Max),
  flag('activerehashing', 'yes'),
  number('hz', 10, 0, int32Max),
  flag('dynamic-hz', 'yes'),
  flag('jemalloc-bg-thread', 'yes'),
  // encodings
  number('hash-max-listpack-entries', 512, 0, int64Max, { aliases: ['hash-max-ziplist-entries'] }),
  memory('hash-max-listpack-value', 64, 0, int64Max, { aliases: ['hash-max-ziplist-value'] }),
  number('zset-max-listpack-entries', 128, 0, int64Max, { aliases: ['zset-max-ziplist-entries'] }),
  memory('zset-max-listpack-value', 64, 0, int64Max, { aliases: ['zset-max-ziplist-value'] }),
  number('list-max-listpack-size', -2, -int32Max, int32Max, { aliases: ['list-max-ziplist-size'] }),
  number('list-compress-depth', 0, 0, int32Max),
  number('set-max-intset-entries', 512, 0, int64Max),
  number('set-max-listpack-entries', 128, 0, int64Max),
  memory('set-max-listpack-value', 64, 0, int64Max),
  memory('hll-sparse-max-bytes', 3000, 0, int64Max),
  memory('stream-node-max-bytes', 4096, 0, int64Max),
  number('stream-node-max-entries', 100, 0, int64Max),
  // clients
  number('maxclients', 10000, 1, 2 ** 32 - 1),
  number('timeout', 0, 0, int32Max),
  number('tcp-keepalive', 300, 0, int32Max),
  special('client-output-buffer-limit', 'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60'),
  memory('client-query-buffer-limit', 1073741824, 1048576, int64Max),
  memory('proto-max-bulk-len', 536870912, 1048576, int64Max),
  number('tracking-table-max-keys', 1000000, 0, int64Max),
  special('notify-keyspace-events', ''),
  flag('protected-mode', 'yes'),
  special('bind', '127.0.0.1 -::1'),
  text('bind-source-addr', ''),
  special('port', '6379'),
  text('socket-mark-id', '0'),
  // durability
  special('save', '3600 1 300 100 60 10000'),
  flag('appendonly', 'yes'),
  choice('appendfsync', 'everysec', ['everysec', 'always', 'no']),
  number('auto-aof-rewrite-percentage', 100, 0, int32Max),
  memory('auto-aof-rewrite-min-size', 67108864, 0, int64Max),
  flag('aof-use-rdb-preamble', 'yes'),
  flag('aof-load-truncated', 'yes'),
  flag('aof-timestamp-enabled', 'no'),
  flag('aof-rewrite-incremental-fsync', 'yes'),
  flag('aof-disable-auto-gc', 'no'),
  flag('no-appendfsync-on-rewrite', 'no'),
  flag('rdbcompression', 'yes'),
  flag('rdbchecksum', 'yes', fixed),
  flag('rdb-save-incremental-fsync', 'yes'),
  flag('rdb-del-sync-files', 'no'),
  flag('stop-writes-on-bgsave-error', 'yes'),
  // replication
  memory('repl-backlog-size', 1048576, 1, int64Max),
  number('repl-backlog-ttl', 3600, 0, int64Max),
  number('repl-timeout', 60, 1, int32Max),
  number('repl-ping-replica-period', 10, 1, int32Max, { aliases: ['repl-ping-slave-period'] }),
  flag('repl-disable-tcp-nodelay', 'no'),
  choice('repl-diskless-load', 'disabled', ['disabled', 'on-empty-db', 'swapdb']),
  flag('repl-diskless-sync', 'yes'),
  number('repl-diskless-sync-delay', 5, 0, int32Max),
  number('repl-diskless-sync-max-replicas', 0, 0, int32Max),
  number('min-replicas-to-write', 0, 0, int32Max, { aliases: ['min-slaves-to-write'] }),
  number('min-replicas-max-lag', 10, 0, int32Max, { aliases: ['min-slaves-max-lag'] }),
  text('replica-announce-ip', '', { aliases: ['slave-announce-ip'] }),
  number('replica-announce-port', 0, 0, 65535, { aliases: ['slave-announce-port'] }),
  flag('replica-announced', 'yes'),
  flag('replica-ignore-disk-write-errors', 'no'),
  flag('replica-ignore-maxmemory', 'yes', { aliases: ['slave-ignore-maxmemory'] }),
  number('replica-priority', 100, 0, int32Max, { aliases: ['slave-priority'] }),
  flag('replica-read-only', 'yes', { aliases: ['slave-read-only'] }),
  flag('replica-serve-stale-data', 'yes', { aliases: ['slave-serve-stale-data'] }),
  special('replicaof', '', { aliases: ['slaveof'], ...fixed }),
  choice('propagation-error-behavior', 'ignore', ['ignore', 'panic', 'panic-on-replicas']),
  // watching and rights
  number('slowlog-log-slower-than', 10000, -1, int64Max),
  number('slowlog-max-len', 128, 0, int64Max),
  number('latency-monitor-threshold', 0, 0, int64Max),
  flag('latency-tracking', 'yes'),
  special('latency-tracking-info-percentiles', '50 99 99.9'),
  choice('loglevel', 'notice', ['debug', 'verbose', 'notice', 'warning', 'nothing']),
  number('busy-reply-threshold', 5000, 0, int64Max, { aliases: ['lua-time-limit'] }),
  text('requirepass', ''),
  text('masterauth', ''),
  text('masteruser', ''),
  choice('acl-pubsub-default', 'resetchannels', ['allchannels', 'resetchannels']),
  number('acllog-max-len', 128, 0, int64Max),
  choice('sanitize-dump-payload', 'no', ['no', 'yes', 'clients']),
  number('shutdown-timeout', 10, 0, int32Max),
  choice('shutdown-on-sigint', 'default', ['default', 'save', 'nosave', 'now', 'force']),
  choice('shutdown-on-sigterm', 'default', ['default', 'save', 'nosave', 'now', 'force']),
  flag('crash-log-enabled', 'yes'),
  flag('crash-memcheck-enabled', 'yes'),
  choice('oom-score-adj', 'no', ['no', 'yes', 'relative', 'absolute']),
  special('oom-score-adj-values', '0 200 800'),
  text('proc-title-template', '{title} {listen-addr} {server-mode}'),
  // fixed at the start
  number('databases', 16, 1, int32Max, fixed),
  number('io-threads', 1, 1, 128, fixed),
  flag('io-threads-do-reads', 'no', fixed),
  flag('daemonize', 'no', fixed),
  text('pidfile', '', fixed),
  text('logfile', '', fixed),
  text('unixsocket', '', fixed),
  number('unixsocketperm', 0, 0, 0o777, fixed),
  number('tcp-backlog', 511, 0, int32Max, fixed),
  flag('cluster-enabled', 'no', fixed),
  text('cluster-config-file', 'nodes.conf', fixed),
  number('cluster-node-timeout', 15000, 0, int64Max),
  number('cluster-port', 0, 0, 65535, fixed),
  text('cluster-announce-ip', ''),
  text('cluster-announce-hostname', ''),
  text('cluster-announce-human-nodename', ''),
  number('cluster-announce-port', 0, 0, 65535),
  number('cluster-announce-tls-port', 0, 0, 65535),
  number('cluster-announce-bus-port', 0, 0, 65535),
  number('cluster-migration-barrier', 1, 0, int32Max),
  flag('cluster-allow-replica-migration', 'yes'),
  flag('cluster-allow-pubsubshard-when-down', 'yes'),
  flag('cluster-allow-reads-when-down', 'no'),
  flag('cluster-require-full-coverage', 'yes'),
  flag('cluster-replica-no-failover', 'no', { aliases: ['cluster-slave-no-failover'] }),
  number('cluster-replica-validity-factor', 10, 0, int32Max, { aliases: ['cluster-slave-validity-factor'] }),
  memory('cluster-link-sendbuf-limit', 0, 0, int64Max),
  choice('cluster-preferred-endpoint-type', 'ip', ['ip', 'hostname', 'unknown-endpoint']),
  text('aclfile', '', fixed),
  text('appendfilename', 'appendonly.aof', fixed),
  text('appenddirname', 'appendonlydir', fixed),
  choice('enable-protected-configs', 'no', ['no', 'yes', 'local'], fixed),
  choice('enable-debug-command', 'no', ['no', 'yes', 'local'], fixed),
  choice('enable-module-command', 'no', ['no', 'yes', 'local'], fixed),
  text('dir', '', { mutability: 'protected' }),
  text('dbfilename', 'dump.rdb', { mutability: 'protected' }),
  flag('always-show-logo', 'no', fixed),
  flag('disable-thp', 'yes', fixed),
  flag('set-proc-title', 'yes', fixed),
  choice('supervised', 'no', ['upstart', 'systemd', 'auto', 'no'], fixed),
  flag('syslog-enabled', 'no', fixed),
  text('syslog-ident', 'redis', fixed),
  choice(
    'syslog-facility',
    'local0',
    ['user', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
    fixed,
  ),
  text('ignore-warnings', ''),
  text('server_cpulist', '', fixed),
  text('bio_cpulist', '', fixed),
  text('aof_rewrite_cpulist', '', fixed),
  text('bgsave_cpulist', '', fixed),
  // TLS
  number('tls-port', 0, 0, 65535),
  choice('tls-auth-clients', 'yes', ['no', 'yes', 'optional']),
  ...[
    'tls-ca-cert-dir',
    'tls-ca-cert-file',
    'tls-cert-file',
    'tls-ciphers',
    'tls-ciphersuites',
    'tls-client-cert-file',
    'tls-client-key-file',
    'tls-client-key-file-pass',
    'tls-dh-params-file',
    'tls-key-file',
    'tls-key-file-pass',
    'tls-protocols',
  ].map((name) => text(name, '')),
  flag('tls-cluster', 'no'),
  flag('tls-replication', 'no'),
  flag('tls-prefer-server-ciphers', 'no'),
  flag('tls-session-caching', 'yes'),
  number('tls-session-cache-size', 20480, 0, int32Max),
  number('tls-session-cache-timeout', 300, 0, int32Max),
];

const memoryUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
};

/** `64mb` → bytes; `undefined` when it is no memory value. */
export function parseMemory(value: string): number | undefined {
  const match = /^(\d+)([a-zA-Z]*)$/.exec(value);
  const unit = memoryUnits[(match?.[2] ?? '').toLowerCase()];
  return match?.[1] === undefined || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** The letters of notify-keyspace-events in the order in which they are told back, and their event classes. */
const eventLetters: readonly (readonly [string, number])[] = [
  ['g', 1 << 0],
  ['$', 1 << 1],
  ['l', 1 << 2],
  ['s', 1 << 3],
  ['h', 1 << 4],
  ['z', 1 << 5],
  ['x', 1 << 6],
  ['e', 1 << 7],
  ['t', 1 << 8],
  ['d', 1 << 11],
];
const allEvents = eventLetters.reduce((flags, [, bit]) => flags | bit, 0);
const keyMissEvents = 1 << 9;
const newKeyEvents = 1 << 10;
export const keyspaceEvents = 1 << 20;
export const keyeventEvents = 1 << 21;

function parseEvents(value: string): number | undefined {
  let flags = 0;
  for (const letter of value) {
    const known = eventLetters.find(([name]) => name === letter);
    if (known !== undefined) flags |= known[1];
    else if (letter === 'A') flags |= allEvents;
    else if (letter === 'm') flags |= keyMissEvents;
    else if (letter === 'n') flags |= newKeyEvents;
    else if (letter === 'K') flags |= keyspaceEvents;
    else if (letter === 'E') flags |= keyeventEvents;
    else return undefined;
  }
  return flags;
}

function formatEvents(flags: number): string {
  let letters = '';
  if ((flags & allEvents) === allEvents) letters = 'A';
  else for (const [letter, bit] of eventLetters) if ((flags & bit) !== 0) letters += letter;
  if ((flags & newKeyEvents) !== 0) letters += 'n';
  if ((flags & keyspaceEvents) !== 0) letters += 'K';
  if ((flags & keyeventEvents) !== 0) letters += 'E';
  if ((flags & keyMissEvents) !== 0) letters += 'm';
  return letters;
}

export interface OutputLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}
type ClientClass = 'normal' | 'slave' | 'pubsub';

function parseOutputLimits(value: string): Map<ClientClass, OutputLimit> | undefined {
  const words = value.split(' ').filter((word) => word !== '');
  if (words.length === 0 || words.length % 4 !== 0) return undefined;
  const limits = new Map<ClientClass, OutputLimit>();
  for (let i = 0; i < words.length; i += 4) {
    const name = (words[i] ?? '').toLowerCase();
    const kind = name === 'replica' ? 'slave' : name;
    const hardBytes = parseMemory(words[i + 1] ?? '');
    const softBytes = parseMemory(words[i + 2] ?? '');
    const softSeconds = parseMemory(words[i + 3] ?? '');
    if (kind !== 'normal' && kind !== 'slave' && kind !== 'pubsub') return undefined;
    if (hardBytes === undefined || softBytes === undefined || softSeconds === undefined) return undefined;
    limits.set(kind, { hardBytes, softBytes, softSeconds });
  }
  return limits;
}

/** What a refused value gets; the caller adds "CONFIG SET failed …". */
class Refusal extends Error {}

export class Settings {
  /** Text of every setting, by its first name. */
  private readonly values = new Map<string, string>();
  private readonly byName = new Map<string, Setting>();
  private readonly listeners = new Map<string, ((value: string) => void)[]>();
  // What commands read on every request.
  requirepass = '';
  protoMaxBulkLen = 0;
  clientQueryBufferLimit = 0;
  durability: 'always' | 'everysec' = 'everysec';
  notifyFlags = 0;
  slowlogMicroseconds = 0;
  latencyThresholdMs = 0;
  latencyTracking = true;
  maxmemory = 0;
  readonly outputLimits = new Map<ClientClass, OutputLimit>();

  constructor(options: RedisOptions) {
    for (const setting of settingTable) {
      this.values.set(setting.name, String(setting.initial));
      this.byName.set(setting.name, setting);
      for (const alias of setting.aliases ?? []) this.byName.set(alias, setting);
    }
    this.preset('requirepass', options.password ?? '');
    this.preset('appendfsync', options.durability ?? 'everysec');
    this.preset('databases', String(options.store.databases));
    for (const [name, value] of Object.entries(options.settings ?? {})) this.preset(name, value);
    this.apply();
  }

  get(name: string): string {
    return this.values.get(name) ?? '';
  }

  number(name: string): number {
    return Number(this.get(name));
  }

  yes(name: string): boolean {
    return this.get(name) === 'yes';
  }

  /** Name and value of every setting whose name or alias matches one of the patterns. */
  matching(patterns: readonly string[]): [string, string][] {
    const found: [string, string][] = [];
    for (const [name, setting] of this.byName) {
      if (patterns.some((pattern) => matchesGlob(pattern, name, true))) found.push([name, this.get(setting.name)]);
    }
    return found;
  }

  /** Calls `listener` after the setting has changed. */
  onChange(name: string, listener: (value: string) => void): void {
    const listeners = this.listeners.get(name);
    if (listeners === undefined) this.listeners.set(name, [listener]);
    else listeners.push(listener);
  }

  /** CONFIG SET: all pairs or none. Throws Redis' errors. */
  set(pairs: readonly (readonly [string, string])[]): void {
    const changed = new Map<string, string>();
    for (const [given, value] of pairs) {
      const name = given.toLowerCase();
      const setting = this.byName.get(name);
      if (setting === undefined) {
        throw new RedisError(`ERR Unknown option or number of arguments for CONFIG SET - '${given}'`);
      }
      const failed = (why: string): RedisError =>
        new RedisError(`ERR CONFIG SET failed (possibly related to argument '${given}') - ${why}`);
      if (setting.mutability === 'immutable') throw failed("can't set immutable config");
      if (setting.mutability === 'protected' && this.get('enable-protected-configs') === 'no') {
        throw failed("can't set protected config");
      }
      if (changed.has(setting.name)) throw failed('duplicate parameter');
      try {
        changed.set(setting.name, this.normalize(setting, value));
      } catch (thrown) {
        if (thrown instanceof Refusal) throw failed(thrown.message);
        throw thrown;
      }
    }
    for (const [name, value] of changed) this.values.set(name, value);
    this.apply();
    for (const [name, value] of changed) for (const listener of this.listeners.get(name) ?? []) listener(value);
  }

  /** A value given at the start, immutable ones included. */
  preset(name: string, value: string): void {
    const setting = this.byName.get(name.toLowerCase());
    if (setting === undefined) throw new RedisError(`ERR Unknown setting '${name}'`);
    this.values.set(setting.name, this.normalize(setting, value));
  }

  private normalize(setting: Setting, value: string): string {
    switch (setting.kind) {
      case 'flag': {
        const lower = value.toLowerCase();
        if (lower !== 'yes' && lower !== 'no') throw new Refusal("argument must be 'yes' or 'no'");
        return lower;
      }
      case 'choice': {
        const lower = value.toLowerCase();
        if (!setting.choices.includes(lower)) {
          throw new Refusal(`argument(s) must be one of the following: ${setting.choices.join(', ')}`);
        }
        return lower;
      }
      case 'number':
      case 'memory': {
        const parsed = setting.kind === 'memory' ? parseMemory(value) : parseIntegerText(value);
        if (parsed === undefined) {
          throw new Refusal(
            setting.kind === 'memory'
              ? 'argument must be a memory value'
              : "argument couldn't be parsed into an integer",
          );
        }
        const number = Number(parsed);
        if (number < setting.min || number > setting.max) {
          throw new Refusal(
            `argument must be between ${setting.min} and ${setting.max === int64Max ? '9223372036854775807' : setting.max} inclusive`,
          );
        }
        return setting.name === 'hz' ? String(Math.min(500, Math.max(1, number))) : String(number);
      }
      case 'percent-or-memory':
        if (/^\d+%$/.test(value)) return value;
        if (parseMemory(value) === undefined) throw new Refusal('argument must be a memory or percent value');
        return String(parseMemory(value));
      case 'text':
        return value;
      case 'special':
        return this.normalizeSpecial(setting.name, value);
    }
  }

  private normalizeSpecial(name: string, value: string): string {
    switch (name) {
      case 'notify-keyspace-events': {
        const flags = parseEvents(value);
        if (flags === undefined) throw new Refusal("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
        return formatEvents(flags);
      }
      case 'client-output-buffer-limit': {
        const limits = parseOutputLimits(value);
        if (limits === undefined) {
          throw new Refusal('Invalid client class specified in buffer limit configuration.');
        }
        const merged = new Map([...(parseOutputLimits(this.get(name)) ?? []), ...limits]);
        return (['normal', 'slave', 'pubsub'] as const)
          .map((kind) => {
            const limit = merged.get(kind);
            return `${kind} ${limit?.hardBytes ?? 0} ${limit?.softBytes ?? 0} ${limit?.softSeconds ?? 0}`;
          })
          .join(' ');
      }
      case 'save': {
        const words = value.split(' ').filter((word) => word !== '');
        if (words.length % 2 !== 0 || words.some((word) => !/^\d+$/.test(word)))
          throw new Refusal('Invalid save parameters');
        for (let i = 0; i < words.length; i += 2)
          if (Number(words[i]) < 1) throw new Refusal('Invalid save parameters');
        return words.join(' ');
      }
      case 'latency-tracking-info-percentiles': {
        const words = value.split(' ').filter((word) => word !== '');
        if (words.some((word) => !/^\d+(\.\d+)?$/.test(word)))
          throw new Refusal('Invalid latency-tracking-info-percentiles parameters');
        if (words.some((word) => Number(word) > 100))
          throw new Refusal('latency-tracking-info-percentiles must be between 0.0 and 100.0');
        return words.map((word) => String(Number(word))).join(' ');
      }
      default:
        return value;
    }
  }

  private apply(): void {
    this.requirepass = this.get('requirepass');
    this.protoMaxBulkLen = this.number('proto-max-bulk-len');
    this.clientQueryBufferLimit = this.number('client-query-buffer-limit');
    this.durability = this.get('appendfsync') === 'always' ? 'always' : 'everysec';
    this.notifyFlags = parseEvents(this.get('notify-keyspace-events')) ?? 0;
    this.slowlogMicroseconds = this.number('slowlog-log-slower-than');
    this.latencyThresholdMs = this.number('latency-monitor-threshold');
    this.latencyTracking = this.yes('latency-tracking');
    this.maxmemory = this.number('maxmemory');
    for (const [kind, limit] of parseOutputLimits(this.get('client-output-buffer-limit')) ?? [])
      this.outputLimits.set(kind, limit);
  }
}
