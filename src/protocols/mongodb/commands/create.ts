import type { CollectionDraft, CollectionType } from '../../../models/document/catalog.js';
import { parseCollation } from '../../../models/document/collation.js';
import { createCollection, idIndexSpec } from '../../../models/document/collections.js';
import { checkNewCollection } from '../../../models/document/namespaces.js';
import { compileFilter } from '../../../models/document/query/filter.js';
import { Doc, formatDocument, type Value, valuesEqual } from '../../../models/document/values.js';
import { collectionOf, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, array, bool, integer, object, oneOf, string } from '../fields.js';

/** A capped collection's size is a multiple of this, bytes. */
const CAPPED_BYTES_STEP = 256;

export const create = defineCommand({
  name: 'create',
  help: 'creates a collection, capped collection, view or time-series collection',
  subject: 'collection',
  fields: {
    capped: bool(),
    autoIndexId: any(),
    idIndex: object(),
    size: integer(),
    max: integer(),
    storageEngine: object(),
    validator: object(),
    validationLevel: oneOf('off', 'strict', 'moderate'),
    validationAction: oneOf('error', 'warn'),
    indexOptionDefaults: object(),
    viewOn: string(),
    pipeline: array(),
    collation: object(),
    timeseries: object(),
    expireAfterSeconds: integer(),
    clusteredIndex: any(),
    changeStreamPreAndPostImages: object(),
    encryptedFields: any(),
    temp: bool(),
    flags: any(),
    recordIdsReplicated: any(),
  },
  inTransaction: true,
  apiVersion1: true,
  writes: true,
  actions: ['createCollection'],
  async run(context, fields) {
    const name = collectionOf(context);
    const { database } = context;
    checkNewCollection(database, name);
    const options = new Doc();
    const add = (field: string, value: Value | undefined): void => {
      if (value !== undefined) options.append(field, value);
    };
    if (fields.capped === true) {
      if (fields.size === undefined) throw failed(72, "the 'size' field is required when 'capped' is true");
      if (fields.size <= 0) throw failed(51024, `BSON field 'size' value must be >= 1, actual value '${fields.size}'`);
      if (fields.timeseries !== undefined) throw failed(72, "the 'capped' option is not allowed with 'timeseries'");
      options.append('capped', true);
      options.append('size', longIfLarge(Math.ceil(fields.size / CAPPED_BYTES_STEP) * CAPPED_BYTES_STEP));
      add('max', fields.max === undefined || fields.max <= 0 ? undefined : longIfLarge(fields.max));
    } else if (fields.size !== undefined || fields.max !== undefined) {
      throw failed(72, `the 'capped' field needs to be true when either the 'size' or 'max' fields are present`);
    }
    if (fields.validator !== undefined) {
      compileFilter(fields.validator, { allow: { text: false, where: false, near: false } });
      if (['admin', 'config', 'local'].includes(database))
        throw failed(72, `Document validators are not allowed on collections in the ${database} database`);
    }
    add('validator', fields.validator);
    add('validationLevel', fields.validationLevel ?? (fields.validator === undefined ? undefined : 'strict'));
    add('validationAction', fields.validationAction ?? (fields.validator === undefined ? undefined : 'error'));
    const collation = fields.collation === undefined ? undefined : parseCollation(fields.collation);
    const collationOptions = collation === undefined ? undefined : Doc.of({ ...collation.spec });
    add('viewOn', fields.viewOn);
    if (fields.viewOn !== undefined) add('pipeline', fields.pipeline ?? []);
    else if (fields.pipeline !== undefined) throw failed(72, "'pipeline' requires 'viewOn' to also be specified");
    add('collation', collationOptions);
    if (fields.timeseries !== undefined) options.append('timeseries', timeSeries(fields.timeseries));
    add(
      'expireAfterSeconds',
      fields.expireAfterSeconds === undefined ? undefined : longIfLarge(fields.expireAfterSeconds),
    );
    if (
      fields.expireAfterSeconds !== undefined &&
      fields.timeseries === undefined &&
      fields.clusteredIndex === undefined
    ) {
      throw failed(
        72,
        "'expireAfterSeconds' is only supported on time-series collections or when the 'clusteredIndex' option is specified",
      );
    }
    const clustered = clusteredIndex(fields.clusteredIndex);
    add('clusteredIndex', clustered);
    add('changeStreamPreAndPostImages', fields.changeStreamPreAndPostImages);
    add('storageEngine', fields.storageEngine);
    add('indexOptionDefaults', fields.indexOptionDefaults);
    const type: CollectionType =
      fields.viewOn !== undefined ? 'view' : fields.timeseries !== undefined ? 'timeseries' : 'collection';
    const indexes =
      type !== 'collection' || clustered !== undefined ? [] : [{ spec: idIndexSpec(collationOptions), ready: true }];
    const draft: CollectionDraft = { database, name, type, options, indexes };
    await context.storage.write((scope) => {
      const existing = scope.store.catalog.find(scope.tx, database, name);
      if (existing === undefined) {
        createCollection(scope, draft);
        return;
      }
      if (existing.type === type && valuesEqual(existing.options, options)) return;
      const uuid = existing.uuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
      const shown = formatDocument(existing.options).replace(/^\{ ?/, '');
      throw failed(
        48,
        type === 'view' && existing.type !== 'view'
          ? `Collection ${database}.${name} already exists.`
          : `namespace ${database}.${name} already exists, but with different options: { uuid: UUID("${uuid}")${shown === '}' ? ' }' : `, ${shown}`}`,
      );
    });
    return new Doc();
  },
});

function longIfLarge(number: number): Value {
  return number > 0x7fff_ffff ? BigInt(number) : number;
}

function timeSeries(given: Doc): Doc {
  const timeField = given.get('timeField');
  if (typeof timeField !== 'string')
    throw failed(40414, "BSON field 'create.timeseries.timeField' is missing but a required field");
  const metaField = given.get('metaField');
  if (metaField === '_id') throw failed(72, "The field '_id' cannot be used as metaField");
  if (metaField === timeField) throw failed(72, 'The timeField and metaField must not be the same');
  const granularity = given.get('granularity');
  const options = Doc.of({ timeField, metaField });
  const spans: Readonly<Record<string, number>> = { seconds: 3600, minutes: 86_400, hours: 2_592_000 };
  if (given.has('bucketMaxSpanSeconds')) {
    options.append('bucketMaxSpanSeconds', given.get('bucketMaxSpanSeconds') ?? 3600);
    options.append(
      'bucketRoundingSeconds',
      given.get('bucketRoundingSeconds') ?? given.get('bucketMaxSpanSeconds') ?? 3600,
    );
    return options;
  }
  const unit = typeof granularity === 'string' ? granularity : 'seconds';
  const span = spans[unit];
  if (span === undefined)
    throw failed(2, `Enumeration value '${unit}' for field 'create.timeseries.granularity' is not a valid value.`);
  return options.append('granularity', unit).append('bucketMaxSpanSeconds', span);
}

function clusteredIndex(value: Value | undefined): Doc | undefined {
  if (value === undefined || value === false) return undefined;
  if (value === true) return Doc.of({ v: 2, key: Doc.of({ _id: 1 }), name: '_id_', unique: true });
  if (!(value instanceof Doc))
    throw failed(14, "BSON field 'create.clusteredIndex' is the wrong type, expected types '[bool, object]'");
  const key = value.get('key');
  if (!(key instanceof Doc) || key.size !== 1 || key.get('_id') !== 1) {
    throw failed(197, 'The clusteredIndex option is not supported for key: only { _id: 1 } is allowed');
  }
  if (value.get('unique') !== true)
    throw failed(5979700, 'The clusteredIndex option requires unique: true to be specified');
  return Doc.of({ v: 2, key, name: value.get('name') ?? '_id_', unique: true });
}
