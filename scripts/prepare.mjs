/**
 * Makes a checkout ready for `npm start` and `npm test`: installs the dependencies when they are missing or older than the
 * lock file, and builds `dist/` when a source is newer. Does nothing, and needs no network, when all is there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const at = (...parts) => join(root, ...parts);

const nodeNeeded = [20, 19];
/** npm writes it at the very end of an installation. */
const installedMark = at('node_modules', '.package-lock.json');
const builtMark = at('dist', '.built');
const buildInfo = at('tsconfig.build.tsbuildinfo');

function modifiedMs(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function run(title, program, args) {
  console.log(title);
  const result = spawnSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    console.error(`${title} failed`);
    process.exit(result.status ?? 1);
  }
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [majorNeeded, minorNeeded] = nodeNeeded;
  if (major > majorNeeded || (major === majorNeeded && minor >= minorNeeded)) return;
  console.error(`Rosetta needs Node ${nodeNeeded.join('.')} or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

function install() {
  if (modifiedMs(installedMark) >= modifiedMs(at('package-lock.json')) && existsSync(installedMark)) return;
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  if (npm === undefined) run('Installing dependencies …', 'npm', args);
  else run('Installing dependencies …', process.execPath, [npm, ...args]);
}

/** Files below a folder, as paths from there. */
function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** What was compiled from a source that is gone must not be found by an import. */
function removeOrphans() {
  for (const file of filesBelow(at('dist'))) {
    const source = file.replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts');
    if (source !== file && !existsSync(at('src', source))) rmSync(at('dist', file));
  }
}

function build() {
  const inputs = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'].map((file) => at(file));
  const sources = filesBelow(at('src')).filter((file) => file.endsWith('.ts'));
  inputs.push(...sources.map((file) => at('src', file)));
  const compiled = sources.filter((file) => !/\.test\.ts$|\.d\.ts$|(^|[\\/])testing[\\/]/.test(file));
  const complete = compiled.every((file) => existsSync(at('dist', file.replace(/\.ts$/, '.js'))));
  removeOrphans();
  if (complete && Math.max(...inputs.map(modifiedMs)) <= modifiedMs(builtMark)) return;
  // The compiler trusts its notes about what it wrote, even when that is gone.
  if (!complete) rmSync(buildInfo, { force: true });
  rmSync(builtMark, { force: true });
  const started = new Date();
  run('Building …', process.execPath, [at('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json']);
  writeFileSync(builtMark, '');
  // What was saved while the compiler ran may have come too late for it.
  utimesSync(builtMark, started, started);
}

checkNode();
install();
build();
