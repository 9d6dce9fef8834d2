/**
 * Metrics in Prometheus' text format. Nothing is counted here: parts of the server count for themselves in plain fields,
 * and are read when somebody scrapes.
 *
 * The registry belongs to one server instance; several may live in a process.
 */

import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, type MetricType, Registry } from 'prom-client';
import type { EngineStatistics } from '../engine/engine.js';
import { type CommandFigures, latencyBuckets } from './command-statistics.js';

/** What is read of a listener. */
export interface ListenerFigures {
  readonly protocol: string;
  readonly connections: number;
  readonly statistics: {
    readonly accepted: number;
    readonly refused: number;
    readonly closedIdle: number;
    readonly closedSlow: number;
    readonly closedUnsettled: number;
    readonly defects: number;
    readonly socketErrors: number;
    readonly bytesRead: number;
    readonly bytesWritten: number;
  };
}

/** What is read of a protocol's commands; {@link CommandStatistics} has it. */
export interface CommandFiguresSource {
  commands(): Iterable<
    readonly [
      name: string,
      figures: Pick<CommandFigures, 'calls' | 'microseconds' | 'rejected' | 'failed' | 'histogram'>,
    ]
  >;
  errors(): Iterable<readonly [code: string, count: number]>;
}

/** One value of a metric, with its labels in the order of the metric's names. */
type Sample = readonly [value: number, ...labels: string[]];

/** How often the event loop's delay is measured. */
const eventLoopResolutionMs = 20;
const quantiles = [50, 90, 99, 99.9] as const;
/** Buckets in the scrape: 2^0 to 2^23 µs (8.4 s), then infinity. */
const scrapedBuckets = 24;

export class Metrics {
  readonly registry = new Registry();
  private readonly listeners = new Set<ListenerFigures>();
  private readonly commands = new Map<string, CommandFiguresSource>();
  private engine: { statistics(): EngineStatistics } | undefined;
  private readonly eventLoopDelay: IntervalHistogram;
  private utilization = performance.eventLoopUtilization();

  constructor(build: { readonly version: string }) {
    this.eventLoopDelay = monitorEventLoopDelay({ resolution: eventLoopResolutionMs });
    this.eventLoopDelay.enable();
    this.gauge('rosetta_build', 'The version that runs; always 1.', ['version', 'node'], () => [
      [1, build.version, process.version],
    ]);
    this.describeListeners();
    this.describeCommands();
    this.describeEngine();
    this.describeProcess();
  }

  /** Reports a listener until the returned function is called. */
  watchListener(listener: ListenerFigures): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  watchCommands(protocol: string, source: CommandFiguresSource): void {
    this.commands.set(protocol, source);
  }

  watchEngine(engine: { statistics(): EngineStatistics }): void {
    this.engine = engine;
  }

  /** The whole text of a scrape. */
  render(): Promise<string> {
    return this.registry.metrics();
  }

  /** Stops measuring the event loop. */
  close(): void {
    this.eventLoopDelay.disable();
    this.registry.clear();
  }

  // --- what is reported -------------------------------------------------------------------------------------------

  private describeListeners(): void {
    const byProtocol =
      (figure: (listener: ListenerFigures) => number): (() => Sample[]) =>
      () =>
        [...this.sums(figure)].map(([protocol, value]): Sample => [value, protocol]);
    const counter = (name: string, help: string, figure: (listener: ListenerFigures) => number): void =>
      this.counter(name, help, ['protocol'], byProtocol(figure));
    this.gauge(
      'rosetta_connections',
      'Open connections.',
      ['protocol'],
      byProtocol((listener) => listener.connections),
    );
    counter('rosetta_connections_opened_total', 'Connections accepted.', ({ statistics }) => statistics.accepted);
    counter(
      'rosetta_connections_refused_total',
      'Connections refused because their limit was reached.',
      ({ statistics }) => statistics.refused,
    );
    this.counter(
      'rosetta_connections_closed_total',
      'Connections closed by the server, by reason: idle too long, replies not read, commits not settled, defect.',
      ['protocol', 'reason'],
      () => {
        const samples: Sample[] = [];
        const add = (reason: string, figure: (listener: ListenerFigures) => number): void => {
          for (const [protocol, value] of this.sums(figure)) samples.push([value, protocol, reason]);
        };
        add('idle', ({ statistics }) => statistics.closedIdle);
        add('slow', ({ statistics }) => statistics.closedSlow);
        add('unsettled', ({ statistics }) => statistics.closedUnsettled);
        add('defect', ({ statistics }) => statistics.defects);
        return samples;
      },
    );
    counter(
      'rosetta_network_received_bytes_total',
      'Bytes read from clients.',
      (listener) => listener.statistics.bytesRead,
    );
    counter(
      'rosetta_network_sent_bytes_total',
      'Bytes written to clients.',
      (listener) => listener.statistics.bytesWritten,
    );
    counter(
      'rosetta_network_errors_total',
      'Connections that failed: resets, broken pipes, TLS handshakes.',
      (listener) => listener.statistics.socketErrors,
    );
  }

