/** Who may do what, as the protocol asks for it. */
import type { Doc } from '../../models/document/bson/document.js';
import type { AuthenticatedUser, Client } from './client.js';

/** What a command wants to do: MongoDB's action names on a collection, a database or the cluster. */
export interface Privilege {
  readonly actions: readonly string[];
  readonly database: string;
  /** Empty: the database as a whole. */
  readonly collection: string;
}

export interface Authenticator {
  /** Clients must log in; false while there are no users and none are demanded. */
  readonly required: boolean;
  /** May this client run the command without having logged in: the first user's creation over loopback. */
  permitsFirstUser(client: Client, command: string, database: string): boolean;
  allowed(user: AuthenticatedUser, privilege: Privilege): boolean;
  /** As `admin.system.users` and `admin.system.roles` show them. */
  userDocuments(): Doc[];
  roleDocuments(): Doc[];
  rolesOf(user: AuthenticatedUser): readonly { readonly role: string; readonly db: string }[];
  /** SCRAM mechanisms of `database.user`, or `undefined` for one that does not exist. */
  mechanismsOf(user: AuthenticatedUser): Promise<readonly string[] | undefined>;
  saslStart(client: Client, database: string, command: Doc): Promise<Doc>;
  saslContinue(client: Client, command: Doc): Promise<Doc>;
}
