import { renameCollection as rename } from '../../../models/document/ddl.js';
import { checkNamespace } from '../../../models/document/namespaces.js';
import { Doc } from '../../../models/document/values.js';
import { defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any, required, string } from '../fields.js';

export const renameCollection = defineCommand({
  name: 'renameCollection',
  help: 'gives a collection another name, in another database too',
  subject: 'any',
  fields: { to: required(string()), dropTarget: any(), stayTemp: any(), collectionUUID: any() },
  adminOnly: true,
  writes: true,
  actions: ['renameCollectionSameDB'],
  async run(context, fields) {
    const from = context.body.at(0);
    if (typeof from !== 'string') throw failed(73, 'collection name has invalid type');
    const source = split(from);
    const target = split(fields.to);
    await context.storage.write((scope) =>
      rename(scope, source, target, {
        dropTarget: fields.dropTarget === true || typeof fields.dropTarget === 'object',
      }),
    );
    context.server.dropped((cursor) => cursor.namespace === from || cursor.namespace === fields.to);
    return new Doc();
  },
});

function split(namespace: string): { database: string; name: string } {
  const dot = namespace.indexOf('.');
  const parts =
    dot < 0 ? { database: namespace, name: '' } : { database: namespace.slice(0, dot), name: namespace.slice(dot + 1) };
  checkNamespace(parts.database, parts.name);
  return parts;
}
