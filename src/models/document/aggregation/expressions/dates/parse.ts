/** Dates from text: ISO 8601 and the usual written forms, or by a format. */
import { DocumentError } from '../../../errors.js';
import { DAY_MS, isoYearStart, localTime } from './calendar.js';
import { checkFormat, MONTHS } from './format.js';
import { TimeZone } from './time-zone.js';

interface Fields {
  year?: number;
  month?: number;
  day?: number;
  hour?: number;
  minute?: number;
  second?: number;
  ms?: number;
  dayOfYear?: number;
  isoYear?: number;
  isoWeek?: number;
  isoDay?: number;
  /** Of the text itself. */
  zone?: TimeZone;
}

const MONTH_NAME = '(jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\\.?';
const ZONE_MINUTES: Readonly<Record<string, number>> = {
  utc: 0,
  gmt: 0,
  z: 0,
  est: -300,
  edt: -240,
  cst: -360,
  cdt: -300,
  mst: -420,
  mdt: -360,
  pst: -480,
  pdt: -420,
  cet: 60,
  cest: 120,
  bst: 60,
  eet: 120,
  eest: 180,
  msk: 180,
  jst: 540,
};

/** Forms of dates, tried one after the other at the start of what is left. */
const DATES: readonly (readonly [RegExp, (match: RegExpExecArray) => Fields])[] = [
  [
    /^([+-]?\d{4})-?W(\d\d)(?:-?([1-7]))?/i,
    ([, y, w, d]) => ({ isoYear: Number(y), isoWeek: Number(w), isoDay: Number(d ?? 1) }),
  ],
  [
    /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)/,
    ([, y, m, d]) => ({ year: Number(y), month: Number(m), day: Number(d) }),
  ],
  [/^(\d{4})(\d\d)(\d\d)(?=$|[T\s])/i, ([, y, m, d]) => ({ year: Number(y), month: Number(m), day: Number(d) })],
  [/^(\d{4})[-.](\d{3})(?!\d)/, ([, y, d]) => ({ year: Number(y), dayOfYear: Number(d) })],
  [/^(\d{1,2})\/(\d{1,2})\/(\d{4})/, ([, m, d, y]) => ({ year: Number(y), month: Number(m), day: Number(d) })],
  [/^(\d{1,2})[.-](\d{1,2})[.-](\d{4})/, ([, d, m, y]) => ({ year: Number(y), month: Number(m), day: Number(d) })],
  [
    new RegExp(`^${MONTH_NAME}[\\s-]*(\\d{1,2})(?:st|nd|rd|th)?,?[\\s-]+(\\d{4})`, 'i'),
    ([, m, d, y]) => ({ year: Number(y), month: monthOf(m), day: Number(d) }),
  ],
  [
    new RegExp(`^(\\d{1,2})(?:st|nd|rd|th)?[\\s-]*${MONTH_NAME}[\\s,-]*(\\d{4})`, 'i'),
    ([, d, m, y]) => ({ year: Number(y), month: monthOf(m), day: Number(d) }),
  ],
  [
    new RegExp(`^(\\d{4})[\\s-]*${MONTH_NAME}[\\s-]*(\\d{1,2})`, 'i'),
    ([, y, m, d]) => ({ year: Number(y), month: monthOf(m), day: Number(d) }),
  ],
  [/^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?(?=\s|$)/i, () => ({})],
  [/^@(-?\d+)/, ([, seconds]) => ({ year: 1970, month: 1, day: 1, second: Number(seconds) })],
];

function monthOf(name: string | undefined): number {
  return MONTHS.findIndex((month) => month.toLowerCase().startsWith((name ?? '').toLowerCase().slice(0, 3))) + 1;
}

function failed(text: string, reason: string): DocumentError {
  return new DocumentError(241, `Error parsing date string '${text}'; ${reason}`);
}

function incomplete(text: string): DocumentError {
  return new DocumentError(241, `an incomplete date/time string has been found, with elements missing: "${text}"`);
}

