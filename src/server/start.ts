/** Rosetta as a library: `const server = await start({ ephemeral: true })`. */
import { openLogger } from '../observability/logger.js';
import { readStartOptions, resolveConfiguration } from './configuration.js';
import { readYamlFile } from './configuration-sources.js';
import { listenerNames } from './protocols.js';
import { Server } from './server.js';

/** The options of `rosetta start` in camelCase; texts are read as the command line reads them. */
export interface StartOptions {
  /** A YAML file; what is given here wins. Variables of the environment are not read. */
  readonly config?: string;
  readonly dataDir?: string;
  /** In a temporary directory that is removed when the server stops, on free ports unless `listen` says otherwise. */
  readonly ephemeral?: boolean;
  /** `embedded` (default) or `memory`. */
  readonly engine?: string;
  /** By protocol: `127.0.0.1:6379`, a port, `off`; several in an array. */
  readonly listen?: Readonly<Record<string, string | number | false | readonly (string | number)[]>>;
  readonly readyFile?: string;
  /** Default `warn`. */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly allowOpenBind?: boolean;
  readonly password?: string;
  readonly passwordFile?: string;
  /** For every protocol, or by protocol. */
  readonly durability?: 'always' | 'everysec' | Readonly<Record<string, 'always' | 'everysec'>>;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly maxConnections?: number;
  /** `64mb`, or bytes. */
  readonly maxUnsent?: string | number;
  /** `30s`, or seconds. */
  readonly idleTimeout?: string | number;
  /** `64mb`, or bytes. */
  readonly memtableSize?: string | number;
  /** `256mb`, or bytes. */
  readonly logSize?: string | number;
  /** By protocol and name: `{ redis: { maxmemory: '100mb' } }`. */
  readonly settings?: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>;
}

/**
 * Starts a server in this process; several may run side by side. Rejects with an error that names the option, the port
 * or the file that is wrong, and leaves nothing open.
 */
export async function start(options: StartOptions = {}): Promise<Server> {
  const { config, ...given } = options;
  const configuration = resolveConfiguration(
    [
      readStartOptions({ ...given }),
      ...(config === undefined ? [] : [readYamlFile(config)]),
      readStartOptions({ logLevel: 'warn' }),
    ],
    listenerNames,
  );
  const logger = openLogger({ level: configuration.logLevel });
  return Server.open(configuration, { logger, freePorts: configuration.ephemeral });
}
