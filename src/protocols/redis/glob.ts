/** Redis' glob patterns on byte strings: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, `\x` (`stringmatchlen` in util.c). */

/** Whether `text` matches `pattern` whole. `ignoreCase` for CONFIG GET and COMMAND LIST. */
export function matchesGlob(pattern: string, text: string, ignoreCase = false): boolean {
  if (ignoreCase) return match(pattern.toLowerCase(), text.toLowerCase());
  return match(pattern, text);
}

/** Backtracks to the last `*` only: time is at most |pattern| × |text|, whatever a stranger sends. */
function match(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starPattern = -1;
  let starText = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === '*') {
      while (pattern[p] === '*') p++;
      if (p === pattern.length) return true;
      starPattern = p;
      starText = t;
      continue;
    }
    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t)) : -1;
    if (next >= 0) {
      p = next;
      t++;
    } else if (starPattern >= 0) {
      p = starPattern;
      t = ++starText;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** Matches one byte against the element at `p`; gives the position after the element, or -1. */
function matchOne(pattern: string, p: number, byte: number): number {
  const char = pattern[p];
  if (char === '?') return p + 1;
  if (char === '[') return matchClass(pattern, p + 1, byte);
  if (char === '\\' && p + 1 < pattern.length) return pattern.charCodeAt(p + 1) === byte ? p + 2 : -1;
  return pattern.charCodeAt(p) === byte ? p + 1 : -1;
}

function matchClass(pattern: string, start: number, byte: number): number {
  let p = start;
  const negated = pattern[p] === '^';
  if (negated) p++;
  let found = false;
  for (;;) {
    const char = pattern[p];
    if (char === undefined) break; // an unclosed class ends with the pattern
    if (char === ']') {
      p++;
      break;
    }
    if (char === '\\' && p + 1 < pattern.length) {
      p++;
      if (pattern.charCodeAt(p) === byte) found = true;
      p++;
    } else if (pattern[p + 1] === '-' && p + 2 < pattern.length) {
      const a = pattern.charCodeAt(p);
      const b = pattern.charCodeAt(p + 2);
      if (byte >= Math.min(a, b) && byte <= Math.max(a, b)) found = true;
      p += 3;
    } else {
      if (pattern.charCodeAt(p) === byte) found = true;
      p++;
    }
  }
  return found !== negated ? p : -1;
}
