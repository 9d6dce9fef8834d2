/**
 * SCRAM, the login that shows a password to neither side of the wire: keys derived from a password, and the server's
 * half of the conversation (RFC 5802; RFC 7677 for SHA-256).
 */
import { createHash, createHmac, pbkdf2, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';

export type ScramMechanism = 'SCRAM-SHA-1' | 'SCRAM-SHA-256';
export const scramMechanisms: readonly ScramMechanism[] = ['SCRAM-SHA-1', 'SCRAM-SHA-256'];

/** What a server keeps of a password: enough to check a proof, not enough to make one. */
export interface ScramCredential {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

interface MechanismFacts {
  readonly hash: 'sha1' | 'sha256';
  /** Of the hash, in bytes. */
  readonly length: number;
  /** As MongoDB makes them: 28 bytes of salt for SHA-256, 16 for SHA-1. */
  readonly saltBytes: number;
  /** MongoDB's scramIterationCount and scramSHA256IterationCount. */
  readonly iterations: number;
}

const facts: Readonly<Record<ScramMechanism, MechanismFacts>> = {
  'SCRAM-SHA-1': { hash: 'sha1', length: 20, saltBytes: 16, iterations: 10_000 },
  'SCRAM-SHA-256': { hash: 'sha256', length: 32, saltBytes: 28, iterations: 15_000 },
};

/** Of the server's part of the nonce, before base64. */
const nonceBytes = 24;
/** A message of the client, in UTF-16 units: names and nonces are short. */
const messageLengthMax = 16 * 1024;

export interface DeriveOptions {
  readonly salt?: Buffer;
  readonly iterations?: number;
}

/** `password` is prepared already (SASLprep, or MongoDB's digest for SHA-1). Takes some milliseconds on another thread. */
export async function deriveScram(
  mechanism: ScramMechanism,
  password: string,
  options: DeriveOptions = {},
): Promise<ScramCredential> {
  const { hash, length, saltBytes, iterations: usual } = facts[mechanism];
  const salt = options.salt ?? randomBytes(saltBytes);
  const iterations = options.iterations ?? usual;
  const salted = await new Promise<Buffer>((resolve, reject) => {
    pbkdf2(password, salt, iterations, length, hash, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
  return credentialOf(mechanism, salted, salt, iterations);
}

/** The same on this thread: the event loop stands still meanwhile. */
export function deriveScramSync(
  mechanism: ScramMechanism,
  password: string,
  options: DeriveOptions = {},
): ScramCredential {
  const { hash, length, saltBytes, iterations: usual } = facts[mechanism];
  const salt = options.salt ?? randomBytes(saltBytes);
  const iterations = options.iterations ?? usual;
  return credentialOf(mechanism, pbkdf2Sync(password, salt, iterations, length, hash), salt, iterations);
}

function credentialOf(mechanism: ScramMechanism, salted: Buffer, salt: Buffer, iterations: number): ScramCredential {
  const { hash } = facts[mechanism];
  const clientKey = hmac(hash, salted, 'Client Key');
  const storedKey = createHash(hash).update(clientKey).digest();
  return { salt, iterations, storedKey, serverKey: hmac(hash, salted, 'Server Key') };
}

function hmac(hash: string, key: Buffer, text: string): Buffer {
  return createHmac(hash, key).update(text).digest();
}

/** Why a conversation ended: `malformed` for a message that breaks the grammar, `refused` for a wrong name or proof. */
export class ScramError extends Error {
  constructor(
    readonly reason: 'malformed' | 'refused',
    message: string,
  ) {
    super(message);
  }
}

const malformed = (what: string): ScramError => new ScramError('malformed', what);

export interface ScramConversationOptions {
  readonly mechanism: ScramMechanism;
  /** The credential of a user who may log in; called once, with the name as the client means it. */
  readonly lookup: (name: string) => ScramCredential | undefined;
  /** Makes the salts that unknown users are shown, always the same for one name (see `Users.fakeSaltSecret`). */
  readonly fakeSaltSecret: Buffer;
  /** The server's part of the nonce, for tests with known answers. */
  readonly nonce?: string;
}

/**
 * The server's half of one login: `first`, then `final`; after that the client has proved to be `userName`. An unknown
 * name is told only at the end, where a wrong password is.
 */
export class ScramConversation {
  userName = '';
  private state: 'first' | 'final' | 'over' = 'first';
  private proven = false;
  private readonly serverNonce: string;
  private gs2Header = '';
  private clientFirstBare = '';
  private serverFirst = '';
  private nonce = '';
  private credential: ScramCredential | undefined;

  constructor(private readonly options: ScramConversationOptions) {
    this.serverNonce = options.nonce ?? randomBytes(nonceBytes).toString('base64');
  }

  /** Whether the client has proved to know the password. */
  get authenticated(): boolean {
    return this.proven;
  }

  /** Answers the client-first-message (`n,,n=user,r=nonce`) with the server's (`r=…,s=…,i=…`). */
  first(message: string): string {
    this.expect('first', message);
    // gs2-header = gs2-cbind-flag "," [ authzid ] ","
    const header = /^(?:(n|y)|p=[A-Za-z0-9.-]+),(?:a=([^,]*))?,/.exec(message);
    if (header === null) throw malformed('the GS2 header is not valid');
    if (header[1] === undefined) throw malformed('channel binding is not supported');
    this.gs2Header = header[0];
    this.clientFirstBare = message.slice(header[0].length);
    const [name, nonce, ...extensions] = this.clientFirstBare.split(',');
    if (name?.startsWith('m=') === true) throw malformed('mandatory extensions are not supported');
    if (name?.startsWith('n=') !== true || name.length === 2) throw malformed('the user name is missing');
    if (nonce?.startsWith('r=') !== true || !isPrintable(nonce.slice(2))) throw malformed('the nonce is not valid');
    if (extensions.some((extension) => !/^[A-Za-z]=/.test(extension))) throw malformed('an extension is not valid');
    this.userName = unescapeName(name.slice(2));
    this.credential = this.options.lookup(this.userName);
    this.nonce = nonce.slice(2) + this.serverNonce;
    const { salt, iterations } = this.credential ?? this.fakeCredential();
    this.serverFirst = `r=${this.nonce},s=${salt.toString('base64')},i=${iterations}`;
    this.state = 'final';
    return this.serverFirst;
  }

  /** Checks the client-final-message (`c=…,r=…,p=…`) and answers with the server's proof (`v=…`). */
  final(message: string): string {
    this.expect('final', message);
    const { hash, length } = facts[this.options.mechanism];
    const proofAt = message.lastIndexOf(',p=');
    if (proofAt < 0) throw malformed('the proof is missing');
    const withoutProof = message.slice(0, proofAt);
    const [binding, nonce] = withoutProof.split(',');
    if (binding !== `c=${Buffer.from(this.gs2Header).toString('base64')}`) {
      throw malformed('the channel binding does not repeat the GS2 header');
    }
    if (nonce !== `r=${this.nonce}`) throw malformed('the nonce is not the one of this conversation');
    const proof = Buffer.from(message.slice(proofAt + 3), 'base64');
    if (proof.length !== length) throw malformed('the proof has the wrong length');
    const { storedKey, serverKey } = this.credential ?? this.fakeCredential();
    const authMessage = `${this.clientFirstBare},${this.serverFirst},${withoutProof}`;
    const clientKey = hmac(hash, storedKey, authMessage);
    for (let i = 0; i < length; i++) clientKey[i] = (clientKey[i] ?? 0) ^ (proof[i] ?? 0);
    const matches = timingSafeEqual(createHash(hash).update(clientKey).digest(), storedKey);
    // The zeros that stand for an unknown user's keys prove nothing, whatever they match.
    if (!matches || this.credential === undefined) throw new ScramError('refused', 'wrong user name or password');
    this.proven = true;
    return `v=${hmac(hash, serverKey, authMessage).toString('base64')}`;
  }

  /** A step out of turn, or a failed one, ends the conversation; one that succeeds says what comes next. */
  private expect(state: 'first' | 'final', message: string): void {
    const present = this.state;
    this.state = 'over';
    if (present !== state) throw malformed('the conversation expects another message');
    if (message.length > messageLengthMax) throw malformed('the message is too long');
  }

  private fakeCredential(): ScramCredential {
    const { mechanism, fakeSaltSecret } = this.options;
    const { length, saltBytes, iterations } = facts[mechanism];
    const salt = createHmac('sha512', fakeSaltSecret).update(`${mechanism}\0${this.userName}`).digest();
    const key = Buffer.alloc(length);
    return { salt: salt.subarray(0, saltBytes), iterations, storedKey: key, serverKey: key };
  }
}

/** printable = %x21-2B / %x2D-7E */
function isPrintable(nonce: string): boolean {
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(nonce);
}

/** `=2C` stands for a comma, `=3D` for an equals sign, and no other `=` may stand there. */
function unescapeName(escaped: string): string {
  if (/=(?!2C|3D)/.test(escaped)) throw malformed('the user name is not escaped as it must be');
  return escaped.replaceAll('=2C', ',').replaceAll('=3D', '=');
}
