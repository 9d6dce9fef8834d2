/** Values as MongoDB prints them in messages and explain: `{ a: 1, b: "x", c: ObjectId('...'), e: 1.0 }`. */
import { Decimal } from './decimal128.js';
import { Doc } from './document.js';
import {
  Binary,
  BsonSymbol,
  BsonUndefined,
  Code,
  CodeWithScope,
  DateTime,
  DbPointer,
  Double,
  isArrayValue,
  isInt32,
  MaxKey,
  MinKey,
  ObjectId,
  Regex,
  Timestamp,
  type Value,
} from './types.js';

/** Strings longer than this many bytes are cut. */
const TEXT_LENGTH_MAX = 160;
const CUT_LENGTH = 150;
/** Levels printed before `...`. */
const DEPTH_MAX = 200;

/** `{ a: 1, b: [ 1, 2 ] }`; `{}` when empty. */
export function formatDocument(document: Doc, depth = 0): string {
  if (depth > DEPTH_MAX) return '...';
  let text = '';
  for (const [name, value] of document) text += `${text === '' ? ' ' : ', '}${name}: ${formatValue(value, depth + 1)}`;
  return text === '' ? '{}' : `{${text} }`;
}

/** `a: 1`, as MongoDB prints a field. */
export function formatField(name: string, value: Value): string {
  return `${name}: ${formatValue(value)}`;
}

export function formatValue(value: Value, depth = 0): string {
  switch (typeof value) {
    case 'number':
      return isInt32(value) ? String(value) : formatDouble(value);
    case 'string':
      return formatText(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      if (value === null) return 'null';
      return formatObject(value, depth);
  }
}

function formatText(text: string): string {
  return text.length > TEXT_LENGTH_MAX ? `"${text.slice(0, CUT_LENGTH)}..."` : `"${text}"`;
}

/** Sixteen significant digits, with a point where one would be missing. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const text = formatG(value, 16);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** C's `%.<digits>g`. */
export function formatG(value: number, digits: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa = '', power = '0'] = value.toExponential(digits - 1).split('e');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= digits) {
    const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
    const magnitude = String(Math.abs(exponent)).padStart(2, '0');
    return `${short}e${exponent < 0 ? '-' : '+'}${magnitude}`;
  }
  const fixed = value.toFixed(Math.max(0, digits - 1 - exponent));
  return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
}

function formatObject(value: Exclude<Value, number | string | boolean | bigint | null>, depth: number): string {
  if (value instanceof Doc) return formatDocument(value, depth);
  if (isArrayValue(value)) {
    if (depth > DEPTH_MAX) return '...';
    return value.length === 0 ? '[]' : `[ ${value.map((element) => formatValue(element, depth + 1)).join(', ')} ]`;
  }
  if (value instanceof ObjectId) return `ObjectId('${value.toHex()}')`;
  if (value instanceof DateTime) return `new Date(${value.bigint})`;
  if (value instanceof Double) return formatDouble(value.value);
  if (value instanceof Decimal) return value.toString();
  if (value instanceof Timestamp) return `Timestamp(${value.seconds}, ${value.increment})`;
  if (value instanceof Binary) return formatBinary(value);
  if (value instanceof Regex) return `/${value.pattern}/${value.flags}`;
  if (value instanceof BsonUndefined) return 'undefined';
  if (value instanceof MinKey) return 'MinKey';
  if (value instanceof MaxKey) return 'MaxKey';
  if (value instanceof BsonSymbol) return formatText(value.text);
  if (value instanceof Code) return value.code;
  if (value instanceof CodeWithScope) return `CodeWScope( ${value.code}, ${formatDocument(value.scope, depth + 1)})`;
  if (value instanceof DbPointer) return `DBRef('${value.namespace}',${value.id.toHex()})`;
  return '?';
}

function formatBinary(value: Binary): string {
  const hex = value.bytes.toString('hex');
  if (value.subtype === 4 && value.bytes.length === 16) {
    return `UUID("${hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')}")`;
  }
  return `BinData(${value.subtype}, ${hex.toUpperCase()})`;
}
