/** `npm run crash`: the long run of the crash test; see crash.ts. */
import { parseArgs } from 'node:util';
import { crashRounds } from './crash.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    connections: { type: 'string', default: '8' },
    durability: { type: 'string', default: 'everysec' },
  },
});
console.log(`seed ${values.seed}`);
const result = await crashRounds({
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  connections: Number(values.connections),
  durability: values.durability === 'always' ? 'always' : 'everysec',
  log: (line) => console.log(line),
});
console.log(`${result.rounds} rounds, ${result.acknowledged} acknowledged operations, none lost`);
