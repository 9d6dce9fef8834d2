/**
 * A connected client: reads its requests, runs them one after the other, and keeps what Redis keeps for a connection
 * (selected database, protocol version, name, MULTI queue, watched keys, subscriptions, why it waits).
 *
 * The way of a request: `onBytes` → {@link RequestParser} → `handle` (refusals, in Redis' order) → `execute` (a read or
 * write body on the store) → reply writer → `connection.write`, once for all requests of a read.
 */

import { isEngineSignal } from '../../engine/errors.js';
import type { Database } from '../../models/key-value/database.js';
import type { Connection, ConnectionHandler } from '../../network/connection.js';
import type { Command, CommandContext, Wait } from './command.js';
import { errorText, RedisError } from './errors.js';
import { ProtocolError, RequestParser } from './parser.js';
import { ReplyWriter } from './reply.js';
import type { Request } from './request.js';
import type { RedisServer } from './server.js';
import type { QueuedCommand, WatchedKey } from './transactions.js';

const clientReplyBytes = 1024;
/** First size of the buffer that keeps an incomplete request. */
const inputBytes = 4096;
/** Requests handled in one go before others get their turn. */
const requestsPerTurn = 10_000;

export interface BlockedState {
  readonly request: Request;
  readonly command: Command;
  readonly wait: Wait;
  readonly sinceMs: number;
  timer: NodeJS.Timeout | undefined;
}

export type ReplyMode = 'on' | 'off' | 'skip-next';

export class Client implements ConnectionHandler, CommandContext {
  readonly id: number;
  readonly client = this;
  request: Request;
  reply = new ReplyWriter(clientReplyBytes);
  readonly db: Database;
  inTransaction = false;
  readonly fromScript = false;
  resumed: unknown = undefined;

  name = '';
  libraryName = '';
  libraryVersion = '';
  /** The user this connection acts as; `undefined` until it has logged in. */
  user: string | undefined;
  readonly createdMs: number;
  lastActiveMs: number;
  lastCommand: Command | undefined;
  replyMode: ReplyMode = 'on';
  noEvict = false;
  /** Commands queued since MULTI; `undefined` outside of one. */
  queue: QueuedCommand[] | undefined;
  /** A refusal while queueing: EXEC will abort. */
  queueFailed = false;
  watched: WatchedKey[] = [];
  readonly channels = new Set<string>();
  readonly patterns = new Set<string>();
  readonly shardChannels = new Set<string>();
  monitoring = false;
  /** A replica that follows this server's stream of writes. */
  isReplica = false;
  /** The last command was held by CLIENT PAUSE; it runs when the pause ends. */
  private held: Command | undefined;
  blocked: BlockedState | undefined;
  /** A command waits for a promise: later requests of this client wait with it. */
  busy = false;
  closeAfterReply = false;
  inputTotal = 0;
  outputTotal = 0;
  commandsTotal = 0;
  /** What features keep for a client (tracking, ACL), by their own key. */
  readonly extensions = new Map<symbol, unknown>();
  /** Set by features that must see every command of this client before it runs; see `RedisServer.refuse`. */
  private readonly parser = new RequestParser();
  private input: Buffer | undefined;
  private inputLength = 0;
  private wait: Wait | undefined;
  private commitActions: (() => void)[] = [];
  private executing = false;
  private deferred: Buffer[] = [];
  private mark = 0;
  private current: Command | undefined;
  private resumeScheduled = false;
  private startedMs = 0;

  constructor(
    readonly server: RedisServer,
    readonly connection: Connection,
  ) {
    this.id = connection.id;
    this.request = this.parser.request;
    this.db = server.store.database(0);
    this.createdMs = connection.openedAtMs;
    this.lastActiveMs = this.createdMs;
  }

  get protocol(): 2 | 3 {
    return this.reply.protocol;
  }

  get canBlock(): boolean {
    return !this.inTransaction;
  }

  /** CLIENT NO-TOUCH: accesses do not count for eviction. */
  get noTouch(): boolean {
    return this.db.noTouch;
  }
  set noTouch(on: boolean) {
    this.db.noTouch = on;
  }

