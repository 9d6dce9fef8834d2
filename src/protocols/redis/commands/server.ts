/** Commands about the server: INFO, TIME, SLOWLOG, LATENCY, MEMORY, MONITOR, SAVE, ROLE, SHUTDOWN … */
import type { Engine } from '../../../engine/engine.js';
import type { KeyValueStore } from '../../../models/key-value/store.js';
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { help } from '../help.js';
import { infoText } from '../info.js';
import type { LatencySample } from '../latency.js';
import { parseIntegerText } from '../numbers.js';
import { redisVersion } from '../version.js';

/** `db0\0keys=…` for every database that is not empty. */
function keyspaceLines(store: KeyValueStore): string[] | Promise<string[]> {
  const engine: Engine = store.engine;
  const counts = store.keyspaceCounters().map(({ index, keys, deadlines }) => ({
    index,
    keys: engine.counter(keys),
    deadlines: engine.counter(deadlines),
  }));
  const lines = (rows: readonly { index: number; keys: number; deadlines: number }[]): string[] =>
    rows
      .filter(({ keys }) => keys > 0)
      .map(({ index, keys, deadlines }) => `db${index}\0keys=${keys},expires=${deadlines},avg_ttl=0`);
  if (counts.every(({ keys }) => typeof keys === 'number')) {
    return lines(counts as { index: number; keys: number; deadlines: number }[]);
  }
  return Promise.all(
    counts.map(async ({ index, keys, deadlines }) => ({ index, keys: await keys, deadlines: await deadlines })),
  ).then(lines);
}

function info(c: CommandContext): void | Promise<void> {
  const asked = c.request.texts(1);
  const answer = (lines: readonly string[]): void => c.reply.verbatim(infoText(c.server, asked, lines));
  if (c.inTransaction) return answer([]);
  const lines = keyspaceLines(c.server.store);
  return lines instanceof Promise ? lines.then(answer) : answer(lines);
}

function time(c: CommandContext): void {
  const microseconds = Math.floor((performance.timeOrigin + performance.now()) * 1000);
  c.reply.array(2);
  c.reply.bulkText(String(Math.floor(microseconds / 1e6)));
  c.reply.bulkText(String(microseconds % 1e6));
}

function slowlogGet(c: CommandContext): void {
  const { request, reply, server } = c;
  let count = 10;
  if (request.count > 3) throw new RedisError("ERR wrong number of arguments for 'slowlog|get' command");
  if (request.count === 3) {
    const given = parseIntegerText(request.text(2));
    if (typeof given !== 'number' || given < -1)
      throw new RedisError('ERR count should be greater than or equal to -1');
    count = given;
  }
  const entries = count === -1 ? server.slowlog.entries : server.slowlog.entries.slice(0, count);
  reply.array(entries.length);
  for (const entry of entries) {
    reply.array(6);
    reply.integer(entry.id);
    reply.integer(entry.time);
    reply.integer(entry.microseconds);
    reply.array(entry.words.length);
    for (const word of entry.words) reply.bulkText(word);
    reply.bulkText(entry.peer);
    reply.bulkText(entry.name);
  }
}

function latencyLatest(c: CommandContext): void {
  const { events } = c.server.latency;
  c.reply.array(events.size);
  for (const [event, { samples, maxMs }] of events) {
    const last = samples[samples.length - 1];
    c.reply.array(4);
    c.reply.bulkText(event);
    c.reply.integer(last?.time ?? 0);
    c.reply.integer(last?.ms ?? 0);
    c.reply.integer(maxMs);
  }
}

function latencyHistory(c: CommandContext): void {
  const samples: readonly LatencySample[] = c.server.latency.events.get(c.request.text(2))?.samples ?? [];
  c.reply.array(samples.length);
  for (const { time: at, ms } of samples) {
    c.reply.array(2);
    c.reply.integer(at);
    c.reply.integer(ms);
  }
}

function latencyReset(c: CommandContext): void {
  const { events } = c.server.latency;
  const names = c.request.count > 2 ? c.request.texts(2) : [...events.keys()];
  let reset = 0;
  for (const name of names) if (events.delete(name)) reset++;
  c.reply.integer(reset);
}

