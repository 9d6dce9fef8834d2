/**
 * How many bytes the model's records take, kept while a memory limit is set: a transaction that passes writes on and adds
 * up by how much they change the total.
 */
import type { Entry, Key, Range, ScanOptions, Transaction } from '../../engine/engine.js';

/** What the engine keeps of a record beside key and value, about. */
export const recordOverheadBytes = 32;

export class AccountedTransaction implements Transaction {
  /** By how many bytes the transaction has changed the total so far. */
  delta = 0;

  constructor(private readonly inner: Transaction) {}

  get now(): number {
    return this.inner.now;
  }
  get version(): number {
    return this.inner.version;
  }
  random(): number {
    return this.inner.random();
  }
  get(key: Key): Buffer | undefined {
    return this.inner.get(key);
  }
  prefetch(keys: readonly Key[]): void {
    this.inner.prefetch(keys);
  }
  scan(range: Range, options?: ScanOptions): Iterable<Entry> {
    return this.inner.scan(range, options);
  }

  put(key: Key, value: Buffer): void {
    this.delta += this.sizeOf(key, value.length) - this.stored(key);
    this.inner.put(key, value);
  }

  delete(key: Key): void {
    this.delta -= this.stored(key);
    this.inner.delete(key);
  }

  deleteRange(range: Range): void {
    for (const { key, value } of this.inner.scan(range)) this.delta -= this.sizeOf(key, value.length);
    this.inner.deleteRange(range);
  }

  splice(key: Key, offset: number, removed: number, inserted: Uint8Array): void {
    if (this.inner.get(key) === undefined) this.delta += this.sizeOf(key, 0);
    this.delta += inserted.length - removed;
    this.inner.splice(key, offset, removed, inserted);
  }

  add(key: Key, delta: number): void {
    this.inner.add(key, delta);
  }

  publish(topic: string, message: Buffer): void {
    this.inner.publish(topic, message);
  }

  private sizeOf(key: Key, valueBytes: number): number {
    return key.length + valueBytes + recordOverheadBytes;
  }

  private stored(key: Key): number {
    const old = this.inner.get(key);
    return old === undefined ? 0 : this.sizeOf(key, old.length);
  }
}
