/**
 * What is kept of a user's passwords: what every protocol needs to check a login in its own way, and never the password.
 *
 * - SHA-256 of each password, for protocols whose clients send it (Redis, Memcached's SASL PLAIN, HTTP). A user may have
 *   several. It is unsalted because Redis' users are exchanged in that form (`ACL SETUSER name #hash`).
 * - SCRAM keys of one password, the last that was set in clear text, for MongoDB.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { saslprep } from '@mongodb-js/saslprep';
import { deriveScram, deriveScramSync, type ScramCredential, type ScramMechanism } from './scram.js';

export interface Credentials {
  /** Any password, or none, will do. */
  readonly nopass: boolean;
  /** Lower-case hexadecimal. */
  readonly sha256: readonly string[];
  readonly scram: ScramCredentials;
}

export interface ScramCredentials extends Partial<Readonly<Record<ScramMechanism, ScramCredential>>> {
  /** SHA-256 of the password the keys were derived from: they go when that password is taken away. */
  readonly passwordSha256?: string;
}

/** Nobody can log in with these. */
export const noCredentials: Credentials = { nopass: false, sha256: [], scram: {} };
/** Everybody can. */
export const openCredentials: Credentials = { nopass: true, sha256: [], scram: {} };

/** A string stands for its UTF-8 bytes. */
export type Password = string | Uint8Array;

export function sha256Of(password: Password): string {
  return createHash('sha256').update(password).digest('hex');
}

/** Whether `password` opens the door, in a time that does not depend on how nearly it is right. */
export function passwordMatches(credentials: Credentials, password: Password): boolean {
  if (credentials.nopass) return true;
  const given = createHash('sha256').update(password).digest();
  let matches = false;
  for (const hash of credentials.sha256) {
    const kept = Buffer.from(hash, 'hex');
    if (kept.length === given.length && timingSafeEqual(kept, given)) matches = true;
  }
  return matches;
}

export interface CredentialsOptions {
  /** Those to derive; both by default. */
  readonly mechanisms?: readonly ScramMechanism[];
}

/** All credentials of one password. `userName` is part of SCRAM-SHA-1 as MongoDB does it. */
export async function credentialsOf(
  userName: string,
  password: Password,
  options: CredentialsOptions = {},
): Promise<Credentials> {
  const passwords = scramPasswords(userName, password, options);
  const keys = await Promise.all(
    passwords.map(async ([mechanism, prepared]) => [mechanism, await deriveScram(mechanism, prepared)] as const),
  );
  return assembled(password, keys);
}

/** The same at once; the event loop stands still for some milliseconds. */
export function credentialsOfSync(userName: string, password: Password, options: CredentialsOptions = {}): Credentials {
  const passwords = scramPasswords(userName, password, options);
  return assembled(
    password,
    passwords.map(([mechanism, prepared]) => [mechanism, deriveScramSync(mechanism, prepared)] as const),
  );
}

function assembled(password: Password, keys: readonly (readonly [ScramMechanism, ScramCredential])[]): Credentials {
  const hash = sha256Of(password);
  return { nopass: false, sha256: [hash], scram: { ...Object.fromEntries(keys), passwordSha256: hash } };
}

/** The password as each mechanism wants it; a password that is no text, or that SASLprep forbids, has fewer. */
function scramPasswords(
  userName: string,
  password: Password,
  { mechanisms = ['SCRAM-SHA-1', 'SCRAM-SHA-256'] }: CredentialsOptions,
): [ScramMechanism, string][] {
  const text = typeof password === 'string' ? password : utf8(password);
  if (text === undefined) return [];
  const passwords: [ScramMechanism, string][] = [];
  if (mechanisms.includes('SCRAM-SHA-1')) passwords.push(['SCRAM-SHA-1', mongoDigest(userName, text)]);
  if (mechanisms.includes('SCRAM-SHA-256')) {
    const prepared = prepare(text);
    if (prepared !== undefined) passwords.push(['SCRAM-SHA-256', prepared]);
  }
  return passwords;
}

/** What MongoDB's drivers use as the password of SCRAM-SHA-1; see the "Driver Authentication" specification. */
export function mongoDigest(userName: string, password: string): string {
  return createHash('md5').update(`${userName}:mongo:${password}`).digest('hex');
}

/** SASLprep (RFC 4013); `undefined` for a text that it forbids. */
export function prepare(text: string): string | undefined {
  try {
    return saslprep(text);
  } catch {
    return undefined;
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}
