/** `$bucketAuto`: groups of about the same size, by the order of a value. */
import { DocumentError } from '../../errors.js';
import {
  compareValues,
  Doc,
  double,
  equalityKey,
  isNumber,
  toDouble,
  toInteger,
  typeName,
  type Value,
} from '../../values.js';
import { compileExpression, type Evaluate } from '../expressions/expression.js';
import { documentBytes, noDiskUse, STAGE_BYTES_MAX } from '../memory.js';
import { checkGroupBy, outputFields } from './bucket.js';
import { type Granularity, granularityOf } from './granularity.js';
import type { GroupField } from './group.js';
import { type CompileStage, type DocSource, enter, inBatches, lazySource, type Run, stageOf } from './stage.js';

interface Entry {
  readonly value: Value;
  readonly document: Doc;
}

interface Bucket {
  min: Value;
  max: Value;
  readonly entries: Entry[];
}

export const bucketAuto: CompileStage = (argument, { environment }, specification) => {
  if (!(argument instanceof Doc)) {
    throw new DocumentError(
      40240,
      `The argument to $bucketAuto must be an object, but found type: ${typeName(argument)}.`,
    );
  }
  for (const name of argument.keys()) {
    if (!['groupBy', 'buckets', 'output', 'granularity'].includes(name)) {
      throw new DocumentError(40245, `Unrecognized option to $bucketAuto: ${name}.`);
    }
  }
  const groupBy = argument.get('groupBy');
  const buckets = argument.get('buckets');
  if (groupBy === undefined || buckets === undefined) {
    throw new DocumentError(40246, "$bucketAuto requires 'groupBy' and 'buckets' to be specified.");
  }
  checkGroupBy('$bucketAuto', groupBy, 40239);
  const count = bucketCount(buckets);
  const by = compileExpression(groupBy, environment).evaluate;
  const fields = outputFields(argument.get('output'), environment, 40244);
  const rounding = granularityArgument(argument.get('granularity'));
  return stageOf(specification, {
    open: (input, run) =>
      lazySource(
        async () => {
          const entries = await read(input, run, by, rounding !== undefined);
          entries.sort((a, b) => compareValues(a.value, b.value, environment.collation));
          const made = divide(entries, count, rounding, (value) => equalityKey(value, environment.collation));
          return inBatches(made.map((bucket) => result(bucket, fields, run)));
        },
        () => input.close(),
      ),
  });
};

function bucketCount(value: Value): number {
  if (!isNumber(value)) {
    throw new DocumentError(
      40241,
      `The $bucketAuto 'buckets' field must be a numeric value, but found type: ${typeName(value)}.`,
    );
  }
  const whole = toInteger(value);
  if (whole === undefined || whole > 0x7fff_ffffn) {
    throw new DocumentError(
      40242,
      `The $bucketAuto 'buckets' field must be representable as a 32-bit integer, but found ${toDouble(value)}`,
    );
  }
  if (whole <= 0n)
    throw new DocumentError(40243, `The $bucketAuto 'buckets' field must be greater than 0, but found: ${whole}`);
  return Number(whole);
}

function granularityArgument(value: Value | undefined): Granularity | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') {
    throw new DocumentError(
      40261,
      `The $bucketAuto 'granularity' field must be a string, but found type: ${typeName(value)}.`,
    );
  }
  return granularityOf(value);
}

async function read(input: DocSource, run: Run, by: Evaluate, numeric: boolean): Promise<Entry[]> {
  const entries: Entry[] = [];
  const limit = run.context.stageBytesMax ?? STAGE_BYTES_MAX;
  let bytes = 0;
  for (let batch = await input.next(); batch !== undefined; batch = await input.next()) {
    for (const document of batch) {
      const value = by(enter(run, document)) ?? null;
      if (numeric) checkNumeric(value);
      entries.push({ value, document });
      bytes += documentBytes(document);
    }
    if (bytes > limit && !run.context.allowDiskUse) throw noDiskUse('$bucketAuto');
  }
  return entries;
}

function checkNumeric(value: Value): void {
  if (!isNumber(value)) {
    throw new DocumentError(
      40258,
      `$bucketAuto can specify a 'granularity' with numeric boundaries only, but found a value with type: ${typeName(value)}`,
    );
  }
  const number = toDouble(value) ?? Number.NaN;
  if (Number.isNaN(number)) {
    throw new DocumentError(
      40259,
      "$bucketAuto can specify a 'granularity' with numeric boundaries only, but found a NaN",
    );
  }
  if (number < 0) {
    throw new DocumentError(
      40260,
      "$bucketAuto can specify a 'granularity' with non-negative numbers only, but found a negative number",
    );
  }
}

function divide(
  entries: readonly Entry[],
  count: number,
  rounding: Granularity | undefined,
  keyOf: (value: Value) => string | number,
): Bucket[] {
  const size = Math.max(1, Math.round(entries.length / count));
  const buckets: Bucket[] = [];
  let next = 0;
  while (next < entries.length && buckets.length < count) {
    const first = entries[next];
    if (first === undefined) break;
    const last = buckets.length === count - 1;
    let end = last ? entries.length : Math.min(entries.length, next + size);
    let max = entries[end - 1]?.value ?? null;
    if (rounding !== undefined) {
      const boundary = rounding.up(toDouble(max) ?? 0);
      max = double(boundary);
      while (
        end < entries.length &&
        (boundary === 0 ? toDouble(entries[end]?.value) === 0 : (toDouble(entries[end]?.value) ?? 0) < boundary)
      )
        end++;
    } else while (end < entries.length && keyOf(entries[end]?.value ?? null) === keyOf(max)) end++;
    const before = buckets[buckets.length - 1];
    const min =
      rounding === undefined ? first.value : (before?.max ?? double(rounding.down(toDouble(first.value) ?? 0)));
    // Without rounding, a bucket ends where the next begins.
    if (before !== undefined && rounding === undefined) before.max = min;
    buckets.push({ min, max, entries: entries.slice(next, end) });
    next = end;
  }
  return buckets;
}

function result({ min, max, entries }: Bucket, fields: readonly GroupField[], run: Run): Doc {
  const document = new Doc().append('_id', Doc.of({ min, max }));
  const states = fields.map(({ plan }) => plan.create(run.scope.enter(new Doc())));
  for (const { document: input } of entries) {
    const scope = enter(run, input);
    for (const [i, { plan }] of fields.entries()) states[i]?.add(plan.evaluate(scope));
  }
  for (const [i, { name }] of fields.entries()) document.append(name, states[i]?.result ?? null);
  return document;
}
