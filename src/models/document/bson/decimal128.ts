/**
 * IEEE 754-2008 decimal128, BSON's encoding of it (binary integer significand): 34 digits, exponents -6176 to 6111.
 * Arithmetic is exact in bigint and rounded once, half to even.
 */
import { BsonType } from './raw.js';

export const DIGITS_MAX = 34;
const EXPONENT_MIN = -6176;
const EXPONENT_MAX = 6111;
const COEFFICIENT_MAX = 10n ** 34n - 1n;
/** Decimal digits that a double keeps when it becomes a decimal in arithmetic and conversions. */
const DOUBLE_DIGITS = 15;

const POWERS: bigint[] = [1n];
function power10(exponent: number): bigint {
  if (exponent > 200) return 10n ** BigInt(exponent);
  for (let i = POWERS.length; i <= exponent; i++) POWERS.push((POWERS[i - 1] ?? 1n) * 10n);
  return POWERS[exponent] ?? 1n;
}

function digitCount(value: bigint): number {
  return value === 0n ? 1 : value.toString().length;
}

export type DecimalKind = 'finite' | 'infinity' | 'nan';

export type Rounding = 'halfEven' | 'towardZero' | 'floor' | 'ceiling';

export class Decimal {
  readonly bsonType = BsonType.decimal;

  /** (-1)^negative × coefficient × 10^exponent; the number is canonical: at most 34 digits, exponent in range. */
  private constructor(
    readonly kind: DecimalKind,
    readonly negative: boolean,
    readonly coefficient: bigint,
    readonly exponent: number,
  ) {}

  static readonly NAN = new Decimal('nan', false, 0n, 0);
  static readonly INFINITY = new Decimal('infinity', false, 0n, 0);
  static readonly NEGATIVE_INFINITY = new Decimal('infinity', true, 0n, 0);
  static readonly ZERO = new Decimal('finite', false, 0n, 0);

  static fromBytes(bytes: Buffer, offset: number): Decimal {
    const low = bytes.readBigUInt64LE(offset);
    const high = bytes.readBigUInt64LE(offset + 8);
    const negative = high >> 63n === 1n;
    const combination = Number((high >> 58n) & 0x1fn);
    if (combination === 0x1f) return negative ? new Decimal('nan', true, 0n, 0) : Decimal.NAN;
    if (combination === 0x1e) return negative ? Decimal.NEGATIVE_INFINITY : Decimal.INFINITY;
    // With both top bits set the significand has more than 34 digits, which counts as zero.
    if (combination >= 0x18) return new Decimal('finite', negative, 0n, Number((high >> 47n) & 0x3fffn) + EXPONENT_MIN);
    const coefficient = ((high & 0x1_ffff_ffff_ffffn) << 64n) | low;
    const exponent = Number((high >> 49n) & 0x3fffn) + EXPONENT_MIN;
    return new Decimal('finite', negative, coefficient > COEFFICIENT_MAX ? 0n : coefficient, exponent);
  }

  /** Writes 16 bytes. */
  writeTo(bytes: Buffer, offset: number): void {
    let high: bigint;
    if (this.kind === 'nan') high = 0x7c00_0000_0000_0000n;
    else if (this.kind === 'infinity') high = 0x7800_0000_0000_0000n;
    else high = (BigInt(this.exponent - EXPONENT_MIN) << 49n) | (this.coefficient >> 64n);
    bytes.writeBigUInt64LE(this.coefficient & 0xffff_ffff_ffff_ffffn, offset);
    bytes.writeBigUInt64LE(this.negative ? high | (1n << 63n) : high, offset + 8);
  }

