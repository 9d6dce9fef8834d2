import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Engine } from '../engine/engine.js';
import { openMemoryEngine } from '../engine/memory/memory-engine.js';
import type { Logger } from '../observability/logger.js';
import { credentialsOf, credentialsOfSync, mongoDigest, prepare, sha256Of } from './credentials.js';
import { deriveScramSync } from './scram.js';
import { Users } from './users.js';

const logged: string[] = [];
const note = (_fields: object, text: string): void => void logged.push(text);
const logger: Logger = { debug: note, info: note, warn: note, error: note };

let engine: Engine;
let users: Users;

beforeEach(async () => {
  logged.length = 0;
  engine = openMemoryEngine();
  users = await Users.open(engine, logger);
});

afterEach(async () => {
  users.close();
  await engine.close();
  expect(logged).toEqual([]);
});

describe('the default user', () => {
  test('needs no password in a fresh store', () => {
    expect(users.list().map(({ name }) => name)).toEqual(['default']);
    expect(users.loginRequired).toBe(false);
    expect(users.verifyPassword('default', 'whatever')).toBe(true);
  });

  test('makes everyone log in once it has a password, or is disabled', async () => {
    await users.setPassword('default', 'pencil');
    expect(users.loginRequired).toBe(true);
    expect(users.verifyPassword('default', 'pencil')).toBe(true);
    expect(users.verifyPassword('default', 'pencils')).toBe(false);
    await users.update('default', (user) => ({ ...user, enabled: false }));
    expect(users.verifyPassword('default', 'pencil')).toBe(false);
    expect(users.loginRequired).toBe(true);
  });

  test('cannot be dropped or created', () => {
    expect(() => users.drop('default')).toThrow(expect.objectContaining({ code: 'PROTECTED_USER' }));
    expect(() => users.create('default')).toThrow(expect.objectContaining({ code: 'USER_EXISTS' }));
  });
});

describe('changes', () => {
  test('are there at once on an engine that answers at once', () => {
    expect(users.create('alice', { rights: { redis: '+@read ~*' } })).toBeUndefined();
    expect(users.get('alice')).toMatchObject({ name: 'alice', enabled: true, rights: { redis: '+@read ~*' } });
    users.update('alice', (user) => ({
      ...user,
      rights: { ...user.rights, mongodb: { roles: [{ role: 'read', db: 'shop' }] } },
    }));
    expect(users.get('alice')?.rights).toEqual({
      redis: '+@read ~*',
      mongodb: { roles: [{ role: 'read', db: 'shop' }] },
    });
    expect(users.drop('alice')).toBe(true);
    expect(users.drop('alice')).toBe(false);
    expect(users.get('alice')).toBeUndefined();
  });

  test('that cannot be made say why and change nothing', () => {
    users.create('alice');
    expect(() => users.create('alice')).toThrow(expect.objectContaining({ code: 'USER_EXISTS' }));
    expect(() => users.update('bob', (user) => user)).toThrow(expect.objectContaining({ code: 'NO_SUCH_USER' }));
    expect(() => users.create('')).toThrow(expect.objectContaining({ code: 'BAD_NAME' }));
    expect(() => users.create('x'.repeat(1025))).toThrow(expect.objectContaining({ code: 'BAD_NAME' }));
    expect(users.list().map(({ name }) => name)).toEqual(['alice', 'default']);
  });

  test('survive in the store, byte for byte', async () => {
    const credentials = await credentialsOf('zoë', 'pássword');
    users.create('zoë', { credentials, enabled: false, rights: { mongodb: { customData: 'AQID' } } });
    const reopened = await Users.open(engine, logger);
    expect(reopened.get('zoë')).toEqual(users.get('zoë'));
    expect(reopened.get('zoë')?.credentials).toEqual(credentials);
    expect(reopened.fakeSaltSecret).toEqual(users.fakeSaltSecret);
    reopened.close();
  });

  test('reach whoever else has the list, and tell once each', async () => {
    const other = await Users.open(engine, logger);
    const heard: string[] = [];
    const heardHere: string[] = [];
    other.onChange((name, user) => heard.push(`${name} ${user === undefined ? 'dropped' : 'changed'}`));
    users.onChange((name, user) => heardHere.push(`${name} ${user === undefined ? 'dropped' : 'changed'}`));
    users.create('alice');
    await expect.poll(() => heard).toEqual(['alice changed']);
    expect(other.get('alice')).toEqual(users.get('alice'));
    users.drop('alice');
    await expect.poll(() => heard).toEqual(['alice changed', 'alice dropped']);
    expect(other.get('alice')).toBeUndefined();
    expect(heardHere).toEqual(heard);
    other.close();
  });
});

