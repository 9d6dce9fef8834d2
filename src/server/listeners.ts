/** From the configuration to sockets: which protocols listen where, with what TLS, and what is said when one cannot. */
import { readFileSync } from 'node:fs';
import type { Protocol } from '../network/connection.js';
import { ListenError, type ListenerOptions, openListener, type TlsSettings } from '../network/listener.js';
import type { Logger } from '../observability/logger.js';
import { ConfigurationError } from './configuration-sources.js';
import { type Endpoint, loopbackHost } from './endpoint.js';
import type { Configuration } from './options.js';
import { metricsName, protocols } from './protocols.js';

export interface PlannedListener {
  readonly name: string;
  readonly endpoint: Endpoint;
}

/** The server did not start; the sentence says what to do about it. */
export class StartError extends Error {}

/** Every listener that shall be opened. `freePorts`: a protocol that is not mentioned gets a free port, not its usual one. */
export function plannedListeners({ listen }: Configuration, freePorts: boolean): PlannedListener[] {
  const planned = Object.entries(protocols).flatMap(([name, { defaultPort }]) => {
    const usual: Endpoint = {
      kind: 'tcp',
      host: loopbackHost,
      port: freePorts ? 0 : defaultPort,
      encryption: 'auto',
    };
    return (listen.get(name) ?? [usual]).map((endpoint) => ({ name, endpoint }));
  });
  for (const endpoint of listen.get(metricsName) ?? []) {
    if (endpoint.kind === 'unix' || endpoint.encryption === 'tls') {
      throw new ConfigurationError(`--listen ${metricsName}: expected HOST:PORT; it speaks plain HTTP`);
    }
    planned.push({ name: metricsName, endpoint });
  }
  return planned;
}

/** Reads the certificate that the configuration names; `undefined` when it names none. */
export function readTls({ tlsCert, tlsKey, tlsCa }: Configuration): TlsSettings | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const read = (option: string, file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new ConfigurationError(`${option}: ${file} cannot be read`, { cause });
    }
  };
  const cert = read('--tls-cert', tlsCert);
  const key = read('--tls-key', tlsKey);
  if (tlsCa === undefined) return { cert, key };
  return { cert, key, ca: read('--tls-ca', tlsCa), requestClientCertificate: true };
}

/** What the network layer needs to open the listener. Throws when it must speak TLS and there is no certificate. */
export function listenerOptions(
  { name, endpoint }: PlannedListener,
  { maxConnections, maxUnsent, idleTimeout }: Configuration,
  tls: TlsSettings | undefined,
  logger: Logger,
): ListenerOptions {
  const limits = { connectionsMax: maxConnections, unsentBytesMax: maxUnsent, idleMsMax: idleTimeout };
  if (endpoint.kind === 'unix') return { path: endpoint.path, limits, logger };
  const { host, port, encryption } = endpoint;
  if (encryption === 'tls' && tls === undefined) {
    throw new ConfigurationError(`--listen ${name}: tls:// needs --tls-cert and --tls-key`);
  }
  return { host, port, limits, logger, ...(tls === undefined || encryption === 'plain' ? {} : { tls }) };
}

/**
 * Takes all ports that were asked for by number, and gives them back: a port that is taken shows before the storage is
 * opened and before any client is let in.
 */
export async function tryPorts(planned: readonly PlannedListener[], logger: Logger): Promise<void> {
  const taken: { stop(): Promise<void> }[] = [];
  const limits = { connectionsMax: 1, unsentBytesMax: 1, idleMsMax: 0 };
  try {
    for (const listener of planned) {
      const { name, endpoint } = listener;
      if (endpoint.kind === 'unix' || endpoint.port === 0) continue;
      const { host, port } = endpoint;
      taken.push(await naming(listener, () => openListener(placeholder(name), { host, port, limits, logger })));
    }
  } finally {
    await Promise.all(taken.map((listener) => listener.stop()));
  }
}

/** Closes whoever comes. */
function placeholder(name: string): Protocol {
  return {
    name,
    open(connection) {
      connection.destroy();
      return { onBytes() {}, onClose() {} };
    },
    settle: () => undefined,
    close: async () => {},
  };
}

/** Runs `open`; an address that cannot be had becomes a {@link StartError} with the option that chooses another. */
export async function naming<T>({ name }: PlannedListener, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (!(cause instanceof ListenError) && name !== metricsName) throw cause;
    const sentence = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(
      `${sentence}. Choose another address with --listen ${name}=HOST:PORT, or turn it off with --listen ${name}=off.`,
      { cause },
    );
  }
}