  private sums(figure: (listener: ListenerFigures) => number): Map<string, number> {
    const sums = new Map<string, number>();
    for (const listener of this.listeners) {
      sums.set(listener.protocol, (sums.get(listener.protocol) ?? 0) + figure(listener));
    }
    return sums;
  }

  private describeCommands(): void {
    const called = (figure: (figures: CommandSample) => Sample[]): (() => Sample[]) => {
      return () => [...this.commandSamples()].flatMap(figure);
    };
    this.counter(
      'rosetta_commands_total',
      'Commands run.',
      ['protocol', 'command'],
      called(({ protocol, command, figures }) => [[figures.calls, protocol, command]]),
    );
    this.counter(
      'rosetta_command_errors_total',
      'Commands that were refused before they ran (rejected) or answered with an error (failed).',
      ['protocol', 'command', 'kind'],
      called(({ protocol, command, figures }) => [
        [figures.rejected, protocol, command, 'rejected'],
        [figures.failed, protocol, command, 'failed'],
      ]),
    );
    this.counter('rosetta_errors_total', 'Error replies, by code.', ['protocol', 'code'], () => {
      const samples: Sample[] = [];
      for (const [protocol, source] of this.commands) {
        for (const [code, count] of source.errors()) samples.push([count, protocol, code]);
      }
      return samples;
    });
    this.registry.registerMetric(new CommandDurations(() => this.commandSamples()));
  }

  /** Commands that somebody has called: a metric for each of the others would only make the scrape long. */
  private *commandSamples(): Generator<CommandSample> {
    for (const [protocol, source] of this.commands) {
      for (const [command, figures] of source.commands()) {
        if (figures.calls + figures.rejected + figures.failed > 0) yield { protocol, command, figures };
      }
    }
  }

  private describeEngine(): void {
    const read = (figure: (statistics: EngineStatistics) => number | undefined): (() => Sample[]) => {
      return () => {
        const value = this.engine === undefined ? undefined : figure(this.engine.statistics());
        return value === undefined ? [] : [[value]];
      };
    };
    this.counter(
      'rosetta_engine_commits_total',
      'Transactions committed.',
      [],
      read((s) => s.commits),
    );
    this.counter(
      'rosetta_engine_conflicts_total',
      'Transactions run again after a conflict.',
      [],
      read((s) => s.conflicts),
    );
    this.counter(
      'rosetta_engine_fsyncs_total',
      'Times the log was made durable.',
      [],
      read((s) => s.fsyncs),
    );
    this.counter(
      'rosetta_engine_checkpoints_total',
      'Memtables merged into the store.',
      [],
      read((s) => s.checkpoints),
    );
    this.gauge(
      'rosetta_engine_last_checkpoint_seconds',
      'How long the last checkpoint took.',
      [],
      read((s) => (s.lastCheckpointMs === undefined ? undefined : s.lastCheckpointMs / 1000)),
    );
    this.gauge(
      'rosetta_engine_memtable_bytes',
      'Memory of the memtable.',
      [],
      read((s) => s.memtableBytes),
    );
    this.gauge(
      'rosetta_engine_memtable_entries',
      'Entries of the memtable.',
      [],
      read((s) => s.memtableEntries),
    );
    this.gauge(
      'rosetta_engine_log_bytes',
      'Size of the write-ahead log.',
      [],
      read((s) => s.logBytes),
    );
    this.gauge(
      'rosetta_engine_stored_bytes',
      'Size of the store without the log.',
      [],
      read((s) => s.storedBytes),
    );
    this.gauge(
      'rosetta_engine_refusing_writes',
      '1 while writes are refused, as on a full disk.',
      [],
      read((s) => (s.refusing === undefined ? 0 : 1)),
    );
  }

