/** `$accumulator`: functions in JavaScript. */
import { DocumentError } from '../../errors.js';
import { Code, Doc, isArrayValue, type Value } from '../../values.js';
import { compileExpression } from '../expressions/expression.js';
import { approximateBytes } from '../memory.js';
import type { JavaScript } from '../scope.js';
import type { Accumulator, CompileAccumulator } from './accumulator.js';

type Call = ReturnType<JavaScript['compile']>;

class Scripted implements Accumulator {
  constructor(
    private state: Value | undefined,
    private readonly accumulate: Call,
    private readonly finalize: Call | undefined,
  ) {}

  get bytes(): number {
    return approximateBytes(this.state);
  }

  add(value: Value | undefined): void {
    this.state = this.accumulate([this.state, ...(isArrayValue(value) ? value : [])]);
  }

  get result(): Value | undefined {
    return this.finalize === undefined ? this.state : this.finalize([this.state]);
  }
}

export function sourceOf(value: Value | undefined, field: string, code: number): string {
  if (typeof value === 'string') return value;
  if (value instanceof Code) return value.code;
  throw new DocumentError(code, `${field} must be a string or code`);
}

export const scriptedAccumulator: CompileAccumulator = (argument, environment) => {
  const { javascript } = environment.settings;
  if (javascript === undefined) {
    throw new DocumentError(31264, 'Cannot run server-side javascript without the javascript engine enabled');
  }
  if (!(argument instanceof Doc)) {
    throw new DocumentError(4544703, '$accumulator expects an object as an argument');
  }
  const parts = new Map<string, Value>();
  for (const [name, value] of argument) {
    if (!['init', 'initArgs', 'accumulate', 'accumulateArgs', 'merge', 'finalize', 'lang'].includes(name)) {
      throw new DocumentError(4544706, `$accumulator got an unexpected field: ${name}`);
    }
    parts.set(name, value);
  }
  for (const [name, code] of [
    ['init', 4544707],
    ['accumulate', 4544708],
    ['accumulateArgs', 4544710],
    ['merge', 4544709],
    ['lang', 4544711],
  ] as const) {
    if (!parts.has(name)) throw new DocumentError(code, `$accumulator missing required argument '${name}'`);
  }
  if (parts.get('lang') !== 'js') throw new DocumentError(4544712, `$accumulator only supports lang: 'js'`);
  const compile = (name: string): Call =>
    javascript.compile(sourceOf(parts.get(name), `$accumulator '${name}'`, 4544701));
  const init = compile('init');
  const accumulate = compile('accumulate');
  const finalize = parts.has('finalize') ? compile('finalize') : undefined;
  const initArgs = compileExpression(parts.get('initArgs') ?? [], environment);
  const args = compileExpression(parts.get('accumulateArgs') ?? null, environment);
  return {
    evaluate: args.evaluate,
    create: (scope) => {
      const values = initArgs.evaluate(scope);
      return new Scripted(init(isArrayValue(values) ? values : []), accumulate, finalize);
    },
  };
};