function latencyGraph(c: CommandContext): void {
  const event = c.request.text(2);
  const series = c.server.latency.events.get(event);
  if (series === undefined) throw new RedisError(`ERR No samples available for event '${event}'`);
  const low = Math.min(...series.samples.map(({ ms }) => ms));
  const bars = series.samples.map(
    ({ ms }) => '_o#'[Math.min(2, Math.floor((3 * (ms - low)) / Math.max(1, series.maxMs - low)))] ?? '_',
  );
  c.reply.verbatim(
    `${event} - high ${series.maxMs} ms, low ${low} ms (all time high ${series.maxMs} ms)\n${'-'.repeat(80)}\n${bars.join('')}\n`,
  );
}

function latencyDoctor(c: CommandContext): void {
  const { latency, settings } = c.server;
  if (latency.events.size === 0 && settings.latencyThresholdMs === 0) {
    c.reply.verbatim(
      "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n",
    );
  } else if (latency.events.size === 0) {
    c.reply.verbatim(
      'Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n',
    );
  } else {
    const lines = [...latency.events].map(
      ([event, { samples, maxMs }], i) =>
        `${i + 1}. ${event}: ${samples.length} latency spikes (average ${Math.floor(samples.reduce((sum, { ms }) => sum + ms, 0) / samples.length)}ms). Worst all time event ${maxMs}ms.\n`,
    );
    c.reply.verbatim(`Dave, I have observed latency spikes in this Redis instance.\n\n${lines.join('')}`);
  }
}

function latencyHistogram(c: CommandContext): void {
  const { registry, statistics } = c.server;
  const chosen =
    c.request.count === 2
      ? registry.all
      : c.request.texts(2).flatMap((name) => {
          const command = registry.named(name.toLowerCase());
          return command === undefined ? [] : [command, ...command.subcommands.values()];
        });
  const rows = chosen.filter(({ id }) => (statistics.byCommand[id]?.calls ?? 0) > 0);
  c.reply.map(rows.length);
  for (const command of rows) {
    const figures = statistics.figures(command);
    const filled: [number, number][] = [];
    let seen = 0;
    figures.histogram.forEach((count, bucket) => {
      if (count === 0) return;
      seen += count;
      filled.push([2 ** bucket, seen]);
    });
    c.reply.bulkText(command.name);
    c.reply.map(2);
    c.reply.bulkText('calls');
    c.reply.integer(figures.calls);
    c.reply.bulkText('histogram_usec');
    c.reply.map(filled.length);
    for (const [limit, count] of filled) {
      c.reply.integer(limit);
      c.reply.integer(count);
    }
  }
}

function memoryUsage(c: CommandContext): void {
  const { request, reply, db } = c;
  if (request.count > 3) {
    if (request.count !== 5 || !request.is(3, 'samples')) throw syntaxError();
    if (request.integer(4) < 0) throw syntaxError();
  }
  const { noTouch } = db;
  db.noTouch = true;
  const record = db.find(request.text(2));
  db.noTouch = noTouch;
  if (record === undefined) reply.null();
  else reply.integer(c.server.store.memoryOf(db, record));
}

