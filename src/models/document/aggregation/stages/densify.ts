/** `$densify`: documents for the steps of a number or date at which there are none. */
import { DocumentError } from '../../errors.js';
import { parseFieldPath } from '../../query/field-path.js';
import {
  compareValues,
  DateTime,
  Doc,
  equalityKey,
  getPath,
  isArrayValue,
  isNumber,
  type NumberValue,
  toDouble,
  toInteger,
  typeName,
  type Value,
} from '../../values.js';
import { multiplyNumbers } from '../expressions/arithmetic.js';
import { addUnits, parseUnit, type TimeUnit } from '../expressions/dates/steps.js';
import { integerValue, kindOf, Summation, widerKind } from '../expressions/numbers.js';
import { isNullish } from '../expressions/operator.js';
import { type CompileStage, drain, inBatches, lazySource, stageOf } from './stage.js';
import { replaceAt } from './unwind.js';

/** Documents that one stage makes (`internalQueryMaxAllowedDensifyDocs`). */
const MADE_MAX = 500_000;

interface Range {
  readonly step: NumberValue;
  readonly unit: TimeUnit | undefined;
  readonly bounds: 'full' | 'partition' | readonly [Value, Value];
}

interface Partition {
  readonly key: readonly (Value | undefined)[];
  readonly documents: { readonly value: Value; readonly document: Doc }[];
}

export const densify: CompileStage = (argument, { environment }, specification) => {
  if (!(argument instanceof Doc)) {
    throw new DocumentError(5733201, `The $densify stage specification must be an object, found ${typeName(argument)}`);
  }
  for (const name of argument.keys()) {
    if (!['field', 'partitionByFields', 'range'].includes(name)) {
      throw new DocumentError(40415, `BSON field '$densify.${name}' is an unknown field.`);
    }
  }
  const field = argument.get('field');
  if (typeof field !== 'string')
    throw new DocumentError(40414, "BSON field '$densify.field' is missing but a required field");
  if (field.startsWith('$'))
    throw new DocumentError(
      16410,
      "FieldPath field names may not start with '$'. Consider using $getField or $setField.",
    );
  const path = parseFieldPath(field);
  const names = partitionFields(argument.get('partitionByFields'), field);
  const range = parseRange(argument.get('range'));
  const { collation } = environment;
  return stageOf(specification, {
    open: (input, run) =>
      lazySource(
        async () => {
          const untouched: Doc[] = [];
          const partitions = new Map<string, Partition>();
          await drain(input, run, (document) => {
            const value = getPath(document, path);
            if (isNullish(value)) {
              untouched.push(document);
              return;
            }
            checkValue(value, range);
            const key = names.map((parts) => getPath(document, parts));
            const id = key
              .map((part) => equalityKey(part, collation))
              .map((part) => `${String(part).length}:${part}`)
              .join('');
            const found = partitions.get(id);
            if (found === undefined) partitions.set(id, { key, documents: [{ value, document }] });
            else found.documents.push({ value, document });
          });
          return inBatches([...untouched, ...densified([...partitions.values()], path, names, range)]);
        },
        () => input.close(),
      ),
  });
};

function partitionFields(value: Value | undefined, field: string): readonly (readonly string[])[] {
  if (value === undefined) return [];
  if (!isArrayValue(value))
    throw new DocumentError(
      14,
      `BSON field '$densify.partitionByFields' is the wrong type '${typeName(value)}', expected type 'array'`,
    );
  return value.map((name) => {
    if (typeof name !== 'string')
      throw new DocumentError(14, "BSON field '$densify.partitionByFields' must be an array of strings");
    if (name === field || name.startsWith(`${field}.`) || field.startsWith(`${name}.`)) {
      throw new DocumentError(
        8993000,
        "BSON field '$densify.partitionByFields' contains a field that is or overlaps with '$densify.field'",
      );
    }
    return parseFieldPath(name);
  });
}

function parseRange(value: Value | undefined): Range {
  if (!(value instanceof Doc))
    throw new DocumentError(40414, "BSON field '$densify.range' is missing but a required field");
  const [step, unit, bounds] = [value.get('step'), value.get('unit'), value.get('bounds')];
  if (!isNumber(step))
    throw new DocumentError(40414, "BSON field '$densify.range.step' is missing but a required field");
  if (!((toDouble(step) ?? 0) > 0))
    throw new DocumentError(
      5733401,
      'The step parameter in a range statement must be a strictly positive numeric value',
    );
  if (unit !== undefined && typeof unit !== 'string')
    throw new DocumentError(14, "BSON field '$densify.range.unit' must be a string");
  const parsed = unit === undefined ? undefined : parseUnit(unit);
  if (parsed !== undefined && toInteger(step) === undefined) {
    throw new DocumentError(
      6586400,
      'The step parameter in a range satement must be a whole number when densifying a date range',
    );
  }
  return { step, unit: parsed, bounds: parseBounds(bounds, parsed) };
}

