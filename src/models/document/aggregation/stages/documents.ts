/** `$documents`: documents written into the pipeline. */
import { DocumentError } from '../../errors.js';
import { Doc, isArrayValue, typeName } from '../../values.js';
import { compileExpression } from '../expressions/expression.js';
import { type CompileStage, inBatches, lazySource, stageOf } from './stage.js';

export const documents: CompileStage = (argument, { environment }, specification) => {
  const { evaluate } = compileExpression(argument, environment);
  return stageOf(specification, {
    source: true,
    open: (input, { scope }) =>
      lazySource(
        async () => {
          const value = evaluate(scope.enter(new Doc()));
          if (!isArrayValue(value)) {
            throw new DocumentError(5858203, `an array is expected`);
          }
          const made = value.map((element) => {
            if (element instanceof Doc) return element;
            throw new DocumentError(
              40228,
              `'replacement document' must evaluate to an object, but resulting value was of type: '${typeName(element)}'`,
            );
          });
          return inBatches(made);
        },
        () => input.close(),
      ),
  });
};
