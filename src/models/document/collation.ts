/**
 * Collation: how strings compare and which count as equal, by ICU through `Intl.Collator`. ICU's sort keys are not to be
 * had there, so an equality key is made from representatives: every character is replaced by the first one that the
 * collator calls equal to it. A string's key order is not the collation's order: an index with a collation finds equal
 * strings, but ranges and sorts over strings compare for themselves.
 */

import type { Doc } from './bson/document.js';
import { formatDocument } from './bson/text.js';
import { DocumentError, ErrorCode } from './errors.js';

export interface CollationSpec {
  readonly locale: string;
  readonly caseLevel: boolean;
  readonly caseFirst: 'off' | 'upper' | 'lower';
  readonly strength: 1 | 2 | 3 | 4 | 5;
  readonly numericOrdering: boolean;
  readonly alternate: 'non-ignorable' | 'shifted';
  readonly maxVariable: 'punct' | 'space';
  readonly normalization: boolean;
  readonly backwards: boolean;
  readonly version: string;
}

/** Characters whose representatives are remembered; plenty for any text in practice. */
const REPRESENTATIVES_MAX = 200_000;
/** Version of the collation algorithm that MongoDB 7.0 reports. */
const VERSION = '57.1';

export class Collation {
  private readonly collator: Intl.Collator;
  private readonly representatives = new Map<string, string>();

  constructor(readonly spec: CollationSpec) {
    const { strength, caseLevel } = spec;
    const sensitivity =
      strength === 1 ? (caseLevel ? 'case' : 'base') : strength === 2 && !caseLevel ? 'accent' : 'variant';
    this.collator = new Intl.Collator(spec.locale.replace(/_/g, '-').replace('@collation=', '-u-co-'), {
      sensitivity,
      numeric: spec.numericOrdering,
      caseFirst: spec.caseFirst === 'off' ? 'false' : spec.caseFirst,
      ignorePunctuation: spec.alternate === 'shifted',
    });
  }

  compare(a: string, b: string): number {
    if (a === b) return 0;
    const order = this.collator.compare(a, b);
    if (order !== 0 || this.spec.strength < 5) return order;
    return a < b ? -1 : 1;
  }

  /** Two strings have the same key when they compare equal. */
  key(text: string): string {
    if (this.spec.strength === 5) return text;
    let key = '';
    for (const character of this.prepared(text)) key += this.representative(character);
    return key;
  }

  private prepared(text: string): string {
    // Decomposed, so that an accent is a character of its own, which lower strengths ignore.
    const decomposed = text.normalize('NFD');
    return this.spec.numericOrdering ? decomposed.replace(/0+(?=[0-9])/g, '') : decomposed;
  }

  private representative(character: string): string {
    const known = this.representatives.get(character);
    if (known !== undefined) return known;
    const found = this.find(character);
    if (this.representatives.size < REPRESENTATIVES_MAX) this.representatives.set(character, found);
    return found;
  }

  /** A stable choice that does not depend on what was seen before: the simplest of the character's variants. */
  private find(character: string): string {
    if (this.collator.compare(character, '') === 0) return '';
    const folded = character.normalize('NFKD');
    const variants = [
      hiragana(folded),
      folded.toLowerCase().replace(/\p{M}/gu, ''),
      folded.replace(/\p{M}/gu, ''),
      folded.toLowerCase(),
      folded,
      character.toLowerCase(),
      ...(EXPANSIONS.get(character) ?? []),
    ];
    for (const variant of variants) {
      if (variant !== '' && variant !== character && this.collator.compare(character, variant) === 0) {
        return [...variant].length > 1 ? this.key(variant) : variant;
      }
    }
    return character;
  }
}

/** Katakana as hiragana, which is its equal where variants do not count. */
function hiragana(text: string): string {
  return text.replace(/[\u30a1-\u30f6]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) - 0x60));
}

/** Letters that sort as two and do not decompose. */
const EXPANSIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['ß', ['ss']],
  ['ẞ', ['ss', 'SS']],
  ['æ', ['ae']],
  ['Æ', ['ae', 'AE']],
  ['œ', ['oe']],
  ['Œ', ['oe', 'OE']],
  ['đ', ['d']],
  ['Đ', ['d', 'D']],
  ['ø', ['o']],
  ['Ø', ['o', 'O']],
  ['ł', ['l']],
  ['Ł', ['l', 'L']],
]);

/** Collations without behaviour of their own are shared: making one costs a collator. */
const made = new Map<string, Collation>();
const MADE_MAX = 1000;

