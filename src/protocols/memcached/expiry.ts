/** Memcached's expiration times: seconds from now up to 30 days, absolute beyond, 0 for never, negative for at once. */
const relativeMax = 60 * 60 * 24 * 30;

/** Milliseconds since 1970; 0: never; 1 (long ago) for a negative time. */
export function deadlineOf(exptime: number, nowMs: number): number {
  if (exptime === 0) return 0;
  if (exptime < 0) return 1;
  return exptime > relativeMax ? exptime * 1000 : nowMs + exptime * 1000;
}

/** Seconds left, rounded up; -1: for ever. */
export function secondsLeft(deadline: number, nowMs: number): number {
  return deadline === 0 ? -1 : Math.max(0, Math.ceil((deadline - nowMs) / 1000));
}
