/**
 * Redis' view of the users that all protocols share. What a user is to everyone (enabled, passwords) stands in the shared
 * fields, what only Redis knows in the section `redis`: the rest of its ACL rules, as `ACL LIST` prints them.
 */
import { credentialsOf, noCredentials } from '../../access/credentials.js';
import type { User } from '../../access/user.js';
import type { Users } from '../../access/users.js';
import type { UserStorage } from '../../protocols/redis/acl/access-control.js';

/** What the default user may do before anybody has changed it. */
const everything = '~* &* +@all';
const nothing = 'resetchannels -@all';

export function redisUsers(users: Users): UserStorage {
  return {
    all: () =>
      users
        .list()
        .filter((user) => user.name !== 'default' || !users.defaultUntouched)
        .map((user) => ({ name: byteString(user.name), rules: aclRules(user) })),

    async save(name, rules, hashes, passwords) {
      const userName = textOf(name);
      const newest = passwords.at(-1);
      // Keys for other protocols come from the clear text; they live as long as that password is one of the user's.
      const derived = newest === undefined ? undefined : await credentialsOf(userName, Buffer.from(newest, 'latin1'));
      const words = rules.split(' ');
      await users.upsert(userName, (user) => {
        const scram = derived?.scram ?? user.credentials.scram;
        const valid = scram.passwordSha256 !== undefined && hashes.includes(scram.passwordSha256);
        return {
          ...user,
          enabled: words.includes('on'),
          credentials: {
            nopass: words.includes('nopass'),
            sha256: [...hashes],
            scram: valid ? scram : noCredentials.scram,
          },
          rights: { ...user.rights, redis: words.filter((word) => !isShared(word)).join(' ') },
        };
      });
    },

    async remove(name) {
      await users.drop(textOf(name));
    },

    onChange: (listener) => users.onChange(() => listener()),
  };
}

/** Rules that stand for shared fields. */
function isShared(word: string): boolean {
  return word === 'on' || word === 'off' || word === 'nopass' || word.startsWith('#');
}

function aclRules({ name, enabled, credentials, rights }: User): string {
  const own = typeof rights.redis === 'string' ? rights.redis : name === 'default' ? everything : nothing;
  const passwords = credentials.nopass ? ['nopass'] : credentials.sha256.map((hash) => `#${hash}`);
  return [enabled ? 'on' : 'off', ...passwords, own].join(' ');
}

/** Redis reads names as bytes, the list of users holds text. */
function byteString(name: string): string {
  return Buffer.from(name, 'utf8').toString('latin1');
}

function textOf(name: string): string {
  const text = Buffer.from(name, 'latin1').toString('utf8');
  if (byteString(text) !== name) throw new Error('a user name must be valid UTF-8');
  return text;
}
