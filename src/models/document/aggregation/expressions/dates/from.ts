/** `$dateFromString` and `$dateFromParts`. */
import { DocumentError } from '../../../errors.js';
import { typeName } from '../../../values.js';
import { type CompileOperator, compileExpression } from '../expression.js';
import { int32Of } from '../numbers.js';
import { type Argument, isNullish, named, namedValues } from '../operator.js';
import { DAY_MS, isoYearStart, localTime } from './calendar.js';
import { checkFormat } from './format.js';
import { parseDate, parseDateByFormat } from './parse.js';
import { dateAt, timeZoneOf } from './time-zone.js';

const dateFromString: CompileOperator = (argument, environment, name) => {
  const fields = namedValues(argument, name, {
    required: ['dateString'],
    optional: ['format', 'timezone', 'onError', 'onNull'],
    notObject: (_, value) =>
      new DocumentError(40540, `$dateFromString only supports an object as an argument, found: ${typeName(value)}`),
    unknown: (_, field) => new DocumentError(40541, `Unrecognized argument to $dateFromString: ${field}`),
    missing: () => new DocumentError(40542, "Missing 'dateString' parameter to $dateFromString"),
  });
  const compile = (value: Parameters<typeof compileExpression>[0] | undefined) =>
    value === undefined ? undefined : compileExpression(value, environment);
  const [text, format, timezone] = [compile(fields.dateString), compile(fields.format), compile(fields.timezone)];
  const [onError, onNull] = [compile(fields.onError), compile(fields.onNull)];
  return {
    evaluate: (scope) => {
      const value = text?.evaluate(scope);
      const pattern = format?.evaluate(scope);
      const zoneName = timezone?.evaluate(scope);
      if (isNullish(value)) return onNull === undefined ? null : onNull.evaluate(scope);
      if (format !== undefined && !isNullish(pattern) && typeof pattern !== 'string') {
        throw new DocumentError(
          40684,
          `$dateFromString requires that 'format' be a string, found: ${typeName(pattern)}`,
        );
      }
      const zone = timeZoneOf(zoneName, timezone !== undefined);
      if (zone === undefined || (format !== undefined && isNullish(pattern))) return null;
      if (typeof pattern === 'string') checkFormat(pattern, 'bBdGHjLmMSuVYzZ%');
      try {
        if (typeof value !== 'string') {
          throw new DocumentError(
            241,
            `$dateFromString requires that 'dateString' be a string, found: ${typeName(value)} with value ${String(value)}`,
          );
        }
        const given = timezone === undefined ? undefined : zone;
        return dateAt(typeof pattern === 'string' ? parseDateByFormat(value, pattern, given) : parseDate(value, given));
      } catch (thrown) {
        if (onError === undefined || !(thrown instanceof DocumentError) || thrown.code !== 241) throw thrown;
        return onError.evaluate(scope);
      }
    },
  };
};

const CALENDAR = ['year', 'month', 'day'] as const;
const ISO = ['isoWeekYear', 'isoWeek', 'isoDayOfWeek'] as const;
const TIME = ['hour', 'minute', 'second', 'millisecond'] as const;

const dateFromParts: CompileOperator = (argument, environment, name) => {
  const spec = {
    required: [],
    optional: [...CALENDAR, ...ISO, ...TIME, 'timezone'] as const,
    notObject: (): DocumentError => new DocumentError(40519, '$dateFromParts only supports an object as its argument'),
    unknown: (_: string, field: string): DocumentError =>
      new DocumentError(40518, `Unrecognized argument to $dateFromParts: ${field}`),
    missing: (): DocumentError => new DocumentError(40516, ''),
  };
  type Field = (typeof CALENDAR)[number] | (typeof ISO)[number] | (typeof TIME)[number] | 'timezone';
  const given = namedValues<Field>(argument, name, spec);
  if (given.year === undefined && given.isoWeekYear === undefined) {
    throw new DocumentError(40516, "$dateFromParts requires either 'year' or 'isoWeekYear' to be present");
  }
  const iso = given.isoWeekYear !== undefined;
  for (const field of iso ? CALENDAR : ISO) {
    if (given[field] !== undefined) {
      throw new DocumentError(
        iso ? 40489 : 40525,
        iso
          ? '$dateFromParts does not allow mixing natural dates with ISO dates'
          : '$dateFromParts does not allow mixing ISO dates with natural dates',
      );
    }
  }
  return named<Field>({ ...spec, optional: [...spec.optional] }, (values, present) => {
    const zone = timeZoneOf(values.timezone, present('timezone'));
    const numbers: Partial<Record<Field, number>> = {};
    for (const field of [...(iso ? ISO : CALENDAR), ...TIME]) {
      if (!present(field)) continue;
      if (isNullish(values[field])) return null;
      numbers[field] = partOf(field, values[field]);
    }
    if (zone === undefined) return null;
    const { hour = 0, minute = 0, second = 0, millisecond = 0 } = numbers;
    const day = iso
      ? isoYearStart(numbers.isoWeekYear ?? 0) +
        ((numbers.isoWeek ?? 1) - 1) * 7 * DAY_MS +
        ((numbers.isoDayOfWeek ?? 1) - 1) * DAY_MS
      : localTime(numbers.year ?? 0, numbers.month ?? 1, numbers.day ?? 1);
    return dateAt(zone.fromLocal(day + hour * 3_600_000 + minute * 60_000 + second * 1000 + millisecond));
  })(argument, environment, name);
};

function partOf(field: string, value: Argument): number {
  const number = int32Of(value);
  if (number === undefined) {
    throw new DocumentError(
      40515,
      `'${field}' must evaluate to an integer, found ${typeName(value)} with value ${String(value)}`,
    );
  }
  const year = field === 'year' || field === 'isoWeekYear';
  if (year && (number < 1 || number > 9999)) {
    throw new DocumentError(
      field === 'year' ? 40523 : 31095,
      `'${field}' must evaluate to an integer in the range 1 to 9999, found ${number}`,
    );
  }
  const wide = field === 'second' || field === 'millisecond';
  if (!year && !wide && (number < -32_768 || number > 32_767)) {
    throw new DocumentError(
      31034,
      `'${field}' must evaluate to a value in the range [-32768, 32767]; value ${number} is not in range`,
    );
  }
  return number;
}

export const datesFrom: Readonly<Record<string, CompileOperator>> = {
  $dateFromString: dateFromString,
  $dateFromParts: dateFromParts,
};
