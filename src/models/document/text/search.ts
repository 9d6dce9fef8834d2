/** `$text`: which terms, phrases and exclusions a search asks for, and how well a document answers. */
import type { TextIndexOptions } from '../indexes/text-keys.js';
import type { TextQuery } from '../query/predicate.js';
import type { Doc } from '../values.js';
import { indexedTexts, languageOf, plainText, termOf, termsOfDocument, wordsOf } from './terms.js';

export class TextSearch {
  /** Stems of the words, without those that are excluded. */
  readonly terms: readonly string[];
  private readonly excluded: readonly string[];
  private readonly phrases: readonly string[];
  private readonly excludedPhrases: readonly string[];
  private readonly words: readonly string[];

  constructor(
    private readonly query: TextQuery,
    private readonly options: TextIndexOptions,
  ) {
    const language = languageOf(query.language ?? options.language);
    const terms = new Set<string>();
    const excluded = new Set<string>();
    const phrases: string[] = [];
    const excludedPhrases: string[] = [];
    const words: string[] = [];
    for (const match of query.search.matchAll(/(-?)"([^"]*)"|(\S+)/g)) {
      const [, minus, phrase, word = ''] = match;
      if (phrase !== undefined) {
        (minus === '-' ? excludedPhrases : phrases).push(phrase);
        if (minus !== '-') for (const part of wordsOf(phrase)) add(terms, part, language);
        continue;
      }
      const negated = word.startsWith('-') && word.length > 1;
      for (const part of wordsOf(word)) {
        add(negated ? excluded : terms, part, language);
        if (!negated) words.push(part);
      }
    }
    this.terms = [...terms];
    this.excluded = [...excluded];
    this.phrases = phrases;
    this.excludedPhrases = excludedPhrases;
    this.words = words;
  }

  /** The score of a document that matches; `undefined` for one that does not. */
  score(document: Doc): number | undefined {
    const scores = termsOfDocument(document, this.options);
    if (this.excluded.some((term) => scores.has(term))) return undefined;
    let score = 0;
    for (const term of this.terms) score += scores.get(term) ?? 0;
    if (score === 0) return undefined;
    const needsText =
      this.phrases.length > 0 ||
      this.excludedPhrases.length > 0 ||
      this.query.caseSensitive ||
      this.query.diacriticSensitive;
    if (needsText && !this.textsMatch(document)) return undefined;
    return score;
  }

  private textsMatch(document: Doc): boolean {
    const texts = [...indexedTexts(document, this.options)].map(({ text }) => this.folded(text));
    const holds = (phrase: string): boolean => texts.some((text) => text.includes(this.folded(phrase)));
    if (!this.phrases.every(holds) || this.excludedPhrases.some(holds)) return false;
    if (!this.query.caseSensitive && !this.query.diacriticSensitive) return true;
    return this.words.length === 0 || this.words.some(holds);
  }

  private folded(text: string): string {
    const plain = this.query.diacriticSensitive ? text : plainText(text);
    return this.query.caseSensitive ? plain : plain.toLowerCase();
  }
}

function add(terms: Set<string>, word: string, language: string): void {
  const term = termOf(word, language);
  if (term !== undefined && term !== '') terms.add(term);
}
