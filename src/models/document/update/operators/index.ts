/** Every update operator but `$rename`, which concerns two paths (tree.ts). */
import type { OperatorParser } from '../operator.js';
import { addToSet } from './add-to-set.js';
import { inc, mul } from './arithmetic.js';
import { bit } from './bit.js';
import { max, min } from './compare.js';
import { currentDate } from './current-date.js';
import { pop } from './pop.js';
import { pull, pullAll } from './pull.js';
import { push } from './push.js';
import { set } from './set.js';
import { setOnInsert } from './set-on-insert.js';
import { unset } from './unset.js';

export const OPERATORS: ReadonlyMap<string, OperatorParser> = new Map([
  ['$addToSet', addToSet],
  ['$bit', bit],
  ['$currentDate', currentDate],
  ['$inc', inc],
  ['$max', max],
  ['$min', min],
  ['$mul', mul],
  ['$pop', pop],
  ['$pull', pull],
  ['$pullAll', pullAll],
  ['$push', push],
  ['$set', set],
  ['$setOnInsert', setOnInsert],
  ['$unset', unset],
]);