  get subscriptions(): number {
    return this.channels.size + this.patterns.size;
  }

  get idleExempt(): boolean {
    return this.blocked !== undefined || this.subscriptions + this.shardChannels.size > 0 || this.monitoring;
  }

  /** Bytes of requests that have arrived and not been handled. */
  get pendingInputBytes(): number {
    return this.inputLength - (this.input === undefined ? 0 : this.parser.position);
  }

  onBytes(bytes: Buffer, length: number): void {
    this.inputTotal += length;
    if (this.input === undefined && !this.busy && this.blocked === undefined) {
      this.parser.position = 0;
      this.consume(bytes, length);
      this.keepRest(bytes, length);
    } else {
      this.append(bytes, length);
      if (this.inputLength > this.server.settings.clientQueryBufferLimit) {
        this.connection.destroy();
        return;
      }
      this.consumeInput();
    }
    this.flush();
  }

  onClose(): void {
    this.server.disconnected(this);
    this.leaveBlocked();
    this.input = undefined;
  }

  /** Sends bytes that are no reply to the running command: after it, when one runs. */
  send(bytes: Buffer): void {
    if (this.executing) this.deferred.push(bytes);
    else {
      this.flush();
      this.outputTotal += bytes.length;
      this.connection.write(bytes);
    }
  }

  /** Hands the replies written so far to the connection. */
  flush(): void {
    if (this.reply.length > 0) {
      const bytes = this.reply.take();
      this.outputTotal += bytes.length;
      this.connection.write(bytes);
    }
    if (this.closeAfterReply && !this.busy) this.connection.end();
  }

  block(wait: Wait): void {
    this.wait = wait;
  }

  afterCommit(action: () => void): void {
    this.commitActions.push(action);
  }

  /** Reads and handles what has been kept, when the client is free again. */
  consumeInput(): void {
    const { input } = this;
    if (input === undefined || this.busy || this.blocked !== undefined) return;
    if (this.inputLength < this.parser.wanted) return;
    this.consume(input, this.inputLength);
    this.compactInput();
  }

  /** Inside a transaction nobody waits: a command that wants to is answered as at its timeout. */
  timeoutNow(): void {
    const { wait } = this;
    this.wait = undefined;
    wait?.onTimeout(this.reply);
  }

  /** Before another run of a transaction's body. */
  clearCommitActions(): void {
    if (this.commitActions.length !== 0) this.commitActions = [];
  }

  /** A key this client waits for has changed, or the server wants it to try again. */
  retryBlocked(): void {
    const state = this.blocked;
    if (state === undefined) return;
    this.blocked = undefined;
    this.request = state.request;
    this.resumed = state.wait.state;
    this.wait = undefined;
    this.execute(state.command);
    this.resumed = undefined;
    this.request = this.parser.request;
    const again = this.wait as Wait | undefined;
    if (again !== undefined) {
      this.blocked = state;
      this.wait = undefined;
      return;
    }
    this.unpark(state);
  }

  /** Ends a wait with an error (`text`) or, without one, as at its timeout. */
  unblock(text?: string): void {
    const state = this.blocked;
    if (state === undefined) return;
    this.blocked = undefined;
    if (text === undefined) state.wait.onTimeout(this.reply);
    else this.reply.error(text);
    this.unpark(state);
  }

  /** Runs a command that has passed all refusals: its transaction, its reply, what follows the commit. */
  execute(command: Command): void {
    this.current = command;
    if (this.server.tracking.active) this.server.tracking.begin(this);
    this.mark = this.reply.length;
    this.executing = true;
    let result: unknown;
    try {
      if (command.access === 'read') result = this.server.store.read(this.db, this.body);
      else if (command.access === 'write') result = this.server.store.write(this.db, this.body);
      else result = command.run(this);
    } catch (thrown) {
      this.executing = false;
      this.failed(command, thrown);
      this.sendDeferred();
      return;
    }
    if (result instanceof Promise) {
      this.busy = true;
      result.then(
        () => this.finishLater(command),
        (thrown: unknown) => {
          this.failed(command, thrown);
          this.finishLater(command);
        },
      );
      return;
    }
    this.executing = false;
    this.finish();
  }

