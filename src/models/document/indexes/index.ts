/**
 * An index as the catalog keeps it, ready for use: which keys a document has in it.
 */
import { createHash } from 'node:crypto';
import { Doc } from '../bson/document.js';
import { encodeValue } from '../bson/encode.js';
import type { Value } from '../bson/types.js';
import { type Collation, parseCollation } from '../collation.js';
import { DocumentError } from '../errors.js';
import { compileFilter, type Filter } from '../query/filter.js';
import type { Predicate } from '../query/predicate.js';
import { numberOf, truthOf } from '../scalars.js';
import { geoKeys } from './geo-keys.js';
import { invert } from './number-keys.js';
import { type PathField, pathKeys } from './path-keys.js';
import { type TextIndexOptions, textKeys, textOptionsOf } from './text-keys.js';
import type { TextKey } from './value-keys.js';
import { numberValueKey, valueKey } from './value-keys.js';
import { type WildcardScope, wildcardKeys, wildcardScopeOf } from './wildcard-keys.js';

export type IndexPartKind = 'plain' | 'hashed' | 'text' | '2dsphere' | '2d' | 'wildcard';

export interface IndexPart extends PathField {
  readonly kind: IndexPartKind;
  readonly descending: boolean;
}

/** The keys of one document in one index. */
export interface IndexKeys {
  readonly keys: readonly string[];
  /** See {@link PathField}: parts of paths that were arrays. */
  readonly multikey: readonly number[] | undefined;
}

const NO_KEYS: IndexKeys = { keys: [], multikey: undefined };

export class Index {
  readonly name: string;
  readonly parts: readonly IndexPart[];
  /** What the index is as a whole: its first part that is not plain decides. */
  readonly kind: IndexPartKind;
  readonly unique: boolean;
  readonly prepareUnique: boolean;
  readonly sparse: boolean;
  readonly hidden: boolean;
  readonly clustered: boolean;
  readonly expireAfterSeconds: number | undefined;
  readonly partialFilter: Doc | undefined;
  readonly collation: Collation | undefined;
  readonly keyPattern: Doc;
  private readonly partial: Filter | undefined;
  private readonly textKey: TextKey | undefined;
  private readonly text: TextIndexOptions | undefined;
  private readonly wildcard: WildcardScope | undefined;
  private readonly geo: Readonly<Record<string, number>>;

  constructor(
    /** Unique within the collection; 0 is `_id_`. */
    readonly id: number,
    /** As listIndexes prints it. */
    readonly spec: Buffer,
    /** Built: usable by queries. Writes maintain it from its creation on. */
    readonly ready: boolean,
  ) {
    const fields = Doc.fromBytes(spec);
    const truth = (name: string): boolean => truthOf(fields.get(name)) === true;
    const number = (name: string): number | undefined => numberOf(fields.get(name));
    const nested = (name: string): Doc | undefined => {
      const value = fields.get(name);
      return value instanceof Doc ? value : undefined;
    };
    const name = fields.get('name');
    this.name = typeof name === 'string' ? name : '';
    this.keyPattern = nested('key') ?? new Doc();
    this.parts = [...this.keyPattern].map(partOf);
    this.kind = this.parts.find(({ kind }) => kind !== 'plain')?.kind ?? 'plain';
    this.unique = truth('unique');
    this.prepareUnique = truth('prepareUnique');
    this.sparse = truth('sparse');
    this.hidden = truth('hidden');
    this.clustered = truth('clustered');
    this.expireAfterSeconds = number('expireAfterSeconds');
    this.partialFilter = nested('partialFilterExpression');
    this.partial = this.partialFilter === undefined ? undefined : compileFilter(this.partialFilter);
    const collation = nested('collation');
    this.collation = collation === undefined ? undefined : parseCollation(collation);
    this.textKey = textKeyOf(this.collation);
    this.text = this.kind === 'text' ? textOptionsOf(fields) : undefined;
    this.wildcard = this.kind === 'wildcard' ? wildcardScopeOf(this.parts, nested('wildcardProjection')) : undefined;
    this.geo = { bits: number('bits') ?? 26, min: number('min') ?? -180, max: number('max') ?? 180 };
  }

  get isId(): boolean {
    return this.id === 0;
  }

