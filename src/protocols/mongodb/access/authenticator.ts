/**
 * Logins and rights against the server's one list of users. A MongoDB user of `admin` has its plain name there, one of
 * another database is called `name@database`; the section `mongodb` of its rights says the rest.
 */
import { z } from 'zod';
import { ScramConversation, ScramError, type ScramMechanism } from '../../../access/scram.js';
import type { User } from '../../../access/user.js';
import type { Users } from '../../../access/users.js';
import { plainDocument } from '../../../models/document/plain.js';
import { Binary, Doc } from '../../../models/document/values.js';
import type { Authenticator, Privilege } from '../authentication.js';
import type { AuthenticatedUser, Client } from '../client.js';
import { failed } from '../errors.js';
import { builtinGrants, type Grant, grants, type RoleName } from './roles.js';

const roleName = z.object({ role: z.string(), db: z.string() });
const grant = z.object({
  resource: z.union([
    z.object({ db: z.string(), collection: z.string() }),
    z.object({ cluster: z.literal(true) }),
    z.object({ anyResource: z.literal(true) }),
  ]),
  actions: z.array(z.string()),
});
const userSection = z.object({
  roles: z.array(roleName),
  /** UUID in hexadecimal. */
  id: z.string().optional(),
  /** Extended JSON. */
  customData: z.string().optional(),
  mechanisms: z.array(z.enum(['SCRAM-SHA-1', 'SCRAM-SHA-256'])).optional(),
});
const roleSection = z.object({ roles: z.array(roleName), privileges: z.array(grant) });

export type UserSection = z.infer<typeof userSection>;
export type RoleSection = z.infer<typeof roleSection>;

/** Levels of roles inside of roles. */
const ROLE_DEPTH_MAX = 20;
const MECHANISMS: readonly ScramMechanism[] = ['SCRAM-SHA-1', 'SCRAM-SHA-256'];

export function sharedName({ name, database }: AuthenticatedUser): string {
  return database === 'admin' ? name : `${name}@${database}`;
}

/** The other way round. */
export function identityOf(shared: string): AuthenticatedUser {
  const at = shared.lastIndexOf('@');
  return at < 0 ? { name: shared, database: 'admin' } : { name: shared.slice(0, at), database: shared.slice(at + 1) };
}

export function credentialsDocument(user: User): Doc {
  const shown = new Doc();
  for (const mechanism of MECHANISMS) {
    const credential = user.credentials.scram[mechanism];
    if (credential === undefined) continue;
    const { iterations: iterationCount, salt, storedKey, serverKey } = credential;
    const text = (bytes: Buffer): string => bytes.toString('base64');
    shown.append(
      mechanism,
      plainDocument({ iterationCount, salt: text(salt), storedKey: text(storedKey), serverKey: text(serverKey) }),
    );
  }
  return shown;
}

/** MongoDB's section of a user; the default user may do everything until somebody says otherwise. */
export function sectionOf(user: User | undefined): UserSection | undefined {
  if (user === undefined) return undefined;
  const parsed = userSection.safeParse(user.rights.mongodb);
  if (parsed.success) return parsed.data;
  return user.name === 'default' ? { roles: [{ role: 'root', db: 'admin' }] } : undefined;
}

export function roleSectionOf(users: Users, name: RoleName): RoleSection | undefined {
  const parsed = roleSection.safeParse(users.role(`${name.db}.${name.role}`)?.rights.mongodb);
  return parsed.success ? parsed.data : undefined;
}

interface Conversation {
  readonly scram: ScramConversation;
  readonly database: string;
  readonly skipEmptyExchange: boolean;
  proven: boolean;
}

export class UsersAuthenticator implements Authenticator {
  constructor(readonly users: Users) {}

  get required(): boolean {
    return this.users.loginRequired;
  }

  permitsFirstUser(client: Client, command: string, database: string): boolean {
    if (database !== 'admin' || (command !== 'createUser' && command !== 'createRole')) return false;
    const { remoteAddress } = client.connection;
    const loopback = remoteAddress === '' || remoteAddress === '::1' || /^(::ffff:)?127\./.test(remoteAddress);
    return (
      loopback &&
      this.users.list().every((user) => user.rights.mongodb === undefined) &&
      this.users.get('default')?.enabled === false
    );
  }

  userDocuments(): Doc[] {
    return this.users.list().flatMap((user) => {
      const section = user.rights.mongodb === undefined ? undefined : sectionOf(user);
      if (section === undefined) return [];
      const { name, database } = identityOf(user.name);
      return [
        plainDocument({
          _id: `${database}.${name}`,
          userId: new Binary(Buffer.from((section.id ?? '').padEnd(32, '0'), 'hex'), 4),
          user: name,
          db: database,
          credentials: credentialsDocument(user),
          roles: section.roles.map(({ role, db }) => ({ role, db })),
        }),
      ];
    });
  }