  /** Runs the current command's function in a transaction; again from the start when the engine asks for it. */
  private readonly body = (): undefined => {
    this.reply.rewind(this.mark);
    this.wait = undefined;
    if (this.commitActions.length !== 0) this.commitActions = [];
    const done = this.current?.run(this);
    if (done instanceof Promise) throw new Error(`${this.current?.name ?? ''} must not wait inside a transaction`);
    return undefined;
  };

  private finish(): void {
    if (this.commitActions.length !== 0) {
      const actions = this.commitActions;
      this.commitActions = [];
      for (const action of actions) action();
    }
    this.sendDeferred();
  }

  private finishLater(command: Command): void {
    this.executing = false;
    this.busy = false;
    this.finish();
    if (this.connection.closed) return;
    this.server.executed(this, command, this.startedMs);
    if (this.wait !== undefined) this.park(command);
    this.server.serveBlocked();
    this.flush();
    this.resumeLater();
  }

  private failed(command: Command, thrown: unknown): void {
    if (isEngineSignal(thrown)) throw thrown;
    this.reply.rewind(this.mark);
    this.commitActions = [];
    this.wait = undefined;
    const text = errorText(thrown);
    if (text === undefined) {
      this.server.logger.error({ err: thrown, command: command.name }, 'a command failed unexpectedly');
      this.replyError('ERR internal error');
    } else this.replyError(text);
    this.server.commandFailed(command);
  }

  /** An error reply, counted. */
  replyError(text: string): void {
    this.server.countError(text);
    this.reply.error(text);
  }

  private sendDeferred(): void {
    if (this.deferred.length === 0) return;
    for (const bytes of this.deferred) this.reply.rawBytes(bytes);
    this.deferred = [];
  }

  private consume(bytes: Buffer, length: number): void {
    const { parser, server } = this;
    let handled = 0;
    try {
      while (!this.busy && this.blocked === undefined && !this.closeAfterReply) {
        const parsed = parser.next(bytes, length, server.settings.protoMaxBulkLen, this.user !== undefined);
        if (parsed === 'incomplete') break;
        if (parser.request.count !== 0) this.handle();
        if (++handled === requestsPerTurn) {
          this.resumeLater();
          break;
        }
      }
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown;
      this.replyError(thrown.message);
      this.closeAfterReply = true;
    }
    if (handled !== 0) this.lastActiveMs = Date.now();
  }

  private handle(): void {
    const { server, request } = this;
    const replyStart = this.reply.length;
    const startedMs = performance.now();
    let command: Command;
    try {
      command = server.registry.resolve(request);
    } catch (thrown) {
      const text = errorText(thrown);
      if (text === undefined) throw thrown;
      this.refused(text);
      return;
    }
    const refusal = server.refuse(this, command);
    if (refusal !== undefined) {
      server.rejected(command);
      this.refused(refusal.message);
      return;
    }
    this.lastCommand = command;
    this.commandsTotal++;
    if (this.queue !== undefined && !runsInsideMulti.has(command.name)) {
      this.queue.push({ command, request: request.detach() });
      this.reply.simple('QUEUED');
      return;
    }
    if (server.pause.mode !== 'off' && server.pause.holds(command)) {
      this.hold(command);
      return;
    }
    this.start(command, replyStart, startedMs);
  }

  /** Runs a command, accounts for it, and sees to what it left behind. */
  private start(command: Command, replyStart: number, startedMs: number): void {
    const { server } = this;
    if (server.monitors !== 0) server.feedMonitors(this, this.request, command);
    const { replyMode } = this;
    this.startedMs = startedMs;
    this.execute(command);
    if (this.busy) {
      this.request = this.request.detach();
      return;
    }
    server.executed(this, command, startedMs);
    if (this.wait !== undefined) this.park(command);
    else server.serveBlocked();
    if (replyMode !== 'on' || this.replyMode !== 'on') this.mute(replyMode, replyStart);
  }

  /** CLIENT PAUSE: keeps the command, and whatever the client sends after it, until the pause ends. */
  private hold(command: Command): void {
    this.held = command;
    this.request = this.request.detach();
    this.busy = true;
    this.server.pause.hold(this);
  }

