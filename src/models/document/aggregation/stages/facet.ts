/** `$facet`: several pipelines over the same documents, each an array of the one result. */
import { DocumentError } from '../../errors.js';
import { DOCUMENT_BYTES_MAX, Doc, isArrayValue, typeName, type Value } from '../../values.js';
import { compileStages } from '../compile-stages.js';
import { documentBytes, memoryExceeded, STAGE_BYTES_MAX } from '../memory.js';
import { openStages } from '../open-stages.js';
import { collect } from '../sub-pipeline.js';
import { stagesOf } from './lookup.js';
import { type CompileStage, inBatches, stageOf } from './stage.js';

export const facet: CompileStage = (argument, { environment, depth }, specification) => {
  if (!(argument instanceof Doc) || argument.isEmpty) {
    throw new DocumentError(40169, `the $facet specification must be a non-empty object`);
  }
  const facets = [...argument].map(([name, value]) => {
    if (!isArrayValue(value)) {
      throw new DocumentError(40170, `arguments to $facet must be arrays, ${name} is type ${typeName(value)}`);
    }
    if (value.some((stage) => !(stage instanceof Doc))) {
      throw new DocumentError(
        40171,
        `elements of arrays in $facet spec must be non-empty objects, ${name} argument contained an element of type ${typeName(value.find((stage) => !(stage instanceof Doc)))}`,
      );
    }
    if (name.includes('.') || name.startsWith('$')) {
      throw new DocumentError(
        16410,
        "FieldPath field names may not start with '$'. Consider using $getField or $setField.",
      );
    }
    return { name, stages: compileStages(stagesOf(value), environment, 'facet', depth + 1) };
  });
  return stageOf(specification, {
    open: (input, run) => {
      let done = false;
      return {
        async next() {
          if (done) return undefined;
          done = true;
          const limit = run.context.stageBytesMax ?? STAGE_BYTES_MAX;
          let bytes = 0;
          // Every facet reads the same batches, one facet after the other.
          const documents: Doc[] = [];
          for (let batch = await input.next(); batch !== undefined; batch = await input.next()) {
            for (const document of batch) {
              documents.push(document);
              bytes += documentBytes(document);
            }
            if (bytes > limit) throw memoryExceeded('$facet', limit, bytes);
          }
          const result = new Doc();
          let total = 0;
          for (const { name, stages } of facets) {
            const batches = inBatches(documents);
            const source = openStages(
              stages,
              {
                next: async () => {
                  const step = batches.next();
                  return step.done === true ? undefined : step.value;
                },
                close: () => undefined,
              },
              run,
            );
            const found: Value[] = await collect(source, run);
            for (const document of found) total += document instanceof Doc ? documentBytes(document) : 0;
            if (total > limit) {
              throw new DocumentError(
                17419,
                `document constructed by $facet is ${total} bytes, which exceeds the limit of ${Math.max(limit, DOCUMENT_BYTES_MAX)} bytes`,
              );
            }
            result.append(name, found);
          }
          return [result];
        },
        close: () => input.close(),
      };
    },
  });
};
