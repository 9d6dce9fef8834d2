/**
 * Groups the replies of one protocol by event-loop turn: commands of a turn run, then the protocol is asked once
 * whether their commits are settled, then all their replies leave. A turn whose commits are not settled yet holds back
 * the turns after it, so that no reply overtakes an earlier one; other protocols have their own outbox and do not wait.
 */

import type { Protocol } from './connection.js';

/** Where a turn's bytes go. */
export interface Recipient {
  /** Sends what was written since the last time. */
  release(): void;
  /** Hands over what was written since the last time, to be sent later by `deliver`. */
  withhold(): Buffer[];
  deliver(chunks: Buffer[]): void;
  /** The bytes must not leave: nobody knows whether the commits they acknowledge will last. */
  unsettled(): void;
}

interface HeldTurn {
  readonly replies: readonly { readonly recipient: Recipient; readonly chunks: Buffer[] }[];
  state: 'waiting' | 'settled' | 'failed';
  readonly onLeft: (() => void)[];
}

export class Outbox {
  /** Milliseconds since 1970, refreshed once a turn: precise enough for idle times, and free to read. */
  nowMs = Date.now();
  private recipients: Recipient[] = [];
  private scheduled = false;
  private held: HeldTurn[] = [];

  constructor(
    private readonly protocol: Protocol,
    private readonly onFailure: (thrown: unknown, connections: number) => void,
  ) {}

  /** `recipient` has something to send; once a turn for each. */
  add(recipient: Recipient): void {
    this.recipients.push(recipient);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.flush);
  }

  /** When everything written before this call has left, or has been given up. */
  async drained(): Promise<void> {
    if (this.recipients.length !== 0) this.flush();
    const last = this.held.at(-1);
    if (last === undefined) return;
    await new Promise<void>((resolve) => last.onLeft.push(resolve));
  }

  private readonly flush = (): void => {
    this.scheduled = false;
    const { recipients } = this;
    if (recipients.length === 0) return;
    this.recipients = [];
    this.nowMs = Date.now();
    let settled: Promise<void> | undefined;
    try {
      settled = this.protocol.settle();
    } catch (thrown) {
      this.onFailure(thrown, recipients.length);
      for (const recipient of recipients) recipient.unsettled();
      return;
    }
    if (settled === undefined && this.held.length === 0) {
      for (let i = 0; i < recipients.length; i++) recipients[i]?.release();
    } else this.hold(recipients, settled);
  };

  private hold(recipients: readonly Recipient[], settled: Promise<void> | undefined): void {
    const turn: HeldTurn = {
      replies: recipients.map((recipient) => ({ recipient, chunks: recipient.withhold() })),
      state: settled === undefined ? 'settled' : 'waiting',
      onLeft: [],
    };
    this.held.push(turn);
    settled?.then(
      () => {
        turn.state = 'settled';
        this.deliverHeld();
      },
      (thrown: unknown) => {
        turn.state = 'failed';
        this.onFailure(thrown, turn.replies.length);
        for (const { recipient } of turn.replies) recipient.unsettled();
        this.deliverHeld();
      },
    );
  }

  private deliverHeld(): void {
    this.nowMs = Date.now();
    for (let turn = this.held[0]; turn !== undefined && turn.state !== 'waiting'; turn = this.held[0]) {
      this.held.shift();
      if (turn.state === 'settled') for (const { recipient, chunks } of turn.replies) recipient.deliver(chunks);
      for (const left of turn.onLeft) left();
    }
  }
}
