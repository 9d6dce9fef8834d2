/**
 * Arithmetic on numbers of four types. The widest type of the operands decides: int, long, double, decimal. What leaves
 * int becomes long, what leaves long becomes double.
 */
import {
  Decimal,
  Double,
  double,
  INT64_MAX,
  INT64_MIN,
  isInt32,
  isNumber,
  type NumberValue,
  toDouble,
  type Value,
} from '../../values.js';

export type NumberKind = 'int' | 'long' | 'double' | 'decimal';

export function kindOf(value: NumberValue): NumberKind {
  if (typeof value === 'number') return isInt32(value) ? 'int' : 'double';
  if (typeof value === 'bigint') return 'long';
  return value instanceof Double ? 'double' : 'decimal';
}

const WIDTH: Readonly<Record<NumberKind, number>> = { int: 0, long: 1, double: 2, decimal: 3 };

export function widerKind(a: NumberKind, b: NumberKind): NumberKind {
  return WIDTH[a] >= WIDTH[b] ? a : b;
}

/** A number's double; decimals lose digits. */
export function asDouble(value: NumberValue): number {
  if (typeof value === 'number') return value;
  return toDouble(value) ?? Number.NaN;
}

/** Doubles become decimals by their first 15 digits. */
export function asDecimal(value: NumberValue): Decimal {
  if (value instanceof Decimal) return value;
  if (typeof value === 'bigint') return Decimal.fromBigInt(value);
  if (value instanceof Double) return Decimal.fromDouble(value.value);
  return isInt32(value) ? Decimal.fromNumber(value) : Decimal.fromDouble(value);
}

/** An int or a long. */
export function asBigInt(value: number | bigint): bigint {
  return typeof value === 'bigint' ? value : BigInt(value);
}

/** An integer as int where the type allows it, else as long, else as double. */
export function integerValue(value: bigint, kind: NumberKind): NumberValue {
  if (kind === 'int' && value >= -0x8000_0000n && value <= 0x7fff_ffffn) return Number(value);
  return value >= INT64_MIN && value <= INT64_MAX ? value : double(Number(value));
}

/** A whole number of any type within 32 bits; undefined for others. */
export function int32Of(value: Value | undefined): number | undefined {
  if (typeof value === 'number') return isInt32(value) || Object.is(value, -0) ? value | 0 : undefined;
  if (!isNumber(value)) return undefined;
  const number = value instanceof Decimal && !value.isInteger ? Number.NaN : asDouble(value);
  return Number.isInteger(number) && Math.abs(number) <= 0x8000_0000 && (number | 0) === number
    ? number | 0
    : undefined;
}

/**
 * A running sum without loss from intermediate roundings: integers exactly, doubles with the error of each addition
 * (Neumaier), decimals apart.
 */
export class Summation {
  private integers = 0;
  /** What no longer fits {@link integers} exactly. */
  private large = 0n;
  private doubles = 0;
  private compensation = 0;
  private decimals: Decimal | undefined;
  kind: NumberKind = 'int';

  add(value: NumberValue): void {
    if (typeof value === 'number') {
      if (isInt32(value)) this.addInteger(value);
      else this.addDouble(value);
    } else if (typeof value === 'bigint') {
      this.large += value;
      if (this.kind === 'int') this.kind = 'long';
    } else if (value instanceof Double) this.addDouble(value.value);
    else {
      this.decimals = (this.decimals ?? Decimal.ZERO).add(value);
      this.kind = 'decimal';
    }
  }

  private addInteger(value: number): void {
    this.integers += value;
    if (this.integers > 2 ** 52 || this.integers < -(2 ** 52)) {
      this.large += BigInt(this.integers);
      this.integers = 0;
    }
  }

  private addDouble(value: number): void {
    if (WIDTH[this.kind] < WIDTH.double) this.kind = 'double';
    const sum = this.doubles + value;
    if (Number.isFinite(sum)) {
      this.compensation +=
        Math.abs(this.doubles) >= Math.abs(value) ? this.doubles - sum + value : value - sum + this.doubles;
    }
    this.doubles = sum;
  }

  private get whole(): bigint {
    return this.large + BigInt(this.integers);
  }

  /** The sum as a double. */
  toDouble(): number {
    if (this.large === 0n) {
      const sum = this.doubles + this.integers;
      const rest = Number.isFinite(sum)
        ? Math.abs(this.doubles) >= Math.abs(this.integers)
          ? this.doubles - sum + this.integers
          : this.integers - sum + this.doubles
        : 0;
      return sum + (this.compensation + rest);
    }
    return this.doubles + this.compensation + Number(this.whole);
  }

  toDecimal(): Decimal {
    const doubles = this.doubles + this.compensation;
    let sum = (this.decimals ?? Decimal.ZERO).add(Decimal.fromBigInt(this.whole));
    if (doubles !== 0) sum = sum.add(Decimal.fromDouble(doubles));
    return sum;
  }

  get value(): NumberValue {
    switch (this.kind) {
      case 'int':
        return this.large === 0n && isInt32(this.integers) ? this.integers : integerValue(this.whole, 'int');
      case 'long':
        return integerValue(this.whole, 'long');
      case 'double':
        return double(this.toDouble());
      default:
        return this.toDecimal();
    }
  }
}
