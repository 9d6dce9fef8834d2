/** Time zones: `America/New_York`, `+05:30`, `+0530`, `+05`; and the values that stand for a point in time. */
import { DocumentError } from '../../../errors.js';
import { DateTime, ObjectId, Timestamp, typeName, type Value } from '../../../values.js';
import { type Argument, isNullish } from '../operator.js';

const DAY_MS = 86_400_000;
/** Offsets change at quarters of hours only. */
const OFFSET_STEP_MS = 900_000;
/** Offsets remembered for one zone. */
const OFFSETS_MAX = 20_000;

export class TimeZone {
  private readonly known = new Map<number, number>();

  private constructor(
    readonly name: string,
    private readonly fixedMs: number | undefined,
    private readonly format: Intl.DateTimeFormat | undefined,
  ) {}

  static readonly UTC = new TimeZone('UTC', 0, undefined);
  private static readonly zones = new Map<string, TimeZone>();

  /** Throws 40485 for an unknown name. */
  static named(name: string): TimeZone {
    let zone = TimeZone.zones.get(name);
    if (zone === undefined) {
      zone = TimeZone.make(name);
      if (TimeZone.zones.size > 1000) TimeZone.zones.clear();
      TimeZone.zones.set(name, zone);
    }
    return zone;
  }

  private static make(name: string): TimeZone {
    const offset = /^([+-])(\d\d)(?::?(\d\d))?$/.exec(name);
    if (offset !== null) {
      const minutes = Number(offset[2]) * 60 + Number(offset[3] ?? 0);
      return new TimeZone(name, (offset[1] === '-' ? -minutes : minutes) * 60_000, undefined);
    }
    if (name === 'UTC' || name === 'GMT' || name === 'Z') return TimeZone.UTC;
    try {
      if (!/^[A-Za-z]/.test(name)) throw new RangeError(name);
      const format = new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
        era: 'short',
      });
      return new TimeZone(name, undefined, format);
    } catch {
      throw new DocumentError(40485, `unrecognized time zone identifier: "${name}"`);
    }
  }

  get isUtc(): boolean {
    return this.fixedMs === 0;
  }

  /** Milliseconds to add to UTC at this moment. */
  offsetAt(utc: number): number {
    if (this.fixedMs !== undefined) return this.fixedMs;
    const step = Math.floor(utc / OFFSET_STEP_MS);
    const known = this.known.get(step);
    if (known !== undefined) return known;
    const offset = this.measure(step * OFFSET_STEP_MS);
    if (this.known.size >= OFFSETS_MAX) this.known.clear();
    this.known.set(step, offset);
    return offset;
  }

  private measure(utc: number): number {
    const fields: Record<string, number> = {};
    let before = false;
    for (const { type, value } of this.format?.formatToParts(utc) ?? []) {
      if (type === 'era') before = value.startsWith('B');
      else fields[type] = Number(value);
    }
    const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
    const local = new Date(Date.UTC(2000, month - 1, day, hour, minute, second));
    local.setUTCFullYear(before ? 1 - year : year, month - 1, day);
    return local.getTime() - utc;
  }

  /** Local time as if it were UTC. */
  toLocal(utc: number): number {
    return utc + this.offsetAt(utc);
  }

  /** The earlier moment where the clock shows it twice; past the gap where it never does. */
  fromLocal(local: number): number {
    if (this.fixedMs !== undefined) return local - this.fixedMs;
    const before = this.offsetAt(local - DAY_MS);
    const after = this.offsetAt(local + DAY_MS);
    for (const offset of [before, after]) {
      if (this.offsetAt(local - offset) === offset) return local - offset;
    }
    return local - before;
  }
}

/** UTC when absent; undefined when it is null, which makes results null. Throws 40533 for other values. */
export function timeZoneOf(value: Argument, present: boolean): TimeZone | undefined {
  if (!present) return TimeZone.UTC;
  if (isNullish(value)) return undefined;
  if (typeof value !== 'string') {
    throw new DocumentError(40533, `timezone must evaluate to a string, found ${typeName(value)}`);
  }
  return TimeZone.named(value);
}

/** Milliseconds since 1970 of a date, timestamp or ObjectId. Throws 16006 for other values. */
export function millisecondsOf(value: Value): number {
  if (value instanceof DateTime) return value.ms;
  if (value instanceof Timestamp) return value.seconds * 1000;
  if (value instanceof ObjectId) return (value.seconds | 0) * 1000;
  throw new DocumentError(16006, `can't convert from BSON type ${typeName(value)} to Date`);
}

/** Throws 5166500 beyond what a date may be. */
export function dateAt(ms: number): DateTime {
  return new DateTime(Math.round(ms));
}
