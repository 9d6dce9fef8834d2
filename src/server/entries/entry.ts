/** What the server knows of a protocol; see the table in `../protocols.ts`. */
import type { Protocol } from '../../network/connection.js';
import type { CommandFiguresSource } from '../../observability/metrics.js';
import type { Address } from '../address.js';
import type { ServerContext } from '../context.js';

export interface OpenedProtocol {
  readonly protocol: Protocol;
  /** Resolves when it can serve. */
  readonly ready?: Promise<void>;
  /** What it counts of its commands. */
  readonly commands?: CommandFiguresSource;
}

export interface ProtocolEntry {
  readonly defaultPort: number;
  /** Throws `ConfigurationError` for settings that it does not have. */
  open(context: ServerContext): OpenedProtocol | Promise<OpenedProtocol>;
  /** A command line or address for people. */
  connectWith(address: Address): string;
}
