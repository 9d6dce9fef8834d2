/** Users and roles, kept in the server's one list of users. */
import { randomUUID } from 'node:crypto';
import { deserialize, EJSON } from 'bson';
import { credentialsOf } from '../../../access/credentials.js';
import type { ScramMechanism } from '../../../access/scram.js';
import type { User } from '../../../access/user.js';
import type { Users } from '../../../access/users.js';
import { type Plain, plainDocument } from '../../../models/document/plain.js';
import { Binary, Doc, encodeDocument, isArrayValue, type Value } from '../../../models/document/values.js';
import {
  credentialsDocument,
  identityOf,
  type RoleSection,
  roleSectionOf,
  sectionOf,
  sharedName,
  type UserSection,
  UsersAuthenticator,
} from '../access/authenticator.js';
import { builtinRoles, type Grant, isBuiltin, type RoleName } from '../access/roles.js';
import { type Command, type CommandContext, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, array, bool, object, string, strings } from '../fields.js';
import { filterOf } from '../query-options.js';

function authenticatorOf(context: CommandContext): UsersAuthenticator {
  const { authentication } = context.server.options;
  if (!(authentication instanceof UsersAuthenticator)) throw failed(115, 'users are not kept here');
  return authentication;
}

function subjectName(context: CommandContext, kind: 'user' | 'role'): string {
  const name = context.body.at(0);
  if (typeof name !== 'string')
    throw failed(
      14,
      `BSON field '${context.envelope.name}.${context.envelope.name}' is the wrong type, expected type 'string'`,
    );
  if (name === '')
    throw failed(
      2,
      kind === 'user' ? "User document needs 'user' field to be non-empty" : 'Role name must be non-empty',
    );
  return name;
}

/** `"read"` or `{role, db}`. Throws 31 for roles that are not there. */
function rolesOf(users: Users, values: readonly Value[], database: string): RoleName[] {
  return values.map((value) => {
    let role: RoleName | undefined;
    if (typeof value === 'string') role = { role: value, db: database };
    else if (value instanceof Doc) {
      const name = value.get('role');
      const db = value.get('db');
      if (typeof name === 'string' && typeof db === 'string') role = { role: name, db };
    }
    if (role === undefined) throw failed(2, 'Missing expected field "role"');
    if (!isBuiltin(role) && roleSectionOf(users, role) === undefined)
      throw failed(31, `Could not find role: ${role.role}@${role.db}`);
    return role;
  });
}

const MECHANISMS: readonly ScramMechanism[] = ['SCRAM-SHA-1', 'SCRAM-SHA-256'];

function mechanismsOf(given: readonly string[] | undefined): readonly ScramMechanism[] | undefined {
  if (given === undefined) return undefined;
  if (given.length === 0) throw failed(2, 'mechanisms field must not be empty');
  return given.map((name) => {
    const known = MECHANISMS.find((mechanism) => mechanism === name);
    if (known === undefined) throw failed(2, `Unknown auth mechanism '${name}'`);
    return known;
  });
}

function customText(data: Doc | undefined): string | undefined {
  return data === undefined ? undefined : EJSON.stringify(deserialize(encodeDocument(data), { promoteValues: false }));
}

function updated(user: User, section: UserSection): User {
  return { ...user, rights: { ...user.rights, mongodb: JSON.parse(JSON.stringify(section)) } };
}

const USER_FIELDS = {
  pwd: string(),
  customData: object(),
  roles: array(),
  mechanisms: strings(),
  authenticationRestrictions: any(),
  digestPassword: bool(),
};

const createUser = defineCommand({
  name: 'createUser',
  help: 'adds a user',
  subject: 'any',
  fields: USER_FIELDS,
  writes: true,
  actions: ['createUser'],
  async run(context, fields) {
    const { users } = authenticatorOf(context);
    const name = subjectName(context, 'user');
    const identity = { name, database: context.database };
    if (fields.pwd === undefined && context.database !== '$external') {
      throw failed(
        2,
        "Must provide a 'pwd' field for all user documents, except those with '$external' as the user's source db",
      );
    }
    if (fields.roles === undefined)
      throw failed(40414, "BSON field 'createUser.roles' is missing but a required field");
    const mechanisms = mechanismsOf(fields.mechanisms);
    const shared = sharedName(identity);
    if (users.get(shared)?.rights.mongodb !== undefined)
      throw failed(51003, `User "${name}@${context.database}" already exists`);
    const section: UserSection = {
      roles: rolesOf(users, fields.roles, context.database),
      id: randomUUID().replaceAll('-', ''),
      customData: customText(fields.customData),
      ...(mechanisms === undefined ? {} : { mechanisms: [...mechanisms] }),
    };
    const credentials =
      fields.pwd === undefined
        ? undefined
        : await credentialsOf(name, fields.pwd, mechanisms === undefined ? {} : { mechanisms });
    await users.upsert(shared, (user) =>
      updated({ ...user, enabled: true, credentials: credentials ?? user.credentials }, section),
    );
    return new Doc();
  },
});

