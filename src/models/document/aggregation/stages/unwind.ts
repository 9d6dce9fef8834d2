/** `$unwind`: a document for each element of an array. */
import { DocumentError } from '../../errors.js';
import { parseFieldPath } from '../../query/field-path.js';
import { Doc, isArrayValue, typeName, type Value } from '../../values.js';
import { type CompileStage, disjoint, keepMetadata, mapBatches, stageOf } from './stage.js';

interface Unwind {
  readonly path: readonly string[];
  readonly indexPath: readonly string[] | undefined;
  readonly preserve: boolean;
}

export const unwind: CompileStage = (argument, _, specification) => {
  const parsed = parseUnwind(argument);
  const changed = [parsed.path.join('.'), ...(parsed.indexPath === undefined ? [] : [parsed.indexPath.join('.')])];
  return stageOf(specification, {
    passes: (paths) => disjoint(paths, changed),
    open: (input, run) =>
      mapBatches(input, (batch) => {
        const results: Doc[] = [];
        for (const document of batch) {
          for (const result of unwound(document, parsed)) {
            keepMetadata(run, document, result);
            results.push(result);
          }
        }
        return results;
      }),
  });
};

function parseUnwind(argument: Value): Unwind {
  let path: Value | undefined = argument;
  let preserve = false;
  let indexPath: string | undefined;
  if (argument instanceof Doc) {
    path = undefined;
    for (const [name, value] of argument) {
      if (name === 'path') {
        if (typeof value !== 'string') {
          throw new DocumentError(28808, `expected a string as the path for $unwind stage, got ${typeName(value)}`);
        }
        path = value;
      } else if (name === 'preserveNullAndEmptyArrays') {
        if (typeof value !== 'boolean') {
          throw new DocumentError(
            28809,
            `expected a boolean for the preserveNullAndEmptyArrays option to $unwind stage, got ${typeName(value)}`,
          );
        }
        preserve = value;
      } else if (name === 'includeArrayIndex') {
        if (typeof value !== 'string') {
          throw new DocumentError(
            28810,
            `expected a non-empty string for the includeArrayIndex  option to $unwind stage, got ${typeName(value)}`,
          );
        }
        if (value === '') {
          throw new DocumentError(
            28810,
            `expected a non-empty string for the includeArrayIndex  option to $unwind stage, got string`,
          );
        }
        if (value.startsWith('$')) {
          throw new DocumentError(
            28822,
            `includeArrayIndex option to $unwind stage should not be prefixed with a '$': ${value}`,
          );
        }
        indexPath = value;
      } else throw new DocumentError(28811, `unrecognized option to $unwind stage: ${name}`);
    }
  } else if (typeof argument !== 'string') {
    throw new DocumentError(
      15981,
      `expected either a string or an object as specification for $unwind stage, got ${typeName(argument)}`,
    );
  }
  if (typeof path !== 'string' || path === '') throw new DocumentError(28812, 'no path specified to $unwind stage');
  if (!path.startsWith('$')) {
    throw new DocumentError(28818, `path option to $unwind stage should be prefixed with a '$': ${path}`);
  }
  return {
    path: parseFieldPath(path.slice(1)),
    indexPath: indexPath === undefined ? undefined : parseFieldPath(indexPath),
    preserve,
  };
}

function unwound(document: Doc, { path, indexPath, preserve }: Unwind): readonly Doc[] {
  let value: Value | undefined = document;
  for (const part of path) value = value instanceof Doc ? value.get(part) : undefined;
  const indexed = (result: Doc, index: bigint | null): Doc =>
    indexPath === undefined ? result : replaceAt(result, indexPath, 0, index);
  if (!isArrayValue(value)) {
    if (value !== undefined && value !== null && typeName(value) !== 'undefined') return [indexed(document, null)];
    return preserve ? [indexed(document, null)] : [];
  }
  if (value.length === 0) return preserve ? [indexed(replaceAt(document, path, 0, undefined), null)] : [];
  return value.map((element, index) => indexed(replaceAt(document, path, 0, element), BigInt(index)));
}

/** A copy with another value at a path; undefined removes it. Documents on the way are made where they lack. */
export function replaceAt(document: Doc, path: readonly string[], depth: number, value: Value | undefined): Doc {
  const name = path[depth] ?? '';
  const result = document.copy();
  if (depth < path.length - 1) {
    const inner = document.get(name);
    result.set(name, replaceAt(inner instanceof Doc ? inner : new Doc(), path, depth + 1, value));
  } else if (value === undefined) result.delete(name);
  else result.set(name, value);
  return result;
}
