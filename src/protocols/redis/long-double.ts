/**
 * INCRBYFLOAT and its kin: sums of decimal texts in x87's 80-bit format, printed with 17 decimals and without trailing
 * zeros, as `long double` arithmetic and `ld2string` give them. Values are exact fractions m·2^e with a 64-bit m.
 */

/** m·2^e; m is signed, |m| < 2^64 after rounding. */
interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const mantissaBits = 64;
const exponentMax = 16383;

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

/** Rounds numerator·2^shift / denominator to 64 bits, half to even. */
function round(numerator: bigint, denominator: bigint): LongDouble {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 };
  const sign = numerator < 0n ? -1n : 1n;
  const top = numerator < 0n ? -numerator : numerator;
  // Scale so that the quotient has 65 bits or more, then cut to 64.
  let shift = mantissaBits + 2 - (bitLength(top) - bitLength(denominator));
  let scaled = shift >= 0 ? top << BigInt(shift) : top;
  const divisor = shift >= 0 ? denominator : denominator << BigInt(-shift);
  let quotient = scaled / divisor;
  const sticky = scaled % divisor !== 0n;
  const excess = bitLength(quotient) - mantissaBits;
  if (excess > 0) {
    const half = 1n << BigInt(excess - 1);
    const rest = quotient & ((1n << BigInt(excess)) - 1n);
    quotient >>= BigInt(excess);
    shift -= excess;
    if (rest > half || (rest === half && (sticky || (quotient & 1n) === 1n))) quotient += 1n;
  }
  scaled = quotient;
  return { mantissa: sign * scaled, exponent: -shift };
}

const decimal = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/;

/** `undefined`: not a finite number that `strtold` would read whole. */
export function parseLongDouble(text: string): LongDouble | undefined {
  const match = decimal.exec(text);
  if (match === null || (match[2] === '' && match[3] === '') || text.length > 256) return undefined;
  const [, sign, whole = '', fraction = '', exponentText] = match;
  const exponent = Number(exponentText ?? 0) - fraction.length;
  if (Math.abs(exponent) > 5000) return undefined;
  const digits = BigInt(`${whole}${fraction}` || '0') * (sign === '-' ? -1n : 1n);
  const value = exponent >= 0 ? round(digits * 10n ** BigInt(exponent), 1n) : round(digits, 10n ** BigInt(-exponent));
  return isFinite80(value) ? value : undefined;
}

function isFinite80(value: LongDouble): boolean {
  return bitLength(value.mantissa < 0n ? -value.mantissa : value.mantissa) + value.exponent <= exponentMax + 1;
}

/** `undefined`: the sum is infinite. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble | undefined {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  const value = exponent >= 0 ? round(sum << BigInt(exponent), 1n) : round(sum, 1n << BigInt(-exponent));
  return isFinite80(value) ? value : undefined;
}

const decimals = 17;

/** 17 decimals, half to even on the exact value, trailing zeros cut. */
export function formatLongDouble({ mantissa, exponent }: LongDouble): string {
  const negative = mantissa < 0n;
  const top = negative ? -mantissa : mantissa;
  let scaled: bigint;
  if (exponent >= 0) scaled = (top << BigInt(exponent)) * 10n ** BigInt(decimals);
  else {
    const numerator = top * 10n ** BigInt(decimals);
    const divisor = 1n << BigInt(-exponent);
    scaled = numerator / divisor;
    const rest = (numerator % divisor) * 2n;
    if (rest > divisor || (rest === divisor && (scaled & 1n) === 1n)) scaled += 1n;
  }
  const digits = scaled.toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, -decimals);
  const fraction = digits.slice(-decimals).replace(/0+$/, '');
  const text = fraction === '' ? whole : `${whole}.${fraction}`;
  return negative && text !== '0' ? `-${text}` : text;
}
