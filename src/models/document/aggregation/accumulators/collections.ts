/** `$push $addToSet $mergeObjects $first $last $min $max` and those that keep several. */
import { DocumentError } from '../../errors.js';
import { type Collation, compareValues, Doc, equalityKey, formatValue, typeName, type Value } from '../../values.js';
import { isNullish } from '../expressions/operator.js';
import { approximateBytes } from '../memory.js';
import type { Accumulator } from './accumulator.js';

export class Push implements Accumulator {
  private readonly values: Value[] = [];
  bytes = 0;

  add(value: Value | undefined): void {
    if (value === undefined) return;
    this.values.push(value);
    this.bytes += approximateBytes(value);
  }

  get result(): Value {
    return this.values.slice();
  }
}

export class AddToSet implements Accumulator {
  private readonly values = new Map<string | number, Value>();
  bytes = 0;

  constructor(private readonly collation: Collation | undefined) {}

  add(value: Value | undefined): void {
    if (value === undefined) return;
    const key = equalityKey(value, this.collation);
    if (this.values.has(key)) return;
    this.values.set(key, value);
    this.bytes += approximateBytes(value) + (typeof key === 'string' ? key.length : 8);
  }

  get result(): Value {
    return [...this.values.values()];
  }
}

export class MergeObjects implements Accumulator {
  private readonly merged = new Doc();
  bytes = 0;

  add(value: Value | undefined): void {
    if (isNullish(value)) return;
    if (!(value instanceof Doc)) {
      throw new DocumentError(
        40400,
        `$mergeObjects requires object inputs, but input ${formatValue(value)} is of type ${typeName(value)}`,
      );
    }
    for (const [name, field] of value) this.merged.set(name, field);
    this.bytes += approximateBytes(value);
  }

  get result(): Value {
    return this.merged.copy();
  }
}

/** The first or last value; missing is null. */
export class End implements Accumulator {
  private value: Value | undefined;
  private some = false;
  readonly bytes = 0;

  constructor(private readonly which: 'first' | 'last') {}

  add(value: Value | undefined): void {
    if (this.some && this.which === 'first') return;
    this.some = true;
    this.value = value;
  }

  get result(): Value {
    return this.value ?? null;
  }
}

/** The first or last `n` values; missing ones are null. */
export class Ends implements Accumulator {
  private values: Value[] = [];
  bytes = 0;

  constructor(
    private readonly which: 'first' | 'last',
    private readonly n: number,
  ) {}

  add(value: Value | undefined): void {
    if (this.which === 'first' && this.values.length >= this.n) return;
    this.values.push(value ?? null);
    this.bytes += approximateBytes(value ?? null);
    // Cut now and then only: shifting an array is not free.
    if (this.which === 'last' && this.values.length > 2 * this.n + 64) this.values = this.values.slice(-this.n);
  }

  get result(): Value {
    return this.which === 'first' ? this.values.slice() : this.values.slice(-this.n);
  }
}

/** The least (sign 1) or greatest (sign -1) value; null, undefined and missing do not count. */
export class Extreme implements Accumulator {
  private best: Value | undefined;
  readonly bytes = 0;

  constructor(
    private readonly sign: 1 | -1,
    private readonly collation: Collation | undefined,
  ) {}

  add(value: Value | undefined): void {
    if (isNullish(value)) return;
    if (this.best === undefined || compareValues(value, this.best, this.collation) * this.sign < 0) this.best = value;
  }

  get result(): Value {
    return this.best ?? null;
  }
}

/** Keeps the `n` entries that come first by `compare`, in order; equal ones in the order they came. */
class Best<T> {
  private entries: { readonly entry: T; readonly position: number }[] = [];
  private count = 0;

  constructor(
    private readonly n: number,
    private readonly compare: (a: T, b: T) => number,
  ) {}

  add(entry: T): void {
    this.entries.push({ entry, position: this.count++ });
    if (this.entries.length > 2 * this.n + 64) this.cut();
  }

  private cut(): void {
    this.entries.sort((a, b) => this.compare(a.entry, b.entry) || a.position - b.position);
    if (this.entries.length > this.n) this.entries.length = this.n;
  }

  get all(): readonly T[] {
    this.cut();
    return this.entries.map(({ entry }) => entry);
  }
}

/** The `n` least or greatest values, in that order. */
export class Extremes implements Accumulator {
  private readonly best: Best<Value>;
  bytes = 0;

  constructor(sign: 1 | -1, n: number, collation: Collation | undefined) {
    this.best = new Best(n, (a, b) => compareValues(a, b, collation) * sign);
  }

  add(value: Value | undefined): void {
    if (isNullish(value)) return;
    this.best.add(value);
    this.bytes += approximateBytes(value);
  }

  get result(): Value {
    return [...this.best.all];
  }
}

/** `$top` and its relatives: outputs by a sort; each value added is `[sort key, output]`. */
export class Top implements Accumulator {
  private readonly best: Best<readonly [readonly Value[], Value]>;
  bytes = 0;

  constructor(
    n: number,
    private readonly single: boolean,
    private readonly bottom: boolean,
    compare: (a: readonly Value[], b: readonly Value[]) => number,
  ) {
    // The bottom ones are the top ones of the opposite order; later ones win there.
    const order = bottom
      ? (a: readonly [readonly Value[], Value], b: readonly [readonly Value[], Value]): number => compare(b[0], a[0])
      : (a: readonly [readonly Value[], Value], b: readonly [readonly Value[], Value]): number => compare(a[0], b[0]);
    this.best = new Best(n, order);
  }

  add(value: Value | undefined): void {
    if (!Array.isArray(value)) return;
    const [key, output] = value as [Value[], Value];
    this.best.add([key, output ?? null]);
    this.bytes += approximateBytes(value);
  }

  get result(): Value {
    const outputs = this.best.all.map(([, output]) => output);
    if (this.bottom) outputs.reverse();
    return this.single ? (outputs[0] ?? null) : outputs;
  }
}
