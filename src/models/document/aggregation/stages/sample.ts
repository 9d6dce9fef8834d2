/** `$sample`: some documents, each equally likely, in random order. */
import { DocumentError } from '../../errors.js';
import { Doc, isNumber, toDouble } from '../../values.js';
import { type CompileStage, drain, inBatches, lazySource, stageOf } from './stage.js';

export const sample: CompileStage = (argument, { environment }, specification) => {
  if (!(argument instanceof Doc)) throw new DocumentError(28745, 'the $sample stage specification must be an object');
  let size: number | undefined;
  for (const [name, value] of argument) {
    if (name !== 'size') throw new DocumentError(28748, `unrecognized option to $sample: ${name}`);
    if (!isNumber(value)) throw new DocumentError(28746, 'size argument to $sample must be a number');
    size = Math.trunc(toDouble(value) ?? 0);
    if (size <= 0) throw new DocumentError(28747, 'size argument to $sample must be a positive integer');
  }
  if (size === undefined) throw new DocumentError(28749, '$sample stage must specify a size');
  const wanted = size;
  return stageOf(specification, {
    open: (input, run) =>
      lazySource(
        async () => {
          // Reservoir sampling: each document takes a random place among those seen.
          const chosen: Doc[] = [];
          let seen = 0;
          await drain(input, run, (document) => {
            const place = Math.floor(environment.random() * ++seen);
            if (chosen.length < wanted) {
              const displaced = chosen[place];
              if (displaced !== undefined) chosen.push(displaced);
              chosen[place] = document;
            } else if (place < wanted) chosen[place] = document;
          });
          return inBatches(chosen);
        },
        () => input.close(),
      ),
  });
};
