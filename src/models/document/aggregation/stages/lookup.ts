/**
 * `$lookup`: documents of another collection beside each document. An equality is a hash join: the other collection is
 * read once, or, where an index makes looking for values cheap, once for each batch with the values of the batch.
 */

import type { Namespace } from '../../collections.js';
import { DocumentError, failedToParse } from '../../errors.js';
import { parseFieldPath } from '../../query/field-path.js';
import {
  type Collation,
  compareValues,
  DOCUMENT_BYTES_MAX,
  Doc,
  equalityKey,
  formatValue,
  isArrayValue,
  Regex,
  typeName,
  type Value,
} from '../../values.js';
import { compileExpression, type Expression } from '../expressions/expression.js';
import { askedValues, matchableValues } from '../foreign-values.js';
import { documentBytes, STAGE_BYTES_MAX } from '../memory.js';
import { checkVariableName, type Environment } from '../scope.js';
import { collect, SubPipeline } from '../sub-pipeline.js';
import {
  type CompileStage,
  type DocSource,
  disjoint,
  enter,
  keepMetadata,
  type Run,
  type StageContext,
  stageOf,
} from './stage.js';
import { replaceAt } from './unwind.js';

/** Documents of a batch joined at once. */
const JOIN_DOCUMENTS = 256;

interface LookupSpec {
  readonly from: Namespace | undefined;
  readonly as: readonly string[];
  readonly local: readonly string[] | undefined;
  readonly foreign: string | undefined;
  readonly variables: readonly { readonly slot: number; readonly expression: Expression }[];
  readonly pipeline: SubPipeline;
  /** The pipeline gives the same for every document. */
  readonly correlated: boolean;
}

export const lookup: CompileStage = (argument, context, specification) => {
  if (!(argument instanceof Doc))
    throw failedToParse(`the $lookup stage specification must be an object, but found ${typeName(argument)}`);
  const spec = parseLookup(argument, context);
  const { collation } = context.environment;
  return stageOf(specification, {
    oneToOne: true,
    passes: (paths) => disjoint(paths, [spec.as.join('.')]),
    open: (input, run) => joined(input, run, spec, collation),
  });
};

const FIELDS = ['from', 'as', 'localField', 'foreignField', 'let', 'pipeline', '_internalCollation', '_internalUnwind'];

function parseLookup(argument: Doc, { environment, depth }: StageContext): LookupSpec {
  const text = new Map<string, string>();
  for (const [name, value] of argument) {
    if (!FIELDS.includes(name)) throw failedToParse(`unknown argument to $lookup: ${name}`);
    if (name === 'let' || name === 'pipeline') continue;
    if (name === 'from' && value instanceof Doc) continue;
    if (typeof value !== 'string') {
      throw failedToParse(
        `$lookup argument '${name}: ${formatValue(value)}' must be a string, found ${typeName(value)}`,
      );
    }
    text.set(name, value);
  }
  const as = text.get('as');
  if (as === undefined) throw failedToParse("must specify 'as' field for a $lookup");
  const [local, foreign] = [text.get('localField'), text.get('foreignField')];
  if ((local === undefined) !== (foreign === undefined)) {
    throw failedToParse("$lookup requires both or neither of 'localField' and 'foreignField' to be specified");
  }
  const stages = argument.get('pipeline');
  if (stages === undefined && argument.has('let')) {
    throw failedToParse("$lookup with a 'let' argument must also specify 'pipeline'");
  }
  if (stages === undefined && local === undefined) {
    throw failedToParse("$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified");
  }
  const { inner, variables } = bindVariables(argument.get('let'), environment);
  const pipeline = new SubPipeline(stagesOf(stages ?? []), inner, 'lookup', depth + 1);
  const from = text.get('from');
  if (from === undefined && !(argument.get('from') instanceof Doc) && !pipeline.hasOwnSource) {
    throw failedToParse("must specify 'from' field for a $lookup");
  }
  if (local !== undefined) environment.dependencies.paths.add(local);
  return {
    from: namespaceOf(argument.get('from')),
    as: parseFieldPath(as),
    local: local === undefined ? undefined : parseFieldPath(local),
    foreign: foreign === undefined ? undefined : parseFieldPath(foreign).join('.'),
    variables,
    pipeline,
    correlated: variables.length > 0,
  };
}

