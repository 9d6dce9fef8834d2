import { Doc } from '../../../models/document/bson/document.js';
import { collectionOf, defineCommand } from '../command.js';
import { array, required, wrongType } from '../fields.js';

export const killCursors = defineCommand({
  name: 'killCursors',
  help: 'ends cursors',
  subject: 'collection',
  fields: { cursors: required(array()) },
  inTransaction: true,
  apiVersion1: true,
  actions: ['killCursors'],
  run(context, fields) {
    collectionOf(context);
    const killed: bigint[] = [];
    const notFound: bigint[] = [];
    fields.cursors.forEach((value, i) => {
      const id = typeof value === 'number' ? BigInt(value) : value;
      if (typeof id !== 'bigint') throw wrongType(value, `killCursors.cursors.${i}`, 'long');
      (context.server.cursors.kill(id) ? killed : notFound).push(id);
    });
    return Doc.of({ cursorsKilled: killed, cursorsNotFound: notFound, cursorsAlive: [], cursorsUnknown: [] });
  },
});