const updateUser = defineCommand({
  name: 'updateUser',
  help: "changes a user's password, roles or data",
  subject: 'any',
  fields: USER_FIELDS,
  writes: true,
  actions: ['changePassword'],
  async run(context, fields) {
    const { users } = authenticatorOf(context);
    const name = subjectName(context, 'user');
    if (Object.values(fields).every((value) => value === undefined)) {
      throw failed(2, 'Must specify at least one field to update in updateUser');
    }
    const { shared, section } = existing(users, name, context.database);
    const mechanisms = mechanismsOf(fields.mechanisms) ?? section.mechanisms;
    const credentials =
      fields.pwd === undefined
        ? undefined
        : await credentialsOf(name, fields.pwd, mechanisms === undefined ? {} : { mechanisms });
    const changed: UserSection = {
      ...section,
      roles: fields.roles === undefined ? section.roles : rolesOf(users, fields.roles, context.database),
      customData: fields.customData === undefined ? section.customData : customText(fields.customData),
      ...(mechanisms === undefined ? {} : { mechanisms: [...mechanisms] }),
    };
    await users.update(shared, (user) => updated({ ...user, credentials: credentials ?? user.credentials }, changed));
    return new Doc();
  },
});

function existing(users: Users, name: string, database: string): { shared: string; section: UserSection } {
  const shared = sharedName({ name, database });
  const section = users.get(shared)?.rights.mongodb === undefined ? undefined : sectionOf(users.get(shared));
  if (section === undefined) throw failed(11, `User ${name}@${database} not found`);
  return { shared, section };
}

const dropUser = defineCommand({
  name: 'dropUser',
  help: 'removes a user',
  subject: 'any',
  fields: {},
  writes: true,
  actions: ['dropUser'],
  async run(context) {
    const { users } = authenticatorOf(context);
    const name = subjectName(context, 'user');
    const shared = sharedName({ name, database: context.database });
    if (users.get(shared)?.rights.mongodb === undefined)
      throw failed(11, `User '${name}@${context.database}' not found`);
    await users.drop(shared);
    return new Doc();
  },
});

/** MongoDB's users: whose section says so. */
function mongodbUsers(users: Users): { user: User; name: string; database: string; section: UserSection }[] {
  return users.list().flatMap((user) => {
    const section = user.rights.mongodb === undefined ? undefined : sectionOf(user);
    if (section === undefined) return [];
    return [{ user, ...identityOf(user.name), section }];
  });
}

const dropAllUsersFromDatabase = defineCommand({
  name: 'dropAllUsersFromDatabase',
  help: 'removes all users of a database',
  subject: 'any',
  fields: {},
  writes: true,
  actions: ['dropUser'],
  async run(context) {
    const { users } = authenticatorOf(context);
    const own = mongodbUsers(users).filter(({ database }) => database === context.database);
    for (const { user } of own) await users.drop(user.name);
    return Doc.of({ n: own.length });
  },
});

function roleChange(
  name: string,
  help: string,
  change: (roles: readonly RoleName[], given: readonly RoleName[]) => RoleName[],
): Command {
  return defineCommand({
    name,
    help,
    subject: 'any',
    fields: { roles: array() },
    writes: true,
    actions: ['grantRole'],
    async run(context, fields) {
      const { users } = authenticatorOf(context);
      const { shared, section } = existing(users, subjectName(context, 'user'), context.database);
      const given = rolesOf(users, fields.roles ?? [], context.database);
      await users.update(shared, (user) => updated(user, { ...section, roles: change(section.roles, given) }));
      return new Doc();
    },
  });
}

const same = (a: RoleName, b: RoleName): boolean => a.role === b.role && a.db === b.db;
const added = (roles: readonly RoleName[], given: readonly RoleName[]): RoleName[] => [
  ...roles,
  ...given.filter((role) => !roles.some((other) => same(role, other))),
];
const removed = (roles: readonly RoleName[], given: readonly RoleName[]): RoleName[] =>
  roles.filter((role) => !given.some((other) => same(role, other)));