describe('passwords', () => {
  test('give every form of credential', async () => {
    users.create('alice');
    await users.setPassword('alice', 'pencil');
    const credentials = users.get('alice')?.credentials;
    expect(credentials?.sha256).toEqual([sha256Of('pencil')]);
    const sha1 = users.scramCredential('alice', 'SCRAM-SHA-1');
    const sha256 = users.scramCredential('alice', 'SCRAM-SHA-256');
    expect(sha1).toEqual(deriveScramSync('SCRAM-SHA-1', mongoDigest('alice', 'pencil'), sha1));
    expect(sha256).toEqual(deriveScramSync('SCRAM-SHA-256', 'pencil', sha256));
    expect([sha1?.iterations, sha1?.salt.length, sha256?.iterations, sha256?.salt.length]).toEqual([
      10_000, 16, 15_000, 28,
    ]);
  });

  test('of disabled and unknown users open nothing', async () => {
    users.create('alice', { enabled: false, credentials: await credentialsOf('alice', 'pencil') });
    expect(users.verifyPassword('alice', 'pencil')).toBe(false);
    expect(users.scramCredential('alice', 'SCRAM-SHA-256')).toBeUndefined();
    expect(users.verifyPassword('nobody', 'pencil')).toBe(false);
    users.create('bob');
    expect(users.verifyPassword('bob', '')).toBe(false);
  });

  test('may be several, and bytes', () => {
    const hashes = [sha256Of('one'), sha256Of(Buffer.from([0xff, 0x00]))];
    users.create('alice', { credentials: { nopass: false, sha256: hashes, scram: {} } });
    expect(users.verifyPassword('alice', 'one')).toBe(true);
    expect(users.verifyPassword('alice', Buffer.from([0xff, 0x00]))).toBe(true);
    expect(users.verifyPassword('alice', 'two')).toBe(false);
  });

  test('that are no text have no SCRAM keys', () => {
    expect(credentialsOfSync('alice', Buffer.from([0xff])).scram).toEqual({
      passwordSha256: sha256Of(Buffer.from([0xff])),
    });
  });

  test("are prepared as SASLprep says, and MongoDB's digest is MongoDB's", () => {
    expect(prepare('I\u00adX')).toBe('IX');
    expect(prepare('\u00aa')).toBe('a');
    expect(prepare('\u2168')).toBe('IX');
    expect(prepare('\u0007')).toBeUndefined();
    // From MongoDB's driver specification: auth/auth.rst, user "user", password "pencil".
    expect(mongoDigest('user', 'pencil')).toBe('1c33006ec1ffd90f9cadcbcc0e118200');
  });
});

describe('roles', () => {
  test('are rights with a name', () => {
    users.createRole('shop.clerk', { mongodb: { privileges: [] } });
    expect(() => users.createRole('shop.clerk', {})).toThrow(expect.objectContaining({ code: 'ROLE_EXISTS' }));
    users.updateRole('shop.clerk', (role) => ({ ...role, rights: { mongodb: { privileges: ['find'] } } }));
    expect(users.role('shop.clerk')?.rights).toEqual({ mongodb: { privileges: ['find'] } });
    expect(users.roles().map(({ name }) => name)).toEqual(['shop.clerk']);
    expect(users.dropRole('shop.clerk')).toBe(true);
    expect(() => users.updateRole('shop.clerk', (role) => role)).toThrow(
      expect.objectContaining({ code: 'NO_SUCH_ROLE' }),
    );
  });
});
