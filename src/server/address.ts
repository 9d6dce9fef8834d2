/** Where a listener accepts connections. */
import type { ListenerAddress } from '../network/listener.js';
import { hostAndPort } from './endpoint.js';

export class Address {
  /** Empty for a unix socket. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** Of a unix socket. */
  readonly path?: string;

  constructor(
    address: ListenerAddress,
    /** Whether clients must speak TLS. */
    readonly tls: boolean,
  ) {
    this.host = address.host;
    this.port = address.port;
    if (address.path !== undefined) this.path = address.path;
  }

  /** A host that a client on this machine can connect to: an address for all interfaces is none. */
  get reachableHost(): string {
    if (this.host === '0.0.0.0') return '127.0.0.1';
    return this.host === '::' ? '::1' : this.host;
  }

  /** `host:port`, or `unix:path`. */
  toString(): string {
    return this.path === undefined ? hostAndPort(this.host, this.port) : `unix:${this.path}`;
  }
}
