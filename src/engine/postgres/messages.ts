/**
 * Messages between the servers of one store: LISTEN and NOTIFY where the system has them, a table that is polled elsewhere.
 * A message too long for a notification lies in the table, and the notification names it.
 */
import type pg from 'pg';
import type { Unsubscribe } from '../engine.js';
import { Topics } from '../topics.js';
import { channel } from './dialect.js';

/** PostgreSQL refuses payloads of 8 000 bytes. */
const payloadBytesMax = 7900;
const pollIntervalMs = 100;
const reconnectMsMin = 50;
const reconnectMsMax = 2000;
/** Messages older than this have been read by everybody. */
const keptSeconds = 600;

export type Connect = () => Promise<pg.Client>;

export class Messages {
  private readonly topics = new Topics();
  private client: pg.Client | undefined;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;
  private lastId = '0';
  private serial = 0;
  private readonly instance = Math.random().toString(36).slice(2, 8);

  constructor(
    private readonly connect: Connect,
    readonly notifications: boolean,
    private readonly log: (text: string, err: unknown) => void,
  ) {}

  async start(): Promise<void> {
    await this.open();
  }

  subscribe(prefix: string, listener: (topic: string, message: Buffer) => void): Unsubscribe {
    return this.topics.subscribe(prefix, listener);
  }

  /** The text that carries a message; a serial number keeps equal ones apart, which NOTIFY would merge. */
  encode(topic: string, message: Buffer): string {
    const head = `${this.instance}${this.serial++}`;
    return `${head} ${Buffer.from(topic, 'latin1').toString('base64')} ${message.toString('base64')}`;
  }

  /** Whether a notification can carry the text; longer ones go through the table. */
  fits(text: string): boolean {
    return text.length <= payloadBytesMax;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.client?.end().catch(() => {});
  }

  private async open(): Promise<void> {
    const client = await this.connect();
    this.client = client;
    client.on('error', (err) => this.lost(client, err));
    client.on('end', () => this.lost(client, undefined));
    if (this.notifications) {
      client.on('notification', ({ payload }) => {
        if (payload !== undefined) this.received(client, payload);
      });
      await client.query(`LISTEN ${channel}`);
    } else {
      const { rows } = await client.query<{ id: string }>(
        'SELECT coalesce(max(id), 0)::text AS id FROM rosetta_messages',
      );
      if (this.lastId === '0') this.lastId = rows[0]?.id ?? '0';
      this.poll(client);
    }
  }

  private received(client: pg.Client, payload: string): void {
    if (!payload.startsWith('#')) {
      this.hand(payload);
      return;
    }
    client
      .query<{ payload: string }>('SELECT payload FROM rosetta_messages WHERE id = $1', [payload.slice(1)])
      .then(({ rows }) => {
        if (rows[0] !== undefined) this.hand(rows[0].payload);
      })
      .catch((err: unknown) => this.log('a message could not be read', err));
  }

  private hand(text: string): void {
    const [, topic = '', message = ''] = text.split(' ');
    this.topics.send(Buffer.from(topic, 'base64').latin1Slice(), Buffer.from(message, 'base64'));
    this.topics.deliver();
  }

  private poll(client: pg.Client): void {
    this.timer = setTimeout(() => {
      client
        .query<{ id: string; payload: string }>(
          'SELECT id::text AS id, payload FROM rosetta_messages WHERE id > $1 ORDER BY id',
          [this.lastId],
        )
        .then(async ({ rows }) => {
          for (const { id, payload } of rows) {
            this.lastId = id;
            this.hand(payload);
          }
          if (Math.random() < 0.01) {
            await client.query(
              `DELETE FROM rosetta_messages WHERE created < now() - interval '${keptSeconds} seconds'`,
            );
          }
        })
        .catch((err: unknown) => this.log('messages could not be read', err))
        .finally(() => {
          if (!this.closed && this.client === client) this.poll(client);
        });
    }, pollIntervalMs);
    this.timer.unref();
  }

  private lost(client: pg.Client, err: unknown): void {
    if (this.closed || this.client !== client) return;
    this.client = undefined;
    if (err !== undefined) this.log('the connection for messages was lost', err);
    this.reopen(reconnectMsMin);
  }

  private reopen(afterMs: number): void {
    this.timer = setTimeout(() => {
      if (this.closed) return;
      this.open().catch(() => this.reopen(Math.min(reconnectMsMax, afterMs * 2)));
    }, afterMs);
    this.timer.unref();
  }
}
