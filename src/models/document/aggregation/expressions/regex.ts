/** `$regexFind $regexFindAll $regexMatch`: `{match, idx, captures}`, positions in code points. */
import { DocumentError } from '../../errors.js';
import { compileRegex } from '../../query/regex.js';
import { Doc, Regex, typeName, type Value } from '../../values.js';
import type { CompileOperator } from './expression.js';
import { type Argument, isNullish, named } from './operator.js';
import { codePoints } from './text.js';

interface Search {
  readonly input: string;
  readonly regex: RegExp;
}

/** What to search and how; undefined where null makes it find nothing. */
function searchOf(input: Argument, regex: Argument, options: Argument, name: string): Search | undefined {
  if (!isNullish(input) && typeof input !== 'string') {
    throw new DocumentError(51104, `${name} needs 'input' to be of type string`);
  }
  if (!isNullish(regex) && typeof regex !== 'string' && !(regex instanceof Regex)) {
    throw new DocumentError(51105, `${name} needs 'regex' to be of type string or regex`);
  }
  if (!isNullish(options) && typeof options !== 'string') {
    throw new DocumentError(51106, `${name} needs 'options' to be of type string`);
  }
  if (regex instanceof Regex && regex.flags !== '' && typeof options === 'string' && options !== '') {
    throw new DocumentError(51107, `${name}: found regex option(s) specified in both 'regex' and 'option' fields`);
  }
  for (const [field, text, code] of [
    ['regular expression', regex instanceof Regex ? regex.pattern : regex, 51109],
    ['regex options', options, 51110],
  ] as const) {
    if (typeof text === 'string' && text.includes('\0')) {
      throw new DocumentError(code, `${name}: ${field} cannot contain an embedded null byte`);
    }
  }
  if (isNullish(regex) || isNullish(input)) return undefined;
  const pattern = regex instanceof Regex ? regex.pattern : regex;
  const flags = (regex instanceof Regex ? regex.flags : '') || (typeof options === 'string' ? options : '');
  return { input, regex: compiled(pattern, flags, name) };
}

function compiled(pattern: string, flags: string, name: string): RegExp {
  try {
    return compileRegex(pattern, flags, `${name}:`);
  } catch (thrown) {
    if (!(thrown instanceof DocumentError) || thrown.code !== 51091) throw thrown;
    throw new DocumentError(
      51111,
      `Invalid Regex in ${name}: ${thrown.message.replace('Regular expression is invalid: ', '')}`,
    );
  }
}

function found(match: RegExpExecArray): Doc {
  return new Doc()
    .append('match', match[0])
    .append('idx', codePoints(match.input.slice(0, match.index)))
    .append(
      'captures',
      match.slice(1).map((capture): Value => capture ?? null),
    );
}

function regexOperator(apply: (search: Search | undefined) => Argument): CompileOperator {
  return named(
    {
      required: ['input', 'regex'],
      optional: ['options'],
      notObject: (name, argument) =>
        new DocumentError(51103, `${name} expects an object of named arguments but found: ${typeName(argument)}`),
      unknown: (name, field) => new DocumentError(31024, `${name} found an unknown argument: ${field}`),
      missing: (name, field) =>
        new DocumentError(field === 'input' ? 31022 : 31023, `${name} requires '${field}' parameter`),
    },
    ({ input, regex, options }, _, name) => apply(searchOf(input, regex, options, name)),
  );
}

function findAll({ input, regex }: Search): Value {
  const results: Value[] = [];
  const global = new RegExp(regex.source, `${regex.flags}g`);
  for (const match of input.matchAll(global)) results.push(found(match));
  return results;
}

export const regexes: Readonly<Record<string, CompileOperator>> = {
  $regexMatch: regexOperator((search) => search?.regex.test(search.input) === true),
  $regexFind: regexOperator((search) => {
    const match = search === undefined ? null : search.regex.exec(search.input);
    return match === null ? null : found(match);
  }),
  $regexFindAll: regexOperator((search) => (search === undefined ? [] : findAll(search))),
};
