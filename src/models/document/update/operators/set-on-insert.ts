/** `$setOnInsert`: a value for documents that an upsert inserts; nothing for others. */
import { type OperatorParser, SAME, set } from '../operator.js';

export const setOnInsert: OperatorParser = (argument) => ({
  name: '$setOnInsert',
  unreachable: 'create',
  update: (_value, _place, { insert }) => (insert ? set(argument) : SAME),
  create: (_place, { insert }) => (insert ? argument : undefined),
});
