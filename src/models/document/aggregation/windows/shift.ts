/** `$shift`: an expression on a document some places before or after. */
import { DocumentError } from '../../errors.js';
import { Doc, isNumber, toInteger, type Value } from '../../values.js';
import { compileExpression } from '../expressions/expression.js';
import { enter } from '../stages/stage.js';
import type { CompileWindowFunction } from './functions.js';

export const shift: CompileWindowFunction = (argument, { environment, sort, hasWindow }) => {
  if (!(argument instanceof Doc)) throw new DocumentError(9, 'Argument to $shift must be an object');
  if (hasWindow) throw new DocumentError(9, "$shift does not accept a 'window' field");
  if (sort === undefined) throw new DocumentError(9, '$shift requires a sortBy');
  for (const name of argument.keys()) {
    if (name !== 'output' && name !== 'by' && name !== 'default') {
      throw new DocumentError(9, `Unknown argument in $shift`);
    }
  }
  const [output, by, fallback] = [argument.get('output'), argument.get('by'), argument.get('default')];
  if (output === undefined) throw new DocumentError(9, "$shift requires an 'output' expression.");
  const places = toInteger(by);
  if (!isNumber(by) || places === undefined) {
    throw new DocumentError(9, `'$shift:by' field must be an integer, but found: ${String(by)}`);
  }
  const otherwise = fallback === undefined ? { value: null } : compileExpression(fallback, environment).constant;
  if (otherwise === undefined) throw new DocumentError(9, "'$shift:default' expression must yield a constant value.");
  const { evaluate } = compileExpression(output, environment);
  return {
    compute: (partition, run) =>
      partition.map((_, index): Value | undefined => {
        const document = partition[index + Number(places)];
        return document === undefined ? otherwise.value : evaluate(enter(run, document));
      }),
  };
};
