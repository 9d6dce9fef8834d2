/** Redis' readings and writings of numbers. */

const int64Max = 0x7fff_ffff_ffff_ffffn;
const int64Min = -0x8000_0000_0000_0000n;

/**
 * A canonical 64-bit integer (`string2ll`): no blanks, no `+`, no leading zeros. A number when it is exact in one, else a
 * bigint; `undefined` when the bytes are no such integer.
 */
export function parseInteger(bytes: Uint8Array, start: number, end: number): number | bigint | undefined {
  const length = end - start;
  if (length === 0 || length > 20) return undefined;
  let at = start;
  const negative = bytes[at] === 45;
  if (negative && ++at === end) return undefined;
  const first = (bytes[at] ?? 0) - 48;
  if (first === 0) return end - at === 1 && !negative ? 0 : undefined;
  if (end - at <= 15) {
    let value = 0;
    for (; at < end; at++) {
      const digit = (bytes[at] ?? 0) - 48;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
    }
    return negative ? -value : value;
  }
  let value = 0n;
  for (; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10n + BigInt(digit);
  }
  if (negative) value = -value;
  if (value > int64Max || value < int64Min) return undefined;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** {@link parseInteger} of a byte string. */
export function parseIntegerText(text: string): number | bigint | undefined {
  return parseInteger(Buffer.from(text, 'latin1'), 0, text.length);
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const hexadecimal = /^([+-]?)0[xX]([0-9a-fA-F]+)?(?:\.([0-9a-fA-F]+))?(?:[pP]([+-]?\d+))?$/;
const infinite = /^([+-]?)inf(?:inity)?$/i;

/** A double as C's `strtod` reads it, the whole text, without blanks and NaN; `undefined` when it is none. */
export function parseScore(text: string): number | undefined {
  if (decimal.test(text)) return Number(text);
  const infinity = infinite.exec(text);
  if (infinity !== null) return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const hex = hexadecimal.exec(text);
  if (hex === null || (hex[2] === undefined && hex[3] === undefined)) return undefined;
  const whole = Number.parseInt(hex[2] ?? '0', 16);
  const fraction = hex[3] === undefined ? 0 : Number.parseInt(hex[3], 16) / 16 ** hex[3].length;
  const value = (whole + fraction) * 2 ** Number(hex[4] ?? 0);
  return hex[1] === '-' ? -value : value;
}

/**
 * A double as Redis 7.2 prints scores: integers within ±2^62 in full digits, else the shortest digits that read back to
 * the same double, laid out as `fpconv_dtoa` does (1e-7, 1e+21, 2.8074786417825716e+6), which is not JavaScript's rule.
 */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  if (value === Number.NEGATIVE_INFINITY) return '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 62) {
    return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString();
  }
  const sign = value < 0 ? '-' : '';
  const [mantissa = '', exponentText = '0'] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const count = digits.length;
  const exponent = Number(exponentText); // of the first digit
  const last = exponent - (count - 1); // of the last digit
  if (last >= 0 && Math.abs(exponent) < count + 7) return sign + digits + '0'.repeat(last);
  if (last < 0 && (last > -7 || Math.abs(exponent) < 4)) {
    if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
    return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
  }
  const head = count > 1 ? `${digits[0] ?? ''}.${digits.slice(1)}` : digits;
  return `${sign}${head}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`;
}
