/**
 * `$group`, in one pass over its input. Groups live in a hash table; when memory is used up, documents of groups that are
 * not in it are put aside on disk by a hash of their key, and each part is grouped by itself afterwards.
 */

import { DocumentError } from '../../errors.js';
import { parseFieldPath } from '../../query/field-path.js';
import { type Collation, Doc, encodeDocument, equalityKey, formatDocument, type Value } from '../../values.js';
import type { Accumulator, AccumulatorPlan } from '../accumulators/accumulator.js';
import { compileAccumulator } from '../accumulators/registry.js';
import { compileExpression, type Evaluate } from '../expressions/expression.js';
import { approximateBytes, memoryExceeded, noDiskUse, STAGE_BYTES_MAX } from '../memory.js';
import type { Environment, Scope } from '../scope.js';
import { SpillFile } from '../spill.js';
import { BATCH_DOCUMENTS, type CompileStage, type DocSource, enter, type Run, type Stage, stageOf } from './stage.js';

const PARTITIONS = 16;
/** Times a part may be parted again; then it is all one group, or nearly. */
const LEVELS_MAX = 4;
/** Memory of a group beside its values. */
const GROUP_BYTES = 200;

export interface GroupField {
  readonly name: string;
  readonly plan: AccumulatorPlan;
}

export const group: CompileStage = (argument, { environment }, specification) => {
  if (!(argument instanceof Doc)) throw new DocumentError(15947, "a group's fields must be specified in an object");
  let id: Evaluate | undefined;
  const fields: GroupField[] = [];
  for (const [name, value] of argument) {
    if (name === '_id') {
      if (id !== undefined) throw new DocumentError(15948, "a group's _id may only be specified once");
      id = compileId(value, environment);
    } else if (name === '$doingMerge') {
      throw new DocumentError(17030, '$doingMerge should be true if present');
    } else {
      if (name.includes('.')) throw new DocumentError(40235, `The field name '${name}' cannot contain '.'`);
      if (name.startsWith('$')) {
        throw new DocumentError(40236, `The field name '${name}' cannot be an operator name`);
      }
      fields.push({ name, plan: compileAccumulator(name, value, environment) });
    }
  }
  if (id === undefined) throw new DocumentError(15955, 'a group specification must include an _id');
  return grouping(specification, id, fields, environment);
};

function compileId(value: Value, environment: Environment): Evaluate {
  if (value instanceof Doc && !value.isEmpty && !(value.nameAt(0) ?? '').startsWith('$')) {
    for (const name of value.keys()) {
      if (name.startsWith('$')) {
        throw new DocumentError(
          15983,
          `an expression specification must contain exactly one field, the name of the expression. Found ${value.size} fields in ${formatDocument(value)}`,
        );
      }
      parseFieldPath(name);
    }
  }
  return compileExpression(value, environment).evaluate;
}

/** The stage that groups by `id`; `$bucket` and `$sortByCount` are made of it. */
export function grouping(
  specification: Doc,
  id: Evaluate,
  fields: readonly GroupField[],
  environment: Environment,
): Stage {
  return stageOf(specification, {
    open: (input, run) => {
      const grouper = new Grouper(run, id, fields, environment.collation);
      let batches: AsyncIterator<readonly Doc[]> | undefined;
      return {
        async next() {
          batches ??= grouper.batches(input);
          const step = await batches.next();
          return step.done === true ? undefined : step.value;
        },
        close() {
          grouper.close();
          input.close();
        },
      };
    },
  });
}

interface Group {
  readonly id: Value;
  readonly states: readonly Accumulator[];
}

class Grouper {
  private readonly bytesMax: number;
  private readonly files = new Set<SpillFile>();

  constructor(
    private readonly run: Run,
    private readonly id: Evaluate,
    private readonly fields: readonly GroupField[],
    private readonly collation: Collation | undefined,
  ) {
    this.bytesMax = run.context.stageBytesMax ?? STAGE_BYTES_MAX;
  }

