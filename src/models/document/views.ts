/** Views: what stands behind them, down to a collection. */
import type { View as EngineView } from '../../engine/engine.js';
import type { Catalog } from './catalog.js';
import type { Collection } from './collection.js';
import { DocumentError } from './errors.js';
import { Doc } from './values.js';

const DEPTH_MAX = 20;

export interface ResolvedView {
  /** Name of the collection at the bottom; it may be missing. */
  readonly name: string;
  /** The stages of all views on the way, those of the lowest first. */
  readonly stages: readonly Doc[];
}

/** Throws 165 for views on too many views. */
export function resolveView(catalog: Catalog, view: EngineView, start: Collection): ResolvedView {
  let current: Collection | undefined = start;
  let name = start.name;
  let stages: Doc[] = [];
  for (let depth = 0; current?.viewOn !== undefined; depth++) {
    if (depth >= DEPTH_MAX) throw new DocumentError(165, `View depth limit exceeded; maximum depth is ${DEPTH_MAX}`);
    stages = [...current.pipeline.filter((stage): stage is Doc => stage instanceof Doc), ...stages];
    name = current.viewOn;
    current = catalog.find(view, start.database, name);
  }
  return { name, stages };
}
