/**
 * The oplog: every change in commit order, kept while somebody follows it. The first change stream (or the first look at
 * `local.oplog.rs`) switches it on for good; it is switched off again when nobody has followed for a week.
 *
 * A record is the entry as `local.oplog.rs` shows it and, behind it, a second document with images of changed documents
 * for collections that keep them: `p<n>` before and `a<n>` after the n-th operation of the entry.
 */

import { readUint32 } from '../../../encoding/byte-strings.js';
import type { Transaction, View } from '../../../engine/engine.js';
import { Doc } from '../bson/document.js';
import { encodeDocument } from '../bson/encode.js';
import { int32At } from '../bson/raw.js';
import { Binary, DateTime, type Value } from '../bson/types.js';
import { compareTimestamps, type LogicalClock, type Timestamp } from '../clock.js';
import type { Collection } from '../collection.js';
import { OPLOG_PREFIX, oplogKey, rangeOf, settingKey } from '../keys.js';
import { timestampValue } from '../plain.js';
import type { UpdateLog } from '../update/log.js';
import type { WriteOrigin } from '../write-scope.js';

export type OplogChange = { readonly statement?: number } & (
  | { readonly operation: 'i'; readonly collection: Collection; readonly document: Buffer }
  | {
      readonly operation: 'u';
      readonly collection: Collection;
      readonly before: Buffer;
      readonly document: Buffer;
      /** Which fields changed; `undefined`: the whole document was put in place. */
      readonly log: UpdateLog | undefined;
    }
  | { readonly operation: 'd'; readonly collection: Collection; readonly document: Buffer }
  | {
      readonly operation: 'c';
      readonly database: string;
      readonly command: Doc;
      readonly uuid?: Buffer | undefined;
      readonly before?: Doc | undefined;
    }
  | { readonly operation: 'n'; readonly message: Doc }
);

export const OPLOG_TOPIC = 'document/oplog';
const STATE_KEY = settingKey('oplog');
/** Operations that one entry of a transaction may hold. */
const TRANSACTION_OPERATIONS_MAX = 100_000;

export interface OplogEntry {
  readonly time: Timestamp;
  readonly entry: Doc;
  readonly images: Doc | undefined;
}

export class Oplog {
  constructor(private readonly clock: LogicalClock) {}

  enabled(view: View): boolean {
    return view.get(STATE_KEY) !== undefined;
  }

  /** Begins to keep changes: the time from which on all of them are there. */
  enable(tx: Transaction): Timestamp {
    const known = tx.get(STATE_KEY);
    if (known !== undefined) return { seconds: known.readUInt32BE(0), increment: known.readUInt32BE(4) };
    const time = this.clock.tick();
    const state = Buffer.alloc(8);
    state.writeUInt32BE(time.seconds, 0);
    state.writeUInt32BE(time.increment, 4);
    tx.put(STATE_KEY, state);
    const message = Doc.of({ msg: 'initiating set' });
    this.put(tx, time, this.entryOf({ operation: 'n', message }), undefined);
    return time;
  }

  /** The time from which on changes are there; `undefined` when none are kept. */
  since(view: View): Timestamp | undefined {
    const known = view.get(STATE_KEY);
    return known === undefined ? undefined : { seconds: known.readUInt32BE(0), increment: known.readUInt32BE(4) };
  }

  /** Removes entries up to a time: they can no longer be followed from there. */
  forgetUntil(tx: Transaction, time: Timestamp): void {
    const state = Buffer.alloc(8);
    state.writeUInt32BE(time.seconds, 0);
    state.writeUInt32BE(time.increment, 4);
    tx.put(STATE_KEY, state);
  }

  /** Writes changes that were made on their own, one entry each. */
  append(tx: Transaction, changes: readonly OplogChange[], origin: WriteOrigin): void {
    for (const change of changes) {
      const entry = this.entryOf(change);
      this.withOrigin(entry, origin, change.statement);
      this.put(tx, this.clock.tick(), entry, imagesOf([change]));
    }
    tx.publish(OPLOG_TOPIC, Buffer.alloc(0));
  }