function memoryStats(c: CommandContext): void {
  const used = c.server.usedMemory();
  const { heapUsed, heapTotal, external, rss } = process.memoryUsage();
  const integers: readonly (readonly [string, number])[] = [
    ['peak.allocated', c.server.peakMemory()],
    ['total.allocated', used],
    ['startup.allocated', 0],
    ['replication.backlog', 0],
    ['clients.slaves', 0],
    ['clients.normal', c.server.clients.size * 2048],
    ['cluster.links', 0],
    ['aof.buffer', 0],
    ['lua.caches', 0],
    ['functions.caches', 0],
    ['overhead.total', heapUsed],
    ['keys.count', 0],
    ['keys.bytes-per-key', 0],
    ['dataset.bytes', used],
  ];
  const doubles: readonly (readonly [string, number])[] = [
    ['dataset.percentage', 100],
    ['peak.percentage', (used / Math.max(1, c.server.peakMemory())) * 100],
  ];
  const tail: readonly (readonly [string, number])[] = [
    ['allocator.allocated', heapUsed + external],
    ['allocator.active', heapTotal + external],
    ['allocator.resident', rss],
  ];
  const ratios: readonly (readonly [string, number, string, number])[] = [
    [
      'allocator-fragmentation.ratio',
      (heapTotal + external) / (heapUsed + external),
      'allocator-fragmentation.bytes',
      heapTotal - heapUsed,
    ],
    ['allocator-rss.ratio', rss / (heapTotal + external), 'allocator-rss.bytes', rss - heapTotal - external],
    ['rss-overhead.ratio', 1, 'rss-overhead.bytes', 0],
    ['fragmentation', rss / (heapUsed + external), 'fragmentation.bytes', rss - heapUsed - external],
  ];
  c.reply.map(integers.length + doubles.length + tail.length + 2 * ratios.length);
  for (const [name, value] of integers) {
    c.reply.bulkText(name);
    c.reply.integer(value);
  }
  for (const [name, value] of doubles) {
    c.reply.bulkText(name);
    c.reply.double(value);
  }
  for (const [name, value] of tail) {
    c.reply.bulkText(name);
    c.reply.integer(value);
  }
  for (const [name, ratio, bytesName, bytes] of ratios) {
    c.reply.bulkText(name);
    c.reply.double(ratio);
    c.reply.bulkText(bytesName);
    c.reply.integer(bytes);
  }
}

function monitor(c: CommandContext): void {
  if (c.inTransaction) throw new RedisError("ERR MONITOR isn't allowed for DENY BLOCKING client");
  c.server.monitorClients.join(c.client);
  c.reply.ok();
}

function save(c: CommandContext): Promise<void> {
  return c.server.saves.now().then(() => c.reply.ok());
}

function bgsave(c: CommandContext): void {
  const { request, server } = c;
  if (request.count > 2 || (request.count === 2 && !request.is(1, 'schedule'))) throw syntaxError();
  if (server.saves.running) throw new RedisError('ERR Background save already in progress');
  server.saves.now().catch((err: unknown) => server.logger.error({ err }, 'BGSAVE failed'));
  c.reply.simple('Background saving started');
}

function role(c: CommandContext): void {
  c.reply.array(3);
  c.reply.bulkText('master');
  c.reply.integer(0);
  c.reply.array(0);
}

function replicaOf(c: CommandContext): void {
  if (c.request.is(1, 'no') && c.request.is(2, 'one')) {
    c.reply.ok();
    return;
  }
  const port = parseIntegerText(c.request.text(2));
  if (typeof port !== 'number' || port < 0 || port > 65535) throw new RedisError('ERR Invalid master port');
  throw new RedisError('ERR REPLICAOF is not supported: this server is a primary');
}

function clusterDisabled(): void {
  throw new RedisError('ERR This instance has cluster support disabled');
}

function shutdown(c: CommandContext): void {
  const words = c.request.texts(1).map((word) => word.toLowerCase());
  if (words.some((word) => !['nosave', 'save', 'now', 'force', 'abort'].includes(word))) throw syntaxError();
  if (words.includes('abort')) {
    if (words.length > 1) throw syntaxError();
    throw new RedisError('ERR No shutdown in progress.');
  }
  if (words.includes('save') && words.includes('nosave')) throw syntaxError();
  const { host } = c.server.options;
  if (host === undefined) throw new RedisError('ERR Errors trying to SHUTDOWN. Check logs.');
  c.client.closeAfterReply = true;
  host.shutdown();
}

function lolwut(c: CommandContext): void {
  c.reply.verbatim(
    ['   ____  ', '  |R   | one stone,', '  |ΡΟΖ | ten scripts', '  |____| ', '', `Redis ver. ${redisVersion}`, '']
      .map((line) => Buffer.from(line, 'utf8').toString('latin1'))
      .join('\n'),
  );
}

