/** What the server knows of a connection. */

import type { Doc } from '../../models/document/bson/document.js';
import type { Connection } from '../../network/connection.js';
import type { Operation } from './operation.js';

/** Who has logged in. */
export interface AuthenticatedUser {
  readonly name: string;
  readonly database: string;
}

export interface Client {
  readonly id: number;
  readonly connection: Connection;
  /** `client` of the first hello. */
  metadata: Doc | undefined;
  greeted: boolean;
  user: AuthenticatedUser | undefined;
  /** A SASL conversation that is not finished. */
  conversation: unknown;
  operation: Operation | undefined;
  lastCommandMs: number;
}

export function remoteName(client: Client): string {
  const { remoteAddress, remotePort } = client.connection;
  return remotePort === 0 ? 'anonymous unix socket' : `${remoteAddress}:${remotePort}`;
}