function parseBounds(bounds: Value | undefined, unit: TimeUnit | undefined): Range['bounds'] {
  if (bounds === 'full' || bounds === 'partition') return bounds;
  if (typeof bounds === 'string') {
    throw new DocumentError(5946802, "Bounds string must either be 'full' or 'partition'");
  }
  if (!isArrayValue(bounds))
    throw new DocumentError(
      5733404,
      "The bounds in a range statement must be the string 'full', 'partition', or an array with two elements",
    );
  const [low, high] = bounds;
  if (bounds.length !== 2 || low === undefined || high === undefined) {
    throw new DocumentError(5733403, 'A bounding array in a range statement must have exactly two elements');
  }
  if (compareValues(low, high) >= 0) {
    throw new DocumentError(5733402, 'A bounding array must be an ascending array of either two dates or two numbers');
  }
  if (unit === undefined ? !isNumber(low) || !isNumber(high) : !(low instanceof DateTime && high instanceof DateTime)) {
    throw new DocumentError(
      5733405,
      unit === undefined
        ? 'Numeric bounds may not have unit parameter'
        : 'A bounding array must contain either both dates or both numeric types',
    );
  }
  return [low, high];
}

function checkValue(value: Value, { unit }: Range): void {
  if (unit === undefined && !isNumber(value)) {
    throw new DocumentError(5733201, 'Densify field type must be numeric');
  }
  if (unit !== undefined && !(value instanceof DateTime)) {
    throw new DocumentError(6053600, 'Encountered non-date value in collection when unit is present');
  }
}

/** The value `count` steps after another. */
function stepped(from: Value, count: number, { step, unit }: Range): Value {
  if (from instanceof DateTime) {
    return new DateTime(addUnits(from.ms, unit ?? 'millisecond', count * Number(toInteger(step) ?? 1n)));
  }
  if (!isNumber(from)) return from;
  const sum = new Summation();
  sum.add(from);
  sum.add(multiplyNumbers(step, integerValue(BigInt(count), widerKind(kindOf(step), 'int'))));
  return sum.value;
}

function densified(
  partitions: readonly Partition[],
  path: readonly string[],
  names: readonly (readonly string[])[],
  range: Range,
): Doc[] {
  const { bounds } = range;
  for (const { documents } of partitions) documents.sort((a, b) => compareValues(a.value, b.value));
  const ends = partitions.flatMap(({ documents }) => [
    documents[0]?.value ?? null,
    documents[documents.length - 1]?.value ?? null,
  ]);
  ends.sort((a, b) => compareValues(a, b));
  const results: Doc[] = [];
  let made = 0;
  const merge = ({ key, documents }: Partition): void => {
    const explicit = typeof bounds === 'string' ? undefined : bounds;
    const low = explicit?.[0] ?? (bounds === 'full' ? ends[0] : documents[0]?.value) ?? null;
    const high =
      explicit?.[1] ?? (bounds === 'full' ? ends[ends.length - 1] : documents[documents.length - 1]?.value) ?? null;
    let next = 0;
    const pass = (below: Value | undefined): void => {
      for (let entry = documents[next]; entry !== undefined; entry = documents[next]) {
        if (below !== undefined && compareValues(entry.value, below) >= 0) return;
        results.push(entry.document);
        next++;
      }
    };
    for (let count = 0; ; count++) {
      const value = stepped(low, count, range);
      const order = compareValues(value, high);
      if (explicit === undefined ? order > 0 : order >= 0) break;
      pass(value);
      const there = documents[next];
      if (there !== undefined && compareValues(there.value, value) === 0) continue;
      if (++made > MADE_MAX) {
        throw new DocumentError(
          5897900,
          `Generated ${made} documents in $densify, which is over the limit of ${MADE_MAX}. Increase the 'internalQueryMaxAllowedDensifyDocs' parameter to allow more generated documents`,
        );
      }
      let document = new Doc();
      for (const [i, parts] of names.entries()) {
        const part = key[i];
        if (part !== undefined) document = replaceAt(document, parts, 0, part);
      }
      results.push(replaceAt(document, path, 0, value));
    }
    pass(undefined);
  };
  // With bounds of its own, an empty input is one partition.
  if (partitions.length === 0 && typeof bounds !== 'string' && names.length === 0) merge({ key: [], documents: [] });
  for (const partition of partitions) merge(partition);
  return results;
}
