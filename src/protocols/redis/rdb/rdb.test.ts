import { describe, expect, test } from 'vitest';
import { RdbReader, RdbWriter } from './bytes.js';
import { crc64 } from './crc64.js';
import { RdbError } from './errors.js';
import { lzfDecompress } from './lzf.js';
import { readIntset, readListpack, writeIntset, writeListpack } from './packed-lists.js';
import { type RdbValue, readValue, writeValue } from './values.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function roundTrip(value: RdbValue, compact: boolean): RdbValue {
  const writer = new RdbWriter();
  writeValue(writer, value, { compact });
  const reader = new RdbReader(writer.take());
  const read = readValue(reader, reader.byte());
  expect(reader.finished).toBe(true);
  return read;
}

describe('RDB values', () => {
  test('the checksum is the one of the published check value', () => {
    expect(crc64(bytes('123456789')).toString('hex')).toBe('cad9b8c414d9c6e9');
  });

  test('the payload of SET q 1 is the one redis-server makes', () => {
    const writer = new RdbWriter();
    writeValue(writer, { type: 'string', value: bytes('1') }, { compact: true });
    writer.raw(Buffer.from([0x0b, 0]));
    const payload = writer.take();
    expect(Buffer.concat([payload, crc64(payload)]).toString('hex')).toBe('00c0010b004fa75ac52c9ef875');
  });

  test('listpacks keep bytes, and integers of every size', () => {
    const elements = [
      '',
      '0',
      '127',
      '128',
      '-1',
      '4095',
      '-4096',
      '-4097',
      '32767',
      '8388607',
      '-2147483648',
      '9223372036854775807',
      '01',
      'x'.repeat(63),
      'y'.repeat(64),
      'z'.repeat(5000),
      '\xff\0',
    ].map(bytes);
    expect(readListpack(writeListpack(elements))).toEqual(elements);
  });

  test('intsets take the smallest size that fits', () => {
    for (const members of [
      [-5n, 3n],
      [1n, 70000n],
      [1n, 2n ** 40n],
    ]) {
      expect(readIntset(writeIntset(members))).toEqual(members);
    }
    expect(writeIntset([1n, 2n]).length).toBe(12);
  });

  test.each([true, false])('every type is read back as it was written (compact: %s)', (compact) => {
    const values: RdbValue[] = [
      { type: 'string', value: bytes('hello \xff') },
      { type: 'string', value: bytes('-129') },
      { type: 'list', elements: Array.from({ length: 500 }, (_, i) => bytes(`element ${i} ${'x'.repeat(i)}`)) },
      { type: 'set', members: ['a', 'b', '12'].map(bytes) },
      {
        type: 'hash',
        fields: [
          [bytes('f'), bytes('v')],
          [bytes('g'), bytes('17')],
        ],
      },
      {
        type: 'zset',
        members: [
          [bytes('a'), -1.5],
          [bytes('b'), 3],
          [bytes('c'), Number.POSITIVE_INFINITY],
        ],
      },
    ];
    for (const value of values) expect(roundTrip(value, compact)).toEqual(value);
  });

  test('LZF copies what overlaps', () => {
    expect(lzfDecompress(Buffer.from([0x00, 0x61, 0xe0, 0x00, 0x00]), 10).latin1Slice()).toBe('aaaaaaaaaa');
  });

  test('damaged and unknown values are refused', () => {
    expect(() => readValue(new RdbReader(bytes('\x05ab')), 0)).toThrow(RdbError);
    expect(() => readValue(new RdbReader(bytes('\x00')), 99)).toThrow(RdbError);
    expect(() => readListpack(bytes('\x07\0\0\0\0\0\xff'))).not.toThrow();
    expect(() => readListpack(bytes('\x09\0\0\0\0\0\0\xff'))).toThrow(RdbError);
  });
});
