/** `$unset`: takes a field away. */
import type { OperatorParser } from '../operator.js';

export const unset: OperatorParser = () => ({
  name: '$unset',
  unreachable: 'ignore',
  update: () => ({ kind: 'remove' }),
  create: () => undefined,
});