  private describeProcess(): void {
    this.gauge(
      'rosetta_event_loop_delay_seconds',
      'Delay of the event loop since the last scrape.',
      ['quantile'],
      () => {
        const samples = quantiles.map(
          (percent): Sample => [
            Math.max(0, this.eventLoopDelay.percentile(percent) / 1e9 - eventLoopResolutionMs / 1000),
            String(percent / 100),
          ],
        );
        samples.push([Math.max(0, this.eventLoopDelay.max / 1e9 - eventLoopResolutionMs / 1000), '1']);
        this.eventLoopDelay.reset();
        return samples;
      },
    );
    this.gauge(
      'rosetta_event_loop_utilization',
      'Share of time the event loop was busy since the last scrape.',
      [],
      () => {
        const now = performance.eventLoopUtilization();
        const since = performance.eventLoopUtilization(now, this.utilization);
        this.utilization = now;
        return [[since.utilization]];
      },
    );
    this.gauge('rosetta_memory_bytes', 'Memory of the process, by kind.', ['kind'], () => {
      const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
      return [
        [rss, 'resident'],
        [heapTotal, 'heap'],
        [heapUsed, 'heap_used'],
        [external, 'external'],
        [arrayBuffers, 'array_buffers'],
      ];
    });
    this.counter('process_cpu_seconds_total', 'CPU time of the process.', ['mode'], () => {
      const { user, system } = process.cpuUsage();
      return [
        [user / 1e6, 'user'],
        [system / 1e6, 'system'],
      ];
    });
    this.gauge('process_start_time_seconds', 'When the process started, in seconds since 1970.', [], () => [
      [Math.round(performance.timeOrigin) / 1000],
    ]);
  }

  // --- metrics that are read, not counted -------------------------------------------------------------------------

  private gauge(name: string, help: string, labelNames: readonly string[], read: () => readonly Sample[]): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        // Without labels it resets to 0, but a metric that has no value now is left out of the scrape.
        if (labelNames.length === 0) this.remove();
        for (const [value, ...labels] of read()) this.set(labelled(labelNames, labels), value);
      },
    });
  }

  private counter(name: string, help: string, labelNames: readonly string[], read: () => readonly Sample[]): void {
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        if (labelNames.length === 0) this.remove();
        for (const [value, ...labels] of read()) this.inc(labelled(labelNames, labels), value);
      },
    });
  }
}

function labelled(names: readonly string[], values: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  names.forEach((name, i) => {
    labels[name] = values[i] ?? '';
  });
  return labels;
}

interface CommandSample {
  readonly protocol: string;
  readonly command: string;
  readonly figures: Pick<CommandFigures, 'calls' | 'microseconds' | 'rejected' | 'failed' | 'histogram'>;
}

interface HistogramValue {
  readonly metricName: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

const durations = { name: 'rosetta_command_duration_seconds', help: 'How long commands ran.' };

/** A histogram of buckets counted elsewhere; prom-client's own can only be filled observation by observation. */
class CommandDurations extends Histogram {
  constructor(private readonly samples: () => Iterable<CommandSample>) {
    super({ ...durations, labelNames: ['protocol', 'command'], registers: [] });
  }

  override get(): ReturnType<Histogram['get']> {
    return Promise.resolve({
      ...durations,
      type: 'histogram' as unknown as MetricType,
      aggregator: 'sum',
      collect: () => {},
      values: [...this.samples()].flatMap(histogramValues),
    });
  }

  /** What the registry asks for when it renders text. */
  getForPromString(): ReturnType<Histogram['get']> {
    return this.get();
  }
}

function histogramValues({ protocol, command, figures }: CommandSample): HistogramValue[] {
  const { name } = durations;
  const labels = { protocol, command };
  const values: HistogramValue[] = [];
  let below = 0;
  let all = 0;
  for (let bucket = 0; bucket < latencyBuckets; bucket++) {
    const inside = figures.histogram[bucket] ?? 0;
    all += inside;
    if (bucket >= scrapedBuckets) continue;
    below += inside;
    values.push({ metricName: `${name}_bucket`, labels: { le: 2 ** bucket / 1e6, ...labels }, value: below });
  }
  values.push(
    { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: all },
    { metricName: `${name}_sum`, labels, value: figures.microseconds / 1e6 },
    { metricName: `${name}_count`, labels, value: all },
  );
  return values;
}
