/**
 * The server's one list of users, for every protocol: durable in the engine, whole in memory.
 *
 *   a u <name in UTF-8>   a user            a r <name>   a role
 *   a s                   32 random bytes that make the salts shown to unknown users (SCRAM)
 *
 * One rule holds for all protocols: a client that has not logged in acts as the user `default` as long as that user is
 * enabled and needs no password; else it must log in. A fresh store has only this user, and it needs no password.
 */
import { randomBytes } from 'node:crypto';
import { KeyPrefix } from '../encoding/key-prefixes.js';
import type { Awaitable, Engine, Unsubscribe } from '../engine/engine.js';
import type { Logger } from '../observability/logger.js';
import { type Credentials, credentialsOf, noCredentials, type Password, passwordMatches } from './credentials.js';
import { NamedRecords, type RecordListener } from './named-records.js';
import type { ScramCredential, ScramMechanism } from './scram.js';
import { defaultUserName, freshDefaultUser, newUser, type Role, roleCodec, type User, userCodec } from './user.js';

const userPrefix = `${KeyPrefix.access}u`;
const rolePrefix = `${KeyPrefix.access}r`;
const secretKey = `${KeyPrefix.access}s`;
const userTopic = 'access/user';
const roleTopic = 'access/role';
const secretBytes = 32;
/** In UTF-8. */
const nameBytesMax = 1024;

export class AccessError extends Error {
  constructor(
    readonly code: 'USER_EXISTS' | 'NO_SUCH_USER' | 'ROLE_EXISTS' | 'NO_SUCH_ROLE' | 'BAD_NAME' | 'PROTECTED_USER',
    message: string,
  ) {
    super(message);
  }
}

export class Users {
  private constructor(
    private readonly users: NamedRecords<User>,
    private readonly storedRoles: NamedRecords<Role>,
    /** For {@link ScramConversation}: the same for all servers of a store. */
    readonly fakeSaltSecret: Buffer,
  ) {}

  static async open(engine: Engine, logger: Logger): Promise<Users> {
    const users = await NamedRecords.open(engine, { prefix: userPrefix, topic: userTopic, codec: userCodec, logger });
    const roles = await NamedRecords.open(engine, { prefix: rolePrefix, topic: roleTopic, codec: roleCodec, logger });
    return new Users(users, roles, await storeSecret(engine));
  }

  // --- questions, answered from memory --------------------------------------------------------------------------------

  get(name: string): User | undefined {
    return this.users.get(name) ?? (name === defaultUserName ? freshDefaultUser : undefined);
  }

