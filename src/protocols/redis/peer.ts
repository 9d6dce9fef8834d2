/** Addresses of a client's two ends as CLIENT LIST, MONITOR and SLOWLOG print them. */
import type { Client } from './client.js';

/** `host:port`, or `path:0` on a unix socket. */
export function peerOf(client: Client): string {
  return addressText(client.connection.remoteAddress, client.connection.remotePort, client.connection.localAddress);
}

export function localOf(client: Client): string {
  return addressText(client.connection.localAddress, client.connection.localPort, client.connection.localAddress);
}

function addressText(host: string, port: number, path: string): string {
  if (port === 0) return `${path}:0`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
