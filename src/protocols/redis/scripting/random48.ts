/** The 48-bit linear congruential generator of `drand48`, as Redis' scripts see it through math.random. */
const multiplier = 0x5deece66dn;
const increment = 0xbn;
const mask = (1n << 48n) - 1n;
const resultMax = 0x7fffffff;

export class Random48 {
  /** As `drand48` begins without a seed. */
  private state = 0x1234abcd330en;

  seed(value: number): void {
    this.state = ((BigInt.asUintN(32, BigInt(Number.isFinite(value) ? value : 0)) << 16n) | 0x330en) & mask;
  }

  /** In [0, 1). */
  next(): number {
    this.state = (this.state * multiplier + increment) & mask;
    return (Number(this.state >> 17n) % resultMax) / resultMax;
  }
}
