/** `$dateAdd $dateSubtract $dateDiff $dateTrunc`: by units of the calendar in a time zone. */
import { DocumentError } from '../../../errors.js';
import { formatValue, isNumber, toInteger, typeName } from '../../../values.js';
import type { CompileOperator } from '../expression.js';
import { type Argument, isNullish, type NamedArguments, named } from '../operator.js';
import { DAY_MS, daysInMonth, localTime } from './calendar.js';
import { dateAt, millisecondsOf, TimeZone, timeZoneOf } from './time-zone.js';

export type TimeUnit = 'year' | 'quarter' | 'month' | 'week' | 'day' | 'hour' | 'minute' | 'second' | 'millisecond';

const MONTHS_OF: Partial<Record<TimeUnit, number>> = { year: 12, quarter: 3, month: 1 };
const DAYS_OF: Partial<Record<TimeUnit, number>> = { week: 7, day: 1 };
/** Units that are the same length everywhere. */
export const MILLISECONDS_OF: Partial<Record<TimeUnit, number>> = {
  hour: 3_600_000,
  minute: 60_000,
  second: 1000,
  millisecond: 1,
};
const UNITS: readonly TimeUnit[] = [
  'year',
  'quarter',
  'month',
  'week',
  'day',
  'hour',
  'minute',
  'second',
  'millisecond',
];

/** Throws code 9 for a name that is no unit. */
export function parseUnit(text: string): TimeUnit {
  const unit = UNITS.find((name) => name === text);
  if (unit === undefined) throw new DocumentError(9, `unknown time unit value: ${text}`);
  return unit;
}

/** A date moved by whole units; the day is cut to the month's length. */
export function addUnits(utc: number, unit: TimeUnit, amount: number, zone = TimeZone.UTC): number {
  const months = MONTHS_OF[unit];
  const days = DAYS_OF[unit];
  if (months === undefined && days === undefined) return utc + amount * (MILLISECONDS_OF[unit] ?? 1);
  const local = zone.toLocal(utc);
  if (days !== undefined) return zone.fromLocal(local + amount * days * DAY_MS);
  const at = new Date(local);
  const month = at.getUTCFullYear() * 12 + at.getUTCMonth() + amount * (months ?? 1);
  const year = Math.floor(month / 12);
  const day = Math.min(at.getUTCDate(), daysInMonth(year, month - year * 12 + 1));
  const inDay = local - Math.floor(local / DAY_MS) * DAY_MS;
  return zone.fromLocal(localTime(year, month - year * 12 + 1, day) + inDay);
}

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

/** 0 is Sunday, as 'sunday' or 'sun' in any case. */
function weekdayOf(value: string, name: string, code: number): number {
  const text = value.toLowerCase();
  const day = WEEKDAYS.findIndex((weekday) => weekday === text || weekday.slice(0, 3) === text);
  if (day < 0)
    throw new DocumentError(
      code,
      `${name} parameter 'startOfWeek' value cannot be recognized as a day of a week: ${value}`,
    );
  return day;
}

/** Number of a week's first day, counted in days since 1970, which began on a Thursday. */
function weekIndex(local: number, startOfWeek: number): number {
  return Math.floor((Math.floor(local / DAY_MS) + 4 - startOfWeek) / 7);
}

/** Boundaries of a unit between two moments. */
export function unitsBetween(start: number, end: number, unit: TimeUnit, zone: TimeZone, startOfWeek = 0): number {
  const fixed = MILLISECONDS_OF[unit];
  const [from, to] = [zone.toLocal(start), zone.toLocal(end)];
  if (fixed !== undefined) {
    const aligned = (utc: number, local: number): number => utc - (local - Math.floor(local / fixed) * fixed);
    return Math.round((aligned(end, to) - aligned(start, from)) / fixed);
  }
  if (unit === 'day') return Math.floor(to / DAY_MS) - Math.floor(from / DAY_MS);
  if (unit === 'week') return weekIndex(to, startOfWeek) - weekIndex(from, startOfWeek);
  const months = (local: number): number => new Date(local).getUTCFullYear() * 12 + new Date(local).getUTCMonth();
  const size = MONTHS_OF[unit] ?? 1;
  return Math.floor(months(to) / size) - Math.floor(months(from) / size);
}

/** The beginning of the bin a moment is in; bins are counted from 2000-01-01 in the zone. */
export function truncate(utc: number, unit: TimeUnit, binSize: number, zone: TimeZone, startOfWeek = 0): number {
  const fixed = MILLISECONDS_OF[unit];
  if (fixed !== undefined) {
    const reference = zone.fromLocal(localTime(2000, 1, 1));
    const bin = fixed * binSize;
    return reference + Math.floor((utc - reference) / bin) * bin;
  }
  const local = zone.toLocal(utc);
  const floor = (value: number, size: number): number => Math.floor(value / size) * size;
  const months = MONTHS_OF[unit];
  if (months !== undefined) {
    const at = new Date(local);
    const since = floor((at.getUTCFullYear() - 2000) * 12 + at.getUTCMonth(), months * binSize);
    return zone.fromLocal(localTime(2000, 1 + since, 1));
  }
  // 2000-01-01 was a Saturday.
  const first = localTime(2000, 1, 1) + (unit === 'week' ? ((startOfWeek + 1) % 7) * DAY_MS : 0);
  return zone.fromLocal(first + floor(Math.floor((local - first) / DAY_MS), (DAYS_OF[unit] ?? 1) * binSize) * DAY_MS);
}

