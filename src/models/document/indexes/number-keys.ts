/**
 * Numbers as order-preserving bytes, equal for equal numbers of different types (1, 1.0, NumberLong(1), Decimal128("1")).
 *
 * The magnitude is cut to a double, eight bytes that order as it does, then one byte: 0 when the double is exact, else 1
 * and the decimal digits of the whole magnitude, which order the numbers that share a double: three bytes of exponent,
 * the digits, and a 0. Negative numbers have all these bytes inverted. NaN is lowest: eight zeros.
 */

const scratch = Buffer.alloc(8);
const EXACT = '\0';
const INEXACT = '\x01';
export const NAN_KEY = '\0\0\0\0\0\0\0\0\0';

/** Nine bytes for a double; -0 equals 0. */
export function doubleKey(value: number): string {
  if (Number.isNaN(value)) return NAN_KEY;
  if (value < 0) {
    scratch.writeDoubleBE(value, 0);
    return `${inverted(scratch)}\xff`;
  }
  scratch.writeDoubleBE(value === 0 ? 0 : value, 0);
  scratch[0] = (scratch[0] ?? 0) | 0x80;
  return scratch.latin1Slice(0, 8) + EXACT;
}

function inverted(bytes: Buffer): string {
  for (let i = 0; i < bytes.length; i++) bytes[i] = ~(bytes[i] ?? 0);
  return bytes.latin1Slice(0, bytes.length);
}

/** Inverts every byte: descending order. */
export function invert(key: string): string {
  const bytes = Buffer.from(key, 'latin1');
  for (let i = 0; i < bytes.length; i++) bytes[i] = ~(bytes[i] ?? 0);
  return bytes.latin1Slice(0, bytes.length);
}

export function longKey(value: bigint): string {
  const double = Number(value);
  if (Number.isSafeInteger(double) || BigInt(double) === value) return doubleKey(double);
  return inexactKey(value < 0n, (value < 0n ? -value : value).toString(), 0, truncated(value < 0n ? -value : value, 0));
}

/** `digits` × 10^`exponent`; digits is not negative. */
export function decimalKey(negative: boolean, digits: bigint, exponent: number): string {
  if (digits === 0n) return doubleKey(0);
  const double = truncated(digits, exponent);
  if (equalsDouble(digits, exponent, double)) return doubleKey(negative ? -double : double);
  return inexactKey(negative, digits.toString(), exponent, double);
}

function inexactKey(negative: boolean, digits: string, exponent: number, magnitude: number): string {
  const significant = digits.replace(/0+$/, '');
  // The number is 0.DIGITS × 10^power; three bytes hold the power, biased.
  const power = exponent + digits.length + 0x80_0000;
  const key =
    doubleKey(magnitude).slice(0, 8) +
    INEXACT +
    String.fromCharCode((power >>> 16) & 255, (power >>> 8) & 255, power & 255) +
    significant +
    '\0';
  return negative ? invert(key) : key;
}

/** The greatest double that is not greater than digits × 10^exponent. */
function truncated(digits: bigint, exponent: number): number {
  let double = Number(`${digits}e${exponent}`);
  if (double === Number.POSITIVE_INFINITY) return Number.MAX_VALUE;
  if (compareWithDouble(digits, exponent, double) < 0) double = previousDouble(double);
  return double;
}

function equalsDouble(digits: bigint, exponent: number, double: number): boolean {
  return compareWithDouble(digits, exponent, double) === 0;
}

/** Compares digits × 10^exponent with a finite double that is not negative, exactly. */
function compareWithDouble(digits: bigint, exponent: number, double: number): number {
  if (double === 0) return digits === 0n ? 0 : 1;
  scratch.writeDoubleBE(double, 0);
  const high = scratch.readUInt32BE(0);
  const low = scratch.readUInt32BE(4);
  const biased = high >>> 20;
  const fraction = (BigInt(high & 0xfffff) << 32n) | BigInt(low);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  const binary = (biased === 0 ? 1 : biased) - 1075;
  let left = digits;
  let right = mantissa;
  if (exponent >= 0) left *= 10n ** BigInt(exponent);
  else right *= 10n ** BigInt(-exponent);
  if (binary >= 0) right <<= BigInt(binary);
  else left <<= BigInt(-binary);
  return left < right ? -1 : left > right ? 1 : 0;
}

function previousDouble(value: number): number {
  scratch.writeDoubleBE(value, 0);
  scratch.writeBigUInt64BE(scratch.readBigUInt64BE(0) - 1n, 0);
  return scratch.readDoubleBE(0);
}