function wait(c: CommandContext): void {
  c.request.integer(1);
  const timeout = c.request.integer(2);
  if (timeout < 0) throw new RedisError('ERR timeout is negative');
  const replicas = c.request.integer(1);
  if (replicas <= 0 || !c.canBlock) c.reply.integer(0);
  else c.block({ keys: [], timeoutMs: timeout, onTimeout: (reply) => reply.integer(0) });
}

function waitAof(c: CommandContext): void | Promise<void> {
  const local = c.request.integer(1);
  const replicas = c.request.integer(2);
  const timeout = c.request.integer(3);
  if (local < 0 || local > 1) throw new RedisError('ERR value is out of range, value must between 0 and 1');
  if (replicas < 0) throw new RedisError('ERR value is out of range, must be positive');
  if (timeout < 0) throw new RedisError('ERR timeout is negative');
  const answer = (synced: number): void => {
    c.reply.array(2);
    c.reply.integer(synced);
    c.reply.integer(0);
  };
  if (c.inTransaction) return answer(0);
  const settled = c.server.store.engine.settled('always');
  const done = (): void => {
    if (replicas > 0) c.block({ keys: [], timeoutMs: timeout, onTimeout: () => answer(1) });
    else answer(1);
  };
  return settled === undefined ? done() : settled.then(done);
}

const moduleRefused =
  'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.';

const clusterSubcommands = [
  ...[
    'addslots',
    'addslotsrange',
    'bumpepoch',
    'count-failure-reports',
    'countkeysinslot',
    'delslots',
    'delslotsrange',
  ],
  ...['failover', 'flushslots', 'forget', 'getkeysinslot', 'help', 'info', 'keyslot', 'links', 'meet', 'myid', 'nodes'],
  ...['replicas', 'replicate', 'reset', 'saveconfig', 'set-config-epoch', 'setslot', 'shards', 'slaves', 'slots'],
];

export const serverCommands: Commands = {
  info,
  time,
  'slowlog|get': slowlogGet,
  'slowlog|len': (c) => c.reply.integer(c.server.slowlog.entries.length),
  'slowlog|reset': (c) => {
    c.server.slowlog.entries = [];
    c.reply.ok();
  },
  'slowlog|help': help('slowlog'),
  'latency|latest': latencyLatest,
  'latency|history': latencyHistory,
  'latency|reset': latencyReset,
  'latency|graph': latencyGraph,
  'latency|doctor': latencyDoctor,
  'latency|histogram': latencyHistogram,
  'latency|help': help('latency'),
  'memory|usage': memoryUsage,
  'memory|stats': memoryStats,
  'memory|doctor': (c) =>
    c.reply.verbatim(
      "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n",
    ),
  'memory|malloc-stats': (c) => c.reply.verbatim(`${JSON.stringify(process.memoryUsage())}\n`),
  'memory|purge': (c) => c.reply.ok(),
  'memory|help': help('memory'),
  monitor,
  save,
  bgsave,
  bgrewriteaof: (c) => c.reply.simple('Background append only file rewriting started'),
  lastsave: (c) => c.reply.integer(Math.floor(c.server.saves.lastMs / 1000)),
  role,
  replicaof: replicaOf,
  slaveof: replicaOf,
  ...Object.fromEntries(clusterSubcommands.map((name) => [`cluster|${name}`, clusterDisabled])),
  readonly: clusterDisabled,
  readwrite: clusterDisabled,
  asking: clusterDisabled,
  failover: (c) => {
    if (c.request.is(1, 'abort') && c.request.count === 2) throw new RedisError('ERR No failover in progress.');
    throw new RedisError('ERR FAILOVER requires connected replicas.');
  },
  shutdown,
  lolwut,
  wait,
  waitaof: waitAof,
  'module|list': (c) => c.reply.array(0),
  'module|load': () => {
    throw new RedisError(moduleRefused);
  },
  'module|loadex': () => {
    throw new RedisError(moduleRefused);
  },
  'module|unload': () => {
    throw new RedisError(moduleRefused);
  },
  'module|help': help('module'),
};
