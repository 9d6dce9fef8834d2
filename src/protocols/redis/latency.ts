/** LATENCY: spikes by event, kept while `latency-monitor-threshold` is set. */
const samplesMax = 160;

export interface LatencySample {
  /** Seconds since 1970. */
  readonly time: number;
  ms: number;
}

export class LatencyEvents {
  readonly events = new Map<string, { samples: LatencySample[]; maxMs: number }>();

  add(event: string, ms: number): void {
    let series = this.events.get(event);
    if (series === undefined) {
      series = { samples: [], maxMs: 0 };
      this.events.set(event, series);
    }
    const time = Math.floor(Date.now() / 1000);
    const rounded = Math.floor(ms);
    series.maxMs = Math.max(series.maxMs, rounded);
    const last = series.samples[series.samples.length - 1];
    if (last?.time === time) last.ms = Math.max(last.ms, rounded);
    else {
      series.samples.push({ time, ms: rounded });
      if (series.samples.length > samplesMax) series.samples.shift();
    }
  }
}
