/** Stages put one on the other. */
import { Doc } from '../values.js';
import { limited } from './stages/limit.js';
import type { DocSource, Run, Stage } from './stages/stage.js';

/** Opens stages one on the other; `$sort` and `$limit` beside each other keep only as much as is wanted. */
export function openStages(stages: readonly Stage[], input: DocSource, run: Run): DocSource {
  let source = input;
  for (let i = 0; i < stages.length; i++) {
    const stage = stages[i];
    if (stage === undefined) break;
    const next = stages[i + 1];
    const order = stage.specification.at(0);
    const count = next?.specification.at(0);
    if (stage.name === '$sort' && next?.name === '$limit' && order instanceof Doc && typeof count === 'number') {
      source = limited(stage.openLimited?.(source, run, count) ?? stage.open(source, run), count);
      i++;
    } else source = stage.open(source, run);
  }
  return source;
}
