/**
 * A durable list of named records that is small and read all the time: kept whole in memory, and fresh while other
 * parts or other servers change it. Reads are synchronous; changes are transactions.
 *
 * Layout: prefix + name in UTF-8 → the record as the codec writes it.
 */
import { prefixEnd } from '../encoding/byte-strings.js';
import type { Awaitable, Engine, Key, Transaction, Unsubscribe } from '../engine/engine.js';
import type { Logger } from '../observability/logger.js';

export interface RecordCodec<T> {
  encode(record: T): Buffer;
  /** Throws for bytes that it did not write. */
  decode(name: string, bytes: Buffer): T;
}

/** `record` is `undefined` when it was dropped. */
export type RecordListener<T> = (name: string, record: T | undefined) => void;

export interface RecordsOptions<T> {
  readonly prefix: Key;
  /** Every change is announced under it, with the name. */
  readonly topic: string;
  readonly codec: RecordCodec<T>;
  readonly logger: Logger;
}

interface Cached<T> {
  readonly bytes: Buffer;
  readonly record: T;
}

export class NamedRecords<T> {
  private readonly cached = new Map<string, Cached<T>>();
  private readonly listeners = new Set<RecordListener<T>>();
  private unsubscribe: Unsubscribe | undefined;

  private constructor(
    private readonly engine: Engine,
    private readonly prefix: Key,
    private readonly topic: string,
    private readonly codec: RecordCodec<T>,
    private readonly logger: Logger,
  ) {}

  static async open<T>(engine: Engine, { prefix, topic, codec, logger }: RecordsOptions<T>): Promise<NamedRecords<T>> {
    const records = new NamedRecords(engine, prefix, topic, codec, logger);
    // Listens before it reads, so that no change falls between the two.
    records.unsubscribe = engine.subscribe(topic, (_topic, message) => records.announced(message.toString('utf8')));
    const stored = await engine.read((view) =>
      [...view.scan({ start: prefix, end: prefixEnd(prefix) })].map(({ key, value }) => ({
        name: Buffer.from(key.slice(prefix.length), 'latin1').toString('utf8'),
        bytes: Buffer.from(value),
      })),
    );
    for (const { name, bytes } of stored) records.apply(name, bytes);
    return records;
  }

  get(name: string): T | undefined {
    return this.cached.get(name)?.record;
  }

  /** In no particular order. */
  *all(): IterableIterator<readonly [name: string, record: T]> {
    for (const [name, { record }] of this.cached) yield [name, record];
  }

  get size(): number {
    return this.cached.size;
  }

  /**
   * One transaction: `change` gets the record as it is now and gives what it shall be; `undefined` drops it. Throws what
   * `change` throws, with nothing changed. Like every body of a transaction it may run several times.
   */
  update(name: string, change: (present: T | undefined) => T | undefined): Awaitable<T | undefined> {
    const key = this.keyOf(name);
    const result = this.engine.write((tx) => this.updateIn(tx, key, name, change));
    if (!(result instanceof Promise)) return this.apply(name, result);
    // Another server may have written since: what the store says counts, not what this transaction wrote.
    return result.then(() => this.refresh(name));
  }

  onChange(listener: RecordListener<T>): Unsubscribe {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.unsubscribe?.();
    this.listeners.clear();
  }

  private keyOf(name: string): Key {
    return this.prefix + Buffer.from(name, 'utf8').toString('latin1');
  }

  private updateIn(
    tx: Transaction,
    key: Key,
    name: string,
    change: (present: T | undefined) => T | undefined,
  ): Buffer | undefined {
    const before = tx.get(key);
    const after = change(before === undefined ? undefined : this.codec.decode(name, before));
    if (after === undefined) {
      if (before === undefined) return undefined;
      tx.delete(key);
    } else tx.put(key, this.codec.encode(after));
    tx.publish(this.topic, Buffer.from(name, 'utf8'));
    return after === undefined ? undefined : this.codec.encode(after);
  }

  private announced(name: string): void {
    this.refresh(name).catch((err: unknown) => {
      this.logger.error(
        { err, topic: this.topic, name },
        'a changed record cannot be read: the old one stays in force',
      );
    });
  }

  private async refresh(name: string): Promise<T | undefined> {
    const key = this.keyOf(name);
    const bytes = await this.engine.read((view) => {
      const value = view.get(key);
      return value === undefined ? undefined : Buffer.from(value);
    });
    return this.apply(name, bytes);
  }

  /** Takes a record's stored bytes over, and tells the listeners if they are new. */
  private apply(name: string, bytes: Buffer | undefined): T | undefined {
    const present = this.cached.get(name);
    if (bytes === undefined) {
      if (!this.cached.delete(name)) return undefined;
    } else {
      if (present?.bytes.equals(bytes) === true) return present.record;
      this.cached.set(name, { bytes, record: this.codec.decode(name, bytes) });
    }
    const record = this.cached.get(name)?.record;
    for (const listener of this.listeners) listener(name, record);
    return record;
  }
}
