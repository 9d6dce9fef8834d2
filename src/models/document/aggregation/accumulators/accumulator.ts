/** What gathers the values of a group, a window or an array into one. */
import type { Value } from '../../values.js';
import type { Evaluate } from '../expressions/expression.js';
import type { Environment, Scope } from '../scope.js';

export interface Accumulator {
  /** Takes one document's value; undefined when it is missing. */
  add(value: Value | undefined): void;
  /** May be asked for again after more values. */
  readonly result: Value | undefined;
  /** Estimate of the memory held for values, bytes; 0 for a fixed size. */
  readonly bytes: number;
}

/** An accumulator as one pipeline writes it. */
export interface AccumulatorPlan {
  /** What is taken from each document. */
  readonly evaluate: Evaluate;
  /** Begins a group. `scope` is about the group's `_id`. */
  create(scope: Scope): Accumulator;
}

export type CompileAccumulator = (argument: Value, environment: Environment, name: string) => AccumulatorPlan;