function unitOf(value: Argument, name: string, code: number): TimeUnit {
  if (typeof value !== 'string') {
    throw new DocumentError(code, `${name} requires 'unit' to be a string, but got ${typeName(value)}`);
  }
  return parseUnit(value);
}

function spec<N extends string>(required: readonly N[], optional: readonly N[]): NamedArguments<N> {
  return {
    required,
    optional,
    notObject: (name, argument) =>
      new DocumentError(
        name === '$dateDiff' ? 5166301 : name === '$dateTrunc' ? 5439007 : 5166400,
        `${name} only supports an object as its argument${name === '$dateDiff' || name === '$dateTrunc' ? '' : `, found ${typeName(argument)}`}`,
      ),
    unknown: (name, field) =>
      new DocumentError(
        name === '$dateDiff' ? 5166302 : name === '$dateTrunc' ? 5439008 : 5166401,
        name === '$dateDiff' || name === '$dateTrunc'
          ? `Unrecognized argument to ${name}: ${field}. Expected arguments are ${[...required, ...optional].join(', ')}`
          : `Unrecognized argument to ${name}: ${field}`,
      ),
    missing: (name, field) =>
      name === '$dateDiff'
        ? new DocumentError(
            field === 'startDate' ? 5166303 : field === 'endDate' ? 5166304 : 5166305,
            `Missing '${field}' parameter to $dateDiff`,
          )
        : name === '$dateTrunc'
          ? new DocumentError(field === 'date' ? 5439009 : 5439010, `Missing '${field}' parameter to $dateTrunc`)
          : new DocumentError(5166402, `${name} requires startDate, unit, and amount to be present`),
  };
}

function adding(sign: 1 | -1): CompileOperator {
  return named(spec(['startDate', 'unit', 'amount'], ['timezone']), (values, present, name) => {
    const { startDate, unit, amount, timezone } = values;
    if (isNullish(startDate) || isNullish(unit) || isNullish(amount)) return null;
    const zone = timeZoneOf(timezone, present('timezone'));
    if (zone === undefined) return null;
    const step = unitOf(unit, name, 5166403);
    if (!['date', 'timestamp', 'objectId'].includes(typeName(startDate))) {
      throw new DocumentError(5166403, `${name} requires startDate to be convertible to a date`);
    }
    const whole = toInteger(amount);
    if (!isNumber(amount) || whole === undefined) {
      throw new DocumentError(5166405, `${name} expects integer amount of time units`);
    }
    const result = addUnits(millisecondsOf(startDate), step, sign * Number(whole), zone);
    if (!Number.isFinite(result) || Math.abs(result) > 2 ** 63) {
      throw new DocumentError(5166406, `${name} overflowed`);
    }
    return dateAt(result);
  });
}

const dateDiff: CompileOperator = named(
  spec(['startDate', 'endDate', 'unit'], ['timezone', 'startOfWeek']),
  ({ startDate, endDate, unit, timezone, startOfWeek }, present, name) => {
    if (isNullish(startDate) || isNullish(endDate) || isNullish(unit)) return null;
    const step = unitOf(unit, name, 5439013);
    if (step === 'week' && present('startOfWeek') && isNullish(startOfWeek)) return null;
    const zone = timeZoneOf(timezone, present('timezone'));
    if (zone === undefined) return null;
    const [from, to] = [startDate, endDate].map((value, index) => {
      if (!['date', 'timestamp', 'objectId'].includes(typeName(value))) {
        throw new DocumentError(
          5166307,
          `$dateDiff requires '${index === 0 ? 'startDate' : 'endDate'}' to be a date, but got ${typeName(value)}`,
        );
      }
      return millisecondsOf(value);
    });
    const weekday = step === 'week' && typeof startOfWeek === 'string' ? weekdayOf(startOfWeek, name, 5338802) : 0;
    return BigInt(unitsBetween(from ?? 0, to ?? 0, step, zone, weekday));
  },
);

const dateTrunc: CompileOperator = named(
  spec(['date', 'unit'], ['binSize', 'timezone', 'startOfWeek']),
  ({ date, unit, binSize, timezone, startOfWeek }, present, name) => {
    if (isNullish(date) || isNullish(unit) || (present('binSize') && isNullish(binSize))) return null;
    const step = unitOf(unit, name, 5439013);
    if (step === 'week' && present('startOfWeek') && isNullish(startOfWeek)) return null;
    const zone = timeZoneOf(timezone, present('timezone'));
    if (zone === undefined) return null;
    if (!['date', 'timestamp', 'objectId'].includes(typeName(date))) {
      throw new DocumentError(5439012, `$dateTrunc requires 'date' to be a date, but got ${typeName(date)}`);
    }
    const size = present('binSize') ? toInteger(binSize) : 1n;
    if (size === undefined) {
      throw new DocumentError(
        5439017,
        `$dateTrunc requires 'binSize' to be a 64-bit integer, but got value '${formatValue(binSize ?? null)}' of type ${typeName(binSize)}`,
      );
    }
    if (size <= 0n)
      throw new DocumentError(5439018, `$dateTrunc requires 'binSize' to be greater than 0, but got value ${size}`);
    const weekday = step === 'week' && typeof startOfWeek === 'string' ? weekdayOf(startOfWeek, name, 5439015) : 0;
    return dateAt(truncate(millisecondsOf(date), step, Number(size), zone, weekday));
  },
);

export const dateSteps: Readonly<Record<string, CompileOperator>> = {
  $dateAdd: adding(1),
  $dateSubtract: adding(-1),
  $dateDiff: dateDiff,
  $dateTrunc: dateTrunc,
};
