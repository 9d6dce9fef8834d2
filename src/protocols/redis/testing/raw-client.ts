/** A client that shows replies as their bytes, for tests that compare them. */
import { connect, type Socket } from 'node:net';

/** The end of the reply that begins at `at`, or -1 while it is not complete. */
export function replyEnd(bytes: Buffer, at: number): number {
  const line = bytes.indexOf('\r\n', at);
  if (line < 0) return -1;
  const kind = String.fromCharCode(bytes[at] ?? 0);
  const after = line + 2;
  if (kind === '$' || kind === '=') {
    const length = Number(bytes.latin1Slice(at + 1, line));
    const end = length < 0 ? after : after + length + 2;
    return end <= bytes.length ? end : -1;
  }
  if ('*~%>|'.includes(kind)) {
    const count = Number(bytes.latin1Slice(at + 1, line)) * (kind === '%' || kind === '|' ? 2 : 1);
    let end = after;
    for (let i = 0; i < count; i++) {
      if (end >= bytes.length) return -1;
      end = replyEnd(bytes, end);
      if (end < 0) return -1;
    }
    return end;
  }
  return after;
}

export class RawClient {
  private bytes = Buffer.alloc(0);
  private waiting: ((reply: string) => void) | undefined;
  private closed = false;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      this.hand();
    });
    socket.on('close', () => {
      this.closed = true;
      this.waiting?.('<closed>');
    });
    socket.on('error', () => {});
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawClient(socket);
  }

  /** Sends a command (byte strings) and gives its reply's bytes as a byte string. */
  async command(...words: readonly string[]): Promise<string> {
    const parts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
    return this.send(`*${words.length}\r\n${parts.join('')}`);
  }

  /** Sends bytes as they are and gives the next reply. */
  async send(text: string): Promise<string> {
    this.socket.write(Buffer.from(text, 'latin1'));
    return this.next();
  }

  /** The next reply or push. */
  async next(): Promise<string> {
    return new Promise((resolve) => {
      this.waiting = resolve;
      if (this.closed) resolve('<closed>');
      else this.hand();
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private hand(): void {
    const { waiting } = this;
    if (waiting === undefined || this.bytes.length === 0) return;
    const end = replyEnd(this.bytes, 0);
    if (end < 0) return;
    const reply = this.bytes.latin1Slice(0, end);
    this.bytes = Buffer.from(this.bytes.subarray(end));
    this.waiting = undefined;
    waiting(reply);
  }
}
