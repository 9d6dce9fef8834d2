/**
 * From text to terms: words in lower case without diacritics, stop words left out, cut to their stems (Snowball). The
 * languages are those of MongoDB's text search; `none` neither stems nor drops.
 */
import { createRequire } from 'node:module';
import { Doc } from '../bson/document.js';
import { isArrayValue, type Value } from '../bson/types.js';
import { DocumentError } from '../errors.js';
import type { TextIndexOptions } from '../indexes/text-keys.js';
import { STOP_WORDS } from './stop-words.js';

interface Stemmer {
  stem(word: string): string;
}

const snowball = createRequire(import.meta.url)('snowball-stemmers') as { newStemmer(language: string): Stemmer };

const LANGUAGES: ReadonlyMap<string, string> = new Map([
  ['da', 'danish'],
  ['nl', 'dutch'],
  ['en', 'english'],
  ['fi', 'finnish'],
  ['fr', 'french'],
  ['de', 'german'],
  ['hu', 'hungarian'],
  ['it', 'italian'],
  ['nb', 'norwegian'],
  ['pt', 'portuguese'],
  ['ro', 'romanian'],
  ['ru', 'russian'],
  ['es', 'spanish'],
  ['sv', 'swedish'],
  ['tr', 'turkish'],
]);
const NAMES = new Set(LANGUAGES.values());

/** The full name of a language, `none` included; throws code 17262 for one that is not known. */
export function languageOf(name: string): string {
  const lower = name.toLowerCase();
  if (lower === 'none' || NAMES.has(lower)) return lower;
  const known = LANGUAGES.get(lower);
  if (known === undefined) throw new DocumentError(17262, `language override unsupported: ${name}`);
  return known;
}

const stemmers = new Map<string, Stemmer>();

function stemmerOf(language: string): Stemmer | undefined {
  if (language === 'none') return undefined;
  let stemmer = stemmers.get(language);
  if (stemmer === undefined) {
    stemmer = snowball.newStemmer(language);
    stemmers.set(language, stemmer);
  }
  return stemmer;
}

/** Without diacritics. */
export function plainText(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '');
}

export interface TermOptions {
  readonly caseSensitive?: boolean;
  readonly diacriticSensitive?: boolean;
}

/** The words of a text. */
export function wordsOf(text: string): string[] {
  return text.match(/[\p{L}\p{N}\p{M}_]+(?:['’][\p{L}]+)?/gu) ?? [];
}

/** Term of a word, or `undefined` for a stop word. */
export function termOf(word: string, language: string): string | undefined {
  const lower = word.toLowerCase();
  if (language !== 'none' && STOP_WORDS.get(language)?.has(lower) === true) return undefined;
  const stem = stemmerOf(language)?.stem(lower.replace(/['’]s?$/u, '')) ?? lower;
  return plainText(stem);
}

export function termsOf(text: string, language: string): string[] {
  const terms: string[] = [];
  for (const word of wordsOf(text)) {
    const term = termOf(word, language);
    if (term !== undefined && term !== '') terms.push(term);
  }
  return terms;
}

/** Every indexed string of a document with its weight and language. */
export function* indexedTexts(
  document: Doc,
  options: TextIndexOptions,
): Generator<{ text: string; weight: number; language: string }> {
  const everything = options.weights.get('$**');
  yield* textsBelow(document, '', options, everything, languageIn(document, options, languageOf(options.language)));
}

function languageIn(document: Doc, options: TextIndexOptions, outer: string): string {
  const own = document.get(options.languageField);
  return typeof own === 'string' ? languageOf(own) : outer;
}

function* textsBelow(
  document: Doc,
  prefix: string,
  options: TextIndexOptions,
  everything: number | undefined,
  language: string,
): Generator<{ text: string; weight: number; language: string }> {
  for (const [name, value] of document) {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    yield* textsOfValue(value, path, options, everything, language);
  }
}

function* textsOfValue(
  value: Value,
  path: string,
  options: TextIndexOptions,
  everything: number | undefined,
  language: string,
): Generator<{ text: string; weight: number; language: string }> {
  if (typeof value === 'string') {
    const weight = options.weights.get(path) ?? everything;
    if (weight !== undefined) yield { text: value, weight, language };
  } else if (value instanceof Doc) {
    yield* textsBelow(value, path, options, everything, languageIn(value, options, language));
  } else if (isArrayValue(value)) {
    for (const element of value) yield* textsOfValue(element, path, options, everything, language);
  }
}

/** The document's terms with their scores, as MongoDB weighs them: frequency, damped, relative to the text's length. */
export function termsOfDocument(document: Doc, options: TextIndexOptions): Map<string, number> {
  const scores = new Map<string, number>();
  for (const { text, weight, language } of indexedTexts(document, options)) {
    const frequencies = new Map<string, { frequency: number; count: number }>();
    const terms = termsOf(text, language);
    for (const term of terms) {
      const known = frequencies.get(term) ?? { frequency: 0, count: 0 };
      known.frequency += 1 / 2 ** known.count;
      known.count++;
      frequencies.set(term, known);
    }
    for (const [term, { frequency, count }] of frequencies) {
      const coefficient = 0.5 * (count / terms.length) + 0.5;
      scores.set(term, (scores.get(term) ?? 0) + frequency * coefficient * weight);
    }
  }
  return scores;
}
