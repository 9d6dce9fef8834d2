/** From the documents of a pipeline to its stages, with the rules of where each may stand. */
import { DocumentError } from '../errors.js';
import type { Doc } from '../values.js';
import './expressions/operators.js';
import type { Environment } from './scope.js';
import { STAGES } from './stages/registry.js';
import type { PipelinePlace, Stage, StageContext } from './stages/stage.js';

/** Stages of one pipeline (`internalPipelineLengthLimit`). */
const STAGES_MAX = 1000;
/** Levels of sub-pipelines. */
const DEPTH_MAX = 20;

const IN_CHANGE_STREAMS = new Set([
  '$changeStream',
  '$match',
  '$project',
  '$addFields',
  '$set',
  '$unset',
  '$replaceRoot',
  '$replaceWith',
  '$redact',
  '$changeStreamSplitLargeEvent',
]);

/** Throws 40323, 40324, 40600 to 40602, 51047, 31441, 72, 5054701 and what the stages refuse. */
export function compileStages(
  specifications: readonly Doc[],
  environment: Environment,
  place: PipelinePlace = 'top',
  depth = 0,
): readonly Stage[] {
  if (specifications.length > STAGES_MAX) {
    throw new DocumentError(5054701, `Pipeline length must be no longer than ${STAGES_MAX} stages`);
  }
  if (depth > DEPTH_MAX) {
    throw new DocumentError(232, `Maximum number of nested sub-pipelines exceeded. Limit is ${DEPTH_MAX}`);
  }
  const context: StageContext = { environment, place, depth };
  const stages = specifications.map((specification) => compileStage(specification, context));
  checkPositions(stages, place);
  return stages;
}

function compileStage(specification: Doc, context: StageContext): Stage {
  if (specification.size !== 1) {
    throw new DocumentError(40323, 'A pipeline stage specification object must contain exactly one field.');
  }
  const name = specification.nameAt(0) ?? '';
  const rules = STAGES.get(name);
  if (rules === undefined) {
    if (name.startsWith('$_internal')) {
      throw new DocumentError(5491300, `${name} is not allowed in user requests`);
    }
    throw new DocumentError(40324, `Unrecognized pipeline stage name: '${name}'`);
  }
  if (context.place === 'update' && rules.inUpdates !== true) {
    throw new DocumentError(72, `${name} is not allowed to be used within an update`);
  }
  if (rules.notIn?.includes(context.place) === true) throw notAllowed(name, context.place);
  return rules.compile(specification.at(0) ?? null, context, specification);
}

function notAllowed(name: string, place: PipelinePlace): DocumentError {
  switch (place) {
    case 'facet':
      return new DocumentError(40600, `${name} is not allowed to be used within a $facet stage`);
    case 'lookup':
      return new DocumentError(51047, `${name} is not allowed within a $lookup's sub-pipeline`);
    case 'unionWith':
      return new DocumentError(31441, `${name} is not allowed within a $unionWith's sub-pipeline`);
    default:
      return new DocumentError(167, `${name} is not allowed in a view`);
  }
}

function checkPositions(stages: readonly Stage[], place: PipelinePlace): void {
  const isChangeStream = stages[0]?.name === '$changeStream';
  for (const [index, { name }] of stages.entries()) {
    const rules = STAGES.get(name);
    if (rules?.first === true && index > 0) {
      throw new DocumentError(40602, `${name} is only valid as the first stage in a pipeline`);
    }
    if (rules?.first === true && place === 'facet') throw notAllowed(name, place);
    if (rules?.last === true && index < stages.length - 1) {
      throw new DocumentError(40601, `${name} can only be the final stage in the pipeline`);
    }
    if (isChangeStream && !IN_CHANGE_STREAMS.has(name)) {
      throw new DocumentError(20, `${name} is not permitted in a $changeStream pipeline`);
    }
  }
}