/** Milliseconds since 1970. Throws 241. A zone in the text and one beside it exclude each other. */
export function parseDate(text: string, zone: TimeZone | undefined): number {
  const fields: Fields = {};
  let rest = text.trimStart();
  while (rest !== '') {
    const length = readPart(rest, fields);
    if (length === 0) throw failed(text, `${text.length - rest.length}: Unexpected character '${rest[0]}'`);
    rest = rest.slice(length).replace(/^[\s,]+/, '');
  }
  return toMilliseconds(text, fields, zone);
}

function readPart(rest: string, fields: Fields): number {
  for (const [pattern, read] of DATES) {
    const match = pattern.exec(rest);
    if (match === null) continue;
    Object.assign(fields, read(match));
    return match[0].length;
  }
  const time =
    /^T?(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:\s*([ap])\.?m\.?)?/i.exec(rest) ??
    /^T(\d\d)(\d\d)(\d\d)?(?:[.,](\d{1,9}))?/i.exec(rest) ??
    /^T?(\d{1,2})()()()\s*([ap])\.?m\.?/i.exec(rest);
  if (time !== null) {
    const [all, hour, minute, second, fraction, half] = time;
    fields.hour = Number(hour);
    if (half !== undefined) fields.hour = (fields.hour % 12) + (half.toLowerCase() === 'p' ? 12 : 0);
    fields.minute = Number(minute ?? 0);
    fields.second = Number(second ?? 0);
    fields.ms = Math.trunc(Number(`0.${fraction || 0}`) * 1000);
    return all.length;
  }
  const offset = /^(?:gmt|utc)?([+-])(\d\d):?(\d\d)?/i.exec(rest);
  if (offset !== null) {
    fields.zone = TimeZone.named(`${offset[1]}${offset[2]}${offset[3] ?? '00'}`);
    return offset[0].length;
  }
  const name = /^[a-z]+(?:\/[a-z_]+)*/i.exec(rest)?.[0];
  return name === undefined ? 0 : readZone(name, fields);
}

function readZone(name: string, fields: Fields): number {
  const minutes = ZONE_MINUTES[name.toLowerCase()];
  if (minutes !== undefined) {
    const magnitude = Math.abs(minutes);
    const two = (value: number): string => String(value).padStart(2, '0');
    fields.zone = TimeZone.named(`${minutes < 0 ? '-' : '+'}${two(Math.floor(magnitude / 60))}${two(magnitude % 60)}`);
    return name.length;
  }
  if (!name.includes('/')) return 0;
  fields.zone = TimeZone.named(name);
  return name.length;
}

function toMilliseconds(text: string, fields: Fields, zone: TimeZone | undefined): number {
  if (fields.zone !== undefined && zone !== undefined) {
    throw new DocumentError(
      241,
      `you cannot pass in a date/time string with time zone information ('${fields.zone.name}') together with a timezone argument`,
    );
  }
  const { hour = 0, minute = 0, second = 0, ms = 0 } = fields;
  if (hour > 24 || minute > 59 || second > 60 * 60 * 24 * 36600) throw failed(text, '11: Unexpected character');
  let day: number | undefined;
  if (fields.isoYear !== undefined) {
    day = isoYearStart(fields.isoYear) + ((fields.isoWeek ?? 1) - 1) * 7 * DAY_MS + ((fields.isoDay ?? 1) - 1) * DAY_MS;
  } else if (fields.year !== undefined && fields.dayOfYear !== undefined) {
    day = localTime(fields.year, 1, fields.dayOfYear);
  } else if (fields.year !== undefined && fields.month !== undefined && fields.day !== undefined) {
    if (fields.month < 1 || fields.month > 12 || fields.day < 1 || fields.day > 31) {
      throw failed(text, `5: Unexpected character '${text[5] ?? ''}'`);
    }
    day = localTime(fields.year, fields.month, fields.day);
  }
  if (day === undefined) throw incomplete(text);
  return (fields.zone ?? zone ?? TimeZone.UTC).fromLocal(day + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms);
}

