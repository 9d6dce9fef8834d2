/** A MongoDB connection's life: frames in, commands run strictly in order, replies out. */

import { Doc } from '../../models/document/bson/document.js';
import { encodeDocument } from '../../models/document/bson/encode.js';
import { validateDocument } from '../../models/document/bson/validate.js';
import type { Connection, ConnectionHandler, Protocol } from '../../network/connection.js';
import type { Client } from './client.js';
import { decodeRequest, encodeMsg, encodeReply, type MsgRequest, type QueryRequest, type Request } from './codec.js';
import { asMongoError, type CommandReply, dispatch, errorReply, withClocks } from './dispatch.js';
import { failed } from './errors.js';
import { BrokenStream, FrameAssembler } from './frames.js';
import { describeRefusal, legacyCommand } from './legacy.js';
import { type MongodbOptions, MongodbServer } from './server-state.js';

/** Bytes of requests that wait for the running one before the client is no longer read. */
const QUEUED_BYTES_MAX = 64 * 1024 * 1024;

export interface MongodbProtocol extends Protocol {
  readonly server: MongodbServer;
}

export function createMongodbProtocol(options: MongodbOptions): MongodbProtocol {
  const server = new MongodbServer(options);
  return {
    name: 'mongodb',
    server,
    open: (connection) => new MongodbConnection(server, connection),
    settle: () => {
      const durability = server.mustSync ? (options.durability ?? 'always') : 'everysec';
      server.mustSync = false;
      return server.store.engine.settled(durability);
    },
    close: async () => {
      server.close();
    },
  };
}

class MongodbConnection implements ConnectionHandler {
  private readonly client: Client;
  private readonly frames = new FrameAssembler((frame) => this.enqueue(frame));
  private readonly queue: Buffer[] = [];
  private queuedBytes = 0;
  private running = false;
  private paused = false;
  private nextRequestId = 1;

  constructor(
    private readonly server: MongodbServer,
    private readonly connection: Connection,
  ) {
    this.client = {
      id: connection.id,
      connection,
      metadata: undefined,
      greeted: false,
      user: undefined,
      conversation: undefined,
      operation: undefined,
      lastCommandMs: Date.now(),
    };
    server.clients.set(connection.id, this.client);
    server.statistics.connectionsCreated++;
  }

  onBytes(bytes: Buffer, length: number): void {
    this.server.statistics.bytesIn += length;
    try {
      this.frames.push(bytes, length);
    } catch (thrown) {
      if (!(thrown instanceof BrokenStream)) throw thrown;
      this.connection.destroy();
    }
  }

  onClose(): void {
    this.queue.length = 0;
    this.server.clients.delete(this.client.id);
    this.client.operation?.interrupt(failed(279, 'operation was interrupted because a client disconnected'));
  }

  private enqueue(frame: Buffer): void {
    this.queue.push(frame);
    this.queuedBytes += frame.length;
    if (this.queuedBytes > QUEUED_BYTES_MAX && !this.paused) {
      this.paused = true;
      this.connection.pause();
    }
    if (!this.running) void this.drain();
  }

  private async drain(): Promise<void> {
    this.running = true;
    try {
      for (;;) {
        const frame = this.queue.shift();
        if (frame === undefined || this.connection.closed) return;
        this.queuedBytes -= frame.length;
        await this.serve(frame);
        if (this.paused && this.queuedBytes < QUEUED_BYTES_MAX / 2) {
          this.paused = false;
          this.connection.resume();
        }
      }
    } catch (thrown) {
      // Whatever a request does, it ends its own connection at most.
      if (!(thrown instanceof BrokenStream)) this.server.options.onError?.(thrown);
      this.connection.destroy();
    } finally {
      this.running = false;
    }
  }

  private async serve(frame: Buffer): Promise<void> {
    this.server.statistics.requests++;
    const request = decodeRequest(frame);
    switch (request.kind) {
      case 'msg':
        await this.serveMsg(request);
        return;
      case 'query':
        await this.serveQuery(request);
        return;
      case 'refused':
        if (!request.moreToCome) {
          this.sendMsg(request, withClocks(this.server, errorReply(failed(request.code, request.message))), false);
        }
        if (request.close) this.connection.end();
    }
  }

  private async serveMsg(request: MsgRequest): Promise<void> {
    let responseTo = request.requestId;
    for (;;) {
      const reply = await this.run(request);
      if (reply.close === true) {
        this.connection.destroy();
        return;
      }
      if (request.moreToCome || this.connection.closed) return;
      const more = reply.repeat && request.exhaustAllowed;
      if (reply.durable === true) this.server.mustSync = true;
      responseTo = this.sendMsg({ ...request, requestId: responseTo }, reply.document, more);
      if (!more) return;
    }
  }

  private async run(request: MsgRequest): Promise<CommandReply> {
    try {
      validateDocument(request.body);
      for (const { documents } of request.sequences) for (const document of documents) validateDocument(document);
    } catch (thrown) {
      return { document: withClocks(this.server, errorReply(asMongoError(thrown))), repeat: false };
    }
    return dispatch(this.server, this.client, {
      body: Doc.fromBytes(request.body),
      database: undefined,
      sequences: request.sequences,
      exhaustAllowed: request.exhaustAllowed,
    });
  }

  private async serveQuery(request: QueryRequest): Promise<void> {
    const format = { requestId: this.nextRequestId++, responseTo: request.requestId, compressor: request.compressor };
    let document: Doc;
    try {
      validateDocument(request.query);
      const { body, database } = legacyCommand(request);
      const reply = await dispatch(this.server, this.client, { body, database, sequences: [], exhaustAllowed: false });
      if (reply.close === true) {
        this.connection.destroy();
        return;
      }
      document = reply.document;
    } catch (thrown) {
      document = describeRefusal(asMongoError(thrown));
    }
    this.write(encodeReply(encodeDocument(document), format));
  }

  private sendMsg(
    request: Pick<Request, 'requestId' | 'compressor'> & { checksum: boolean },
    document: Doc,
    moreToCome: boolean,
  ): number {
    const requestId = this.nextRequestId++;
    this.write(
      encodeMsg([encodeDocument(document)], {
        requestId,
        responseTo: request.requestId,
        compressor: request.compressor,
        checksum: request.checksum,
        moreToCome,
      }),
    );
    return requestId;
  }

  private write(bytes: Buffer): void {
    this.server.statistics.bytesOut += bytes.length;
    this.connection.write(bytes);
  }
}
