/** `$fill`: null and missing values replaced by a value, the one before, or one on the line between neighbours. */
import { DocumentError, failedToParse } from '../../errors.js';
import { Doc, formatDocument, isArrayValue, typeName, type Value } from '../../values.js';
import { addFields } from './add-fields.js';
import { setWindowFields } from './set-window-fields.js';
import { type CompileStage, type Stage, stageOf } from './stage.js';

export const fill: CompileStage = (argument, context, specification) => {
  if (!(argument instanceof Doc))
    throw failedToParse(`The argument to $fill must be an object, found ${typeName(argument)}`);
  for (const name of argument.keys()) {
    if (!['partitionBy', 'partitionByFields', 'sortBy', 'output'].includes(name)) {
      throw new DocumentError(40415, `BSON field '$fill.${name}' is an unknown field.`);
    }
  }
  const output = argument.get('output');
  if (!(output instanceof Doc))
    throw new DocumentError(40414, "BSON field '$fill.output' is missing but a required field");
  if (output.isEmpty) throw new DocumentError(6050203, 'The output field must be an object with at least one element');
  const windows = new Doc();
  const values = new Doc();
  for (const [path, how] of output) {
    if (!(how instanceof Doc) || how.size !== 1) {
      throw new DocumentError(
        6050200,
        `Each output field must be an object with exactly one of 'value' or 'method': ${path}`,
      );
    }
    const [kind, value] = [how.nameAt(0), how.at(0) ?? null];
    if (kind === 'value') values.append(path, Doc.of({ $ifNull: [`$${path}`, value] }));
    else if (kind === 'method') windows.append(path, new Doc().append(methodOf(value), `$${path}`));
    else throw new DocumentError(6050200, `Unknown way to fill: ${formatDocument(how)}`);
  }
  const stages: Stage[] = [];
  if (!windows.isEmpty) {
    const window = new Doc();
    const partition = partitionOf(argument);
    if (partition !== undefined) window.append('partitionBy', partition);
    const sortBy = argument.get('sortBy');
    if (sortBy !== undefined) window.append('sortBy', sortBy);
    window.append('output', windows);
    stages.push(setWindowFields(window, context, Doc.of({ $setWindowFields: window })));
  }
  if (!values.isEmpty) stages.push(addFields(values, context, Doc.of({ $addFields: values })));
  return stageOf(specification, {
    open: (input, run) => stages.reduce((source, stage) => stage.open(source, run), input),
  });
};

function methodOf(value: Value): string {
  if (value === 'locf') return '$locf';
  if (value === 'linear') return '$linearFill';
  throw new DocumentError(6050202, `Method must be either 'locf' or 'linear'`);
}

function partitionOf(argument: Doc): Value | undefined {
  const [expression, fields] = [argument.get('partitionBy'), argument.get('partitionByFields')];
  if (expression !== undefined && fields !== undefined) {
    throw new DocumentError(
      6050204,
      "Maximum one of 'partitionBy' and 'partitionByFields' can be specified in '$fill'",
    );
  }
  if (!isArrayValue(fields)) return expression;
  const partition = new Doc();
  for (const [index, field] of fields.entries())
    partition.append(`p${index}`, typeof field === 'string' ? `$${field}` : field);
  return partition;
}
