/**
 * What a protocol sees of a client's connection, and what a connection asks of a protocol.
 *
 * All connections of a process read into one shared buffer and their replies leave grouped, once an event-loop turn,
 * after the log write they depend on: bytes come in with `onBytes`, replies go out with `write`, and nothing else of a
 * socket is visible to a protocol.
 */
export interface Connection {
  /** Grows, never reused within the process. */
  readonly id: number;
  readonly protocol: string;
  /** For a unix socket both addresses are its path and both ports 0. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly secure: boolean;
  readonly openedAtMs: number;
  /** Bytes written and not yet taken by the operating system. */
  readonly unsentBytes: number;
  /**
   * Queues bytes and takes ownership of them. They leave at the end of the turn, in order, once the listener's
   * `settle` has answered. Ignored after `end` or `destroy`.
   */
  write(bytes: Buffer): void;
  /** Stops reading from the client (back-pressure) until `resume`. Bytes already delivered are not taken back. */
  pause(): void;
  resume(): void;
  /** Sends what was written, then closes. */
  end(): void;
  /** Closes at once and drops what was not sent. */
  destroy(): void;
  readonly closed: boolean;
}

export interface ConnectionHandler {
  /**
   * `bytes[0, length)` has arrived. The buffer is shared by all connections: it is valid during the call only, so keep
   * copies. An error thrown here closes the connection and is logged as a defect.
   */
  onBytes(bytes: Buffer, length: number): void;
  /** All written bytes have been taken by the operating system. */
  onDrain?(): void;
  /**
   * The client will send no more, but may still read. Without this method the connection ends when what is written by
   * then has left; with it the handler calls `end` itself, when the replies that are still to come are written.
   */
  onEnd?(): void;
  /** The connection is gone, whoever closed it. Called once. */
  onClose(): void;
  /** True: the connection may stay idle for as long as it likes (it waits for events, say). */
  readonly idleExempt?: boolean;
}

/** Limits of one listener. Every one has a default in the configuration. */
export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** Bytes a client may leave unread before it is disconnected. */
  readonly unsentBytesMax: number;
  /** Milliseconds without a byte in either direction after which a connection is closed; 0: never. */
  readonly idleMsMax: number;
}

/** What a protocol gives to the server for one listener. */
export interface Protocol {
  /** As in `--listen redis=…`. */
  readonly name: string;
  /** A connection was accepted. */
  open(connection: Connection): ConnectionHandler;
  /** Bytes to send to a connection that is refused because `connectionsMax` is reached. */
  readonly refusal?: Buffer;
  /** Called before the replies of a turn leave: `undefined` when they may leave at once. */
  settle(): Promise<void> | undefined;
  /** Stops timers and releases what the protocol holds; connections are closed by the listener. */
  close(): Promise<void>;
}
