import { Index } from '../../../models/document/indexes/index.js';
import { convertToUnique } from '../../../models/document/indexes/unique.js';
import { samePattern } from '../../../models/document/planner/choose.js';
import { compileFilter } from '../../../models/document/query/filter.js';
import { numberOf } from '../../../models/document/scalars.js';
import { Doc, encodeDocument, isArrayValue, type Value } from '../../../models/document/values.js';
import { collectionOf, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, array, bool, integer, nested, object, oneOf, string } from '../fields.js';

export const collMod = defineCommand({
  name: 'collMod',
  help: "changes a collection's options and indexes",
  subject: 'collection',
  fields: {
    index: nested({
      keyPattern: object(),
      name: string(),
      expireAfterSeconds: integer({ min: 0 }),
      hidden: bool(),
      unique: bool(),
      prepareUnique: bool(),
    }),
    validator: object(),
    validationLevel: oneOf('off', 'strict', 'moderate'),
    validationAction: oneOf('error', 'warn'),
    viewOn: string(),
    pipeline: array(),
    expireAfterSeconds: any(),
    timeseries: object(),
    changeStreamPreAndPostImages: object(),
    cappedSize: integer(),
    cappedMax: integer(),
    dryRun: bool(),
    recordPreImages: bool(),
  },
  apiVersion1: true,
  writes: true,
  actions: ['collMod'],
  async run(context, fields) {
    const name = collectionOf(context);
    if (fields.validator !== undefined)
      compileFilter(fields.validator, { allow: { text: false, where: false, near: false } });
    return context.storage.write((scope) => {
      const collection = scope.store.catalog.find(scope.tx, context.database, name);
      if (collection === undefined) throw failed(26, `ns does not exist: ${context.database}.${name}`);
      const reply = new Doc();
      const options = collection.options.copy();
      const set = (field: string, value: Value | undefined): void => {
        if (value !== undefined) options.set(field, value);
      };
      set('validator', fields.validator);
      set(
        'validationLevel',
        fields.validationLevel ??
          (fields.validator !== undefined && !options.has('validationLevel') ? 'strict' : undefined),
      );
      set(
        'validationAction',
        fields.validationAction ??
          (fields.validator !== undefined && !options.has('validationAction') ? 'error' : undefined),
      );
      if (fields.viewOn !== undefined || fields.pipeline !== undefined) {
        if (collection.type !== 'view') throw failed(72, 'option not supported on a collection: viewOn');
        if (fields.viewOn === undefined || fields.pipeline === undefined)
          throw failed(72, "Must specify both 'viewOn' and 'pipeline' when modifying a view");
        set('viewOn', fields.viewOn);
        set('pipeline', isArrayValue(fields.pipeline) ? fields.pipeline : []);
      }
      set('changeStreamPreAndPostImages', fields.changeStreamPreAndPostImages);
      if (fields.expireAfterSeconds === 'off') options.delete('expireAfterSeconds');
      else if (fields.expireAfterSeconds !== undefined) set('expireAfterSeconds', fields.expireAfterSeconds as Value);
      if (fields.cappedSize !== undefined || fields.cappedMax !== undefined) {
        if (!collection.capped) throw failed(72, 'Collection must be capped.');
        set('size', fields.cappedSize);
        set('max', fields.cappedMax);
      }
      if (fields.timeseries !== undefined) changeGranularity(options, fields.timeseries);
      let changed = collection.withOptions(options);
      if (fields.index !== undefined) {
        const { index: wanted } = fields;
        const found = changed.indexes.filter((index) =>
          wanted.name === undefined
            ? wanted.keyPattern !== undefined && samePattern(index.keyPattern, wanted.keyPattern)
            : index.name === wanted.name,
        );
        const [index] = found;
        if (index === undefined)
          throw failed(27, `cannot find index ${wanted.name ?? ''} for ns ${context.database}.${name}`);
        const spec = Doc.fromBytes(index.spec).copy();
        if (wanted.expireAfterSeconds !== undefined) {
          const old = spec.get('expireAfterSeconds');
          if (old !== undefined) reply.append('expireAfterSeconds_old', BigInt(numberOf(old) ?? 0));
          reply.append('expireAfterSeconds_new', BigInt(wanted.expireAfterSeconds));
          spec.set('expireAfterSeconds', wanted.expireAfterSeconds);
        }
        if (wanted.hidden !== undefined) {
          if (index.isId) throw failed(2, "can't hide _id index");
          reply.append('hidden_old', index.hidden).append('hidden_new', wanted.hidden);
          if (wanted.hidden) spec.set('hidden', true);
          else spec.delete('hidden');
        }
        if (wanted.prepareUnique !== undefined) {
          reply.append('prepareUnique_old', index.prepareUnique).append('prepareUnique_new', wanted.prepareUnique);
          if (wanted.prepareUnique) spec.set('prepareUnique', true);
          else spec.delete('prepareUnique');
        }
        if (wanted.unique === true && !index.unique) {
          convertToUnique(scope, changed, index, fields.dryRun === true);
          if (fields.dryRun === true) return reply;
          spec.delete('prepareUnique');
          spec.set('unique', true);
          reply.append('unique_new', true);
        }
        const replaced = new Index(index.id, encodeDocument(spec), index.ready);
        changed = changed.withIndexes(changed.indexes.map((other) => (other === index ? replaced : other)));
      }
      if (fields.dryRun === true) return reply;
      scope.store.catalog.save(scope.tx, changed);
      const command = Doc.of({ collMod: name });
      for (const [field, value] of context.body) {
        if (!field.startsWith('$') && field !== 'collMod' && field !== 'lsid') command.append(field, value);
      }
      scope.log({ operation: 'c', database: context.database, command, uuid: collection.uuid });
      return reply;
    });
  },
});

const GRANULARITIES = ['seconds', 'minutes', 'hours'];

function changeGranularity(options: Doc, wanted: Doc): void {
  const current = options.get('timeseries');
  const granularity = wanted.get('granularity');
  if (!(current instanceof Doc) || typeof granularity !== 'string')
    throw failed(72, 'option only supported on a time-series collection: timeseries');
  const before = current.get('granularity');
  if (GRANULARITIES.indexOf(granularity) < GRANULARITIES.indexOf(typeof before === 'string' ? before : 'seconds')) {
    throw failed(
      72,
      "Invalid transition for timeseries.granularity. Can only transition from 'seconds' to 'minutes' or 'minutes' to 'hours'.",
    );
  }
  const spans: Readonly<Record<string, number>> = { seconds: 3600, minutes: 86_400, hours: 2_592_000 };
  options.set(
    'timeseries',
    current
      .copy()
      .set('granularity', granularity)
      .set('bucketMaxSpanSeconds', spans[granularity] ?? 3600),
  );
}
