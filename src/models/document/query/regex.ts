/**
 * Regular expressions as MongoDB takes them (PCRE2, UTF-8) made into JavaScript's. Both are backtracking engines with
 * mostly the same syntax; the differences are translated: anchors and newlines, options that change inside a pattern,
 * POSIX classes, `\Q..\E`, `\h \R \N \A \z \Z`, possessive quantifiers and atomic groups. Recursion, conditionals and
 * `\K` are refused.
 */
import { badValue, DocumentError } from '../errors.js';

/** Translated patterns kept for reuse. */
const CACHE_MAX = 500;
const cache = new Map<string, RegExp>();

/**
 * Throws code 51091 for a pattern that PCRE refuses (or that is not supported), 51108 for an unknown option. `operator`
 * is the name put in front of the message about options.
 */
export function compileRegex(pattern: string, options: string, operator = ''): RegExp {
  const id = `${options}/${pattern}`;
  const known = cache.get(id);
  if (known !== undefined) return known;
  for (const option of options) {
    if (!'imsux'.includes(option))
      throw new DocumentError(51108, `${operator} invalid flag in regex options: ${option}`);
  }
  if (pattern.includes('\0')) throw badValue('Regular expression cannot contain an embedded null byte');
  const compiled = translate(pattern, options);
  if (cache.size >= CACHE_MAX) cache.clear();
  cache.set(id, compiled);
  return compiled;
}

