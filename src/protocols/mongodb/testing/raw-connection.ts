/** A socket that speaks the wire protocol byte by byte. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Document, deserialize, serialize } from 'bson';

export interface RawReply {
  readonly requestId: number;
  readonly responseTo: number;
  readonly opCode: number;
  readonly flags: number;
  readonly frame: Buffer;
  readonly document: Document;
}

export class RawConnection {
  private buffered = Buffer.alloc(0);
  private readonly waiting: (() => void)[] = [];
  ended = false;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.buffered = Buffer.concat([this.buffered, bytes]);
      this.wake();
    });
    socket.on('close', () => {
      this.ended = true;
      this.wake();
    });
    socket.on('error', () => {});
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** The next reply, or `undefined` when the server closed. */
  async next(): Promise<RawReply | undefined> {
    for (;;) {
      if (this.buffered.length >= 4 && this.buffered.length >= this.buffered.readInt32LE(0)) {
        const frame = this.buffered.subarray(0, this.buffered.readInt32LE(0));
        this.buffered = this.buffered.subarray(frame.length);
        const opCode = frame.readInt32LE(12);
        return {
          requestId: frame.readInt32LE(4),
          responseTo: frame.readInt32LE(8),
          opCode,
          flags: frame.readInt32LE(16),
          frame,
          document:
            opCode === 2012
              ? {}
              : deserialize(frame.subarray(opCode === 1 ? 36 : 21), { allowObjectSmallerThanBufferSize: true }),
        };
      }
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
      });
    }
  }

  close(): void {
    this.socket.destroy();
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

/** An OP_MSG with sections as given. */
export function message(sections: readonly Buffer[], flags = 0, requestId = 7): Buffer {
  const body = Buffer.concat(sections);
  const header = Buffer.alloc(20);
  header.writeInt32LE(20 + body.length, 0);
  header.writeInt32LE(requestId, 4);
  header.writeInt32LE(2013, 12);
  header.writeInt32LE(flags, 16);
  return Buffer.concat([header, body]);
}

export function bodySection(document: Document): Buffer {
  return Buffer.concat([Buffer.of(0), serialize(document)]);
}

export function sequenceSection(name: string, documents: readonly Document[]): Buffer {
  const content = Buffer.concat([Buffer.from(`${name}\0`), ...documents.map((document) => serialize(document))]);
  const head = Buffer.alloc(5);
  head[0] = 1;
  head.writeInt32LE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}
