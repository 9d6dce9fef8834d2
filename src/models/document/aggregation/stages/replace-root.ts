/** `$replaceRoot` and `$replaceWith`. */
import { DocumentError } from '../../errors.js';
import { Doc, formatValue, typeName, type Value } from '../../values.js';
import { compileExpression } from '../expressions/expression.js';
import { type CompileStage, transforming } from './stage.js';

export const replaceRoot: CompileStage = (argument, { environment }, specification) => {
  const name = specification.nameAt(0) ?? '';
  const { evaluate } = compileExpression(newRootOf(name, argument), environment);
  const shown = name === '$replaceRoot' ? "'newRoot' expression" : "'replacement document'";
  return transforming(specification, (document, scope) => {
    const value = evaluate(scope);
    if (value instanceof Doc) return value;
    throw new DocumentError(
      40228,
      `${shown} must evaluate to an object, but resulting value was: ${value === undefined ? 'MISSING' : formatValue(value)}. Type of resulting value: '${typeName(value)}'. Input document: ${formatValue(document)}`,
    );
  });
};

function newRootOf(name: string, argument: Value): Value {
  if (name === '$replaceWith') return argument;
  if (!(argument instanceof Doc)) {
    throw new DocumentError(
      40229,
      `expected an object as specification for $replaceRoot stage, got ${typeName(argument)}`,
    );
  }
  for (const field of argument.keys()) {
    if (field !== 'newRoot') throw new DocumentError(40415, `BSON field '$replaceRoot.${field}' is an unknown field.`);
  }
  const value = argument.get('newRoot');
  if (value === undefined) {
    throw new DocumentError(40414, "BSON field '$replaceRoot.newRoot' is missing but a required field");
  }
  return value;
}
