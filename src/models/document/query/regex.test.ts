import { describe, expect, test } from 'vitest';
import { compileRegex, regexPrefix } from './regex.js';

describe('PCRE patterns', () => {
  test.each<[string, string, string, boolean]>([
    ['a.c', '', 'a\rc', true],
    ['^b', 'm', 'a\nb', true],
    ['^b', '', 'a\nb', false],
    ['a$', 'm', 'a\nb', true],
    ['\\Aa', 'm', 'b\na', false],
    ['a\\z', '', 'a\n', false],
    ['a\\Z', '', 'a\n', true],
    ['a b # comment', 'x', 'ab', true],
    ['(?i)ABC', '', 'abc', true],
    ['x(?i)b', '', 'xB', true],
    ['x(?i:b)c', '', 'xBC', false],
    ['(?i)a(?-i)b', '', 'AB', false],
    ['[[:digit:]]+x', '', '12x', true],
    ['[^[:alpha:]]', '', 'a', false],
    ['\\Qa.b\\E', '', 'axb', false],
    ['\\x{1f600}', '', '\u{1f600}', true],
    ['^.$', '', '\u{1f600}', true],
    ['a++b', '', 'aaab', true],
    ['a++a', '', 'aaa', false],
    ['(?>a+)b', '', 'aab', true],
    ['(?P<n>a)(?P=n)', '', 'aa', true],
    ['(a)\\g{-1}', '', 'aa', true],
    ['[]a]', '', ']', true],
    ['a{,3}', '', 'a{,3}', true],
    ['\\d\\-\\_', '', '1-_', true],
    ['[\\w.-]+@', '', 'a.b-c@', true],
    ['\\h\\R', '', ' \r\n', true],
    ['(?!system\\.)', '', 'system.x', true],
    ['^(?!system\\.)', '', 'system.x', false],
    ['é', 'i', 'É', true],
    ['\\p{Lu}', '', 'É', true],
    ['\\p{Greek}', '', 'α', true],
    ['(?#note)a', '', 'a', true],
    ['}', '', '}', true],
    ['\\/', '', '/', true],
  ])('/%s/%s on %j: %s', (pattern, options, text, expected) => {
    expect(compileRegex(pattern, options).test(text)).toBe(expected);
  });

  test.each(['(', ')', '[a', '*a', 'a\\', '\\y', '(?R)', '(?(1)a|b)', '[[:foo:]]'])('%s is refused', (pattern) => {
    expect(() => compileRegex(pattern, '')).toThrow(/Regular expression is invalid/);
  });

  test('prefixes for index bounds', () => {
    expect(regexPrefix('^abc', '')).toEqual({ prefix: 'abc', exact: true });
    expect(regexPrefix('^ab*', '')).toEqual({ prefix: 'a', exact: false });
    expect(regexPrefix('^a\\.b.*', '')).toEqual({ prefix: 'a.b', exact: true });
    expect(regexPrefix('^a|b', '')).toBeUndefined();
    expect(regexPrefix('abc', '')).toBeUndefined();
    expect(regexPrefix('^abc', 'i')).toBeUndefined();
  });
});
