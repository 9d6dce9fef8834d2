import { dropDatabase as drop } from '../../../models/document/ddl.js';
import { Doc } from '../../../models/document/values.js';
import { defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any } from '../fields.js';

export const dropDatabase = defineCommand({
  name: 'dropDatabase',
  help: 'removes a database with all its collections',
  subject: 'any',
  fields: { comment: any() },
  apiVersion1: true,
  writes: true,
  actions: ['dropDatabase'],
  async run(context) {
    const { database } = context;
    if (['admin', 'config', 'local'].includes(database)) {
      throw failed(20, `Dropping the '${database}' database is prohibited.`);
    }
    const existed = await context.storage.write((scope) => drop(scope, database));
    context.server.dropped((cursor) => cursor.namespace.startsWith(`${database}.`));
    return existed ? Doc.of({ dropped: database }) : new Doc();
  },
});