/** A name in the pipeline's own database, which is filled in when it is opened, or `{db, coll}`. */
export function namespaceOf(value: Value | undefined): Namespace | undefined {
  if (typeof value === 'string') return { database: '', name: value };
  if (!(value instanceof Doc)) return undefined;
  const [database, name] = [value.get('db'), value.get('coll')];
  if (typeof name !== 'string')
    throw failedToParse(`$lookup argument 'from: ${formatValue(value)}' must be a string, found object`);
  return { database: typeof database === 'string' ? database : '', name };
}

export function inDatabase(namespace: Namespace, run: Run): Namespace {
  return namespace.database === '' ? { database: run.context.database, name: namespace.name } : namespace;
}

export function stagesOf(value: Value): Doc[] {
  if (!isArrayValue(value)) throw new DocumentError(14, `'pipeline' option must be specified as an array`);
  return value.map((stage) => {
    if (stage instanceof Doc) return stage;
    throw new DocumentError(14, `Each element of the 'pipeline' array must be an object`);
  });
}

export function bindVariables(
  value: Value | undefined,
  environment: Environment,
): { inner: Environment; variables: { slot: number; expression: Expression }[] } {
  if (value !== undefined && !(value instanceof Doc)) {
    throw failedToParse(`$lookup argument 'let: ${formatValue(value)}' must be an object, is type ${typeName(value)}`);
  }
  let inner = environment;
  const variables: { slot: number; expression: Expression }[] = [];
  for (const [name, expression] of value ?? new Doc()) {
    checkVariableName(name);
    const compiled = compileExpression(expression, environment);
    const { environment: next, slot } = inner.withVariable(name);
    inner = next;
    variables.push({ slot, expression: compiled });
  }
  return { inner, variables };
}

function joined(input: DocSource, run: Run, spec: LookupSpec, collation: Collation | undefined): DocSource {
  const join = new Join(run, spec, collation);
  let pending: Doc[] = [];
  return {
    async next() {
      if (pending.length === 0) {
        const batch = await input.next();
        if (batch === undefined) return undefined;
        pending = [...batch];
      }
      const part = pending.splice(0, JOIN_DOCUMENTS);
      return join.apply(part);
    },
    close: () => input.close(),
  };
}

/** The documents of one side by the values they can be found by. */
class Matches {
  private readonly byValue = new Map<string | number, number[]>();

  constructor(
    readonly documents: readonly Doc[],
    path: readonly string[],
    private readonly collation: Collation | undefined,
  ) {
    for (const [index, document] of documents.entries()) {
      for (const value of matchableValues(document, path)) {
        const key = joinKey(value, collation);
        const list = this.byValue.get(key);
        if (list === undefined) this.byValue.set(key, [index]);
        else if (list[list.length - 1] !== index) list.push(index);
      }
    }
  }

  find(values: readonly Value[]): Doc[] {
    const [only] = values;
    let indexes: readonly number[];
    if (values.length === 1 && only !== undefined) indexes = this.byValue.get(joinKey(only, this.collation)) ?? [];
    else {
      const all = new Set(values.flatMap((value) => this.byValue.get(joinKey(value, this.collation)) ?? []));
      indexes = [...all].sort((a, b) => a - b);
    }
    return indexes.flatMap((index) => this.documents[index] ?? []);
  }
}

/** Undefined equals null here. */
function joinKey(value: Value, collation: Collation | undefined): string | number {
  const key = equalityKey(value, collation);
  return key === 'u' ? 'n' : key;
}

class Join {
  /** The whole other side, when it was read once for all. */
  private all: Matches | undefined;
  private indexed: boolean | undefined;
  private uncorrelated: readonly Doc[] | undefined;

  constructor(
    private readonly run: Run,
    private readonly spec: LookupSpec,
    private readonly collation: Collation | undefined,
  ) {}

  async apply(batch: readonly Doc[]): Promise<Doc[]> {
    const found = await this.foundFor(batch);
    return batch.map((document, index) => {
      const documents = found[index] ?? [];
      let bytes = 0;
      for (const match of documents) bytes += documentBytes(match);
      if (bytes > DOCUMENT_BYTES_MAX) {
        throw new DocumentError(
          4568,
          `Total size of documents in ${this.spec.from?.name ?? ''} matching pipeline's $lookup stage exceeds ${DOCUMENT_BYTES_MAX} bytes`,
        );
      }
      const result = replaceAt(document, this.spec.as, 0, documents);
      keepMetadata(this.run, document, result);
      return result;
    });
  }

