import { Decimal128 } from 'bson';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arbitraryNumber } from '../testing/arbitrary.js';
import { Decimal } from './decimal128.js';

function decimal(text: string): Decimal {
  const value = Decimal.parse(text);
  if (value === undefined) throw new Error(`not a decimal: ${text}`);
  return value;
}

describe('decimal128', () => {
  test.each([
    ['0.1', '+', '0.2', '0.3'],
    ['1.0', '+', '1', '2.0'],
    ['1E+6000', '+', '1', '1.000000000000000000000000000000000E+6000'],
    ['9999999999999999999999999999999999', '+', '1', '1.000000000000000000000000000000000E+34'],
    ['1', '-', '1.00', '0.00'],
    ['-0', '+', '0', '0'],
    ['1.5', '*', '2', '3.0'],
    ['1', '/', '3', '0.3333333333333333333333333333333333'],
    ['2', '/', '3', '0.6666666666666666666666666666666667'],
    ['6', '/', '2', '3'],
    ['1', '/', '8', '0.125'],
    ['1', '/', '0', 'Infinity'],
    ['0', '/', '0', 'NaN'],
    ['7', '%', '3', '1'],
    ['-7.5', '%', '2', '-1.5'],
    ['9E+6144', '*', '10', 'Infinity'],
    ['Infinity', '-', 'Infinity', 'NaN'],
  ])('%s %s %s = %s', (a, operator, b, expected) => {
    const left = decimal(a);
    const right = decimal(b);
    const results = {
      '+': left.add(right),
      '-': left.subtract(right),
      '*': left.multiply(right),
      '/': left.divide(right),
      '%': left.remainder(right),
    };
    expect(results[operator as keyof typeof results].toString()).toBe(expected);
  });

  test('prints, parses and encodes as the driver does', () => {
    fc.assert(
      fc.property(arbitraryNumber, (value) => {
        if (!(value instanceof Decimal)) return;
        const bytes = Buffer.alloc(16);
        value.writeTo(bytes, 0);
        expect(new Decimal128(bytes).toString()).toBe(value.toString());
        const again = Decimal.fromBytes(bytes, 0);
        expect(again).toEqual(value);
        expect(decimal(value.toString()).compare(value)).toBe(0);
      }),
    );
  });

  test('compares with doubles exactly', () => {
    expect(decimal('0.1').compareNumber(0.1)).toBe(-1);
    expect(decimal('0.5').compareNumber(0.5)).toBe(0);
    expect(decimal('9007199254740993').compareNumber(9007199254740992)).toBe(1);
    expect(decimal('1E+400').compareNumber(Number.MAX_VALUE)).toBe(1);
    expect(decimal('-1E-400').compareNumber(0)).toBe(-1);
  });

  test('converts doubles by fifteen digits', () => {
    expect(Decimal.fromNumber(0.1).toString()).toBe('0.100000000000000');
    expect(Decimal.fromNumber(3).toString()).toBe('3');
    expect(Decimal.fromDouble(3).toString()).toBe('3.00000000000000');
  });

  test('takes square roots', () => {
    expect(decimal('2').squareRoot().toString()).toBe('1.414213562373095048801688724209698');
    expect(decimal('16').squareRoot().toString()).toBe('4');
    expect(decimal('0.25').squareRoot().toString()).toBe('0.5');
  });
});
