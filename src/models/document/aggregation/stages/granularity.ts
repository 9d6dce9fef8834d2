/** Series of preferred numbers, to whose members `$bucketAuto` rounds its boundaries. */
import { DocumentError } from '../../errors.js';

const R80 = [
  1.0, 1.03, 1.06, 1.09, 1.12, 1.15, 1.18, 1.22, 1.25, 1.28, 1.32, 1.36, 1.4, 1.45, 1.5, 1.55, 1.6, 1.65, 1.7, 1.75,
  1.8, 1.85, 1.9, 1.95, 2.0, 2.06, 2.12, 2.18, 2.24, 2.3, 2.36, 2.43, 2.5, 2.58, 2.65, 2.72, 2.8, 2.9, 3.0, 3.07, 3.15,
  3.25, 3.35, 3.45, 3.55, 3.65, 3.75, 3.87, 4.0, 4.12, 4.25, 4.37, 4.5, 4.62, 4.75, 4.87, 5.0, 5.15, 5.3, 5.45, 5.6,
  5.8, 6.0, 6.15, 6.3, 6.5, 6.7, 6.9, 7.1, 7.3, 7.5, 7.75, 8.0, 8.25, 8.5, 8.75, 9.0, 9.25, 9.5, 9.75,
];
const E24 = [
  1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0, 3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2, 6.8, 7.5, 8.2,
  9.1,
];

function every(step: number, series: readonly number[]): number[] {
  return series.filter((_, index) => index % step === 0);
}

/** IEC 60063 computes its finer series, but for one number. */
function fine(count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const number = Math.round(10 ** (i / count) * 100) / 100;
    return number === 9.19 ? 9.2 : number;
  });
}

const SERIES: Readonly<Record<string, readonly number[]>> = {
  R5: every(16, R80),
  R10: every(8, R80),
  R20: every(4, R80),
  R40: every(2, R80),
  R80,
  '1-2-5': [1, 2, 5],
  E6: every(4, E24),
  E12: every(2, E24),
  E24,
  E48: fine(48),
  E96: fine(96),
  E192: fine(192),
};

export interface Granularity {
  /** The next member above. */
  up(value: number): number;
  /** The next member below. */
  down(value: number): number;
}

/** Throws 40257 for an unknown name. */
export function granularityOf(name: string): Granularity {
  if (name === 'POWERSOF2') {
    return {
      up: (value) => (value === 0 ? 0 : 2 ** (Math.floor(Math.log2(value)) + 1)),
      down: (value) => (value === 0 ? 0 : 2 ** (Math.ceil(Math.log2(value)) - 1)),
    };
  }
  const series = SERIES[name];
  if (series === undefined) throw new DocumentError(40257, `Unknown rounding granularity '${name}'`);
  const scaled = (value: number): number[] => {
    const exponent = Math.floor(Math.log10(value));
    return [exponent - 1, exponent, exponent + 1].flatMap((power) =>
      series.map((member) => Number(`${member}e${power}`)),
    );
  };
  return {
    up: (value) => (value === 0 ? 0 : (scaled(value).find((member) => member > value) ?? value)),
    down: (value) => (value === 0 ? 0 : (scaled(value).findLast((member) => member < value) ?? value)),
  };
}
