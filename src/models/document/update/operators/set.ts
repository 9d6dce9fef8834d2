/** `$set`: a value. It changes nothing when the same bytes are there already; another number type counts as a change. */
import { identical } from '../../values.js';
import { type OperatorParser, SAME, set as setTo } from '../operator.js';

export const set: OperatorParser = (argument) => ({
  name: '$set',
  unreachable: 'create',
  update: (value) => (identical(value, argument) ? SAME : setTo(argument)),
  create: () => argument,
});
