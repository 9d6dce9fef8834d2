/** The proleptic Gregorian calendar on local milliseconds: local time as if it were UTC. */

export const DAY_MS = 86_400_000;

/** Month from 1; fields may be beyond their ranges and carry over. */
export function localTime(year: number, month: number, day: number, hour = 0, minute = 0, second = 0, ms = 0): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime() + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms;
}

export function daysInMonth(year: number, month: number): number {
  return new Date(localTime(year, month + 1, 0)).getUTCDate();
}

/** 1 is Monday, 7 Sunday. */
export function isoDayOfWeek(local: number): number {
  return new Date(local).getUTCDay() || 7;
}

export function dayOfYear(local: number): number {
  const year = new Date(local).getUTCFullYear();
  return Math.floor((local - localTime(year, 1, 1)) / DAY_MS) + 1;
}

/** Weeks begin on Sunday; days before the first one are in week 0. */
export function weekOfYear(local: number): number {
  return Math.floor((dayOfYear(local) + 6 - new Date(local).getUTCDay()) / 7);
}

/** The ISO year and week (Monday to Sunday; the first has a Thursday). */
export function isoWeek(local: number): { readonly year: number; readonly week: number } {
  const thursday = local + (4 - isoDayOfWeek(local)) * DAY_MS;
  return { year: new Date(thursday).getUTCFullYear(), week: Math.floor((dayOfYear(thursday) - 1) / 7) + 1 };
}

/** Monday of the first ISO week of a year. */
export function isoYearStart(year: number): number {
  const fourth = localTime(year, 1, 4);
  return fourth - (isoDayOfWeek(fourth) - 1) * DAY_MS;
}