  private async foundFor(batch: readonly Doc[]): Promise<readonly (readonly Doc[])[]> {
    const { local, correlated, pipeline } = this.spec;
    if (local !== undefined && !correlated && isPerDocument(pipeline)) return this.equalityFor(batch, local);
    const results: (readonly Doc[])[] = [];
    for (const document of batch) results.push(await this.pipelineFor(document));
    return results;
  }

  private get namespace(): Namespace | undefined {
    const { from } = this.spec;
    return from === undefined ? undefined : inDatabase(from, this.run);
  }

  /** The pipeline run for one document, with its variables and its join condition. */
  private async pipelineFor(document: Doc): Promise<readonly Doc[]> {
    const { local, foreign, variables, pipeline, correlated } = this.spec;
    if (!correlated && local === undefined && this.uncorrelated !== undefined) return this.uncorrelated;
    const scope = enter(this.run, document);
    for (const { slot, expression } of variables) scope.variables[slot] = expression.evaluate(scope);
    const condition =
      local === undefined || foreign === undefined ? undefined : equalsAny(foreign, askedValues(document, local));
    const found = await collect(await pipeline.open(this.run, this.namespace, condition), this.run);
    if (!correlated && local === undefined && this.isSmall(found)) this.uncorrelated = found;
    return found;
  }

  private isSmall(documents: readonly Doc[]): boolean {
    const limit = this.run.context.stageBytesMax ?? STAGE_BYTES_MAX;
    let bytes = 0;
    for (const document of documents) bytes += documentBytes(document);
    return bytes <= limit;
  }

  private async equalityFor(batch: readonly Doc[], local: readonly string[]): Promise<readonly (readonly Doc[])[]> {
    const foreign = this.spec.foreign ?? '';
    const path = foreign.split('.');
    const asked = batch.map((document) => askedValues(document, local));
    let matches = this.all;
    if (matches === undefined) {
      this.indexed ??= await this.hasIndex(foreign);
      matches = this.indexed
        ? await this.read(equalsAny(foreign, distinct(asked.flat(), this.collation)), path)
        : await this.readAll(path, foreign, asked);
    }
    const side = matches;
    return asked.map((values) => side.find(values));
  }

  private async hasIndex(path: string): Promise<boolean> {
    const { namespace } = this;
    return path === '_id' || (namespace !== undefined && (await this.run.context.hasIndex(namespace, path)));
  }

  /** Everything, to be kept; or, when that is too much, what this batch asks for. */
  private async readAll(path: readonly string[], foreign: string, asked: readonly Value[][]): Promise<Matches> {
    const limit = this.run.context.stageBytesMax ?? STAGE_BYTES_MAX;
    const source = await this.spec.pipeline.open(this.run, this.namespace);
    const documents: Doc[] = [];
    let bytes = 0;
    try {
      for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
        for (const document of batch) {
          documents.push(document);
          bytes += documentBytes(document);
        }
        if (bytes > limit) break;
        const turn = this.run.context.breathe();
        if (turn !== undefined) await turn;
      }
    } finally {
      source.close();
    }
    if (bytes > limit) {
      this.indexed = true;
      return this.read(equalsAny(foreign, distinct(asked.flat(), this.collation)), path);
    }
    this.all = new Matches(documents, path, this.collation);
    return this.all;
  }

  private async read(condition: Doc, path: readonly string[]): Promise<Matches> {
    const documents = await collect(await this.spec.pipeline.open(this.run, this.namespace, condition), this.run);
    return new Matches(documents, path, this.collation);
  }
}

/** Stages that treat each document by itself and leave the joined fields alone: only filters. */
function isPerDocument({ specifications }: SubPipeline): boolean {
  return specifications.every((stage) => stage.nameAt(0) === '$match');
}

function distinct(values: readonly Value[], collation: Collation | undefined): Value[] {
  const found = new Map<string | number, Value>();
  for (const value of values) found.set(joinKey(value, collation), value);
  return [...found.values()].sort((a, b) => compareValues(a, b));
}

/** Patterns are looked for as values. */
export function equalsAny(path: string, values: readonly Value[]): Doc {
  const patterns = values.filter((value) => value instanceof Regex);
  const others = values.filter((value) => !(value instanceof Regex));
  const [only] = others;
  const operator = others.length === 1 && only !== undefined ? Doc.of({ $eq: only }) : Doc.of({ $in: others });
  const plain = new Doc().append(path, operator);
  if (patterns.length === 0) return plain;
  return Doc.of({ $or: [plain, ...patterns.map((pattern) => new Doc().append(path, Doc.of({ $eq: pattern })))] });
}
