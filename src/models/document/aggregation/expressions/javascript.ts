/** `$function`: a function in JavaScript, run in the settings' sandbox. */

import { DocumentError } from '../../errors.js';
import { Doc, isArrayValue, type Value } from '../../values.js';
import { sourceOf } from '../accumulators/scripted.js';
import { type CompileOperator, compileExpression } from './expression.js';

const functionOperator: CompileOperator = (argument, environment) => {
  const { javascript } = environment.settings;
  if (javascript === undefined) {
    throw new DocumentError(31264, 'Cannot run server-side javascript without the javascript engine enabled');
  }
  if (!(argument instanceof Doc)) {
    throw new DocumentError(4660800, '$function requires an object as an argument');
  }
  const [body, args, lang] = ['body', 'args', 'lang'].map((name): Value | undefined => argument.get(name));
  if (body === undefined) throw new DocumentError(4660802, 'The body function must be specified.');
  if (args === undefined) throw new DocumentError(4660803, 'The args field must be specified.');
  if (lang === undefined) throw new DocumentError(4660804, 'The lang field must be specified.');
  if (lang !== 'js') throw new DocumentError(4660805, "Currently the only supported language specifier is 'js'.");
  const call = javascript.compile(sourceOf(body, 'The body function', 4660801));
  const values = compileExpression(args, environment);
  return {
    evaluate: (scope) => {
      const list = values.evaluate(scope);
      if (!isArrayValue(list)) throw new DocumentError(4660806, 'The args field must evaluate to an array');
      return call(list);
    },
  };
};

export const scripting: Readonly<Record<string, CompileOperator>> = { $function: functionOperator };