  /** All users by name; `default` is always among them. */
  list(): User[] {
    const stored = [...this.users.all()].map(([, user]) => user);
    if (this.users.get(defaultUserName) === undefined) stored.push(freshDefaultUser);
    return stored.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Whether `default` is still what it is in a fresh store. */
  get defaultUntouched(): boolean {
    return this.users.get(defaultUserName) === undefined;
  }

  /** Whether a client must log in before it may do anything. */
  get loginRequired(): boolean {
    const user = this.get(defaultUserName);
    return user === undefined || !user.enabled || !user.credentials.nopass;
  }

  /** Whether the user exists, is enabled, and has this password. Takes about the same time for unknown users. */
  verifyPassword(name: string, password: Password): boolean {
    const user = this.get(name);
    return passwordMatches(user?.credentials ?? noCredentials, password) && user?.enabled === true;
  }

  /** What {@link ScramConversation} asks for; `undefined` for users who cannot log in this way. */
  scramCredential(name: string, mechanism: ScramMechanism): ScramCredential | undefined {
    const user = this.get(name);
    return user?.enabled === true ? user.credentials.scram[mechanism] : undefined;
  }

  // --- changes: done when they return on an engine that answers at once -----------------------------------------------

  /** Throws `USER_EXISTS`, `BAD_NAME`. */
  create(name: string, fields: Partial<Omit<User, 'name'>> = {}): Awaitable<void> {
    checkName(name);
    return done(
      this.users.update(name, (present) => {
        if (present !== undefined || name === defaultUserName) {
          throw new AccessError('USER_EXISTS', `there is a user "${name}" already`);
        }
        return { ...newUser(name), ...fields, name };
      }),
    );
  }

  /** Changes a user in one transaction; `change` may run several times. Throws `NO_SUCH_USER`. */
  update(name: string, change: (user: User) => User): Awaitable<void> {
    return done(
      this.users.update(name, (stored) => {
        const present = stored ?? (name === defaultUserName ? freshDefaultUser : undefined);
        if (present === undefined) throw new AccessError('NO_SUCH_USER', `there is no user "${name}"`);
        return { ...change(present), name };
      }),
    );
  }

  /** Changes a user, or creates it. Throws `BAD_NAME`. */
  upsert(name: string, change: (user: User) => User): Awaitable<void> {
    checkName(name);
    return done(
      this.users.update(name, (stored) => {
        const present = stored ?? (name === defaultUserName ? freshDefaultUser : newUser(name));
        return { ...change(present), name };
      }),
    );
  }

  /** False when there was no such user. `default` cannot be dropped: `PROTECTED_USER`. */
  drop(name: string): Awaitable<boolean> {
    if (name === defaultUserName) throw new AccessError('PROTECTED_USER', `the user "${name}" cannot be dropped`);
    let existed = false;
    const dropped = this.users.update(name, (present) => {
      existed = present !== undefined;
      return undefined;
    });
    return dropped instanceof Promise ? dropped.then(() => existed) : existed;
  }

  /** Makes this the only password, in every protocol's form. Throws `NO_SUCH_USER`. */
  async setPassword(name: string, password: Password): Promise<void> {
    const credentials = await credentialsOf(name, password);
    await this.setCredentials(name, credentials);
  }

  setCredentials(name: string, credentials: Credentials): Awaitable<void> {
    return this.update(name, (user) => ({ ...user, credentials }));
  }

  /** Hears of every change, whoever made it; `user` is `undefined` when it was dropped. */
  onChange(listener: RecordListener<User>): Unsubscribe {
    return this.users.onChange(listener);
  }

  // --- roles ----------------------------------------------------------------------------------------------------------

  role(name: string): Role | undefined {
    return this.storedRoles.get(name);
  }

  roles(): Role[] {
    return [...this.storedRoles.all()].map(([, role]) => role).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Throws `ROLE_EXISTS`, `BAD_NAME`. */
  createRole(name: string, rights: Role['rights']): Awaitable<void> {
    checkName(name);
    return done(
      this.storedRoles.update(name, (present) => {
        if (present !== undefined) throw new AccessError('ROLE_EXISTS', `there is a role "${name}" already`);
        return { name, rights };
      }),
    );
  }

  /** Throws `NO_SUCH_ROLE`. */
  updateRole(name: string, change: (role: Role) => Role): Awaitable<void> {
    return done(
      this.storedRoles.update(name, (present) => {
        if (present === undefined) throw new AccessError('NO_SUCH_ROLE', `there is no role "${name}"`);
        return { ...change(present), name };
      }),
    );
  }

  /** False when there was no such role. */
  dropRole(name: string): Awaitable<boolean> {
    let existed = false;
    const dropped = this.storedRoles.update(name, (present) => {
      existed = present !== undefined;
      return undefined;
    });
    return dropped instanceof Promise ? dropped.then(() => existed) : existed;
  }

  onRoleChange(listener: RecordListener<Role>): Unsubscribe {
    return this.storedRoles.onChange(listener);
  }

  close(): void {
    this.users.close();
    this.storedRoles.close();
  }
}

function done(changed: Awaitable<unknown>): Awaitable<void> {
  if (changed instanceof Promise) return changed.then(() => {});
}

function checkName(name: string): void {
  const bytes = Buffer.byteLength(name, 'utf8');
  if (bytes === 0 || bytes > nameBytesMax || name.includes('\0')) {
    throw new AccessError('BAD_NAME', `a name has 1 to ${nameBytesMax} bytes and no NUL`);
  }
}

async function storeSecret(engine: Engine): Promise<Buffer> {
  const fresh = randomBytes(secretBytes);
  return engine.write((tx) => {
    const present = tx.get(secretKey);
    if (present !== undefined) return Buffer.from(present);
    tx.put(secretKey, Buffer.from(fresh));
    return fresh;
  });
}
