import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  deriveScram,
  deriveScramSync,
  ScramConversation,
  type ScramCredential,
  ScramError,
  type ScramMechanism,
} from './scram.js';

interface Known {
  readonly mechanism: ScramMechanism;
  readonly source: string;
  readonly clientNonce: string;
  readonly serverNonce: string;
  readonly salt: string;
  readonly proof: string;
  readonly verifier: string;
}

/** User "user", password "pencil", 4096 iterations. */
const knownAnswers: readonly Known[] = [
  {
    mechanism: 'SCRAM-SHA-1',
    source: 'RFC 5802 §5',
    clientNonce: 'fyko+d2lbbFgONRv9qkxdawL',
    serverNonce: '3rfcNHYJY1ZVvWVs7j',
    salt: 'QSXCR+Q6sek8bf92',
    proof: 'v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    verifier: 'rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  {
    mechanism: 'SCRAM-SHA-256',
    source: 'RFC 7677 §3',
    clientNonce: 'rOprNGfwEbeRWgbNEkqO',
    serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
    proof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    verifier: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
];

const fakeSaltSecret = Buffer.from('a secret of this store');

function conversationOf(
  mechanism: ScramMechanism,
  users: Readonly<Record<string, ScramCredential>>,
  nonce?: string,
): ScramConversation {
  return new ScramConversation({ mechanism, lookup: (name) => users[name], fakeSaltSecret, nonce });
}

/** The client's half, written from the RFC and independent of the server's code. */
function clientFinal(
  mechanism: ScramMechanism,
  password: string,
  clientFirstBare: string,
  serverFirst: string,
): string {
  const hash = mechanism === 'SCRAM-SHA-1' ? 'sha1' : 'sha256';
  const [, nonce = '', salt = '', iterations = ''] = /^r=([^,]*),s=([^,]*),i=(\d+)$/.exec(serverFirst) ?? [];
  const length = hash === 'sha1' ? 20 : 32;
  const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), length, hash);
  const clientKey = createHmac(hash, salted).update('Client Key').digest();
  const storedKey = createHash(hash).update(clientKey).digest();
  const withoutProof = `c=biws,r=${nonce}`;
  const signature = createHmac(hash, storedKey).update(`${clientFirstBare},${serverFirst},${withoutProof}`).digest();
  const proof = clientKey.map((byte, i) => byte ^ (signature[i] ?? 0));
  return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
}

describe.each(knownAnswers)('$mechanism', ({ mechanism, source, clientNonce, serverNonce, salt, proof, verifier }) => {
  const credential = deriveScramSync(mechanism, 'pencil', { salt: Buffer.from(salt, 'base64'), iterations: 4096 });

  test(`answers as ${source}`, () => {
    const conversation = conversationOf(mechanism, { user: credential }, serverNonce);
    expect(conversation.first(`n,,n=user,r=${clientNonce}`)).toBe(`r=${clientNonce}${serverNonce},s=${salt},i=4096`);
    expect(conversation.userName).toBe('user');
    expect(conversation.authenticated).toBe(false);
    expect(conversation.final(`c=biws,r=${clientNonce}${serverNonce},p=${proof}`)).toBe(`v=${verifier}`);
    expect(conversation.authenticated).toBe(true);
  });

  test('derives the same keys with and without waiting', async () => {
    const options = { salt: Buffer.from(salt, 'base64'), iterations: 4096 };
    expect(await deriveScram(mechanism, 'pencil', options)).toEqual(credential);
  });

  test('refuses a wrong password', () => {
    const conversation = conversationOf(mechanism, { user: credential });
    const serverFirst = conversation.first('n,,n=user,r=abc');
    const final = clientFinal(mechanism, 'pencils', 'n=user,r=abc', serverFirst);
    expect(() => conversation.final(final)).toThrow(expect.objectContaining({ reason: 'refused' }));
    expect(conversation.authenticated).toBe(false);
  });

  test('shows an unknown user a salt that stays the same, and refuses at the end', () => {
    const salts = [1, 2].map(() => {
      const conversation = conversationOf(mechanism, {});
      const serverFirst = conversation.first('n,,n=nobody,r=abc');
      const final = clientFinal(mechanism, 'pencil', 'n=nobody,r=abc', serverFirst);
      expect(() => conversation.final(final)).toThrow(expect.objectContaining({ reason: 'refused' }));
      expect(conversation.authenticated).toBe(false);
      return /s=([^,]*)/.exec(serverFirst)?.[1];
    });
    expect(salts[0]).toBe(salts[1]);
    const other = conversationOf(mechanism, {}).first('n,,n=noone,r=abc');
    expect(other).not.toContain(`s=${salts[0]}`);
  });

  test('refuses a proof of zeros, whoever asks', () => {
    const length = mechanism === 'SCRAM-SHA-1' ? 20 : 32;
    for (const name of ['user', 'nobody']) {
      const conversation = conversationOf(mechanism, { user: credential });
      const nonce = /^r=([^,]*)/.exec(conversation.first(`n,,n=${name},r=abc`))?.[1] ?? '';
      const final = `c=biws,r=${nonce},p=${Buffer.alloc(length).toString('base64')}`;
      expect(() => conversation.final(final)).toThrow(ScramError);
    }
  });
});

