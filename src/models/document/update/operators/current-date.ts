/** `$currentDate`: the time as a date or a timestamp. */
import { badValue } from '../../errors.js';
import { DateTime, Doc, typeName, type Value } from '../../values.js';
import { type OperatorParser, set, type UpdateContext } from '../operator.js';

export const currentDate: OperatorParser = (argument) => {
  const timestamp = parseType(argument) === 'timestamp';
  const time = ({ now, timestamp: tick }: UpdateContext): Value => (timestamp ? tick() : new DateTime(now));
  return {
    name: '$currentDate',
    unreachable: 'create',
    update: (_value, _place, context) => set(time(context)),
    create: (_place, context) => time(context),
  };
};

function parseType(argument: Value): 'date' | 'timestamp' {
  if (typeof argument === 'boolean') return 'date';
  if (!(argument instanceof Doc)) {
    throw badValue(
      `${typeName(argument)} is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'}).`,
    );
  }
  let type: 'date' | 'timestamp' | undefined;
  for (const [name, value] of argument) {
    if (name !== '$type') throw badValue(`Unrecognized $currentDate option: ${name}`);
    if (value === 'date' || value === 'timestamp') type = value;
  }
  if (type === undefined) {
    throw badValue(
      "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: 'date'}}}",
    );
  }
  return type;
}
