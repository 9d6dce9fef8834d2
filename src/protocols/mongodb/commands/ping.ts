import { Doc } from '../../../models/document/bson/document.js';
import { defineCommand } from '../command.js';

export const ping = defineCommand({
  name: 'ping',
  help: 'answers',
  subject: 'any',
  fields: {},
  lenient: true,
  beforeLogin: true,
  apiVersion1: true,
  run: () => new Doc(),
});
