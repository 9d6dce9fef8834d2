/** `$unionWith`: the documents of another pipeline after those of the input. */
import { DocumentError, failedToParse } from '../../errors.js';
import { Doc, formatValue, typeName } from '../../values.js';
import { SubPipeline } from '../sub-pipeline.js';
import { inDatabase, stagesOf } from './lookup.js';
import { type CompileStage, type DocSource, stageOf } from './stage.js';

export const unionWith: CompileStage = (argument, { environment, depth }, specification) => {
  let name: string | undefined;
  let stages: Doc[] = [];
  if (typeof argument === 'string') name = argument;
  else if (argument instanceof Doc) {
    for (const [field, value] of argument) {
      if (field === 'coll') {
        if (typeof value !== 'string') {
          throw new DocumentError(
            14,
            `BSON field '$unionWith.coll' is the wrong type '${typeName(value)}', expected type 'string'`,
          );
        }
        name = value;
      } else if (field === 'pipeline') stages = stagesOf(value);
      else throw new DocumentError(40415, `BSON field '$unionWith.${field}' is an unknown field.`);
    }
  } else {
    throw failedToParse(
      `the $unionWith stage specification must be an object or string, but found ${typeName(argument)}: ${formatValue(argument)}`,
    );
  }
  const pipeline = new SubPipeline(stages, environment, 'unionWith', depth + 1);
  if (name === undefined && !pipeline.hasOwnSource) {
    throw failedToParse(
      '$unionWith stage without explicit collection must have a pipeline with $documents as first stage',
    );
  }
  return stageOf(specification, {
    open: (input, run) => {
      let second: DocSource | undefined;
      return {
        async next() {
          if (second === undefined) {
            const batch = await input.next();
            if (batch !== undefined) return batch;
            second = await pipeline.open(run, name === undefined ? undefined : inDatabase({ database: '', name }, run));
          }
          return second.next();
        },
        close() {
          second?.close();
          input.close();
        },
      };
    },
  });
};