describe('the grammar', () => {
  const credential = deriveScramSync('SCRAM-SHA-256', 'pencil', { iterations: 4096 });
  const begin = (message: string): string => conversationOf('SCRAM-SHA-256', { 'a,b=c': credential }).first(message);

  test('commas and equals signs in names are escaped', () => {
    const conversation = conversationOf('SCRAM-SHA-256', { 'a,b=c': credential });
    const serverFirst = conversation.first('n,,n=a=2Cb=3Dc,r=abc');
    expect(conversation.userName).toBe('a,b=c');
    const final = clientFinal('SCRAM-SHA-256', 'pencil', 'n=a=2Cb=3Dc,r=abc', serverFirst);
    expect(conversation.final(final)).toMatch(/^v=/);
  });

  test.each([
    ['', 'the GS2 header'],
    ['n=user,r=abc', 'the GS2 header'],
    ['p=tls-unique,,n=user,r=abc', 'channel binding'],
    ['n,,m=ext,n=user,r=abc', 'mandatory extensions'],
    ['n,,n=,r=abc', 'the user name is missing'],
    ['n,,r=abc', 'the user name is missing'],
    ['n,,n=us=er,r=abc', 'not escaped'],
    ['n,,n=user', 'the nonce'],
    ['n,,n=user,r=', 'the nonce'],
    ['n,,n=user,r=a\tb', 'the nonce'],
    ['n,,n=user,r=abc,!', 'an extension'],
    [`n,,n=${'u'.repeat(20_000)},r=abc`, 'too long'],
  ])('%j is refused', (message, reason) => {
    expect(() => begin(message)).toThrow(expect.objectContaining({ reason: 'malformed' }));
    expect(() => begin(message)).toThrow(reason);
  });

  test.each([
    ['r=NONCE,p=AAAA', 'the channel binding'],
    ['c=eSws,r=NONCE,p=AAAA', 'the channel binding'],
    ['c=biws,r=other,p=AAAA', 'the nonce'],
    ['c=biws,r=NONCE', 'the proof is missing'],
    ['c=biws,r=NONCE,p=AAAA', 'the wrong length'],
  ])('%s is refused at the end', (message, reason) => {
    const conversation = conversationOf('SCRAM-SHA-256', { user: credential });
    const nonce = /^r=([^,]*)/.exec(conversation.first('n,,n=user,r=abc'))?.[1] ?? '';
    expect(() => conversation.final(message.replace('NONCE', nonce))).toThrow(reason);
    expect(conversation.authenticated).toBe(false);
  });

  test('messages out of turn end the conversation', () => {
    const conversation = conversationOf('SCRAM-SHA-256', { user: credential });
    expect(() => conversation.final('c=biws,r=abc,p=AAAA')).toThrow('expects another message');
    expect(() => conversation.first('n,,n=user,r=abc')).toThrow('expects another message');
    expect(conversation.authenticated).toBe(false);
  });
});
