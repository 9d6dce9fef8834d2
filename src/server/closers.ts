/** What is open, to be closed in reverse order. One that fails does not keep the others open. */
export class Closers {
  private readonly open: (() => Promise<void> | void)[] = [];

  add(close: () => Promise<void> | void): void {
    this.open.push(close);
  }

  /** Throws what failed, when all is closed; an AggregateError for several. */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (let close = this.open.pop(); close !== undefined; close = this.open.pop()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, 'several parts did not close cleanly');
  }
}
