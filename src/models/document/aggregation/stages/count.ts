/** `$count` and `$sortByCount`: stages made of others. */

import { DocumentError } from '../../errors.js';
import { Sort } from '../../query/sort.js';
import { Doc, type Value } from '../../values.js';
import { Sum } from '../accumulators/statistics.js';
import { compileExpression } from '../expressions/expression.js';
import { grouping } from './group.js';
import { sorted } from './sort.js';
import { type CompileStage, stageOf } from './stage.js';

export const count: CompileStage = (argument, _, specification) => {
  if (typeof argument !== 'string') {
    throw new DocumentError(40156, 'the count field must be a non-empty string');
  }
  if (argument === '') throw new DocumentError(40157, 'the count field must be a non-empty string');
  if (argument.startsWith('$')) throw new DocumentError(40158, 'the count field cannot be a $-prefixed path');
  if (argument.includes('\0')) throw new DocumentError(40159, 'the count field cannot contain a null byte');
  if (argument.includes('.')) throw new DocumentError(40160, "the count field cannot contain '.'");
  return stageOf(specification, {
    open: (input) => {
      let done = false;
      return {
        async next() {
          if (done) return undefined;
          done = true;
          let total = 0;
          for (let batch = await input.next(); batch !== undefined; batch = await input.next()) total += batch.length;
          const value: Value = total <= 0x7fff_ffff ? total : BigInt(total);
          return total === 0 ? undefined : [new Doc().append(argument, value)];
        },
        close: () => input.close(),
      };
    },
  });
};

export const sortByCount: CompileStage = (argument, { environment }, specification) => {
  if (argument instanceof Doc) {
    if (!(argument.nameAt(0) ?? '').startsWith('$')) {
      throw new DocumentError(
        40147,
        'the sortByCount field must be defined as a $-prefixed path or an expression inside an object',
      );
    }
  } else if (typeof argument !== 'string') {
    throw new DocumentError(40149, 'the sortByCount field must be specified as a string or as an object');
  } else if (!argument.startsWith('$')) {
    throw new DocumentError(
      40148,
      'the sortByCount field must be defined as a $-prefixed path or an expression inside an object',
    );
  }
  const { evaluate } = compileExpression(argument, environment);
  const grouped = grouping(
    specification,
    evaluate,
    [{ name: 'count', plan: { evaluate: () => 1, create: () => new Sum() } }],
    environment,
  );
  const order = Sort.parse(Doc.of({ count: -1 }));
  return stageOf(specification, { open: (input, run) => sorted(grouped.open(input, run), run, order, undefined) });
};
