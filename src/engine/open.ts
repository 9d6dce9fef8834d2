/** Opens an engine by kind. */
import { EmbeddedEngine } from './embedded/embedded-engine.js';
import type { EmbeddedLimits } from './embedded/limits.js';
import type { Engine } from './engine.js';
import { openMemoryEngine } from './memory/memory-engine.js';
import { PostgresEngine, type PostgresOptions } from './postgres/postgres-engine.js';

export type EngineChoice =
  | { readonly kind: 'memory' }
  | { readonly kind: 'embedded'; readonly directory: string; readonly limits?: Partial<EmbeddedLimits> }
  | ({ readonly kind: 'postgres' } & PostgresOptions);

export async function openEngine(choice: EngineChoice): Promise<Engine> {
  switch (choice.kind) {
    case 'memory':
      return openMemoryEngine();
    case 'embedded':
      return EmbeddedEngine.open(choice);
    case 'postgres':
      return PostgresEngine.open(choice);
  }
}