  /** The nearest decimal128 to coefficient × 10^exponent; beyond its range an infinity or a (subnormal) zero. */
  static of(negative: boolean, coefficient: bigint, exponent: number, rounding: Rounding = 'halfEven'): Decimal {
    let digits = coefficient;
    let power = exponent;
    const excess = Math.max(digitCount(digits) - DIGITS_MAX, EXPONENT_MIN - power);
    if (excess > 0) {
      digits = divideRounded(digits, excess, negative, rounding);
      power += excess;
      if (digits > COEFFICIENT_MAX) {
        digits /= 10n;
        power++;
      }
    }
    if (power > EXPONENT_MAX) {
      if (digits === 0n) power = EXPONENT_MAX;
      else {
        const shift = power - EXPONENT_MAX;
        if (shift > DIGITS_MAX || digits * power10(shift) > COEFFICIENT_MAX) {
          return negative ? Decimal.NEGATIVE_INFINITY : Decimal.INFINITY;
        }
        digits *= power10(shift);
        power = EXPONENT_MAX;
      }
    }
    return new Decimal('finite', negative, digits, power);
  }

  static fromBigInt(value: bigint): Decimal {
    return Decimal.of(value < 0n, value < 0n ? -value : value, 0);
  }

  /** As MongoDB converts: int32 exactly, another double by its first 15 digits. */
  static fromNumber(value: number): Decimal {
    if (Number.isNaN(value)) return Decimal.NAN;
    if (!Number.isFinite(value)) return value < 0 ? Decimal.NEGATIVE_INFINITY : Decimal.INFINITY;
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
      return new Decimal('finite', Object.is(value, -0) || value < 0, BigInt(Math.abs(value)), 0);
    }
    return Decimal.parse(value.toExponential(DOUBLE_DIGITS - 1)) ?? Decimal.NAN;
  }

  /** A double as it becomes a decimal in arithmetic: 15 significant digits, 1.0 becomes 1.00000000000000. */
  static fromDouble(value: number): Decimal {
    if (!Number.isFinite(value)) return Decimal.fromNumber(value);
    return Decimal.parse(value.toExponential(DOUBLE_DIGITS - 1)) ?? Decimal.NAN;
  }

  /** The double's exact value, rounded to 34 digits. */
  static fromDoubleExactly(value: number): Decimal {
    if (!Number.isFinite(value)) return Decimal.fromNumber(value);
    const { coefficient, exponent } = exactDouble(Math.abs(value));
    return Decimal.of(value < 0 || Object.is(value, -0), coefficient, exponent);
  }

  /** Reads `-1.5E+3`, `Infinity`, `NaN`; undefined when it is no number. Digits beyond 34 are rounded. */
  static parse(text: string): Decimal | undefined {
    const match = /^([+-])?(?:(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?|(inf|infinity)|(nan))$/i.exec(text);
    if (match === null) return undefined;
    const negative = match[1] === '-';
    if (match[6] !== undefined) return negative ? new Decimal('nan', true, 0n, 0) : Decimal.NAN;
    if (match[5] !== undefined) return negative ? Decimal.NEGATIVE_INFINITY : Decimal.INFINITY;
    const whole = match[2] ?? '';
    const fraction = match[3] ?? '';
    if (whole === '' && fraction === '') return undefined;
    const exponent = Number(match[4] ?? 0) - fraction.length;
    if (Math.abs(exponent) > 1e9) {
      const zero = /^0*$/.test(whole + fraction);
      if (zero || exponent < 0) return Decimal.of(negative, 0n, exponent < 0 ? EXPONENT_MIN : EXPONENT_MAX);
      return negative ? Decimal.NEGATIVE_INFINITY : Decimal.INFINITY;
    }
    return Decimal.of(negative, BigInt(whole + fraction), exponent);
  }

  get isNaN(): boolean {
    return this.kind === 'nan';
  }

  get isFinite(): boolean {
    return this.kind === 'finite';
  }

  get isZero(): boolean {
    return this.kind === 'finite' && this.coefficient === 0n;
  }

  get isInteger(): boolean {
    if (this.kind !== 'finite') return false;
    if (this.exponent >= 0 || this.coefficient === 0n) return true;
    return -this.exponent <= DIGITS_MAX && this.coefficient % power10(-this.exponent) === 0n;
  }

  private get signed(): bigint {
    return this.negative ? -this.coefficient : this.coefficient;
  }

  negate(): Decimal {
    return this.kind === 'nan' ? this : new Decimal(this.kind, !this.negative, this.coefficient, this.exponent);
  }

  abs(): Decimal {
    return this.negative ? this.negate() : this;
  }

  add(other: Decimal): Decimal {
    if (this.kind === 'nan' || other.kind === 'nan') return Decimal.NAN;
    if (this.kind === 'infinity') {
      return other.kind === 'infinity' && other.negative !== this.negative ? Decimal.NAN : this;
    }
    if (other.kind === 'infinity') return other;
    const exponent = Math.min(this.exponent, other.exponent);
    // A term so small that it only decides the rounding need not be aligned in full.
    const [large, small] = this.exponent >= other.exponent ? [this, other] : [other, this];
    const gap = large.exponent - exponent;
    if (gap > 3 * DIGITS_MAX && large.coefficient !== 0n && small.coefficient !== 0n) {
      const shift = 2 * DIGITS_MAX;
      const sum = large.signed * power10(shift) + (small.negative ? -1n : 1n);
      return Decimal.of(sum < 0n, sum < 0n ? -sum : sum, large.exponent - shift);
    }
    if (gap > 3 * DIGITS_MAX) {
      if (small.coefficient === 0n) {
        // The zero asks for more digits than there may be: as many as fit.
        const room = Math.min(gap, DIGITS_MAX - digitCount(large.coefficient));
        if (large.coefficient !== 0n)
          return Decimal.of(large.negative, large.coefficient * power10(room), large.exponent - room);
      }
      if (large.coefficient === 0n && small.coefficient !== 0n) return small;
    }
    const sum = this.signed * power10(this.exponent - exponent) + other.signed * power10(other.exponent - exponent);
    const negative = sum === 0n ? this.negative && other.negative : sum < 0n;
    return Decimal.of(negative, sum < 0n ? -sum : sum, exponent);
  }

  subtract(other: Decimal): Decimal {
    return this.add(other.negate());
  }

  multiply(other: Decimal): Decimal {
    if (this.kind === 'nan' || other.kind === 'nan') return Decimal.NAN;
    const negative = this.negative !== other.negative;
    if (this.kind === 'infinity' || other.kind === 'infinity') {
      if (this.isZero || other.isZero) return Decimal.NAN;
      return negative ? Decimal.NEGATIVE_INFINITY : Decimal.INFINITY;
    }
    return Decimal.of(negative, this.coefficient * other.coefficient, this.exponent + other.exponent);
  }

  /** Division by zero gives an infinity, 0 / 0 NaN. An exact quotient has the fewest digits that the operands allow. */
  divide(other: Decimal): Decimal {
    if (this.kind === 'nan' || other.kind === 'nan') return Decimal.NAN;
    const negative = this.negative !== other.negative;
    if (this.kind === 'infinity') {
      if (other.kind === 'infinity') return Decimal.NAN;
      return negative ? Decimal.NEGATIVE_INFINITY : Decimal.INFINITY;
    }
    if (other.kind === 'infinity') return Decimal.of(negative, 0n, EXPONENT_MIN);
    if (other.coefficient === 0n) {
      if (this.coefficient === 0n) return Decimal.NAN;
      return negative ? Decimal.NEGATIVE_INFINITY : Decimal.INFINITY;
    }
    const ideal = this.exponent - other.exponent;
    if (this.coefficient === 0n) return Decimal.of(negative, 0n, ideal);
    const shift = Math.max(0, DIGITS_MAX + 3 + digitCount(other.coefficient) - digitCount(this.coefficient));
    const dividend = this.coefficient * power10(shift);
    let quotient = dividend / other.coefficient;
    let exponent = ideal - shift;
    if (quotient * other.coefficient !== dividend) {
      // Something remains: make it visible to the rounding without making a tie of what is none.
      return Decimal.of(negative, quotient * 10n + 1n, exponent - 1);
    }
    while (exponent < ideal && quotient % 10n === 0n) {
      quotient /= 10n;
      exponent++;
    }
    return Decimal.of(negative, quotient, exponent);
  }

  /** What remains of a division truncated towards zero; has the sign of this. */
  remainder(other: Decimal): Decimal {
    if (this.kind !== 'finite' || other.kind === 'nan' || other.isZero) return Decimal.NAN;
    if (other.kind === 'infinity') return this;
    const exponent = Math.min(this.exponent, other.exponent);
    const left = this.coefficient * power10(this.exponent - exponent);
    const right = other.coefficient * power10(other.exponent - exponent);
    return Decimal.of(this.negative, left % right, exponent);
  }

  /** Rounds to a multiple of 10^exponent. */
  quantize(exponent: number, rounding: Rounding): Decimal {
    if (this.kind !== 'finite' || exponent <= this.exponent) return this;
    const digits = divideRounded(this.coefficient, exponent - this.exponent, this.negative, rounding);
    return Decimal.of(this.negative, digits, exponent);
  }

  /** The square root, rounded to 34 digits; NaN below zero. */
  squareRoot(): Decimal {
    if (this.kind === 'nan' || this.isZero) return this;
    if (this.negative) return Decimal.NAN;
    if (this.kind === 'infinity') return this;
    const even = this.exponent % 2 === 0;
    const value = even ? this.coefficient : this.coefficient * 10n;
    const exponent = even ? this.exponent : this.exponent - 1;
    const shift = Math.max(0, 2 * (DIGITS_MAX + 2) - digitCount(value));
    const pairs = shift + (shift % 2);
    const scaled = value * power10(pairs);
    const root = integerSquareRoot(scaled);
    let digits = root;
    let power = (exponent - pairs) / 2;
    if (root * root !== scaled) return Decimal.of(false, root * 10n + 1n, power - 1);
    const ideal = Math.floor(this.exponent / 2);
    while (power < ideal && digits % 10n === 0n) {
      digits /= 10n;
      power++;
    }
    return Decimal.of(false, digits, power);
  }

  /** Numerical order with NaN lowest and equal to NaN; 1.0 equals 1.00, -0 equals 0. */
  compare(other: Decimal): number {
    if (this.kind === 'nan') return other.kind === 'nan' ? 0 : -1;
    if (other.kind === 'nan') return 1;
    if (this.kind === 'infinity' || other.kind === 'infinity') {
      const left = this.kind === 'infinity' ? (this.negative ? -1 : 1) : 0;
      return left - (other.kind === 'infinity' ? (other.negative ? -1 : 1) : 0);
    }
    if (this.coefficient === 0n) return other.coefficient === 0n ? 0 : other.negative ? 1 : -1;
    if (other.coefficient === 0n) return this.negative ? -1 : 1;
    if (this.negative !== other.negative) return this.negative ? -1 : 1;
    const magnitude = compareMagnitudes(this.coefficient, this.exponent, other.coefficient, other.exponent);
    return this.negative ? 0 - magnitude : magnitude;
  }

  /** Exact comparison with a double's value. */
  compareNumber(other: number): number {
    if (Number.isNaN(other)) return this.kind === 'nan' ? 0 : 1;
    if (this.kind === 'nan') return -1;
    if (!Number.isFinite(other)) return this.compare(other < 0 ? Decimal.NEGATIVE_INFINITY : Decimal.INFINITY);
    if (this.kind === 'infinity') return this.negative ? -1 : 1;
    if (other === 0) return this.coefficient === 0n ? 0 : this.negative ? -1 : 1;
    if (this.coefficient === 0n || this.negative !== other < 0) {
      return this.coefficient === 0n ? (other < 0 ? 1 : -1) : this.negative ? -1 : 1;
    }
    const exact = exactDouble(Math.abs(other));
    const magnitude = compareMagnitudes(this.coefficient, this.exponent, exact.coefficient, exact.exponent);
    return this.negative ? 0 - magnitude : magnitude;
  }

  compareBigInt(other: bigint): number {
    return this.compare(new Decimal('finite', other < 0n, other < 0n ? -other : other, 0));
  }

  /** The nearest double. */
  toNumber(): number {
    if (this.kind === 'nan') return Number.NaN;
    if (this.kind === 'infinity') return this.negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    return Number(`${this.negative ? '-' : ''}${this.coefficient}e${this.exponent}`);
  }

  /** The integer part; undefined for NaN and infinities, and beyond 10^40. */
  toBigInt(): bigint | undefined {
    if (this.kind !== 'finite') return undefined;
    if (this.coefficient === 0n) return 0n;
    if (this.exponent > 40) return undefined;
    if (this.exponent >= 0) return this.signed * power10(this.exponent);
    return -this.exponent > DIGITS_MAX ? 0n : this.signed / power10(-this.exponent);
  }

  /** The same number without trailing zeros: equal numbers become the same fields. */
  normalize(): { readonly negative: boolean; readonly coefficient: bigint; readonly exponent: number } {
    let { coefficient, exponent } = this;
    if (coefficient === 0n) return { negative: false, coefficient: 0n, exponent: 0 };
    while (coefficient % 10n === 0n) {
      coefficient /= 10n;
      exponent++;
    }
    return { negative: this.negative, coefficient, exponent };
  }

  /** Scientific or plain notation as the decimal128 specification of BSON lays down. */
  toString(): string {
    const sign = this.negative ? '-' : '';
    if (this.kind === 'nan') return 'NaN';
    if (this.kind === 'infinity') return `${sign}Infinity`;
    const digits = this.coefficient.toString();
    const adjusted = this.exponent + digits.length - 1;
    if (this.exponent > 0 || adjusted < -6) {
      const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
      return `${sign}${digits[0]}${fraction}E${adjusted < 0 ? '' : '+'}${adjusted}`;
    }
    if (this.exponent === 0) return sign + digits;
    const point = digits.length + this.exponent;
    if (point > 0) return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
    return `${sign}0.${'0'.repeat(-point)}${digits}`;
  }
}

