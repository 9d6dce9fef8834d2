/** All operators of expressions. Importing this file makes them known. */
import { accumulating } from './accumulating.js';
import { arithmetic } from './arithmetic.js';
import { arrays } from './arrays.js';
import { bits } from './bits.js';
import { comparison } from './comparison.js';
import { conditional } from './conditional.js';
import { conversion } from './conversion.js';
import { dateFormatting } from './dates/format.js';
import { datesFrom } from './dates/from.js';
import { dateParts } from './dates/parts.js';
import { dateSteps } from './dates/steps.js';
import { defineOperators } from './expression.js';
import { iteration } from './iteration.js';
import { scripting } from './javascript.js';
import { objects } from './objects.js';
import { powers } from './powers.js';
import { regexes } from './regex.js';
import { rounding } from './rounding.js';
import { sets } from './sets.js';
import { sortArrays } from './sort-array.js';
import { substrings } from './substrings.js';
import { text } from './text.js';
import { trigonometry } from './trigonometry.js';
import { trims } from './trim.js';
import { variables } from './variables.js';
import { zips } from './zip.js';

for (const family of [
  accumulating,
  arithmetic,
  arrays,
  bits,
  comparison,
  conditional,
  conversion,
  dateFormatting,
  dateParts,
  datesFrom,
  dateSteps,
  iteration,
  objects,
  powers,
  regexes,
  rounding,
  scripting,
  sets,
  sortArrays,
  substrings,
  text,
  trigonometry,
  trims,
  variables,
  zips,
]) {
  defineOperators(family);
}

export { compileExpression, type Expression, isOperator } from './expression.js';
