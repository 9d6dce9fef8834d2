/** Read and write concerns: what they may say, and what this one node can promise. */

import { Doc } from '../../models/document/bson/document.js';
import { formatDocument } from '../../models/document/bson/text.js';
import { Timestamp, type Value } from '../../models/document/bson/types.js';
import { type Timestamp as ClockTime, compareTimestamps } from '../../models/document/clock.js';
import { numberOf } from '../../models/document/scalars.js';
import type { Command, Envelope } from './command.js';
import { failed } from './errors.js';
import { wrongType } from './fields.js';

const LEVELS = new Set(['local', 'available', 'majority', 'linearizable', 'snapshot']);
/** Commands that may read at a past moment outside of transactions. */
const SNAPSHOT_READS = new Set(['find', 'aggregate', 'distinct']);
const NODES_MAX = 50;

export function readLevelOf(concern: Doc | undefined): string {
  const level = concern?.get('level');
  return typeof level === 'string' ? level : 'local';
}

/** Throws code 9 and 72 for read concerns that cannot be. */
export function checkReadConcern(command: Command, envelope: Envelope, now: ClockTime): void {
  const concern = envelope.readConcern;
  if (concern === undefined || concern.isEmpty) return;
  for (const name of concern.keys()) {
    if (
      ![
        'level',
        'afterClusterTime',
        'atClusterTime',
        'provenance',
        '$_waitLastStableRecoveryTimestamp',
        'afterOpTime',
      ].includes(name)
    ) {
      throw failed(9, `Unrecognized option in readConcern: ${name}`);
    }
  }
  const given = concern.get('level');
  if (given !== undefined && (typeof given !== 'string' || !LEVELS.has(given))) {
    throw failed(2, `Enumeration value '${String(given)}' for field 'readConcern.level' is not a valid value.`);
  }
  const level = readLevelOf(concern);
  const after = clusterTimeIn(concern, 'afterClusterTime');
  const at = clusterTimeIn(concern, 'atClusterTime');
  if (level === 'linearizable' && after !== undefined) {
    throw failed(72, 'linearizable read concern is not compatible with afterClusterTime');
  }
  if (at !== undefined && level !== 'snapshot') {
    throw failed(72, 'readConcern level must be snapshot when specifying atClusterTime');
  }
  if (envelope.autocommit === false) return;
  if (level === 'snapshot' && !SNAPSHOT_READS.has(command.name)) {
    throw failed(
      72,
      'Command does not support { readConcern: { level: "snapshot", provenance: "clientSupplied" } } :: caused by :: read concern not supported',
    );
  }
  for (const [name, time] of [
    ['afterClusterTime', after],
    ['atClusterTime', at],
  ] as const) {
    if (time !== undefined && compareTimestamps(time, now) > 0) {
      throw failed(
        72,
        `readConcern ${name} value must not be greater than the current clusterTime. Requested clusterTime: ${formatDocument(Doc.of({ ts: time }))}; current clusterTime: ${formatDocument(Doc.of({ ts: new Timestamp(now.seconds, now.increment) }))}`,
      );
    }
  }
}

function clusterTimeIn(concern: Doc, name: string): Timestamp | undefined {
  const value = concern.get(name);
  if (value === undefined) return undefined;
  if (!(value instanceof Timestamp)) throw wrongType(value, `readConcern.${name}`, 'timestamp');
  if (value.seconds === 0 && value.increment === 0) throw failed(72, `${name} cannot be a null timestamp`);
  return value;
}

/** Throws code 9 and 72 for write concerns that cannot be. */
export function checkWriteConcern(command: Command, envelope: Envelope): void {
  const concern = envelope.writeConcern;
  if (concern === undefined) return;
  if (command.writes !== true && command.inTransaction !== true && command.reads === true) {
    throw failed(72, 'Command does not support writeConcern');
  }
  for (const [name, value] of concern) {
    if (name === 'w') checkW(value);
    else if (
      name === 'j' ||
      name === 'fsync' ||
      name === 'wtimeout' ||
      name === 'provenance' ||
      name === 'getLastError' ||
      name === 'wOpTime'
    )
      continue;
    else throw failed(9, `unrecognized write concern field: ${name}`);
  }
  if (concern.get('w') === 0 && concern.get('j') === true) throw failed(2, 'cannot have j:true and w:0');
}

function checkW(value: Value): void {
  const number = numberOf(value);
  if (number !== undefined) {
    if (number < 0 || number > NODES_MAX)
      throw failed(9, `w has to be a non-negative number and not greater than ${NODES_MAX}; found: ${number}`);
  } else if (typeof value !== 'string' && !(value instanceof Doc)) {
    throw failed(9, 'w has to be a number, string, or object; found: ...');
  }
}

/** The reply's writeConcernError for what one node cannot promise: the write is done all the same. */
export function unsatisfiedWriteConcern(command: Command, envelope: Envelope): Doc | undefined {
  const concern = envelope.writeConcern;
  if (command.writes !== true || concern === undefined) return undefined;
  const w = concern.get('w');
  const number = numberOf(w);
  const info = Doc.of({
    writeConcern: Doc.of({ w: w ?? 'majority', wtimeout: concern.get('wtimeout') ?? 0, provenance: 'clientSupplied' }),
  });
  if (number !== undefined && number > 1) {
    return Doc.of({
      code: 100,
      codeName: 'UnsatisfiableWriteConcern',
      errmsg: 'Not enough data-bearing nodes',
      errInfo: info,
    });
  }
  if (typeof w === 'string' && w !== 'majority') {
    return Doc.of({
      code: 79,
      codeName: 'UnknownReplWriteConcern',
      errmsg: `No write concern mode named '${w}' found in replica set configuration`,
      errInfo: info,
    });
  }
  return undefined;
}
