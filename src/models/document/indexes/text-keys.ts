/**
 * Text indexes: one key for each different term of a document, with the values of the other parts before it. Terms are
 * stems without stop words; the weights of the fields make the score, which is taken from the document itself.
 */
import { Doc } from '../bson/document.js';
import { numberOf } from '../scalars.js';
import { termsOfDocument } from '../text/terms.js';
import type { IndexKeys, IndexPart } from './index.js';
import { pathKeys } from './path-keys.js';
import { NULL_KEY, textValueKey } from './value-keys.js';

export interface TextIndexOptions {
  /** Path to weight; `$**` is every string. */
  readonly weights: ReadonlyMap<string, number>;
  readonly language: string;
  readonly languageField: string;
}

export function textOptionsOf(spec: Doc): TextIndexOptions {
  const weights = new Map<string, number>();
  const given = spec.get('weights');
  if (given instanceof Doc) for (const [path, weight] of given) weights.set(path, numberOf(weight) ?? 1);
  const language = spec.get('default_language');
  const override = spec.get('language_override');
  return {
    weights,
    language: typeof language === 'string' ? language : 'english',
    languageField: typeof override === 'string' ? override : 'language',
  };
}

/** The key of a term, between the parts in front of `_fts` and those behind `_ftsx`. */
export function termKey(term: string): string {
  return textValueKey(Buffer.from(term, 'utf8').latin1Slice());
}

export function textKeys(document: Buffer, options: TextIndexOptions, parts: readonly IndexPart[]): IndexKeys {
  const split = parts.findIndex(({ kind }) => kind === 'text');
  const valuesOf = (part: IndexPart): string => pathKeys(document, [part]).keys[0]?.[0] ?? NULL_KEY;
  const before = parts.slice(0, split).map(valuesOf).join('');
  const after = parts
    .slice(split + 1)
    .filter(({ path }) => path !== '_ftsx')
    .map(valuesOf)
    .join('');
  const keys = [...termsOfDocument(Doc.fromBytes(document), options).keys()].map(
    (term) => before + termKey(term) + after,
  );
  return { keys, multikey: undefined };
}
