/** Removing documents: one statement of a delete command. */
import { Doc } from './bson/document.js';
import { removeRecord } from './records.js';
import { type RetryableWrite, RetryRecord } from './retryable-writes.js';
import type { Storage } from './store.js';
import { changeAll, changeFirst, type TargetQuery } from './targets.js';

export interface StatementOptions {
  readonly retryable: RetryableWrite | undefined;
  /** The statement's number in its retryable write. */
  readonly statement: number;
  readonly breathe: () => Promise<void> | undefined;
}

export interface DeleteOutcome {
  readonly deleted: number;
  readonly retried: boolean;
}

export async function deleteOne(
  storage: Storage,
  target: TargetQuery,
  options: StatementOptions,
): Promise<DeleteOutcome> {
  const { retryable, statement } = options;
  return changeFirst<DeleteOutcome>(storage, target, {
    prepare: (scope) => {
      scope.statement = retryable === undefined ? undefined : statement;
      const done = retryable === undefined ? undefined : RetryRecord.load(scope.tx, retryable).done(statement);
      if (done === undefined) return undefined;
      return { deleted: done.get('n') === 0 ? 0 : 1, retried: true };
    },
    change: (scope, collection, record, document) => {
      removeRecord(scope, collection, record, document);
      remember(scope.tx, options, undefined);
      return { deleted: 1, retried: false };
    },
    missing: (scope) => {
      remember(scope.tx, options, Doc.of({ n: 0 }));
      return { deleted: 0, retried: false };
    },
    breathe: options.breathe,
  });
}

function remember(
  tx: Parameters<typeof RetryRecord.load>[0],
  options: StatementOptions,
  result: Doc | undefined,
): void {
  if (options.retryable === undefined) return;
  const record = RetryRecord.load(tx, options.retryable);
  record.add(options.statement, result);
  record.save();
}

export async function deleteMany(
  storage: Storage,
  target: TargetQuery,
  breathe: () => Promise<void> | undefined,
): Promise<DeleteOutcome> {
  const deleted = await changeAll(storage, target, { change: removeRecord, breathe });
  return { deleted: deleted.length, retried: false };
}
