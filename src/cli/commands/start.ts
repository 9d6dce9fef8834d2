/** `rosetta start`: runs a server until a signal or a client stops it. */
import { rmSync } from 'node:fs';
import { openLogger } from '../../observability/logger.js';
import { isOptionName, options } from '../../server/options.js';
import { Server } from '../../server/server.js';
import { version } from '../../server/version.js';
import { type CliCommand, Exit } from '../command.js';
import { readSettings } from '../settings.js';
import { table } from '../table.js';

/** Of a process that a signal ended, by the convention of shells. */
const signalExitBase = 128;
const signalNumbers = { SIGINT: 2, SIGTERM: 15 } as const;

export const startCommand: CliCommand = {
  name: 'start',
  usage: '[options]',
  summary: 'run a server',
  description:
    'Runs until SIGINT or SIGTERM: it then accepts no more connections, lets running commands finish, makes\n' +
    'everything durable, and exits with code 0. A second signal ends it at once.',
  options: Object.keys(options).filter(isOptionName),
  words: { min: 0, max: 0 },

  async run(given) {
    const { configuration, unknownVariables } = readSettings(given);
    const logger = openLogger({ level: configuration.logLevel });
    for (const variable of unknownVariables) logger.warn({ variable }, 'a variable of the environment means nothing');
    const opening = Server.open(configuration, { logger });
    let server: Server | undefined;
    let signalled = false;
    const onSignal = (signal: keyof typeof signalNumbers): void => {
      if (signalled) process.exit(signalExitBase + signalNumbers[signal]);
      signalled = true;
      logger.info({ signal }, 'a signal asks to stop');
      // While the server is still opening, it is stopped when that is done.
      void server?.stop();
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    server = await opening;
    const { dataDirectory } = server;
    if (configuration.ephemeral) {
      process.on('exit', () => rmSync(dataDirectory, { recursive: true, force: true }));
    }
    process.stdout.write(greeting(server, configuration.engine.kind, configuration.ephemeral));
    if (signalled) void server.stop();
    await server.stopped;
    return Exit.done;
  },
};

function greeting(server: Server, engine: string, ephemeral: boolean): string {
  const data =
    engine === 'embedded'
      ? `data in ${server.dataDirectory}${ephemeral ? ' until it stops' : ''}`
      : engine === 'memory'
        ? 'data in memory only'
        : `data in ${engine}`;
  const rows = server.listeners.map(({ protocol, address, connectWith }) => [
    protocol,
    address.toString(),
    connectWith,
  ]);
  return `\nRosetta ${version}, ${data}\n\n${table([['protocol', 'address', 'connect with'], ...rows], '  ')}\n`;
}