const usersInfo = defineCommand({
  name: 'usersInfo',
  help: 'users with their roles',
  subject: 'any',
  fields: {
    showCredentials: bool(),
    showCustomData: bool(),
    showPrivileges: bool(),
    showAuthenticationRestrictions: bool(),
    filter: object(),
  },
  actions: ['viewUser'],
  run(context, fields) {
    const authenticator = authenticatorOf(context);
    const wanted = context.body.at(0);
    const filter = filterOf(fields.filter, undefined);
    const found = mongodbUsers(authenticator.users).filter(({ name, database }) =>
      asked(wanted, name, database, context.database, 'user'),
    );
    const documents = found.map(({ user, name, database, section }) => {
      const shown: Record<string, Plain> = {
        _id: `${database}.${name}`,
        userId: new Binary(Buffer.from((section.id ?? '').padEnd(32, '0'), 'hex'), 4),
        user: name,
        db: database,
      };
      if (section.customData !== undefined && fields.showCustomData !== false) {
        shown.customData = plainDocument(JSON.parse(section.customData) as Record<string, Plain>);
      }
      shown.roles = section.roles.map(({ role, db }) => ({ role, db }));
      if (fields.showCredentials === true) shown.credentials = credentialsDocument(user);
      shown.mechanisms = MECHANISMS.filter((mechanism) => user.credentials.scram[mechanism] !== undefined);
      if (fields.showPrivileges === true) {
        shown.inheritedRoles = section.roles.map(({ role, db }) => ({ role, db }));
        shown.inheritedPrivileges = authenticator.grantsOf(section.roles, 0).map(grantDocument);
      }
      return plainDocument(shown);
    });
    return Doc.of({ users: documents.filter((document) => filter.matchesDocument(document)) });
  },
});

/** `1`, a name, {user|role, db}, a list of them, or {forAllDBs}. */
function asked(
  wanted: Value | undefined,
  name: string,
  database: string,
  current: string,
  field: 'user' | 'role',
): boolean {
  if (wanted === 1) return database === current;
  if (typeof wanted === 'string') return name === wanted && database === current;
  if (isArrayValue(wanted)) return wanted.some((value) => asked(value, name, database, current, field));
  if (!(wanted instanceof Doc)) return database === current;
  if (wanted.get('forAllDBs') === true) return true;
  const db = wanted.get('db');
  if (typeof db !== 'string') throw failed(2, 'UserName must contain a field named: db');
  return wanted.get(field) === name && db === database;
}

function grantDocument(grant: Grant): Plain {
  return { resource: { ...grant.resource }, actions: [...grant.actions] };
}

// --- roles ------------------------------------------------------------------------------------------------------------

function privilegesOf(values: readonly Value[] | undefined): RoleSection['privileges'] {
  return (values ?? []).map((value) => {
    const resource = value instanceof Doc ? value.get('resource') : undefined;
    const actions = value instanceof Doc ? value.get('actions') : undefined;
    if (!(resource instanceof Doc) || !isArrayValue(actions)) throw failed(9, 'Privileges need a resource and actions');
    const db = resource.get('db');
    const collection = resource.get('collection');
    const names = actions.filter((action): action is string => typeof action === 'string');
    if (resource.get('anyResource') === true) return { resource: { anyResource: true }, actions: names };
    if (resource.get('cluster') === true) return { resource: { cluster: true }, actions: names };
    return {
      resource: { db: typeof db === 'string' ? db : '', collection: typeof collection === 'string' ? collection : '' },
      actions: names,
    };
  });
}

function storedRole(context: CommandContext): { users: Users; name: string; section: RoleSection } {
  const { users } = authenticatorOf(context);
  const role = subjectName(context, 'role');
  const section = roleSectionOf(users, { role, db: context.database });
  if (section === undefined) throw failed(31, `Role '${role}@${context.database}' not found`);
  return { users, name: `${context.database}.${role}`, section };
}

const asRights = (section: RoleSection) => ({ mongodb: JSON.parse(JSON.stringify(section)) });

const createRole = defineCommand({
  name: 'createRole',
  help: 'adds a role',
  subject: 'any',
  fields: { privileges: array(), roles: array(), authenticationRestrictions: any() },
  writes: true,
  actions: ['createRole'],
  async run(context, fields) {
    const { users } = authenticatorOf(context);
    const role = subjectName(context, 'role');
    if (roleSectionOf(users, { role, db: context.database }) !== undefined)
      throw failed(51002, `Role "${role}@${context.database}" already exists`);
    if (isBuiltin({ role, db: context.database }))
      throw failed(2, 'Cannot create roles with the same name as a built-in role');
    const section = {
      roles: rolesOf(users, fields.roles ?? [], context.database),
      privileges: privilegesOf(fields.privileges),
    };
    await users.createRole(`${context.database}.${role}`, asRights(section));
    return new Doc();
  },
});