  /** The pause is over. */
  resumeHeld(): void {
    const command = this.held;
    if (command === undefined || this.connection.closed) return;
    this.held = undefined;
    this.busy = false;
    this.start(command, this.reply.length, performance.now());
    if (!this.busy) this.resumeLater();
    this.flush();
  }

  /** CLIENT REPLY OFF|SKIP: drops what the command answered. */
  private mute(before: ReplyMode, replyStart: number): void {
    if (this.replyMode === 'on') return;
    // CLIENT REPLY SKIP itself answers nothing, and neither does the command after it.
    this.reply.rewind(replyStart);
    if (this.replyMode === 'skip-next') this.replyMode = before === 'skip-next' ? 'on' : 'skip-next';
  }

  private refused(text: string): void {
    if (this.request.is(0, 'post') || this.request.is(0, 'host:')) {
      this.connection.destroy();
      return;
    }
    if (this.queue !== undefined) this.queueFailed = true;
    this.replyError(text);
  }

  private park(command: Command): void {
    const wait = this.wait;
    this.wait = undefined;
    if (wait === undefined || this.connection.closed) return;
    const state: BlockedState = {
      request: this.request.detach(),
      command,
      wait,
      sinceMs: Date.now(),
      timer: undefined,
    };
    this.blocked = state;
    if (wait.timeoutMs > 0) {
      state.timer = setTimeout(() => {
        this.unblock();
        this.flush();
      }, wait.timeoutMs);
    }
    this.server.blocking.add(this, wait.keys, this.db.index);
  }

  private unpark(state: BlockedState): void {
    clearTimeout(state.timer);
    this.server.blocking.remove(this);
    this.flush();
    this.resumeLater();
  }

  private leaveBlocked(): void {
    const state = this.blocked;
    if (state === undefined) return;
    this.blocked = undefined;
    clearTimeout(state.timer);
    this.server.blocking.remove(this);
  }

  /** Handles kept input in a later turn: never from inside another client's command. */
  private resumeLater(): void {
    if (this.resumeScheduled) return;
    this.resumeScheduled = true;
    setImmediate(() => {
      this.resumeScheduled = false;
      if (this.connection.closed) return;
      this.request = this.parser.request;
      this.consumeInput();
      this.flush();
    });
  }

  // --- bytes that wait ------------------------------------------------------------------------------------------------

  private keepRest(bytes: Buffer, length: number): void {
    const { parser } = this;
    const from = parser.keepFrom;
    const rest = length - from;
    if (rest <= 0) return;
    const size = Math.max(
      inputBytes,
      rest,
      Math.min(parser.wanted - from, this.server.settings.clientQueryBufferLimit),
    );
    this.input = Buffer.allocUnsafe(size);
    bytes.copy(this.input, 0, from, length);
    this.inputLength = rest;
    parser.moved(from);
  }

  private append(bytes: Buffer, length: number): void {
    let { input } = this;
    if (input === undefined) {
      input = Buffer.allocUnsafe(Math.max(inputBytes, length));
      this.input = input;
      this.inputLength = 0;
      this.parser.position = 0;
      this.parser.wanted = 0;
    }
    const needed = this.inputLength + length;
    if (needed > input.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, Math.min(this.parser.wanted, 2 ** 31), 2 * input.length));
      input.copy(grown, 0, 0, this.inputLength);
      input = grown;
      this.input = grown;
    }
    bytes.copy(input, this.inputLength, 0, length);
    this.inputLength = needed;
  }

  private compactInput(): void {
    const { input, parser } = this;
    if (input === undefined) return;
    const from = parser.keepFrom;
    if (from === this.inputLength) {
      this.input = undefined;
      this.inputLength = 0;
      parser.position = 0;
      parser.wanted = 0;
    } else if (from > 0) {
      input.copyWithin(0, from, this.inputLength);
      this.inputLength -= from;
      parser.moved(from);
    }
  }
}

/** Commands that act at once although MULTI is open. */
const runsInsideMulti = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset']);

export { RedisError };
