/** Stages by name, and where each may stand. */
import { addFields } from './add-fields.js';
import { bucket } from './bucket.js';
import { bucketAuto } from './bucket-auto.js';
import { count, sortByCount } from './count.js';
import { densify } from './densify.js';
import { documents } from './documents.js';
import { facet } from './facet.js';
import { fill } from './fill.js';
import { geoNear } from './geo-near.js';
import { graphLookup } from './graph-lookup.js';
import { group } from './group.js';
import { limit, skip } from './limit.js';
import { lookup } from './lookup.js';
import { match } from './match.js';
import { merge } from './merge.js';
import { out } from './out.js';
import { project, unset } from './project.js';
import { redact } from './redact.js';
import { replaceRoot } from './replace-root.js';
import { sample } from './sample.js';
import { serverStage } from './server.js';
import { setWindowFields } from './set-window-fields.js';
import { sort } from './sort.js';
import type { CompileStage, PipelinePlace } from './stage.js';
import { unionWith } from './union-with.js';
import { unwind } from './unwind.js';

export interface StageRules {
  readonly compile: CompileStage;
  /** Only as the first stage. */
  readonly first?: boolean;
  /** Only as the last one. */
  readonly last?: boolean;
  /** Sub-pipelines it may not stand in. */
  readonly notIn?: readonly PipelinePlace[];
  readonly inUpdates?: boolean;
}

const NOWHERE_INSIDE = ['facet', 'lookup', 'unionWith', 'view'] as const;
const tellsOfServer: StageRules = { compile: serverStage, first: true, notIn: ['facet', 'lookup', 'unionWith'] };

export const STAGES: ReadonlyMap<string, StageRules> = new Map<string, StageRules>([
  ['$addFields', { compile: addFields, inUpdates: true }],
  ['$set', { compile: addFields, inUpdates: true }],
  ['$project', { compile: project, inUpdates: true }],
  ['$unset', { compile: unset, inUpdates: true }],
  ['$replaceRoot', { compile: replaceRoot, inUpdates: true }],
  ['$replaceWith', { compile: replaceRoot, inUpdates: true }],
  ['$match', { compile: match }],
  ['$group', { compile: group }],
  ['$sort', { compile: sort }],
  ['$limit', { compile: limit }],
  ['$skip', { compile: skip }],
  ['$count', { compile: count }],
  ['$sortByCount', { compile: sortByCount }],
  ['$unwind', { compile: unwind }],
  ['$bucket', { compile: bucket }],
  ['$bucketAuto', { compile: bucketAuto }],
  ['$facet', { compile: facet, notIn: ['facet'] }],
  ['$lookup', { compile: lookup }],
  ['$graphLookup', { compile: graphLookup }],
  ['$unionWith', { compile: unionWith }],
  ['$sample', { compile: sample }],
  ['$setWindowFields', { compile: setWindowFields }],
  ['$fill', { compile: fill }],
  ['$densify', { compile: densify }],
  ['$geoNear', { compile: geoNear, first: true, notIn: ['facet'] }],
  ['$redact', { compile: redact }],
  ['$merge', { compile: merge, last: true, notIn: NOWHERE_INSIDE }],
  ['$out', { compile: out, last: true, notIn: NOWHERE_INSIDE }],
  ['$documents', { compile: documents, first: true, notIn: ['facet'] }],
  ['$collStats', { ...tellsOfServer, notIn: ['facet'] }],
  ['$indexStats', { ...tellsOfServer, notIn: ['facet'] }],
  ['$planCacheStats', { ...tellsOfServer, notIn: ['facet'] }],
  ['$currentOp', tellsOfServer],
  ['$listSessions', tellsOfServer],
  ['$listLocalSessions', tellsOfServer],
  ['$listSampledQueries', tellsOfServer],
  ['$queryStats', tellsOfServer],
  ['$shardedDataDistribution', tellsOfServer],
  ['$changeStream', { ...tellsOfServer, notIn: NOWHERE_INSIDE }],
  ['$search', tellsOfServer],
  ['$searchMeta', tellsOfServer],
  ['$vectorSearch', tellsOfServer],
  ['$listSearchIndexes', tellsOfServer],
]);
