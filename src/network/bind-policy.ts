/** Who may be reached from where: a listener open to the network needs a password, or the operator's word. */

import { BlockList, isIP } from 'node:net';

export interface BindRequest {
  readonly protocol: string;
  /** As given to the listener; empty or `undefined` for a unix socket. */
  readonly host: string | undefined;
  readonly hasPassword: boolean;
  /** `--allow-open-bind` was given. */
  readonly consent: boolean;
}

export class OpenBindError extends Error {
  readonly code = 'OPEN_BIND';
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');

/** Whether only this machine can reach `host`. A name other than `localhost` may mean anything: no. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host.toLowerCase() === 'localhost';
  return loopback.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

/** Throws {@link OpenBindError} when anybody on the network could use the listener without a password. */
export function assertBindAllowed({ protocol, host, hasPassword, consent }: BindRequest): void {
  if (hasPassword || consent || host === undefined || host === '' || isLoopback(host)) return;
  throw new OpenBindError(
    `${protocol} would listen on ${host} without a password: whoever reaches this machine could read and change ` +
      'everything. Set a password, listen on 127.0.0.1, or pass --allow-open-bind to accept this.',
  );
}