/**
 * Reads a collation document; undefined for `{locale: "simple"}`, which compares bytes. Throws code 2 and 9 as MongoDB
 * for unknown locales, unknown fields and values of the wrong kind.
 */
export function parseCollation(document: Doc): Collation | undefined {
  const spec = readSpec(document);
  if (spec.locale === 'simple') return undefined;
  const id = JSON.stringify(spec);
  let collation = made.get(id);
  if (collation === undefined) {
    collation = new Collation(spec);
    if (made.size >= MADE_MAX) made.clear();
    made.set(id, collation);
  }
  return collation;
}

export function sameCollation(a: Collation | undefined, b: Collation | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(a.spec) === JSON.stringify(b.spec));
}

const FIELDS = new Set([
  'locale',
  'caseLevel',
  'caseFirst',
  'strength',
  'numericOrdering',
  'alternate',
  'maxVariable',
  'normalization',
  'backwards',
  'version',
]);

function readSpec(document: Doc): CollationSpec {
  for (const name of document.keys()) {
    if (!FIELDS.has(name)) throw new DocumentError(40415, `BSON field 'collation.${name}' is an unknown field.`);
  }
  const locale = document.get('locale');
  if (locale === undefined) {
    throw new DocumentError(40414, "BSON field 'collation.locale' is missing but a required field");
  }
  if (typeof locale !== 'string') {
    throw new DocumentError(
      ErrorCode.typeMismatch,
      "BSON field 'collation.locale' is the wrong type, expected type 'string'",
    );
  }
  if (locale === 'simple' && document.size > 1) {
    const hasOther = document.keys().some((name) => name !== 'locale' && name !== 'version');
    if (hasOther) invalid(document, 'simple');
  }
  if (locale !== 'simple' && !supported(locale)) invalid(document, 'locale');
  const strength = numberOf(document, 'strength', 3);
  if (strength !== 1 && strength !== 2 && strength !== 3 && strength !== 4 && strength !== 5) {
    throw new DocumentError(
      51024,
      `BSON field 'strength' value must be ${strength < 1 ? '>= 1' : '<= 5'}, actual value '${strength}'`,
    );
  }
  return {
    locale,
    caseLevel: flag(document, 'caseLevel', false),
    caseFirst: choice(document, 'caseFirst', ['off', 'upper', 'lower'] as const),
    strength,
    numericOrdering: flag(document, 'numericOrdering', false),
    alternate: choice(document, 'alternate', ['non-ignorable', 'shifted'] as const),
    maxVariable: choice(document, 'maxVariable', ['punct', 'space'] as const),
    normalization: flag(document, 'normalization', false),
    backwards: flag(document, 'backwards', locale === 'fr_CA'),
    version: VERSION,
  };
}

/** A locale that ICU has its own rules for; unlike Intl, MongoDB does not fall back for unknown ones. */
function supported(locale: string): boolean {
  try {
    return Intl.Collator.supportedLocalesOf(locale.replace(/_/g, '-').replace('@collation=', '-u-co-')).length > 0;
  } catch {
    return false;
  }
}

function invalid(document: Doc, field: string): never {
  if (field === 'locale') {
    throw new DocumentError(ErrorCode.badValue, `Field 'locale' is invalid in: ${formatDocument(document)}`);
  }
  throw new DocumentError(
    ErrorCode.badValue,
    `If "locale" is "simple", no other fields can be specified, but got: ${formatDocument(document)}`,
  );
}

function numberOf(document: Doc, name: string, otherwise: number): number {
  const value = document.get(name);
  if (value === undefined) return otherwise;
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value !== null && typeof value === 'object' && 'value' in value && typeof value.value === 'number')
    return value.value;
  throw new DocumentError(
    ErrorCode.typeMismatch,
    `BSON field 'collation.${name}' is the wrong type, expected types '[int, decimal, double, long]'`,
  );
}

function flag(document: Doc, name: string, otherwise: boolean): boolean {
  const value = document.get(name);
  if (value === undefined) return otherwise;
  if (typeof value === 'boolean') return value;
  throw new DocumentError(
    ErrorCode.typeMismatch,
    `BSON field 'collation.${name}' is the wrong type, expected type 'bool'`,
  );
}

function choice<T extends string>(document: Doc, name: string, choices: readonly [T, ...T[]]): T {
  const value = document.get(name);
  if (value === undefined) return choices[0];
  for (const known of choices) if (known === value) return known;
  throw new DocumentError(
    ErrorCode.badValue,
    `Enumeration value '${String(value)}' for field 'collation.${name}' is not a valid value.`,
  );
}