  roleDocuments(): Doc[] {
    return this.users.roles().flatMap(({ name }) => {
      const dot = name.indexOf('.');
      const role = { db: name.slice(0, dot), role: name.slice(dot + 1) };
      const section = roleSectionOf(this.users, role);
      if (section === undefined) return [];
      const privileges = section.privileges.map(({ resource, actions }) => ({ resource: { ...resource }, actions }));
      return [
        plainDocument({
          _id: name,
          role: role.role,
          db: role.db,
          privileges,
          roles: section.roles.map((inner) => ({ ...inner })),
        }),
      ];
    });
  }

  rolesOf(user: AuthenticatedUser): readonly RoleName[] {
    return sectionOf(this.users.get(sharedName(user)))?.roles ?? [];
  }

  allowed(user: AuthenticatedUser, { actions, database, collection }: Privilege): boolean {
    const all = this.grantsOf(this.rolesOf(user), 0);
    return actions.every((action) => all.some((grant) => grants(grant, action, database, collection)));
  }

  grantsOf(roles: readonly RoleName[], depth: number): Grant[] {
    if (depth > ROLE_DEPTH_MAX) return [];
    return roles.flatMap((role) => {
      const builtin = builtinGrants(role);
      if (builtin !== undefined) return [...builtin];
      const section = roleSectionOf(this.users, role);
      return section === undefined ? [] : [...section.privileges, ...this.grantsOf(section.roles, depth + 1)];
    });
  }

  async mechanismsOf(user: AuthenticatedUser): Promise<readonly string[] | undefined> {
    const known = this.users.get(sharedName(user));
    if (known === undefined || known.credentials.nopass) return undefined;
    return MECHANISMS.filter((mechanism) => known.credentials.scram[mechanism] !== undefined);
  }

  async saslStart(client: Client, database: string, command: Doc): Promise<Doc> {
    const mechanism = MECHANISMS.find((known) => known === command.get('mechanism'));
    if (mechanism === undefined) {
      throw failed(
        334,
        `Received authentication for mechanism ${String(command.get('mechanism'))} which is not enabled`,
      );
    }
    const scram = new ScramConversation({
      mechanism,
      lookup: (name) => this.users.scramCredential(sharedName({ name, database }), mechanism),
      fakeSaltSecret: this.users.fakeSaltSecret,
    });
    const options = command.get('options');
    const skipEmptyExchange = options instanceof Doc && options.get('skipEmptyExchange') === true;
    const conversation: Conversation = { scram, database, skipEmptyExchange, proven: false };
    const answer = step(() => scram.first(payloadOf(command)));
    client.conversation = conversation;
    return reply(false, answer);
  }

  async saslContinue(client: Client, command: Doc): Promise<Doc> {
    const { conversation } = client;
    if (!isConversation(conversation)) throw failed(17, 'No SASL session state found');
    if (command.get('conversationId') !== 1) throw failed(17, 'Mismatched conversation id');
    if (conversation.proven) {
      this.login(client, conversation);
      return reply(true, '');
    }
    let answer: string;
    try {
      answer = step(() => conversation.scram.final(payloadOf(command)));
    } catch (thrown) {
      client.conversation = undefined;
      throw thrown;
    }
    conversation.proven = true;
    if (conversation.skipEmptyExchange) this.login(client, conversation);
    return reply(conversation.skipEmptyExchange, answer);
  }

  private login(client: Client, { scram, database }: Conversation): void {
    client.conversation = undefined;
    client.user = { name: scram.userName, database };
  }
}

function isConversation(value: unknown): value is Conversation {
  return typeof value === 'object' && value !== null && 'scram' in value;
}

function step(run: () => string): string {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof ScramError) throw failed(18, 'Authentication failed.');
    throw thrown;
  }
}

function payloadOf(command: Doc): string {
  const payload = command.get('payload');
  if (payload instanceof Binary) return payload.bytes.toString('utf8');
  if (typeof payload === 'string') return Buffer.from(payload, 'base64').toString('utf8');
  throw failed(14, "BSON field 'saslStart.payload' is the wrong type, expected types '[string, binData]'");
}

function reply(done: boolean, payload: string): Doc {
  return Doc.of({ conversationId: 1, done, payload: new Binary(Buffer.from(payload, 'utf8')) });
}
