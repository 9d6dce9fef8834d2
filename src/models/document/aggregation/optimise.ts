/**
 * Puts stages in an order that gives the planner more to do and the others less: `$match` before stages that leave what
 * it looks at alone, `$limit` and `$skip` before stages that make one document of each.
 */
import type { Stage } from './stages/stage.js';

/** Moves stages forward; what the pipeline gives stays the same. */
export function optimise(stages: readonly Stage[]): readonly Stage[] {
  const result: Stage[] = [];
  for (const stage of stages) {
    let position = result.length;
    while (position > 0 && mayPrecede(stage, result[position - 1])) position--;
    result.splice(position, 0, stage);
  }
  return result;
}

function mayPrecede(stage: Stage, before: Stage | undefined): boolean {
  if (before === undefined || before.source === true) return false;
  if (stage.name === '$match') {
    // Two matches stay in the order they were written.
    return before.name !== '$match' && stage.reads !== undefined && before.passes?.(stage.reads) === true;
  }
  if (stage.name === '$limit' || stage.name === '$skip') return before.oneToOne === true;
  return false;
}
