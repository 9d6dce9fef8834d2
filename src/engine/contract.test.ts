import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openEngine } from './open.js';
import { engineContract } from './testing/contract-suite.js';

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});
function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rosetta-engine-'));
  directories.push(directory);
  return directory;
}

engineContract('memory', () => openEngine({ kind: 'memory' }));
engineContract('embedded', () =>
  openEngine({ kind: 'embedded', directory: newDirectory(), limits: { segmentBytes: 1 << 20 } }),
);
