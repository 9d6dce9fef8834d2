import { openQuery } from '../../../models/document/queries.js';
import { distinctValues } from '../../../models/document/query/distinct.js';
import { Doc, equalityKey, type Value, valueBytes } from '../../../models/document/values.js';
import { collectionOf, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, object, required, string } from '../fields.js';
import { openPipeline, VIEW_OPTIONS } from '../pipelines.js';
import { collationOf, filterOf, hintOf, lookUp } from '../query-options.js';

const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export const distinct = defineCommand({
  name: 'distinct',
  help: 'the different values of a field',
  subject: 'collection',
  fields: {
    key: required(string()),
    query: object(),
    collation: object(),
    hint: any(),
    collectionUUID: any(),
    encryptionInformation: any(),
  },
  inTransaction: true,
  apiVersion1: false,
  reads: true,
  actions: ['find'],
  async run(context, fields) {
    const name = collectionOf(context);
    const collection = await lookUp(context, name);
    const collation = collationOf(fields.collation, collection);
    if (fields.key === '') throw failed(40352, 'FieldPath cannot be constructed with empty string');
    if (fields.key.includes('\0')) throw failed(31032, 'Key field cannot contain an embedded null byte');
    const query = fields.query ?? new Doc();
    const values = new Map<string | number, Value>();
    const source =
      collection?.type === 'view'
        ? await openPipeline(context, {
            ...VIEW_OPTIONS,
            collection: name,
            stages: [Doc.of({ $match: query })],
            collation: fields.collation,
          })
        : await openQuery(context.storage, {
            namespace: { database: context.database, name },
            filter: filterOf(query, collation),
            query,
            sort: undefined,
            skip: 0,
            limit: 0,
            collation,
            hint: hintOf(fields.hint),
            breathe: () => context.operation.breathe(),
          });
    let bytes = 0;
    const collect = distinctValues(fields.key);
    const add = (value: Value): void => {
      const key = equalityKey(value, collation);
      if (values.has(key)) return;
      values.set(key, value);
      bytes += valueBytes(value) + 10;
      if (bytes > ANSWER_BYTES_MAX) throw failed(17217, 'distinct too big, 16mb cap');
    };
    try {
      for (let batch = await source?.next(); batch !== undefined; batch = await source?.next()) {
        for (const document of batch) collect(document, 0, add);
      }
    } finally {
      source?.close();
    }
    return Doc.of({ values: [...values.values()] });
  },
});
