/** `$merge`: the documents into a collection, one by one by a key. */
import type { Namespace } from '../../collections.js';
import { DocumentError } from '../../errors.js';
import { parseFieldPath } from '../../query/field-path.js';
import { Doc, formatValue, getPath, isArrayValue, ObjectId, typeName, type Value } from '../../values.js';
import { compileStages } from '../compile-stages.js';
import type { AggregationWriter, MergeMatched, MergeNotMatched, MergeOperation } from '../context.js';
import { bindVariables, inDatabase } from './lookup.js';
import { type CompileStage, enter, type Run, type StageContext, stageOf } from './stage.js';

const MATCHED = ['replace', 'keepExisting', 'merge', 'fail'] as const;
const NOT_MATCHED = ['insert', 'discard', 'fail'] as const;

interface MergeSpec {
  readonly into: Namespace;
  readonly on: readonly string[] | undefined;
  readonly whenMatched: (document: Doc, run: Run) => MergeMatched;
  readonly whenNotMatched: MergeNotMatched;
}

export const merge: CompileStage = (argument, context, specification) => {
  const spec = parseMerge(argument, context);
  return stageOf(specification, {
    writes: true,
    open: (input, run) => ({
      async next() {
        const { writer } = run.context;
        if (writer === undefined)
          throw new DocumentError(
            263,
            'Operation not permitted in transaction :: caused by :: Aggregation stage $merge cannot run within a multi-document transaction.',
          );
        const target = inDatabase(spec.into, run);
        const on = spec.on ?? ['_id'];
        if (spec.on !== undefined) await checkUnique(writer, target, on);
        for (let batch = await input.next(); batch !== undefined; batch = await input.next()) {
          await writer.merge(
            target,
            batch.map((document) => operationOf(document, spec, on, run)),
          );
          const turn = run.context.breathe();
          if (turn !== undefined) await turn;
        }
        return undefined;
      },
      close: () => input.close(),
    }),
  });
};

async function checkUnique(writer: AggregationWriter, target: Namespace, on: readonly string[]): Promise<void> {
  if (on.length === 1 && on[0] === '_id') return;
  if (await writer.hasUniqueIndex(target, on)) return;
  throw new DocumentError(51183, 'Cannot find index to verify that join fields will be unique');
}

function operationOf(document: Doc, spec: MergeSpec, on: readonly string[], run: Run): MergeOperation {
  const withId = document.has('_id') ? document : document.copy().prepend('_id', ObjectId.generate());
  const key = on.map((path): readonly [string, Value] => {
    const value = getPath(path === '_id' ? withId : document, path.split('.'));
    if (value === undefined || value === null) {
      throw new DocumentError(51132, "$merge write error: 'on' field cannot be missing, null, undefined or an array");
    }
    if (isArrayValue(value)) {
      throw new DocumentError(51185, "$merge write error: 'on' field cannot be missing, null, undefined or an array");
    }
    return [path, value];
  });
  return {
    // The key decides which document it is: an `_id` made up here is for inserting only.
    document: spec.on === undefined ? withId : document,
    key,
    whenMatched: spec.whenMatched(document, run),
    whenNotMatched: spec.whenNotMatched,
  };
}

function parseMerge(argument: Value, context: StageContext): MergeSpec {
  if (typeof argument === 'string') {
    return { into: intoOf(argument), on: undefined, whenMatched: () => 'merge', whenNotMatched: 'insert' };
  }
  if (!(argument instanceof Doc)) {
    throw new DocumentError(51182, `$merge requires a string or object argument, but found ${typeName(argument)}`);
  }
  for (const name of argument.keys()) {
    if (
      ![
        'into',
        'on',
        'let',
        'whenMatched',
        'whenNotMatched',
        'targetCollectionVersion',
        'allowMergeOnNullishValues',
      ].includes(name)
    ) {
      throw new DocumentError(40415, `BSON field '$merge.${name}' is an unknown field.`);
    }
  }
  const into = argument.get('into');
  if (into === undefined) throw new DocumentError(40414, "BSON field '$merge.into' is missing but a required field");
  const notMatched = argument.get('whenNotMatched') ?? 'insert';
  const whenNotMatched = NOT_MATCHED.find((mode) => mode === notMatched);
  if (whenNotMatched === undefined) {
    throw new DocumentError(
      2,
      `Enumeration value '${typeof notMatched === 'string' ? notMatched : formatValue(notMatched)}' for field '$merge.whenNotMatched' is not a valid value.`,
    );
  }
  return {
    into: intoOf(into),
    on: onOf(argument.get('on')),
    whenMatched: matchedOf(argument, context),
    whenNotMatched,
  };
}

