/** Opens an engine by kind. */
import type { Engine } from './engine.js';
import { openMemoryEngine } from './memory/memory-engine.js';

export type EngineChoice = { readonly kind: 'memory' };

export async function openEngine(_choice: EngineChoice): Promise<Engine> {
  return Promise.resolve(openMemoryEngine());
}