  /** Writes the changes of a transaction as one entry. */
  appendTransaction(tx: Transaction, changes: readonly OplogChange[], origin: WriteOrigin): void {
    for (let from = 0; from < changes.length; from += TRANSACTION_OPERATIONS_MAX) {
      const part = changes.slice(from, from + TRANSACTION_OPERATIONS_MAX);
      const operations = part.map((change) => this.entryOf(change));
      const entry = new Doc();
      this.withOrigin(entry, origin, undefined);
      entry
        .append('op', 'c')
        .append('ns', 'admin.$cmd')
        .append('o', Doc.of({ applyOps: operations }));
      this.put(tx, this.clock.tick(), entry, imagesOf(part));
    }
    tx.publish(OPLOG_TOPIC, Buffer.alloc(0));
  }

  private withOrigin(entry: Doc, origin: WriteOrigin, statement: number | undefined): void {
    if (origin.session === undefined || origin.txnNumber === undefined) return;
    entry.prepend('txnNumber', origin.txnNumber).prepend('lsid', Doc.fromBytes(origin.session));
    if (statement !== undefined) entry.append('stmtId', statement);
  }

  private entryOf(change: OplogChange): Doc {
    const entry = new Doc().append('op', change.operation);
    if (change.operation === 'n') return entry.append('ns', '').append('o', change.message);
    if (change.operation === 'c') {
      entry.append('ns', `${change.database}.$cmd`);
      if (change.uuid !== undefined) entry.append('ui', new Binary(change.uuid, 4));
      entry.append('o', change.command);
      if (change.before !== undefined) entry.append('o2', change.before);
      return entry;
    }
    const { collection, document } = change;
    const content = Doc.fromBytes(document);
    const key = Doc.of({ _id: content.get('_id') });
    entry.append('ns', collection.namespace).append('ui', new Binary(collection.uuid, 4));
    if (change.operation === 'i') return entry.append('o', content).append('o2', key);
    if (change.operation === 'd') return entry.append('o', key);
    return entry
      .append('o', change.log === undefined ? content : Doc.of({ $v: 2, diff: change.log.diff() }))
      .append('o2', key);
  }

  private put(tx: Transaction, time: Timestamp, entry: Doc, images: Doc | undefined): void {
    const now: Value = new DateTime(tx.now);
    entry.append('ts', timestampValue(time)).append('t', 1n).append('v', 2n).append('wall', now);
    const bytes = encodeDocument(entry);
    const record = images === undefined ? bytes : Buffer.concat([bytes, encodeDocument(images)]);
    tx.put(oplogKey(time.seconds, time.increment), record);
  }
}

function imagesOf(changes: readonly OplogChange[]): Doc | undefined {
  let images: Doc | undefined;
  changes.forEach((change, i) => {
    if (change.operation === 'c' || change.operation === 'n' || !change.collection.changeStreamImages) return;
    images ??= new Doc();
    if (change.operation === 'u') images.append(`p${i}`, Doc.fromBytes(change.before));
    if (change.operation === 'd') images.append(`p${i}`, Doc.fromBytes(change.document));
    if (change.operation === 'u') images.append(`a${i}`, Doc.fromBytes(change.document));
  });
  return images;
}

export function decodeOplog(key: string, value: Buffer): OplogEntry {
  const length = int32At(value, 0);
  return {
    time: { seconds: readUint32(key, OPLOG_PREFIX.length), increment: readUint32(key, OPLOG_PREFIX.length + 4) },
    entry: Doc.fromBytes(value.subarray(0, length)),
    images: value.length === length ? undefined : Doc.fromBytes(value, length),
  };
}

/** The time of the last entry, if there is one. */
export function lastOplogTime(view: View): Timestamp | undefined {
  for (const { key } of view.scan(rangeOf(OPLOG_PREFIX), { reverse: true, limit: 1 })) {
    return { seconds: readUint32(key, OPLOG_PREFIX.length), increment: readUint32(key, OPLOG_PREFIX.length + 4) };
  }
  return undefined;
}

/** Says whether changes after `time` are all there. */
export function reaches(since: Timestamp | undefined, time: Timestamp): boolean {
  return since !== undefined && compareTimestamps(since, time) <= 0;
}
