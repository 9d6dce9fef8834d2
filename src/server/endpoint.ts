/**
 * Where a protocol listens, as people write it: `6379`, `127.0.0.1:6379`, `[::1]:6379`, `tls://0.0.0.0:6380`,
 * `plain://127.0.0.1:6379`, `unix:/run/rosetta/redis.sock`, or `off`.
 */

export interface TcpEndpoint {
  readonly kind: 'tcp';
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** `auto`: TLS when the configuration has a certificate. */
  readonly encryption: 'auto' | 'tls' | 'plain';
}

export interface UnixEndpoint {
  readonly kind: 'unix';
  readonly path: string;
}

export type Endpoint = TcpEndpoint | UnixEndpoint;

export const loopbackHost = '127.0.0.1';
const portMax = 65_535;

/** Reads one endpoint; throws an Error that says what was expected. */
export function parseEndpoint(text: string): Endpoint {
  const unix = /^unix:(?:\/\/(?=\/))?(.+)$/.exec(text);
  if (unix?.[1] !== undefined) return { kind: 'unix', path: unix[1] };
  const match = /^(?:(tls|plain):\/\/)?(?:(?:\[([^\]]*)\]|([^:[\]/]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[4]);
  if (match === null || port > portMax) {
    throw new Error(
      `expected HOST:PORT, PORT, [IPV6]:PORT, tls://HOST:PORT, plain://HOST:PORT, unix:PATH or off, not "${text}"`,
    );
  }
  const host = match[2] ?? match[3] ?? loopbackHost;
  if (host === '') throw new Error(`"${text}" names no host; to listen on all interfaces write 0.0.0.0:${port}`);
  return { kind: 'tcp', host, port, encryption: match[1] === 'tls' || match[1] === 'plain' ? match[1] : 'auto' };
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function endpointText(endpoint: Endpoint): string {
  return endpoint.kind === 'unix' ? `unix:${endpoint.path}` : hostAndPort(endpoint.host, endpoint.port);
}
