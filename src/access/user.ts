/** A user, and how it is stored: a format byte, then JSON with binary parts in base64. */
import { z } from 'zod';
import { FormatError } from '../engine/errors.js';
import { type Credentials, noCredentials, openCredentials } from './credentials.js';
import type { RecordCodec } from './named-records.js';
import type { ScramCredential } from './scram.js';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/**
 * What a user may do, protocol by protocol; only that protocol knows what its section means. A user without a section may
 * log in there and do nothing.
 */
export type Rights = Readonly<Record<string, Json>>;

export interface User {
  readonly name: string;
  readonly enabled: boolean;
  readonly credentials: Credentials;
  readonly rights: Rights;
}

/** A set of rights with a name, for protocols whose users are given roles. */
export interface Role {
  readonly name: string;
  readonly rights: Rights;
}

/** Whom a client acts as that has not logged in, as long as this user needs no password. */
export const defaultUserName = 'default';

/** The user that everyone is in a fresh store. */
export const freshDefaultUser: User = {
  name: defaultUserName,
  enabled: true,
  credentials: openCredentials,
  rights: {},
};

export function newUser(name: string): User {
  return { name, enabled: true, credentials: noCredentials, rights: {} };
}

const formatVersion = 1;

const json: z.ZodType<Json> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(json), z.record(z.string(), json)]),
);
const base64 = z.string().transform((text) => Buffer.from(text, 'base64'));
const scramCredential = z.object({
  salt: base64,
  iterations: z.number().int().positive(),
  storedKey: base64,
  serverKey: base64,
});
const storedUser = z.object({
  enabled: z.boolean(),
  nopass: z.boolean(),
  sha256: z.array(z.string()),
  scram: z.object({
    'SCRAM-SHA-1': scramCredential.optional(),
    'SCRAM-SHA-256': scramCredential.optional(),
    passwordSha256: z.string().optional(),
  }),
  rights: z.record(z.string(), json),
});
const storedRole = z.object({ rights: z.record(z.string(), json) });

function encode(stored: object): Buffer {
  return Buffer.concat([Buffer.of(formatVersion), Buffer.from(JSON.stringify(stored), 'utf8')]);
}

function decode<T>(schema: z.ZodType<T>, what: string, bytes: Buffer): T {
  if (bytes[0] !== formatVersion) throw new FormatError(`${what} was stored by another version`);
  const result = schema.safeParse(JSON.parse(bytes.toString('utf8', 1)));
  if (!result.success) throw new FormatError(`${what} cannot be read`, { cause: result.error });
  return result.data;
}

function storedScram(credential: ScramCredential | undefined): object | undefined {
  if (credential === undefined) return undefined;
  const { salt, iterations, storedKey, serverKey } = credential;
  const text = (bytes: Buffer): string => bytes.toString('base64');
  return { salt: text(salt), iterations, storedKey: text(storedKey), serverKey: text(serverKey) };
}

export const userCodec: RecordCodec<User> = {
  encode({ enabled, credentials: { nopass, sha256, scram }, rights }) {
    const stored = {
      'SCRAM-SHA-1': storedScram(scram['SCRAM-SHA-1']),
      'SCRAM-SHA-256': storedScram(scram['SCRAM-SHA-256']),
      passwordSha256: scram.passwordSha256,
    };
    return encode({ enabled, nopass, sha256, scram: stored, rights });
  },
  decode(name, bytes) {
    const { enabled, nopass, sha256, scram, rights } = decode(storedUser, `the user "${name}"`, bytes);
    return { name, enabled, credentials: { nopass, sha256, scram }, rights };
  },
};

export const roleCodec: RecordCodec<Role> = {
  encode: ({ rights }) => encode({ rights }),
  decode: (name, bytes) => ({ name, rights: decode(storedRole, `the role "${name}"`, bytes).rights }),
};
