/** `$sum $avg $stdDevPop $stdDevSamp $count`: values that are no numbers do not count. */
import { Decimal, double, isNumber, type Value } from '../../values.js';
import { asDecimal, asDouble, Summation } from '../expressions/numbers.js';
import type { Accumulator } from './accumulator.js';

export class Sum implements Accumulator {
  readonly bytes = 0;
  private readonly sum = new Summation();

  add(value: Value | undefined): void {
    if (isNumber(value)) this.sum.add(value);
  }

  get result(): Value {
    return this.sum.value;
  }
}

export class Average implements Accumulator {
  readonly bytes = 0;
  private readonly sum = new Summation();
  private count = 0;

  add(value: Value | undefined): void {
    if (!isNumber(value)) return;
    this.sum.add(value);
    this.count++;
  }

  get result(): Value {
    if (this.count === 0) return null;
    if (this.sum.kind === 'decimal') return this.sum.toDecimal().divide(Decimal.fromNumber(this.count));
    return double(this.sum.toDouble() / this.count);
  }
}

/** Welford's running variance, in doubles. */
export class StandardDeviation implements Accumulator {
  readonly bytes = 0;
  private count = 0;
  private mean = 0;
  private squares = 0;

  constructor(private readonly sample: boolean) {}

  add(value: Value | undefined): void {
    if (!isNumber(value)) return;
    const number = asDouble(value);
    this.count++;
    const delta = number - this.mean;
    this.mean += delta / this.count;
    this.squares += delta * (number - this.mean);
  }

  get result(): Value {
    const divisor = this.sample ? this.count - 1 : this.count;
    if (divisor <= 0) return null;
    return double(Math.sqrt(this.squares / divisor));
  }
}

/** Exact percentiles by rank: what the approximate method gives for few values. */
export class Percentiles implements Accumulator {
  private readonly numbers: number[] = [];
  private sorted = true;

  constructor(
    private readonly probabilities: readonly number[],
    private readonly single: boolean,
  ) {}

  get bytes(): number {
    return this.numbers.length * 8;
  }

  add(value: Value | undefined): void {
    if (!isNumber(value)) return;
    const number = value instanceof Decimal ? asDecimal(value).toNumber() : asDouble(value);
    if (Number.isNaN(number)) return;
    this.numbers.push(number);
    this.sorted = false;
  }

  get result(): Value {
    if (!this.sorted) {
      this.numbers.sort((a, b) => a - b);
      this.sorted = true;
    }
    const results = this.probabilities.map((probability): Value => {
      const { length } = this.numbers;
      const rank = Math.max(0, Math.ceil(length * probability) - 1);
      const number = this.numbers[Math.min(rank, length - 1)];
      return number === undefined ? null : double(number);
    });
    return this.single ? (results[0] ?? null) : results;
  }
}
