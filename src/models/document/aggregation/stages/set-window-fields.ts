/** `$setWindowFields`: fields computed from the documents around each one, partition by partition. */
import { DocumentError } from '../../errors.js';
import { parseFieldPath } from '../../query/field-path.js';
import { Sort } from '../../query/sort.js';
import { compareValues, Doc, encodeDocument, equalityKey, isArrayValue, typeName, type Value } from '../../values.js';
import { compileExpression } from '../expressions/expression.js';
import { documentBytes, memoryExceeded, STAGE_BYTES_MAX } from '../memory.js';
import { compileWindowFunction, type WindowFunction } from '../windows/functions.js';
import { type CompileStage, disjoint, enter, inBatches, keepMetadata, lazySource, type Run, stageOf } from './stage.js';
import { replaceAt } from './unwind.js';

interface Output {
  readonly path: readonly string[];
  readonly window: WindowFunction;
}

export const setWindowFields: CompileStage = (argument, { environment }, specification) => {
  if (!(argument instanceof Doc)) {
    throw new DocumentError(
      9,
      `the $setWindowFields stage specification must be an object, found ${typeName(argument)}`,
    );
  }
  for (const name of argument.keys()) {
    if (!['partitionBy', 'sortBy', 'output'].includes(name)) {
      throw new DocumentError(40415, `BSON field '$setWindowFields.${name}' is an unknown field.`);
    }
  }
  const partitionBy = argument.get('partitionBy');
  const partition = partitionBy === undefined ? undefined : compileExpression(partitionBy, environment);
  const sortBy = argument.get('sortBy');
  const sort = sortBy instanceof Doc ? Sort.parse(sortBy, environment.collation) : undefined;
  const fields = argument.get('output');
  if (!(fields instanceof Doc)) {
    throw new DocumentError(40414, "BSON field '$setWindowFields.output' is missing but a required field");
  }
  const outputs = [...fields].map(
    ([path, value]): Output => ({
      path: parseFieldPath(path),
      window: compileWindowFunction(path, value, environment, sort),
    }),
  );
  const keyOf = (value: Value): string | number => equalityKey(value, environment.collation);
  return stageOf(specification, {
    // A condition on what the partitions are made of takes whole partitions away.
    passes: (paths) =>
      partition?.path !== undefined &&
      [...paths].every((path) => path === partition.path) &&
      disjoint(paths, fields.keys()),
    open: (input, run) =>
      lazySource(
        async () => {
          const partitions = new Map<string | number, { readonly value: Value; readonly documents: Doc[] }>();
          const limit = run.context.stageBytesMax ?? STAGE_BYTES_MAX;
          let bytes = 0;
          for (let batch = await input.next(); batch !== undefined; batch = await input.next()) {
            for (const document of batch) {
              const value = partition?.evaluate(enter(run, document)) ?? null;
              if (isArrayValue(value)) {
                throw new DocumentError(14, 'An expression used to partition cannot evaluate to value of type array');
              }
              const key = keyOf(value);
              const found = partitions.get(key);
              if (found === undefined) partitions.set(key, { value, documents: [document] });
              else found.documents.push(document);
              bytes += documentBytes(document);
            }
            if (bytes > limit) throw memoryExceeded('$setWindowFields', limit, bytes);
            const turn = run.context.breathe();
            if (turn !== undefined) await turn;
          }
          const ordered = [...partitions.values()].sort((a, b) =>
            compareValues(a.value, b.value, environment.collation),
          );
          return inBatches(ordered.flatMap(({ documents }) => computed(inOrder(documents, sort), outputs, run)));
        },
        () => input.close(),
      ),
  });
};

function inOrder(documents: readonly Doc[], sort: Sort | undefined): readonly Doc[] {
  if (sort === undefined) return documents;
  return documents
    .map((document) => ({ document, key: sort.key(document.source ?? encodeDocument(document)) }))
    .sort((a, b) => sort.compare(a.key, b.key))
    .map(({ document }) => document);
}

function computed(partition: readonly Doc[], outputs: readonly Output[], run: Run): Doc[] {
  const columns = outputs.map(({ window }) => window.compute(partition, run));
  return partition.map((document, row) => {
    let result = document;
    for (const [i, { path }] of outputs.entries()) {
      const value = columns[i]?.[row];
      if (value !== undefined) result = replaceAt(result, path, 0, value);
    }
    keepMetadata(run, document, result);
    return result;
  });
}
