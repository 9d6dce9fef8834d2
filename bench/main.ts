/** `npm run bench -- NAME [options]`: runs one of the benchmarks beside this file. */
const [name = ''] = process.argv.slice(2);
const benchmarks: Readonly<Record<string, () => Promise<unknown>>> = {
  redis: () => import('./redis.js'),
  engine: () => import('./engine.js'),
};
const benchmark = benchmarks[name];
if (benchmark === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(benchmarks).join('|')} [options]`);
  process.exitCode = 2;
} else await benchmark();