  async *batches(input: DocSource, level = 0): AsyncGenerator<readonly Doc[]> {
    const table = new GroupTable(this.fields, this.collation);
    let parts: SpillFile[] | undefined;
    for (let batch = await input.next(); batch !== undefined; batch = await input.next()) {
      for (const document of batch) {
        const scope = enter(this.run, document);
        const id = this.id(scope) ?? null;
        const key = table.keyOf(id);
        const known = table.get(key);
        if (known === undefined && parts !== undefined) {
          await parts[partitionOf(key, level)]?.write(encodeDocument(document));
          continue;
        }
        table.add(known ?? table.create(key, id, scope.enter(idDocument(id))), scope.enter(document));
      }
      if (table.bytes > this.bytesMax) parts = await this.overflow(table, parts, level);
      const turn = this.run.context.breathe();
      if (turn !== undefined) await turn;
    }
    yield* table.results();
    for (const part of parts ?? []) {
      await part.finish();
      yield* this.batches(sourceOf(part), level + 1);
      this.files.delete(part);
      part.remove();
    }
  }

  private async overflow(table: GroupTable, parts: SpillFile[] | undefined, level: number): Promise<SpillFile[]> {
    if (!this.run.context.allowDiskUse) throw noDiskUse('$group');
    // The groups that are there grow on; twice the limit is for the few that gather very much.
    if (table.bytes > 2 * this.bytesMax && parts !== undefined) {
      throw memoryExceeded('$push', this.bytesMax, table.bytes);
    }
    if (parts !== undefined) return parts;
    if (level >= LEVELS_MAX) throw memoryExceeded('$group', this.bytesMax, table.bytes);
    const files: SpillFile[] = [];
    for (let i = 0; i < PARTITIONS; i++) {
      const file = await SpillFile.create(this.run.context.spillDirectory);
      files.push(file);
      this.files.add(file);
    }
    return files;
  }

  close(): void {
    for (const file of this.files) file.remove();
    this.files.clear();
  }
}

function idDocument(id: Value): Doc {
  return id instanceof Doc ? id : EMPTY;
}

const EMPTY = new Doc();

function sourceOf(file: SpillFile): DocSource {
  const documents = file.read();
  return {
    async next() {
      const batch: Doc[] = [];
      while (batch.length < BATCH_DOCUMENTS) {
        const step = await documents.next();
        if (step.done === true) break;
        batch.push(Doc.fromBytes(step.value));
      }
      return batch.length === 0 ? undefined : batch;
    },
    close: () => undefined,
  };
}

function partitionOf(key: string | number, level: number): number {
  const text = String(key);
  let hash = Math.imul(level + 1, 0x9e37_79b1);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  hash ^= hash >>> 15;
  return (hash >>> 0) % PARTITIONS;
}

class GroupTable {
  private readonly groups = new Map<string | number, Group>();
  /** Bytes of groups; the accumulators that hold values are asked. */
  private held = 0;

  constructor(
    private readonly fields: readonly GroupField[],
    private readonly collation: Collation | undefined,
  ) {}

  keyOf(id: Value): string | number {
    if (typeof id === 'string' && this.collation === undefined) return `s${id}`;
    return equalityKey(id, this.collation);
  }

  get(key: string | number): Group | undefined {
    return this.groups.get(key);
  }

  create(key: string | number, id: Value, scope: Scope): Group {
    const created: Group = { id, states: this.fields.map(({ plan }) => plan.create(scope)) };
    this.groups.set(key, created);
    this.held += GROUP_BYTES + approximateBytes(id) + 64 * this.fields.length;
    return created;
  }

  add({ states }: Group, scope: Scope): void {
    for (let i = 0; i < states.length; i++) {
      const state = states[i];
      if (state === undefined) continue;
      const before = state.bytes;
      state.add(this.fields[i]?.plan.evaluate(scope));
      this.held += state.bytes - before;
    }
  }

  get bytes(): number {
    return this.held;
  }

  *results(): Generator<readonly Doc[]> {
    let batch: Doc[] = [];
    for (const { id, states } of this.groups.values()) {
      const result = new Doc().append('_id', id);
      for (let i = 0; i < states.length; i++) {
        const value = states[i]?.result;
        result.append(this.fields[i]?.name ?? '', value ?? null);
      }
      batch.push(result);
      if (batch.length >= BATCH_DOCUMENTS) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  }
}
