/** Parts of dates: `$year $month $dayOfMonth ...`, `$dateToParts`, `$tsSecond $tsIncrement`. */
import { DocumentError } from '../../../errors.js';
import { Doc, isArrayValue, Timestamp, typeName, type Value } from '../../../values.js';
import type { Environment } from '../../scope.js';
import { type CompileOperator, compileExpression, derived, type Expression } from '../expression.js';
import { isNullish, named, unary } from '../operator.js';
import { dayOfYear, isoDayOfWeek, isoWeek, weekOfYear } from './calendar.js';
import { millisecondsOf, timeZoneOf } from './time-zone.js';

/** `date`, `[date]` or `{date, timezone}`. */
function part(read: (local: number) => Value): CompileOperator {
  return (argument, environment, name) => {
    const { date, timezone } = dateAndZone(argument, environment, name);
    return derived(
      timezone === undefined ? [date] : [date, timezone],
      (scope) => {
        const value = date.evaluate(scope);
        const zone = timeZoneOf(timezone?.evaluate(scope), timezone !== undefined);
        if (isNullish(value) || zone === undefined) return null;
        return read(zone.toLocal(millisecondsOf(value)));
      },
      environment,
    );
  };
}

function dateAndZone(
  argument: Value,
  environment: Environment,
  name: string,
): { readonly date: Expression; readonly timezone: Expression | undefined } {
  if (argument instanceof Doc && !(argument.nameAt(0) ?? '').startsWith('$')) {
    let date: Expression | undefined;
    let timezone: Expression | undefined;
    for (const [field, value] of argument) {
      if (field === 'date') date = compileExpression(value, environment);
      else if (field === 'timezone') timezone = compileExpression(value, environment);
      else throw new DocumentError(40535, `unrecognized option to ${name}: "${field}"`);
    }
    if (date === undefined) throw new DocumentError(40539, `missing 'date' argument to ${name}, provided: ${name}: {}`);
    return { date, timezone };
  }
  if (isArrayValue(argument)) {
    const [only] = argument;
    if (argument.length !== 1 || only === undefined) {
      throw new DocumentError(
        40536,
        `${name} accepts exactly one argument if given an array, but was given ${argument.length}`,
      );
    }
    return { date: compileExpression(only, environment), timezone: undefined };
  }
  return { date: compileExpression(argument, environment), timezone: undefined };
}

const dateToParts: CompileOperator = named(
  {
    required: ['date'],
    optional: ['timezone', 'iso8601'],
    notObject: () => new DocumentError(40524, '$dateToParts only supports an object as its argument'),
    unknown: (_, field) => new DocumentError(40520, `Unrecognized argument to $dateToParts: ${field}`),
    missing: () => new DocumentError(40522, "Missing 'date' parameter to $dateToParts"),
  },
  ({ date, timezone, iso8601 }, present) => {
    const zone = timeZoneOf(timezone, present('timezone'));
    if (isNullish(date) || zone === undefined) return null;
    if (present('iso8601') && isNullish(iso8601)) return null;
    if (present('iso8601') && typeof iso8601 !== 'boolean') {
      throw new DocumentError(40521, `iso8601 must evaluate to a bool, found ${typeName(iso8601)}`);
    }
    const local = zone.toLocal(millisecondsOf(date));
    const at = new Date(local);
    const result = new Doc();
    if (iso8601 === true) {
      const { year, week } = isoWeek(local);
      result.append('isoWeekYear', year).append('isoWeek', week).append('isoDayOfWeek', isoDayOfWeek(local));
    } else {
      result
        .append('year', at.getUTCFullYear())
        .append('month', at.getUTCMonth() + 1)
        .append('day', at.getUTCDate());
    }
    return result
      .append('hour', at.getUTCHours())
      .append('minute', at.getUTCMinutes())
      .append('second', at.getUTCSeconds())
      .append('millisecond', at.getUTCMilliseconds());
  },
);

function ofTimestamp(read: (timestamp: Timestamp) => number): CompileOperator {
  return unary((value, name) => {
    if (isNullish(value)) return null;
    if (value instanceof Timestamp) return BigInt(read(value));
    throw new DocumentError(
      name === '$tsSecond' ? 5687301 : 5687302,
      `Argument to ${name} must be a timestamp, but is ${typeName(value)}`,
    );
  });
}

export const dateParts: Readonly<Record<string, CompileOperator>> = {
  $year: part((local) => new Date(local).getUTCFullYear()),
  $month: part((local) => new Date(local).getUTCMonth() + 1),
  $dayOfMonth: part((local) => new Date(local).getUTCDate()),
  $hour: part((local) => new Date(local).getUTCHours()),
  $minute: part((local) => new Date(local).getUTCMinutes()),
  $second: part((local) => new Date(local).getUTCSeconds()),
  $millisecond: part((local) => new Date(local).getUTCMilliseconds()),
  $dayOfWeek: part((local) => new Date(local).getUTCDay() + 1),
  $dayOfYear: part(dayOfYear),
  $week: part(weekOfYear),
  $isoDayOfWeek: part(isoDayOfWeek),
  $isoWeek: part((local) => isoWeek(local).week),
  $isoWeekYear: part((local) => BigInt(isoWeek(local).year)),
  $dateToParts: dateToParts,
  $tsSecond: ofTimestamp(({ seconds }) => seconds),
  $tsIncrement: ofTimestamp(({ increment }) => increment),
};
