/** `$changeStream` and the stages that may follow it. */
import type { StreamScope } from '../../models/document/change-streams/events.js';
import { ChangeStream, type ChangeStreamOptions } from '../../models/document/change-streams/stream.js';
import { type Doc, Timestamp, typeName } from '../../models/document/values.js';
import type { CommandContext } from './command.js';
import { readLevelOf } from './concerns.js';
import { failed } from './errors.js';
import { any, bool, object, oneOf, readFields } from './fields.js';

const FIELDS = {
  fullDocument: oneOf('default', 'updateLookup', 'whenAvailable', 'required'),
  fullDocumentBeforeChange: oneOf('off', 'whenAvailable', 'required'),
  resumeAfter: object(),
  startAfter: object(),
  startAtOperationTime: any(),
  allChangesForCluster: bool(),
  showExpandedEvents: bool(),
  showMigrationEvents: any(),
  showSystemEvents: any(),
  allowToRunOnConfigDB: any(),
  allowToRunOnSystemNS: any(),
  showRawUpdateDescription: any(),
};

/** Opens the stream that an aggregation's first stage describes. */
export async function openChangeStream(
  context: CommandContext,
  specification: Doc,
  collection: string | undefined,
  transform: ChangeStreamOptions['transform'],
): Promise<ChangeStream> {
  const fields = readFields('$changeStream', FIELDS, specification);
  const level = readLevelOf(context.envelope.readConcern);
  if (context.envelope.readConcern?.has('level') === true && level !== 'majority') {
    throw failed(
      72,
      `$changeStream cannot run with a readConcern other than 'majority', or in a multi-document transaction. Current readConcern: ${level}`,
    );
  }
  if (fields.resumeAfter !== undefined && fields.startAfter !== undefined) {
    throw failed(50865, "Do not specify both 'resumeAfter' and 'startAfter' in a $changeStream stage");
  }
  const resumes = fields.resumeAfter !== undefined || fields.startAfter !== undefined;
  if (resumes && fields.startAtOperationTime !== undefined) {
    throw failed(40674, 'Only one type of resume option is allowed, but multiple were found.');
  }
  const start = fields.startAtOperationTime;
  if (start !== undefined && !(start instanceof Timestamp)) {
    throw failed(
      14,
      `BSON field '$changeStream.startAtOperationTime' is the wrong type '${typeName(start)}', expected type 'timestamp'`,
    );
  }
  return ChangeStream.open(context.server.store, {
    scope: scopeOf(context, fields.allChangesForCluster === true, collection),
    fullDocument: fields.fullDocument ?? 'default',
    fullDocumentBeforeChange: fields.fullDocumentBeforeChange ?? 'off',
    showExpandedEvents: fields.showExpandedEvents === true,
    resumeAfter: fields.resumeAfter,
    startAfter: fields.startAfter,
    startAtOperationTime: start,
    transform,
  });
}

function scopeOf(context: CommandContext, cluster: boolean, collection: string | undefined): StreamScope {
  const { database } = context;
  if (cluster) {
    if (database !== 'admin' || collection !== undefined) {
      throw failed(
        72,
        "A $changeStream with 'allChangesForCluster:true' may only be opened on the 'admin' database, and with no collection name",
      );
    }
    return { kind: 'cluster' };
  }
  if (['admin', 'config', 'local'].includes(database)) {
    throw failed(73, `$changeStream may not be opened on the internal ${database} database`);
  }
  return collection === undefined ? { kind: 'database', database } : { kind: 'collection', database, collection };
}
