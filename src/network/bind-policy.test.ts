import { describe, expect, test } from 'vitest';
import { assertBindAllowed, isLoopback } from './bind-policy.js';

describe('binding without a password', () => {
  const request = { protocol: 'redis', hasPassword: false, consent: false };

  test.each(['127.0.0.1', '127.8.0.9', '::1', '::ffff:127.0.0.1', 'localhost', '', undefined])(
    '%s is allowed',
    (host) => {
      expect(() => assertBindAllowed({ ...request, host })).not.toThrow();
    },
  );

  test.each(['0.0.0.0', '::', '192.168.1.5', 'fe80::1', '::ffff:10.0.0.1', 'db.example.org', '128.0.0.1'])(
    '%s is refused, with the reason and the ways out',
    (host) => {
      expect(() => assertBindAllowed({ ...request, host })).toThrow(
        `redis would listen on ${host} without a password: whoever reaches this machine could read and change ` +
          'everything. Set a password, listen on 127.0.0.1, or pass --allow-open-bind to accept this.',
      );
    },
  );

  test('a password or consent opens any address', () => {
    expect(() => assertBindAllowed({ ...request, host: '0.0.0.0', hasPassword: true })).not.toThrow();
    expect(() => assertBindAllowed({ ...request, host: '0.0.0.0', consent: true })).not.toThrow();
  });

  test('a name is not loopback because it looks like it', () => {
    expect(isLoopback('localhost.example.org')).toBe(false);
    expect(isLoopback('127.0.0.1.example.org')).toBe(false);
  });
});
