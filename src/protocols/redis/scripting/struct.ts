/** The `struct` library (Roberto Ierusalimschy's 0.2 as Redis ships it): `> < = ! b B h H l L T i I f d s x c0`. */
import { LuaError, type LuaFunction, type LuaState } from './lua-state.js';

const integerBytesMax = 32;
const alignMax = 16;

interface Item {
  readonly code: string;
  readonly size: number;
  readonly align: number;
  readonly little: boolean;
}

/** Walks a format; sizes are those of a 64-bit Linux. */
class Format {
  private at = 0;
  private little = true;
  private maxAlign = 1;

  constructor(private readonly text: string) {}

  next(): Item | undefined {
    for (;;) {
      const code = this.text[this.at++];
      if (code === undefined) return undefined;
      if (code === '<') this.little = true;
      else if (code === '>') this.little = false;
      else if (code === '!') {
        const align = this.number(8);
        if (align === 0 || (align & (align - 1)) !== 0) throw new LuaError('alignment is not a power of 2');
        this.maxAlign = Math.min(align, alignMax);
      } else if (code !== ' ') {
        const size = this.sizeOf(code);
        const align = 'cxs'.includes(code) || size === 0 ? 1 : Math.min(size, this.maxAlign);
        return { code, size, align, little: this.little };
      }
    }
  }

  private number(missing: number): number {
    const match = /^\d+/.exec(this.text.slice(this.at));
    if (match === null) return missing;
    this.at += match[0].length;
    const value = Number(match[0]);
    if (value > 2 ** 31 - 1) throw new LuaError('integral size overflow');
    return value;
  }

  private sizeOf(code: string): number {
    switch (code) {
      case 'b':
      case 'B':
      case 'x':
        return 1;
      case 'h':
      case 'H':
        return 2;
      case 'l':
      case 'L':
      case 'T':
      case 'd':
        return 8;
      case 'f':
        return 4;
      case 'c':
        return this.number(1);
      case 'i':
      case 'I': {
        const size = this.number(4);
        if (size > integerBytesMax) {
          throw new LuaError(`integral size ${size} is larger than limit of ${integerBytesMax}`);
        }
        return size;
      }
      case 's':
        return 0;
      default:
        throw new LuaError(`invalid format option '${code}'`);
    }
  }
}

const padding = (at: number, align: number): number => (align > 1 ? (align - (at & (align - 1))) & (align - 1) : 0);

function writeInteger(value: number, size: number, little: boolean): string {
  let rest = BigInt.asUintN(64, BigInt(Number.isFinite(value) ? Math.trunc(value) : 0));
  const bytes: number[] = [];
  for (let i = 0; i < size; i++) {
    bytes.push(Number(rest & 255n));
    rest >>= 8n;
  }
  return String.fromCharCode(...(little ? bytes : bytes.reverse()));
}

function readInteger(text: string, at: number, item: Item): number {
  let value = 0n;
  for (let i = 0; i < item.size; i++) {
    const index = item.little ? at + item.size - 1 - i : at + i;
    value = (value << 8n) | BigInt(text.charCodeAt(index));
  }
  const bits = Math.min(64, item.size * 8);
  return Number('bhli'.includes(item.code) ? BigInt.asIntN(bits, value) : BigInt.asUintN(64, value));
}

function writeFloat(value: number, item: Item): string {
  const bytes = Buffer.alloc(item.size);
  if (item.size === 4) bytes.writeFloatBE(value);
  else bytes.writeDoubleBE(value);
  return (item.little ? bytes.reverse() : bytes).latin1Slice();
}

function readFloat(text: string, at: number, item: Item): number {
  const bytes = Buffer.from(text.slice(at, at + item.size), 'latin1');
  if (item.little) bytes.reverse();
  return item.size === 4 ? bytes.readFloatBE(0) : bytes.readDoubleBE(0);
}

function pack(lua: LuaState): number {
  const format = new Format(lua.toText(1));
  let text = '';
  let argument = 1;
  for (let item = format.next(); item !== undefined; item = format.next()) {
    text += '\0'.repeat(padding(text.length, item.align));
    if (item.code === 'x') {
      text += '\0';
      continue;
    }
    argument++;
    if (argument > lua.top) throw new LuaError(`bad argument #${argument} to 'pack' (number expected, got no value)`);
    if (item.code === 's' || item.code === 'c') {
      const word = lua.toText(argument);
      const size = item.code === 's' || item.size === 0 ? word.length : item.size;
      if (word.length < size) throw new LuaError(`bad argument #${argument} to 'pack' (string too short)`);
      text += word.slice(0, size);
      if (item.code === 's') text += '\0';
    } else if (item.code === 'f' || item.code === 'd') text += writeFloat(lua.toNumber(argument), item);
    else text += writeInteger(lua.toNumber(argument), item.size, item.little);
  }
  lua.pushText(text);
  return 1;
}

function unpack(lua: LuaState): number {
  const format = new Format(lua.toText(1));
  const text = lua.toText(2);
  let at = (lua.top >= 3 ? lua.toNumber(3) : 1) - 1;
  if (at < 0) throw new LuaError("bad argument #3 to 'unpack' (offset must be 1 or greater)");
  let results = 0;
  let last = 0;
  for (let item = format.next(); item !== undefined; item = format.next()) {
    at += padding(at, item.align);
    if (at + item.size > text.length) throw new LuaError("bad argument #2 to 'unpack' (data string too short)");
    lua.checkStack(2);
    if (item.code === 'x') {
      at += item.size;
      continue;
    }
    let { size } = item;
    if (item.code === 's') {
      const end = text.indexOf('\0', at);
      if (end < 0) throw new LuaError("bad argument #2 to 'unpack' (unfinished string in data)");
      lua.pushText(text.slice(at, end));
      size = end - at + 1;
    } else if (item.code === 'c') {
      if (size === 0) {
        if (results === 0) throw new LuaError("format `c0' needs a previous size");
        size = last;
        lua.remove(-1);
        results--;
        if (at + size > text.length) throw new LuaError("bad argument #2 to 'unpack' (data string too short)");
      }
      lua.pushText(text.slice(at, at + size));
    } else {
      last = item.code === 'f' || item.code === 'd' ? readFloat(text, at, item) : readInteger(text, at, item);
      lua.pushNumber(last);
    }
    results++;
    at += size;
  }
  lua.pushNumber(at + 1);
  return results + 1;
}

function size(lua: LuaState): number {
  const format = new Format(lua.toText(1));
  let total = 0;
  for (let item = format.next(); item !== undefined; item = format.next()) {
    if (item.code === 's') throw new LuaError("bad argument #1 to 'size' (variable-size format in 'size')");
    if (item.code === 'c' && item.size === 0)
      throw new LuaError("bad argument #1 to 'size' (variable-length format in 'size')");
    total += padding(total, item.align) + item.size;
  }
  lua.pushNumber(total);
  return 1;
}

export const structLibrary: readonly (readonly [string, LuaFunction])[] = [
  ['pack', pack],
  ['unpack', unpack],
  ['size', size],
];
