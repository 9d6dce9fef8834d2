/** All operators of expressions. Importing this file makes them known. */
import { accumulating } from './accumulating.js';
import { arithmetic } from './arithmetic.js';
import { bits } from './bits.js';
import { comparison } from './comparison.js';
import { conditional } from './conditional.js';
import { defineOperators } from './expression.js';
import { powers } from './powers.js';
import { rounding } from './rounding.js';
import { trigonometry } from './trigonometry.js';
import { variables } from './variables.js';

for (const family of [
  accumulating,
  arithmetic,
  bits,
  comparison,
  conditional,
  powers,
  rounding,
  trigonometry,
  variables,
]) {
  defineOperators(family);
}

export { compileExpression, type Expression, isOperator } from './expression.js';
