/** `$dateToString`. */
import { DocumentError } from '../../../errors.js';
import { typeName } from '../../../values.js';
import type { CompileOperator } from '../expression.js';
import { isNullish, named } from '../operator.js';
import { dayOfYear, isoDayOfWeek, isoWeek, weekOfYear } from './calendar.js';
import { millisecondsOf, type TimeZone, timeZoneOf } from './time-zone.js';

export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const SPECIFIERS = 'bBdGHjLmMSuUVwYzZ%';

function padded(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

/** Throws 18535 and 18536 for a specifier that cannot be. */
export function checkFormat(format: string, specifiers = SPECIFIERS): void {
  for (let i = 0; i < format.length; i++) {
    if (format[i] !== '%') continue;
    i++;
    const specifier = format[i];
    if (specifier === undefined) throw new DocumentError(18535, "Unmatched '%' at end of format string");
    if (!specifiers.includes(specifier)) {
      throw new DocumentError(18536, `Invalid format character '%${specifier}' in format string`);
    }
  }
}

export function formatDate(format: string, utc: number, zone: TimeZone): string {
  checkFormat(format);
  const offset = zone.offsetAt(utc);
  const local = utc + offset;
  return format.replace(/%(.)/g, (_, specifier: string) => field(specifier, local, offset));
}

function field(specifier: string, local: number, offset: number): string {
  const at = new Date(local);
  switch (specifier) {
    case 'Y':
      return padded(checkedYear(at.getUTCFullYear()), 4);
    case 'G':
      return padded(checkedYear(isoWeek(local).year), 4);
    case 'm':
      return padded(at.getUTCMonth() + 1, 2);
    case 'b':
      return (MONTHS[at.getUTCMonth()] ?? '').slice(0, 3);
    case 'B':
      return MONTHS[at.getUTCMonth()] ?? '';
    case 'd':
      return padded(at.getUTCDate(), 2);
    case 'H':
      return padded(at.getUTCHours(), 2);
    case 'M':
      return padded(at.getUTCMinutes(), 2);
    case 'S':
      return padded(at.getUTCSeconds(), 2);
    case 'L':
      return padded(at.getUTCMilliseconds(), 3);
    case 'j':
      return padded(dayOfYear(local), 3);
    case 'w':
      return String(at.getUTCDay() + 1);
    case 'u':
      return String(isoDayOfWeek(local));
    case 'U':
      return padded(weekOfYear(local), 2);
    case 'V':
      return padded(isoWeek(local).week, 2);
    case 'z': {
      const minutes = Math.abs(Math.trunc(offset / 60_000));
      return `${offset < 0 ? '-' : '+'}${padded(Math.floor(minutes / 60), 2)}${padded(minutes % 60, 2)}`;
    }
    case 'Z': {
      const minutes = Math.trunc(offset / 60_000);
      return `${minutes < 0 ? '-' : '+'}${Math.abs(minutes)}`;
    }
    default:
      return '%';
  }
}

function checkedYear(year: number): number {
  if (year >= 0 && year <= 9999) return year;
  throw new DocumentError(
    18537,
    `Could not convert date to string: date component was outside the supported range of 0-9999: ${year}`,
  );
}

export const dateFormatting: Readonly<Record<string, CompileOperator>> = {
  $dateToString: named(
    {
      required: ['date'],
      optional: ['format', 'timezone', 'onNull'],
      notObject: () => new DocumentError(18629, '$dateToString only supports an object as its argument'),
      unknown: (_, name) => new DocumentError(18534, `Unrecognized argument to $dateToString: ${name}`),
      missing: () => new DocumentError(18628, "Missing 'date' parameter to $dateToString"),
    },
    ({ date, format, timezone, onNull }, present) => {
      const zone = timeZoneOf(timezone, present('timezone'));
      if (present('format') && !isNullish(format) && typeof format !== 'string') {
        throw new DocumentError(
          18533,
          `$dateToString requires that 'format' be a string, found: ${typeName(format)} with value ${String(format)}`,
        );
      }
      if (isNullish(date)) return present('onNull') ? onNull : null;
      if (zone === undefined || (present('format') && isNullish(format))) return null;
      const pattern = typeof format === 'string' ? format : `%Y-%m-%dT%H:%M:%S.%L${zone.isUtc ? 'Z' : ''}`;
      return formatDate(pattern, millisecondsOf(date), zone);
    },
  ),
};
