/** `$limit` and `$skip`. */
import { DocumentError } from '../../errors.js';
import { formatField, isNumber, toDouble, toInteger, type Value } from '../../values.js';
import { type CompileStage, type DocSource, mapBatches, stageOf } from './stage.js';

function countOf(name: string, argument: Value, code: number): number {
  const shown = formatField(name, argument);
  const refuse = (reason: string): DocumentError =>
    new DocumentError(code, `invalid argument to ${name} stage: ${reason} in: ${shown}`);
  if (!isNumber(argument)) throw refuse('Expected a number');
  const whole = toInteger(argument);
  const number = toDouble(argument) ?? Number.NaN;
  if (Number.isNaN(number)) throw refuse('Expected an integer, but found NaN');
  if (whole === undefined)
    throw refuse(Number.isFinite(number) ? 'Expected an integer' : 'Cannot represent as a 64-bit integer');
  if (whole < 0n) throw refuse('Expected a non-negative number');
  if (whole >= 2n ** 63n) throw refuse('Cannot represent as a 64-bit integer');
  return Number(whole);
}

export const limit: CompileStage = (argument, _, specification) => {
  const count = countOf('$limit', argument, 5107201);
  if (count === 0) throw new DocumentError(15958, 'the limit must be positive');
  return stageOf(specification, { open: (input) => limited(input, count) });
};

/** Ends, and closes its input, as soon as it has enough. */
export function limited(input: DocSource, count: number): DocSource {
  let left = count;
  return {
    async next() {
      if (left <= 0) return undefined;
      const batch = await input.next();
      if (batch === undefined) return undefined;
      const taken = batch.length > left ? batch.slice(0, left) : batch;
      left -= taken.length;
      if (left <= 0) input.close();
      return taken;
    },
    close: () => input.close(),
  };
}

export const skip: CompileStage = (argument, _, specification) => {
  const count = countOf('$skip', argument, 5107200);
  return stageOf(specification, {
    open: (input) => {
      let left = count;
      return mapBatches(input, (batch) => {
        if (left === 0) return batch;
        const kept = batch.slice(left);
        left = Math.max(0, left - batch.length);
        return kept;
      });
    },
  });
};
