/**
 * What an update changed, path by path: for change streams (`updateDescription`) and the oplog (`$v: 2` diffs).
 */
import { Doc, type Value } from '../values.js';

/** A path into a document; positions in arrays are numbers, names of fields strings. */
export type ChangedPath = readonly (string | number)[];

export type Entry =
  | {
      readonly kind: 'set';
      readonly path: ChangedPath;
      readonly value: Value /** The field was not there. */;
      readonly created: boolean;
    }
  | { readonly kind: 'unset'; readonly path: ChangedPath }
  | { readonly kind: 'truncate'; readonly path: ChangedPath; readonly size: number };

export interface UpdateDescription {
  /** Dotted path to new value. */
  readonly updatedFields: Doc;
  readonly removedFields: readonly string[];
  readonly truncatedArrays: readonly { readonly field: string; readonly newSize: number }[];
}

export class UpdateLog {
  private readonly list: Entry[] = [];

  get entries(): readonly Entry[] {
    return this.list;
  }

  set(path: ChangedPath, value: Value, created = false): void {
    this.list.push({ kind: 'set', path, value, created });
  }

  unset(path: ChangedPath): void {
    this.list.push({ kind: 'unset', path });
  }

  truncate(path: ChangedPath, size: number): void {
    this.list.push({ kind: 'truncate', path, size });
  }

  /** A place to {@link rollback} to. */
  mark(): number {
    return this.list.length;
  }

  /** Forgets the entries since the mark. */
  rollback(mark: number): void {
    this.list.length = mark;
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** First parts of the changed paths and the paths themselves, dotted: for index maintenance. */
  get paths(): readonly string[] {
    return this.list.map(({ path }) => path.join('.'));
  }

  describe(): UpdateDescription {
    const updatedFields = new Doc();
    const removedFields: string[] = [];
    const truncatedArrays: { field: string; newSize: number }[] = [];
    for (const entry of this.list) {
      const path = entry.path.join('.');
      if (entry.kind === 'set') updatedFields.set(path, entry.value);
      else if (entry.kind === 'unset') removedFields.push(path);
      else truncatedArrays.push({ field: path, newSize: entry.size });
    }
    return { updatedFields, removedFields, truncatedArrays };
  }

  /** The diff of an oplog entry: `{d: {removed: false}, u: {updated: v}, i: {inserted: v}, s<field>: {...}}`. */
  diff(): Doc {
    const root = new DiffNode();
    for (const entry of this.list) root.add(entry, 0);
    return root.encode();
  }
}

/** One level of a diff. */
class DiffNode {
  private array = false;
  private size: number | undefined;
  private readonly deleted = new Doc();
  private readonly updated = new Doc();
  private readonly inserted = new Doc();
  private readonly below = new Map<string, DiffNode>();

  add(entry: Entry, depth: number): void {
    const part = entry.path[depth];
    if (part === undefined) {
      if (entry.kind === 'truncate') {
        this.array = true;
        this.size = entry.size;
      }
      return;
    }
    if (typeof part === 'number') this.array = true;
    const last = depth === entry.path.length - 1;
    const name = String(part);
    if (last && entry.kind === 'unset') {
      this.deleted.set(name, false);
    } else if (last && entry.kind === 'set') {
      (entry.created && typeof part === 'string' ? this.inserted : this.updated).set(name, entry.value);
    } else {
      let child = this.below.get(name);
      if (child === undefined) {
        child = new DiffNode();
        this.below.set(name, child);
      }
      child.add(entry, depth + 1);
    }
  }

  encode(): Doc {
    return this.array ? this.encodeArray() : this.encodeDocument();
  }

  private encodeDocument(): Doc {
    const diff = new Doc();
    if (!this.deleted.isEmpty) diff.append('d', this.deleted);
    if (!this.updated.isEmpty) diff.append('u', this.updated);
    if (!this.inserted.isEmpty) diff.append('i', this.inserted);
    for (const [name, child] of this.below) diff.append(`s${name}`, child.encode());
    return diff;
  }

  private encodeArray(): Doc {
    const diff = Doc.of({ a: true });
    if (this.size !== undefined) diff.append('l', this.size);
    for (const [index, value] of this.updated) diff.append(`u${index}`, value);
    for (const [index, child] of this.below) diff.append(`s${index}`, child.encode());
    return diff;
  }
}