function intoOf(value: Value): Namespace {
  if (typeof value === 'string') {
    if (value === '') throw new DocumentError(5786800, "Invalid $merge 'into' field: collection name is empty");
    return { database: '', name: value };
  }
  if (!(value instanceof Doc)) {
    throw new DocumentError(
      51178,
      `$merge 'into' field  must be either a string or an object, but found ${typeName(value)}`,
    );
  }
  const [database, name] = [value.get('db'), value.get('coll')];
  if (typeof name !== 'string' || name === '')
    throw new DocumentError(5786801, "$merge 'into' field must specify a 'coll'");
  return { database: typeof database === 'string' ? database : '', name };
}

function onOf(value: Value | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const paths = isArrayValue(value) ? value : [value];
  if (!isArrayValue(value) && typeof value !== 'string') {
    throw new DocumentError(
      51186,
      `$merge 'on' field  must be either a string or an array of strings, but found ${typeName(value)}`,
    );
  }
  if (paths.length === 0)
    throw new DocumentError(51187, "If explicitly specifying $merge 'on', must include at least one field");
  const names = paths.map((path) => {
    if (typeof path !== 'string')
      throw new DocumentError(51134, `$merge 'on' array elements must be strings, but found ${typeName(path)}`);
    return parseFieldPath(path).join('.');
  });
  if (new Set(names).size < names.length)
    throw new DocumentError(31465, `Found a duplicate field '${names.find((name, i) => names.indexOf(name) !== i)}'`);
  return names;
}

function matchedOf(argument: Doc, { environment, depth }: StageContext): MergeSpec['whenMatched'] {
  const value = argument.get('whenMatched') ?? 'merge';
  if (!isArrayValue(value)) {
    if (argument.has('let'))
      throw new DocumentError(51199, `Cannot use 'let' variables with 'whenMatched: ${formatValue(value)}' mode`);
    const mode = MATCHED.find((name) => name === value);
    if (mode === undefined) {
      throw new DocumentError(
        2,
        `Enumeration value '${typeof value === 'string' ? value : formatValue(value)}' for field '$merge.whenMatched' is not a valid value.`,
      );
    }
    return () => mode;
  }
  const stages = value.map((stage) => {
    if (stage instanceof Doc) return stage;
    throw new DocumentError(51191, '$merge whenMatched pipeline must be an array of objects');
  });
  const given = argument.get('let') ?? Doc.of({ new: '$$ROOT' });
  if (given instanceof Doc && given.has('new') && given.get('new') !== '$$ROOT') {
    throw new DocumentError(51273, "'let' may not define a value for the reserved 'new' variable other than '$$ROOT'");
  }
  const { inner, variables } = bindVariables(given, environment);
  const { environment: withNew, slot } = inner.withVariable('new');
  const transforms = compileStages(stages, withNew, 'update', depth + 1).flatMap(({ transform }) => transform ?? []);
  return (document, run) => {
    const values = variables.map(({ slot: bound, expression }) => ({
      bound,
      value: expression.evaluate(enter(run, document)),
    }));
    return (existing) => {
      const { scope } = run;
      for (const { bound, value: bind } of values) scope.variables[bound] = bind;
      scope.variables[slot] = document;
      let result = existing;
      for (const transform of transforms) result = transform(result, scope.enter(result));
      return result;
    };
  };
}
