/** A collection's validator: a filter with a report for what it refuses. */
import type { Collation, Doc } from '../values.js';
import { explainFailure } from './failure.js';
import { compileFilter, type Filter, type FilterHooks } from './filter.js';
import { parseFilter } from './parse.js';
import type { Predicate } from './predicate.js';

export interface ValidatorOptions {
  readonly collation?: Collation | undefined;
  readonly hooks?: FilterHooks;
}

export class Validator {
  private readonly filter: Filter;
  private readonly written: Predicate;
  private readonly hooks: FilterHooks;

  /** Throws code 2 for `$near`, `$where` and `$text`, which validators may not use. */
  constructor(rules: Doc, { collation, hooks = {} }: ValidatorOptions = {}) {
    const allow = { near: false, where: false, text: false };
    this.hooks = hooks;
    this.filter = compileFilter(rules, { collation, hooks, allow });
    this.written = parseFilter(rules, { collation, allow, asWritten: true });
  }

  accepts(bytes: Buffer): boolean {
    return this.filter.matches(bytes);
  }

  /** `details` of errInfo for a document that is refused. */
  explain(bytes: Buffer): Doc {
    return explainFailure(this.written, bytes, this.hooks);
  }
}
