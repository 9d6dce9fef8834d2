/** The HTTP endpoint for monitoring: `/metrics` for Prometheus, `/healthz` for load balancers and orchestrators. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';

const connectionsMax = 100;
const headerBytesMax = 8 * 1024;
const requestMsMax = 10_000;

/** `problems` is empty when the server can do its work. */
export interface Health {
  readonly problems: readonly string[];
}

export interface MetricsListenerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly metrics: Metrics;
  readonly health: () => Health;
  readonly logger: Logger;
}

export interface MetricsListener {
  readonly address: { readonly host: string; readonly port: number };
  stop(): Promise<void>;
}

/** Rejects with an error that names the address when it cannot be had. */
export async function openMetricsListener(options: MetricsListenerOptions): Promise<MetricsListener> {
  const server = createServer({ maxHeaderSize: headerBytesMax, requestTimeout: requestMsMax }, (request, response) => {
    answer(options, request, response).catch((thrown: unknown) => {
      options.logger.error({ err: thrown, url: request.url }, 'a scrape failed');
      if (!response.headersSent) send(response, 500, 'text/plain', 'internal error\n');
      else response.destroy();
    });
  });
  server.maxConnections = connectionsMax;
  await listen(server, options);
  server.on('error', (error) => options.logger.error({ err: error }, 'the metrics listener failed'));
  const { address, port } = server.address() as AddressInfo;
  return {
    address: { host: address, port },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { host, port }: MetricsListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const reason = error.code === 'EADDRINUSE' ? 'the address is already in use (EADDRINUSE)' : error.message;
      reject(new Error(`metrics cannot listen on ${host}:${port}: ${reason}`, { cause: error }));
    };
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

async function answer(
  { metrics, health }: MetricsListenerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url?.split('?')[0];
  if (path !== '/metrics' && path !== '/healthz') {
    send(response, 404, 'text/plain', 'not found: try /metrics or /healthz\n');
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    send(response, 405, 'text/plain', 'only GET and HEAD\n');
    return;
  }
  if (path === '/metrics') {
    send(response, 200, metrics.registry.contentType, await metrics.render());
    return;
  }
  const { problems } = health();
  const status = problems.length === 0 ? 'ok' : 'failing';
  send(response, problems.length === 0 ? 200 : 503, 'application/json', `${JSON.stringify({ status, problems })}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