type FieldReader = (match: string, fields: Fields) => void;

const NUMBERED: Readonly<Record<string, readonly [RegExp, FieldReader]>> = {
  Y: [
    /^\d{4}/,
    (match, fields) => {
      fields.year = Number(match);
    },
  ],
  G: [
    /^\d{4}/,
    (match, fields) => {
      fields.isoYear = Number(match);
    },
  ],
  m: [
    /^\d{1,2}/,
    (match, fields) => {
      fields.month = Number(match);
    },
  ],
  d: [
    /^\d{1,2}/,
    (match, fields) => {
      fields.day = Number(match);
    },
  ],
  H: [
    /^\d{1,2}/,
    (match, fields) => {
      fields.hour = Number(match);
    },
  ],
  M: [
    /^\d{1,2}/,
    (match, fields) => {
      fields.minute = Number(match);
    },
  ],
  S: [
    /^\d{1,2}/,
    (match, fields) => {
      fields.second = Number(match);
    },
  ],
  L: [
    /^\d{1,3}/,
    (match, fields) => {
      fields.ms = Number(match.padEnd(3, '0'));
    },
  ],
  j: [
    /^\d{1,3}/,
    (match, fields) => {
      fields.dayOfYear = Number(match);
    },
  ],
  V: [
    /^\d{1,2}/,
    (match, fields) => {
      fields.isoWeek = Number(match);
    },
  ],
  u: [
    /^[1-7]/,
    (match, fields) => {
      fields.isoDay = Number(match);
    },
  ],
  b: [
    new RegExp(`^${MONTH_NAME}`, 'i'),
    (match, fields) => {
      fields.month = monthOf(match);
    },
  ],
  B: [
    new RegExp(`^${MONTH_NAME}`, 'i'),
    (match, fields) => {
      fields.month = monthOf(match);
    },
  ],
  z: [
    /^(?:[+-]\d\d:?\d\d|Z|[A-Za-z]+(?:\/[A-Za-z_]+)*)/,
    (match, fields) => {
      if (readZone(match, fields) === 0) fields.zone = TimeZone.named(match.replace(':', ''));
    },
  ],
  Z: [
    /^[+-]\d{1,4}/,
    (match, fields) => {
      const minutes = Math.abs(Number(match));
      const two = (value: number): string => String(value).padStart(2, '0');
      fields.zone = TimeZone.named(`${match[0]}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`);
    },
  ],
};

/** Throws 241 when the text is not as the format says, 18536 for a format that cannot be. */
export function parseDateByFormat(text: string, format: string, zone: TimeZone | undefined): number {
  checkFormat(format, 'bBdGHjLmMSuVYzZ%');
  const fields: Fields = {};
  let position = 0;
  for (let i = 0; i < format.length; i++) {
    const character = format[i] ?? '';
    const specifier = character === '%' ? (format[++i] ?? '') : '%';
    if (character !== '%' || specifier === '%') {
      if (text[position] !== (character === '%' ? '%' : character)) {
        throw failed(text, `${position}: Format literal not found '${text[position] ?? ''}'`);
      }
      position++;
      continue;
    }
    const [pattern, read] = NUMBERED[specifier] ?? [/^$/, () => undefined];
    const match = pattern.exec(text.slice(position))?.[0];
    if (match === undefined)
      throw failed(text, `${position}: Not enough data available to satisfy format '${text[position] ?? ''}'`);
    read(match, fields);
    position += match.length;
  }
  if (position < text.length) throw failed(text, `${position}: Trailing data '${text[position]}'`);
  if (fields.isoYear === undefined && fields.year !== undefined && fields.dayOfYear === undefined) {
    if (fields.month === undefined || fields.day === undefined) throw incomplete(text);
  }
  return toMilliseconds(text, fields, zone);
}
