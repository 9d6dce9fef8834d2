/** The settings of one protocol (`--settings PROTOCOL.NAME=VALUE`), read by it name by name. */
import { ConfigurationError } from './configuration-sources.js';
import { parseSize } from './options.js';

export interface NumberBounds {
  readonly initial: number;
  readonly min: number;
  readonly max: number;
}

export class ProtocolSettings {
  private readonly read = new Set<string>();

  constructor(
    private readonly protocol: string,
    private readonly given: Readonly<Record<string, string>>,
  ) {}

  /** Everything, for a protocol that checks names and values itself. */
  all(): Record<string, string> {
    return { ...this.given };
  }

  number(name: string, bounds: NumberBounds): number {
    return this.bounded(name, bounds, (text) => (/^\d{1,15}$/.test(text) ? Number(text) : Number.NaN));
  }

  /** Any text; empty when it is not set. */
  text(name: string): string {
    this.read.add(name);
    return this.given[name] ?? '';
  }

  /** Bytes; the value may have a unit. */
  size(name: string, bounds: NumberBounds): number {
    return this.bounded(name, bounds, parseSize);
  }

  /** Throws for a name that was not asked for. */
  assertNoOthers(): void {
    for (const name of Object.keys(this.given)) {
      if (!this.read.has(name))
        throw this.wrong(name, `there is no such setting; there are ${[...this.read].join(', ')}`);
    }
  }

  private bounded(name: string, { initial, min, max }: NumberBounds, parse: (text: string) => number): number {
    this.read.add(name);
    const text = this.given[name];
    if (text === undefined) return initial;
    let value: number;
    try {
      value = parse(text);
    } catch (cause) {
      throw this.wrong(name, cause instanceof Error ? cause.message : String(cause));
    }
    if (!(value >= min && value <= max))
      throw this.wrong(name, `expected a number from ${min} to ${max}, not "${text}"`);
    return value;
  }

  private wrong(name: string, sentence: string): ConfigurationError {
    return new ConfigurationError(`--settings ${this.protocol}.${name}: ${sentence}`);
  }
}
