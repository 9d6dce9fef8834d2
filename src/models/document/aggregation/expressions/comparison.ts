/** `$cmp $eq $ne $gt $gte $lt $lte`: by the total order of all values; missing is below null. */
import { compareValues, UNDEFINED } from '../../values.js';
import type { CompileOperator } from './expression.js';
import { type Argument, binary } from './operator.js';

/** Missing compares below BSON's undefined, which is below null. */
export function compareArguments(
  left: Argument,
  right: Argument,
  collation?: Parameters<typeof compareValues>[2],
): number {
  if (left === undefined || right === undefined) {
    if (left === right) return 0;
    const order = compareValues(left ?? UNDEFINED, right ?? UNDEFINED, collation);
    return order !== 0 ? order : left === undefined ? -1 : 1;
  }
  return compareValues(left, right, collation);
}

function comparing(holds: (order: number) => boolean): CompileOperator {
  return binary((left, right, _, { collation }) => holds(compareArguments(left, right, collation)));
}

export const comparison: Readonly<Record<string, CompileOperator>> = {
  $cmp: binary((left, right, _, { collation }) => Math.sign(compareArguments(left, right, collation))),
  $eq: comparing((order) => order === 0),
  $ne: comparing((order) => order !== 0),
  $gt: comparing((order) => order > 0),
  $gte: comparing((order) => order >= 0),
  $lt: comparing((order) => order < 0),
  $lte: comparing((order) => order <= 0),
};
