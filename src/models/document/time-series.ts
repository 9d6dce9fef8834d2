/**
 * Time-series collections: measurements are kept as plain documents in insertion order; what clients see of buckets is
 * their options and their rules.
 */
import { Doc } from './bson/document.js';
import { DateTime } from './bson/types.js';
import type { TimeSeriesOptions } from './collection.js';
import { DocumentError } from './errors.js';

/** Throws code 2 for a measurement without a date in the time field. */
export function checkMeasurement(options: TimeSeriesOptions, document: Buffer): void {
  const time = Doc.fromBytes(document).get(options.timeField);
  if (!(time instanceof DateTime)) {
    throw new DocumentError(2, `'${options.timeField}' must be present and contain a valid BSON UTC datetime value`);
  }
}