  /** Keys with several values for one document in a unique index conflict with those of other documents only. */
  get enforcesUnique(): boolean {
    return this.unique || this.prepareUnique;
  }

  /** Of a wildcard index: which paths it has. */
  get wildcardScope(): WildcardScope | undefined {
    return this.wildcard;
  }

  /** Of a text index. */
  get textOptions(): TextIndexOptions | undefined {
    return this.text;
  }

  /** The partial filter as a tree, for the planner. */
  get partialPredicate(): Predicate | undefined {
    return this.partial?.predicate;
  }

  /** The partial filter holds for the document, or there is none. */
  covers(document: Buffer): boolean {
    return this.partial === undefined || this.partial.matches(document);
  }

  /** The key of values given by path: nothing is expanded. For `min` and `max`. */
  keyOfValues(values: Doc): string {
    const keys = this.parts.map(({ path, kind }) => {
      const bytes = encodeValue(values.get(path) ?? null);
      const key = valueKey(bytes, bytes[4] ?? 0, 6, this.textKey);
      return kind === 'hashed' ? hashedValueKey(key) : key;
    });
    return joinedKey(this.parts, keys);
  }

  /** The document's keys, not looking at the partial filter. Throws 171 for parallel arrays, 16755 for bad shapes. */
  keysOf(document: Buffer): IndexKeys {
    switch (this.kind) {
      case 'plain':
        return this.plainKeys(document);
      case 'hashed':
        return this.hashedKeys(document);
      case 'wildcard':
        return this.wildcard === undefined ? NO_KEYS : wildcardKeys(document, this.wildcard, this.parts, this.textKey);
      case 'text':
        return this.text === undefined ? NO_KEYS : textKeys(document, this.text, this.parts);
      default:
        return geoKeys(document, this.parts, this.kind, this.sparse, this.geo);
    }
  }

  private plainKeys(document: Buffer): IndexKeys {
    const found = pathKeys(document, this.parts, this.textKey);
    if (this.sparse && found.absent) return NO_KEYS;
    return { keys: found.keys.map((values) => joinedKey(this.parts, values)), multikey: found.multikey };
  }

  private hashedKeys(document: Buffer): IndexKeys {
    const found = pathKeys(document, this.parts, this.textKey);
    if (found.multikey !== undefined) {
      throw new DocumentError(16766, 'hashed indexes do not currently support array values');
    }
    if (this.sparse && found.absent) return NO_KEYS;
    const keys = found.keys.map((values) =>
      joinedKey(
        this.parts,
        values.map((value, i) => (this.parts[i]?.kind === 'hashed' ? hashedValueKey(value) : value)),
      ),
    );
    return { keys, multikey: undefined };
  }
}

/** How strings become keys under a collation. */
export function textKeyOf(collation: Collation | undefined): TextKey | undefined {
  return collation === undefined ? undefined : (text) => Buffer.from(collation.key(text), 'utf8').latin1Slice();
}

/** One key of the values of all parts, descending ones inverted. */
export function joinedKey(parts: readonly IndexPart[], values: readonly string[]): string {
  if (parts.length === 1) return parts[0]?.descending === true ? invert(values[0] ?? '') : (values[0] ?? '');
  let key = '';
  for (let i = 0; i < parts.length; i++) {
    const value = values[i] ?? '';
    key += parts[i]?.descending === true ? invert(value) : value;
  }
  return key;
}

/** A hashed index orders by the hash of a value's key. */
export function hashedValueKey(value: string): string {
  const digest = createHash('md5').update(value, 'latin1').digest();
  return numberValueKey(digest.readIntLE(0, 6));
}

export function partsOfPath(path: string): string[] {
  return Buffer.from(path, 'utf8').latin1Slice().split('.');
}

function partOf([path, value]: [string, Value]): IndexPart {
  const base = { path, parts: partsOfPath(path) };
  const number = numberOf(value);
  if (number !== undefined) {
    const wildcard = path === '$**' || path.endsWith('.$**');
    return { ...base, kind: wildcard ? 'wildcard' : 'plain', descending: number < 0 };
  }
  const kind = (['hashed', 'text', '2dsphere', '2d'] as const).find((known) => known === value);
  return { ...base, kind: kind ?? 'plain', descending: false };
}
