/** `$graphLookup`: what can be reached from a document over links between documents of a collection, breadth first. */
import { DocumentError } from '../../errors.js';
import { parseFieldPath } from '../../query/field-path.js';
import {
  Doc,
  equalityKey,
  formatValue,
  isArrayValue,
  isNumber,
  toInteger,
  typeName,
  type Value,
} from '../../values.js';
import { compileExpression } from '../expressions/expression.js';
import { askedValues } from '../foreign-values.js';
import { documentBytes, memoryExceeded, STAGE_BYTES_MAX } from '../memory.js';
import { collect, SubPipeline } from '../sub-pipeline.js';
import { equalsAny, inDatabase } from './lookup.js';
import { compileMatch } from './match.js';
import { type CompileStage, disjoint, enter, keepMetadata, mapBatches, type Run, stageOf } from './stage.js';
import { replaceAt } from './unwind.js';

const STRINGS = ['from', 'as', 'connectFromField', 'connectToField', 'depthField'];

export const graphLookup: CompileStage = (argument, { environment, depth }, specification) => {
  if (!(argument instanceof Doc)) {
    throw new DocumentError(
      40327,
      `the $graphLookup stage specification must be an object, but found ${typeName(argument)}`,
    );
  }
  const text = new Map<string, string>();
  let maxDepth = Number.POSITIVE_INFINITY;
  let restrict: Doc | undefined;
  let start: Value | undefined;
  for (const [name, value] of argument) {
    if (name === 'startWith') start = value;
    else if (name === 'maxDepth') maxDepth = depthOf(value);
    else if (name === 'restrictSearchWithMatch') {
      if (!(value instanceof Doc)) {
        throw new DocumentError(40185, `restrictSearchWithMatch must be an object, found ${typeName(value)}`);
      }
      restrict = value;
    } else if (STRINGS.includes(name)) {
      if (typeof value !== 'string') {
        throw new DocumentError(40103, `expected string as argument for ${name}, found: ${formatValue(value)}`);
      }
      text.set(name, value);
    } else throw new DocumentError(40104, `Unknown argument to $graphLookup: ${name}`);
  }
  const [from, as, connectFrom, connectTo] = ['from', 'as', 'connectFromField', 'connectToField'].map((name) =>
    text.get(name),
  );
  if (
    from === undefined ||
    as === undefined ||
    connectFrom === undefined ||
    connectTo === undefined ||
    start === undefined
  ) {
    throw new DocumentError(
      40105,
      "$graphLookup requires 'from', 'as', 'startWith', 'connectFromField', and 'connectToField' to be specified.",
    );
  }
  const startWith = compileExpression(start, environment);
  const depthField = text.get('depthField');
  if (restrict !== undefined) compileMatch(restrict, environment);
  const pipeline = new SubPipeline([], environment, 'lookup', depth + 1);
  const [asPath, fromPath, depthPath] = [
    parseFieldPath(as),
    parseFieldPath(connectFrom),
    depthField === undefined ? undefined : parseFieldPath(depthField),
  ];
  parseFieldPath(connectTo);

  const reachable = async (run: Run, first: Value | undefined): Promise<Doc[]> => {
    const { collation } = environment;
    const limit = run.context.stageBytesMax ?? STAGE_BYTES_MAX;
    const found = new Map<string | number, Doc>();
    const asked = new Set<string | number>();
    let bytes = 0;
    let frontier: Value[] = first === undefined ? [] : isArrayValue(first) ? [...first] : [first];
    for (let level = 0; level <= maxDepth && frontier.length > 0; level++) {
      const values = frontier.filter((value) => {
        const key = equalityKey(value, collation);
        return asked.has(key) ? false : asked.add(key).size > 0;
      });
      frontier = [];
      if (values.length === 0) break;
      const link = equalsAny(connectTo, values);
      const condition = restrict === undefined ? link : Doc.of({ $and: [link, restrict] });
      const source = await pipeline.open(run, inDatabase({ database: '', name: from }, run), condition);
      for (const document of await collect(source, run)) {
        const key = equalityKey(document.get('_id'), collation);
        if (found.has(key)) continue;
        found.set(key, depthPath === undefined ? document : replaceAt(document, depthPath, 0, BigInt(level)));
        bytes += documentBytes(document);
        frontier.push(...linksOf(document, fromPath));
      }
      if (bytes > limit) throw memoryExceeded('$graphLookup', limit, bytes);
    }
    return [...found.values()];
  };

  return stageOf(specification, {
    oneToOne: true,
    passes: (paths) => disjoint(paths, [as]),
    open: (input, run) =>
      mapBatches(input, async (batch) => {
        const results: Doc[] = [];
        for (const document of batch) {
          const first = startWith.evaluate(enter(run, document));
          const result = replaceAt(document, asPath, 0, await reachable(run, first));
          keepMetadata(run, document, result);
          results.push(result);
        }
        return results;
      }),
  });
};

/** A missing link leads nowhere, not to null. */
function linksOf(document: Doc, path: readonly string[]): Value[] {
  let value: Value | undefined = document;
  for (const part of path) {
    if (isArrayValue(value)) return askedValues(document, path);
    value = value instanceof Doc ? value.get(part) : undefined;
  }
  if (value === undefined) return [];
  return isArrayValue(value) ? [...value] : [value];
}

function depthOf(value: Value): number {
  if (!isNumber(value)) throw new DocumentError(40100, `maxDepth must be numeric, found type: ${typeName(value)}`);
  const whole = toInteger(value);
  if (whole === undefined) {
    throw new DocumentError(40102, `maxDepth could not be represented as a long long: ${formatValue(value)}`);
  }
  if (whole < 0n) throw new DocumentError(40101, `maxDepth requires a nonnegative argument, found: ${whole}`);
  return Number(whole);
}