function translate(pattern: string, options: string): RegExp {
  // Options for the whole pattern may be at its start; letters are then left to the engine's own case folding.
  let body = pattern;
  let flags = options;
  const leading = /^\(\?([imsxU]+)\)/.exec(body);
  if (leading !== null && !leading[1]?.includes('U')) {
    flags += leading[1] ?? '';
    body = body.slice(leading[0].length);
  }
  const insensitive = flags.includes('i') && !/\(\?[a-z]*-[a-z]*i/.test(body);
  const translator = new Translator(body, {
    i: flags.includes('i') && !insensitive,
    m: flags.includes('m'),
    s: flags.includes('s'),
    x: flags.includes('x'),
  });
  try {
    return new RegExp(translator.translate(), insensitive ? 'iu' : 'u');
  } catch (error) {
    throw new DocumentError(
      51091,
      `Regular expression is invalid: ${error instanceof Error ? reason(error.message) : 'unknown'}`,
    );
  }
}

/** The engine's reason without its repetition of the pattern. */
function reason(message: string): string {
  return message.slice(message.lastIndexOf(': ') + 2).toLowerCase();
}

interface Modes {
  /** Case-insensitive, done letter by letter because it does not hold for the whole pattern. */
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
  readonly x: boolean;
}

const POSIX_CLASSES: ReadonlyMap<string, string> = new Map([
  ['alpha', 'a-zA-Z'],
  ['digit', '0-9'],
  ['alnum', 'a-zA-Z0-9'],
  ['upper', 'A-Z'],
  ['lower', 'a-z'],
  ['space', '\\t-\\r '],
  ['blank', ' \\t'],
  ['punct', '!-\\/:-@\\[-`\\{-~'],
  ['print', ' -~'],
  ['graph', '!-~'],
  ['cntrl', '\\x00-\\x1f\\x7f'],
  ['xdigit', '0-9a-fA-F'],
  ['word', 'a-zA-Z0-9_'],
]);

const SPACE = '\\t-\\r ';
const HORIZONTAL_SPACE = '\\t \\xa0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000';
const VERTICAL_SPACE = '\\n-\\r\\x85\\u2028\\u2029';
const START = '(?<![\\s\\S])';
const END = '(?![\\s\\S])';

class Translator {
  private position = 0;
  private groups = 0;
  private readonly nameOfGroup = new Map<string, number>();

  constructor(
    private readonly pattern: string,
    private modes: Modes,
  ) {}

  translate(): string {
    const result = this.alternatives();
    if (this.position < this.pattern.length) throw new SyntaxError('x: unmatched closing parenthesis');
    return result;
  }

  /** Up to the group's closing parenthesis, which stays. */
  private alternatives(): string {
    const modes = this.modes;
    let result = '';
    while (this.position < this.pattern.length && this.pattern[this.position] !== ')') {
      if (this.pattern[this.position] === '|') {
        this.position++;
        result += '|';
      } else {
        result += this.quantified();
      }
    }
    this.modes = modes;
    return result;
  }

  private quantified(): string {
    if (this.modes.x && this.skipIgnored()) return '';
    const atom = this.atom();
    if (this.modes.x) this.skipIgnored();
    const rest = this.pattern.slice(this.position);
    const match = /^(?:[*+?]|\{\d+(?:,\d*)?\})([?+]?)/.exec(rest);
    if (match === null || atom === '') return atom;
    this.position += match[0].length;
    const possessive = match[1] === '+';
    const quantifier = possessive ? match[0].slice(0, -1) : match[0];
    const target = /^\(\?<?[=!]/.test(atom) ? `(?:${atom})` : atom;
    return possessive ? this.atomic(target + quantifier) : target + quantifier;
  }

  /** In extended mode, white space and comments mean nothing. */
  private skipIgnored(): boolean {
    const match = /^(?:[ \t\n\v\f\r]|#[^\n]*\n?)+/.exec(this.pattern.slice(this.position));
    if (match === null) return false;
    this.position += match[0].length;
    return true;
  }

  /** What matched inside is not given up again: a lookahead captures it, a back reference consumes it. */
  private atomic(body: string): string {
    this.groups++;
    const name = `atomic${this.groups}`;
    this.nameOfGroup.set(name, this.groups);
    return `(?:(?=(?<${name}>${body}))\\k<${name}>)`;
  }

  private atom(): string {
    const character = this.pattern[this.position] ?? '';
    switch (character) {
      case '(':
        return this.group();
      case '[':
        return this.characterClass();
      case '\\':
        return this.escape();
      case '.':
        this.position++;
        return this.modes.s ? '[\\s\\S]' : '[^\\n]';
      case '^':
        this.position++;
        return this.modes.m ? `(?:${START}|(?<=\\n)(?=[\\s\\S]))` : START;
      case '$':
        this.position++;
        return this.modes.m ? '(?![^\\n])' : `(?=\\n?${END})`;
      case '*':
      case '+':
      case '?':
        throw new SyntaxError('x: quantifier does not follow a repeatable item');
      default:
        return this.literal(this.take());
    }
  }

  private take(): string {
    const character = String.fromCodePoint(this.pattern.codePointAt(this.position) ?? 0);
    this.position += character.length;
    return character;
  }

  private literal(character: string): string {
    const escaped = /[\^$\\.*+?()[\]{}|/-]/.test(character) && character !== '-' ? `\\${character}` : character;
    if (!this.modes.i) return escaped;
    const upper = character.toUpperCase();
    const lower = character.toLowerCase();
    return upper === lower || [...upper].length > 1 ? escaped : `[${lower}${upper}]`;
  }

  private group(): string {
    const rest = this.pattern.slice(this.position);
    const comment = /^\(\?#[^)]*\)/.exec(rest);
    if (comment !== null) {
      this.position += comment[0].length;
      return '';
    }
    const inline = /^\(\?([imsxnJU]*)(?:-([imsx]*))?([:)])/.exec(rest);
    if (inline !== null) return this.inlineModes(inline);
    const named = /^\(\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')/.exec(rest);
    if (named !== null) return this.namedGroup(named);
    for (const opening of ['(?=', '(?!', '(?<=', '(?<!']) {
      if (rest.startsWith(opening)) return this.inside(opening, opening.length);
    }
    if (rest.startsWith('(?>')) {
      this.position += 3;
      const body = this.alternatives();
      this.close();
      return this.atomic(body);
    }
    const reference = /^\(\?P=(\w+)\)/.exec(rest);
    if (reference !== null) {
      this.position += reference[0].length;
      return `\\k<${reference[1]}>`;
    }
    if (rest.startsWith('(?') || rest.startsWith('(*'))
      throw new SyntaxError('x: unrecognized character after (? or (?-');
    this.groups++;
    return this.inside('(', 1);
  }

  private inside(opening: string, length: number): string {
    this.position += length;
    const body = this.alternatives();
    this.close();
    return `${opening}${body})`;
  }

  private close(): void {
    if (this.pattern[this.position] !== ')') throw new SyntaxError('x: missing closing parenthesis');
    this.position++;
  }

  private inlineModes(match: RegExpExecArray): string {
    const [all, on = '', off = '', kind] = match;
    this.position += all.length;
    const before = this.modes;
    const mode = (name: 'i' | 'm' | 's' | 'x'): boolean =>
      off.includes(name) ? false : on.includes(name) || before[name];
    const modes = { i: mode('i'), m: mode('m'), s: mode('s'), x: mode('x') };
    this.modes = modes;
    if (kind === ')') return '';
    const body = this.alternatives();
    this.close();
    this.modes = before;
    return `(?:${body})`;
  }

  private namedGroup(match: RegExpExecArray): string {
    const name = match[1] ?? match[2] ?? '';
    this.groups++;
    this.nameOfGroup.set(name, this.groups);
    return this.inside(`(?<${name}>`, match[0].length);
  }

  private escape(): string {
    const rest = this.pattern.slice(this.position);
    const quoted = /^\\Q([\s\S]*?)(?:\\E|$)/.exec(rest);
    if (quoted !== null) {
      this.position += quoted[0].length;
      return [...(quoted[1] ?? '')].map((character) => this.literal(character)).join('');
    }
    const shared = this.sharedEscape(rest);
    if (shared !== undefined) return shared.kind === 'class' ? `[${shared.text}]` : shared.text;
    const reference = /^\\(?:([1-9]\d?)|g\{?(-?\d+)\}?|k[<{']([A-Za-z_]\w*)[>}']|g\{([A-Za-z_]\w*)\})/.exec(rest);
    if (reference !== null) {
      this.position += reference[0].length;
      const name = reference[3] ?? reference[4];
      if (name !== undefined) return `\\k<${name}>`;
      const number = Number(reference[1] ?? reference[2]);
      return `(?:\\${number < 0 ? this.groups + 1 + number : number})`;
    }
    this.position += 2;
    switch (rest[1]) {
      case 'A':
      case 'G':
        return START;
      case 'z':
        return END;
      case 'Z':
        return `(?=\\n?${END})`;
      case 'b':
        return '\\b';
      case 'B':
        return '\\B';
      case 'R':
        return `(?:\\r\\n|[${VERTICAL_SPACE}])`;
      case 'N':
        return '[^\\n]';
      case 'X':
        return '(?:\\P{M}\\p{M}*)';
      case 'E':
        return '';
      case undefined:
        throw new SyntaxError('x: \\ at end of pattern');
      default:
        return this.otherEscape(rest);
    }
  }

  private otherEscape(rest: string): string {
    this.position -= 1;
    const character = this.take();
    if (/[A-Za-z0-9]/.test(character)) throw new SyntaxError(`x: unrecognized character follows \\ (${rest[1]})`);
    return this.literal(character);
  }

  /** Escapes that mean the same inside of a class: a set of characters or one character. */
  private sharedEscape(rest: string): { kind: 'class' | 'one'; text: string } | undefined {
    const take = (length: number, kind: 'class' | 'one', text: string): { kind: 'class' | 'one'; text: string } => {
      this.position += length;
      return { kind, text };
    };
    switch (rest[1]) {
      case 'd':
      case 'D':
      case 'w':
      case 'W':
        return take(2, 'class', rest.slice(0, 2));
      case 's':
        return take(2, 'class', SPACE);
      case 'S':
        return take(2, 'class', '\\x00-\\x08\\x0e-\\x1f!-\\u{10ffff}');
      case 'h':
        return take(2, 'class', HORIZONTAL_SPACE);
      case 'v':
        return take(2, 'class', VERTICAL_SPACE);
      case 'n':
      case 't':
      case 'r':
      case 'f':
        return take(2, 'one', rest.slice(0, 2));
      case 'e':
        return take(2, 'one', '\\x1b');
      case 'a':
        return take(2, 'one', '\\x07');
    }
    const property = /^\\([pP])(?:\{(\^?)([\w&]+)\}|([A-Z]))/.exec(rest);
    if (property !== null) return take(property[0].length, 'class', unicodeProperty(property));
    const code = /^\\(?:x\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{0,2})|o\{([0-7]+)\}|0([0-7]{0,2})|([0-3][0-7]{2}))/.exec(
      rest,
    );
    if (code !== null) {
      const hex = code[1] ?? code[2];
      const value =
        hex !== undefined
          ? Number.parseInt(hex || '0', 16)
          : Number.parseInt(code[3] ?? code[4] ?? code[5] ?? '0', 8) || 0;
      return take(code[0].length, 'one', `\\u{${value.toString(16)}}`);
    }
    const control = /^\\c([ -~])/.exec(rest);
    if (control !== null) {
      const value = (control[1] ?? '').toUpperCase().charCodeAt(0) ^ 64;
      return take(3, 'one', `\\u{${value.toString(16)}}`);
    }
    return undefined;
  }

  private characterClass(): string {
    this.position++;
    let result = '[';
    if (this.pattern[this.position] === '^') {
      result += '^';
      this.position++;
    }
    let first = true;
    for (;;) {
      const character = this.pattern[this.position];
      if (character === undefined) throw new SyntaxError('x: missing terminating ] for character class');
      if (character === ']' && !first) break;
      first = false;
      result += this.classItem();
    }
    this.position++;
    return `${result}]`;
  }

  private classItem(): string {
    const posix = /^\[:(\^?)(\w+):\]/.exec(this.pattern.slice(this.position));
    if (posix !== null) {
      const set = POSIX_CLASSES.get(posix[2] ?? '');
      if (set === undefined) throw new SyntaxError('x: unknown POSIX class name');
      this.position += posix[0].length;
      return posix[1] === '^' ? complement(set) : set;
    }
    const low = this.classAtom();
    if (low.kind === 'class') {
      // A hyphen after a set is a hyphen.
      return low.text;
    }
    const isRange =
      this.pattern[this.position] === '-' && !['', ']', undefined].includes(this.pattern[this.position + 1]);
    if (!isRange) return this.withBothCases(low.text);
    this.position++;
    const high = this.classAtom();
    if (high.kind === 'class') return `${low.text}\\-${high.text}`;
    const range = `${low.text}-${high.text}`;
    if (!this.modes.i) return range;
    const letters = /^([a-z])-([a-z])$/i.exec(range);
    return letters === null ? range : `${range.toLowerCase()}${range.toUpperCase()}`;
  }

  private withBothCases(text: string): string {
    if (!this.modes.i || text.startsWith('\\')) return text;
    const lower = text.toLowerCase();
    const upper = text.toUpperCase();
    return lower === upper || [...upper].length > 1 ? text : lower + upper;
  }

  private classAtom(): { kind: 'class' | 'one'; text: string } {
    const rest = this.pattern.slice(this.position);
    if (rest[0] !== '\\') {
      const character = this.take();
      return { kind: 'one', text: /[\^$\\.*+?()[\]{}|/-]/.test(character) ? `\\${character}` : character };
    }
    if (rest[1] === 'b') {
      this.position += 2;
      return { kind: 'one', text: '\\x08' };
    }
    const shared = this.sharedEscape(rest);
    if (shared !== undefined) return shared;
    if (rest.length < 2) throw new SyntaxError('x: \\ at end of pattern');
    this.position++;
    const character = this.take();
    return { kind: 'one', text: /[\^$\\.*+?()[\]{}|/-]/.test(character) ? `\\${character}` : character };
  }
}

function complement(set: string): string {
  const members = new RegExp(`[${set}]`);
  let result = '\\x80-\\u{10ffff}';
  for (let code = 0; code < 128; code++) {
    if (!members.test(String.fromCharCode(code))) result += `\\x${code.toString(16).padStart(2, '0')}`;
  }
  return result;
}

function unicodeProperty(match: RegExpExecArray): string {
  const name = match[3] ?? match[4] ?? '';
  const negated = (match[1] === 'P') !== (match[2] === '^');
  const scripts = /^(?:[A-Z][a-z]?|L&|Any)$/.test(name) ? name : `Script=${name}`;
  return `\\${negated ? 'P' : 'p'}{${scripts === 'L&' ? 'LC' : scripts}}`;
}

/**
 * The text that every match begins with, for index bounds: of `^abc`, `\Aabc` without options but `s`, up to the first
 * character that is not literal. `exact` says that the pattern asks for nothing more.
 */
export function regexPrefix(
  pattern: string,
  options: string,
): { readonly prefix: string; readonly exact: boolean } | undefined {
  if (/[imx]/.test(options)) return undefined;
  const anchor = pattern.startsWith('\\A') ? 2 : pattern.startsWith('^') ? 1 : 0;
  if (anchor === 0 || pattern.includes('|')) return undefined;
  let prefix = '';
  let i = anchor;
  while (i < pattern.length) {
    let character = pattern[i] ?? '';
    let length = 1;
    if (character === '\\') {
      character = pattern[i + 1] ?? '';
      length = 2;
      if (character === '' || /[A-Za-z0-9]/.test(character)) break;
    } else if (/[\^$.*+?()[\]{}]/.test(character)) break;
    const next = pattern[i + length];
    if (next === '*' || next === '?' || next === '{') break;
    prefix += character;
    i += length;
    if (next === '+') break;
  }
  if (prefix === '') return undefined;
  const rest = pattern.slice(i);
  return { prefix, exact: rest === '' || rest === '.*' };
}