/** digits / 10^places as an integer. */
function divideRounded(digits: bigint, places: number, negative: boolean, rounding: Rounding): bigint {
  if (digits === 0n) return 0n;
  if (places > digitCount(digits) + 1) return away(rounding, negative) ? 1n : 0n;
  const divisor = power10(places);
  const quotient = digits / divisor;
  const rest = digits % divisor;
  if (rest === 0n) return quotient;
  if (rounding !== 'halfEven') return away(rounding, negative) ? quotient + 1n : quotient;
  const twice = rest * 2n;
  return twice > divisor || (twice === divisor && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
}

function away(rounding: Rounding, negative: boolean): boolean {
  return (rounding === 'floor' && negative) || (rounding === 'ceiling' && !negative);
}

/** Compares a × 10^i with b × 10^j, all positive. */
function compareMagnitudes(a: bigint, i: number, b: bigint, j: number): number {
  const size = digitCount(a) + i - digitCount(b) - j;
  if (size !== 0) return size < 0 ? -1 : 1;
  const left = i > j ? a * power10(i - j) : a;
  const right = j > i ? b * power10(j - i) : b;
  return left < right ? -1 : left > right ? 1 : 0;
}

const scratch = new DataView(new ArrayBuffer(8));

/** A positive finite double is exactly coefficient × 10^exponent. */
function exactDouble(value: number): { coefficient: bigint; exponent: number } {
  if (Number.isSafeInteger(value)) return { coefficient: BigInt(value), exponent: 0 };
  scratch.setFloat64(0, value);
  const bits = scratch.getBigUint64(0);
  const biased = Number(bits >> 52n);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  const binary = (biased === 0 ? 1 : biased) - 1075;
  // m × 2^-n = m × 5^n × 10^-n
  if (binary >= 0) return { coefficient: mantissa << BigInt(binary), exponent: 0 };
  return { coefficient: mantissa * 5n ** BigInt(-binary), exponent: binary };
}

function integerSquareRoot(value: bigint): bigint {
  let root = BigInt(Math.floor(Math.sqrt(Number(value))));
  if (value > 1n << 1000n) root = 1n << BigInt(Math.ceil(value.toString(2).length / 2));
  for (;;) {
    const next = (root + value / root) >> 1n;
    const difference = next - root;
    if (difference === 0n) break;
    root = next;
    if (difference === 1n || difference === -1n) break;
  }
  while (root * root > value) root--;
  while ((root + 1n) * (root + 1n) <= value) root++;
  return root;
}
