/** LZF, the compression of long strings in RDB files: reading only, since writing plain strings is as good. */
import { RdbError } from './errors.js';

/** Decompresses into exactly `length` bytes. */
export function lzfDecompress(input: Uint8Array, length: number): Buffer {
  const output = Buffer.alloc(length);
  let at = 0;
  let out = 0;
  while (at < input.length) {
    const control = input[at++] ?? 0;
    if (control < 32) {
      const run = control + 1;
      if (at + run > input.length || out + run > length) throw new RdbError('a compressed string is damaged');
      output.set(input.subarray(at, at + run), out);
      at += run;
      out += run;
      continue;
    }
    let run = control >> 5;
    if (run === 7) run += input[at++] ?? 0;
    let from = out - ((control & 31) << 8) - (input[at++] ?? 0) - 1;
    run += 2;
    if (from < 0 || out + run > length) throw new RdbError('a compressed string is damaged');
    // Source and target may overlap: byte by byte.
    for (let i = 0; i < run; i++) output[out++] = output[from++] ?? 0;
  }
  if (out !== length) throw new RdbError('a compressed string is damaged');
  return output;
}
