/**
 * What a session's last retryable write has done already, statement by statement, so that a driver may send it again
 * after an error: a done statement is answered from here. Written in the same transaction as the statements.
 */
import type { Transaction } from '../../engine/engine.js';
import { Doc } from './bson/document.js';
import { encodeDocument } from './bson/encode.js';
import { DateTime, isArrayValue } from './bson/types.js';
import { DocumentError } from './errors.js';
import { retryKey } from './keys.js';
import { plainDocument } from './plain.js';
import { numberOf } from './scalars.js';

/** A session and the number of its retryable write. */
export interface RetryableWrite {
  /** The session's id and user as bytes. */
  readonly session: string;
  readonly txnNumber: bigint;
  /** Number of the statement with index 0 … of the command. */
  readonly statementIds: readonly number[] | undefined;
}

/** Statement number of the `index`-th statement. */
export function statementOf(write: RetryableWrite, index: number): number {
  const { statementIds } = write;
  if (statementIds === undefined) return index;
  return statementIds.length === 1 ? (statementIds[0] ?? 0) + index : (statementIds[index] ?? index);
}

/** Statements done one after another, with nothing more to say than that they are done. */
interface Span {
  from: number;
  to: number;
}

export class RetryRecord {
  private readonly spans: Span[] = [];
  private readonly results = new Map<number, Doc>();
  private changed = false;

  private constructor(
    private readonly tx: Transaction,
    private readonly write: RetryableWrite,
  ) {}

  /** Throws 225 when a newer write of the session has begun. */
  static load(tx: Transaction, write: RetryableWrite): RetryRecord {
    const record = new RetryRecord(tx, write);
    const bytes = tx.get(retryKey(write.session));
    if (bytes === undefined) return record;
    const stored = Doc.fromBytes(Buffer.from(bytes));
    const number = stored.get('txnNumber');
    if (typeof number !== 'bigint' || number < write.txnNumber) return record;
    if (number > write.txnNumber) {
      throw new DocumentError(
        225,
        `Retryable write with txnNumber ${write.txnNumber} is prohibited on session ${Buffer.from(write.session.slice(0, 16), 'latin1').toString('hex')} because a newer retryable write with txnNumber ${number} has already started on this session.`,
      );
    }
    record.read(stored);
    return record;
  }

  /** The result of a statement that is done: empty when there is nothing more to say. */
  done(statement: number): Doc | undefined {
    const result = this.results.get(statement);
    if (result !== undefined) return result;
    return this.spans.some(({ from, to }) => from <= statement && statement <= to) ? new Doc() : undefined;
  }

  add(statement: number, result?: Doc): void {
    this.changed = true;
    if (result !== undefined) {
      this.results.set(statement, result);
      return;
    }
    const last = this.spans.at(-1);
    if (last !== undefined && last.to + 1 === statement) last.to = statement;
    else this.spans.push({ from: statement, to: statement });
  }

  save(): void {
    if (!this.changed) return;
    const results = new Doc();
    for (const [statement, result] of this.results) results.append(String(statement), result);
    const spans = this.spans.map(({ from, to }) => [from, to]);
    const record = plainDocument({ txnNumber: this.write.txnNumber, at: new DateTime(this.tx.now), spans });
    this.tx.put(retryKey(this.write.session), encodeDocument(record.append('results', results)));
  }

  private read(stored: Doc): void {
    const spans = stored.get('spans');
    for (const span of isArrayValue(spans) ? spans : []) {
      if (isArrayValue(span)) this.spans.push({ from: numberOf(span[0]) ?? 0, to: numberOf(span[1]) ?? 0 });
    }
    const results = stored.get('results');
    if (!(results instanceof Doc)) return;
    for (const [statement, result] of results) if (result instanceof Doc) this.results.set(Number(statement), result);
  }
}