function roleUpdate(
  name: string,
  help: string,
  change: (context: CommandContext, users: Users, section: RoleSection) => RoleSection,
): Command {
  return defineCommand({
    name,
    help,
    subject: 'any',
    fields: { privileges: any(), roles: any(), authenticationRestrictions: any() },
    writes: true,
    actions: ['createRole'],
    async run(context) {
      const { users, name: stored, section } = storedRole(context);
      const changed = change(context, users, section);
      await users.updateRole(stored, (role) => ({ ...role, rights: { ...role.rights, ...asRights(changed) } }));
      return new Doc();
    },
  });
}

const listIn = (context: CommandContext, field: string): readonly Value[] => {
  const value = context.body.get(field);
  return isArrayValue(value) ? value : [];
};

const dropRole = defineCommand({
  name: 'dropRole',
  help: 'removes a role',
  subject: 'any',
  fields: {},
  writes: true,
  actions: ['dropRole'],
  async run(context) {
    const { users, name } = storedRole(context);
    await users.dropRole(name);
    return new Doc();
  },
});

const rolesInfo = defineCommand({
  name: 'rolesInfo',
  help: 'roles with their privileges',
  subject: 'any',
  fields: { showPrivileges: any(), showBuiltinRoles: bool(), showAuthenticationRestrictions: bool() },
  actions: ['viewRole'],
  run(context, fields) {
    const authenticator = authenticatorOf(context);
    const { users } = authenticator;
    const wanted = context.body.at(0);
    const builtin = fields.showBuiltinRoles === true || wanted !== 1 ? builtinRoles(context.database) : [];
    const names: RoleName[] = [
      ...users.roles().flatMap(({ name }) => {
        const dot = name.indexOf('.');
        const role = { db: name.slice(0, dot), role: name.slice(dot + 1) };
        return roleSectionOf(users, role) === undefined ? [] : [role];
      }),
      ...builtin,
    ].filter(({ role, db }) => asked(wanted, role, db, context.database, 'role'));
    const roles = names.map((name) => {
      const section = roleSectionOf(users, name) ?? { roles: [], privileges: [...authenticator.grantsOf([name], 0)] };
      const shown: Record<string, Plain> = {
        _id: `${name.db}.${name.role}`,
        role: name.role,
        db: name.db,
        ...(fields.showPrivileges === true ? { privileges: section.privileges.map(grantDocument as never) } : {}),
        roles: section.roles.map(({ role, db }) => ({ role, db })),
        inheritedRoles: section.roles.map(({ role, db }) => ({ role, db })),
        isBuiltin: isBuiltin(name),
      };
      return plainDocument(shown);
    });
    return Doc.of({ roles });
  },
});

export const USER_COMMANDS: readonly Command[] = [
  createUser,
  updateUser,
  dropUser,
  dropAllUsersFromDatabase,
  roleChange('grantRolesToUser', 'gives roles to a user', added),
  roleChange('revokeRolesFromUser', 'takes roles from a user', removed),
  usersInfo,
  createRole,
  roleUpdate('updateRole', "replaces a role's privileges or roles", (context, users, section) => ({
    roles: context.body.has('roles') ? rolesOf(users, listIn(context, 'roles'), context.database) : section.roles,
    privileges: context.body.has('privileges') ? privilegesOf(listIn(context, 'privileges')) : section.privileges,
  })),
  roleUpdate('grantRolesToRole', 'gives roles to a role', (context, users, section) => ({
    ...section,
    roles: added(section.roles, rolesOf(users, listIn(context, 'roles'), context.database)),
  })),
  roleUpdate('revokeRolesFromRole', 'takes roles from a role', (context, users, section) => ({
    ...section,
    roles: removed(section.roles, rolesOf(users, listIn(context, 'roles'), context.database)),
  })),
  roleUpdate('grantPrivilegesToRole', 'adds privileges to a role', (context, _, section) => ({
    ...section,
    privileges: [...section.privileges, ...privilegesOf(listIn(context, 'privileges'))],
  })),
  roleUpdate('revokePrivilegesFromRole', 'takes privileges from a role', (context, _, section) => {
    const gone = privilegesOf(listIn(context, 'privileges')).map((privilege) => JSON.stringify(privilege));
    return {
      ...section,
      privileges: section.privileges.filter((privilege) => !gone.includes(JSON.stringify(privilege))),
    };
  }),
  dropRole,
  rolesInfo,
];
