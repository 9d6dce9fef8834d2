/** The longest common subsequence of two byte strings, with the matching ranges from the last to the first. */

export interface Match {
  readonly a: number;
  readonly b: number;
  readonly length: number;
}

export function longestCommonSubsequence(
  a: string,
  b: string,
): { readonly text: string; readonly matches: readonly Match[] } {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      lengths[i * width + j] = a[i - 1] === b[j - 1] ? at(i - 1, j - 1) + 1 : Math.max(at(i - 1, j), at(i, j - 1));
    }
  }
  const text: string[] = [];
  const matches: Match[] = [];
  let run: { a: number; b: number; length: number } | undefined;
  let i = a.length;
  let j = b.length;
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) {
      text.push(a[i - 1] ?? '');
      if (run !== undefined && run.a === i && run.b === j) {
        run.a--;
        run.b--;
        run.length++;
      } else {
        if (run !== undefined) matches.push(run);
        run = { a: i - 1, b: j - 1, length: 1 };
      }
      i--;
      j--;
    } else if (at(i - 1, j) > at(i, j - 1)) i--;
    else j--;
  }
  if (run !== undefined) matches.push(run);
  return { text: text.reverse().join(''), matches };
}
