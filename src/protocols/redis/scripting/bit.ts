/** The `bit` library (LuaBitOp 1.0.2): 32-bit integers, results signed. */
import { LuaError, type LuaFunction, type LuaState, LuaType } from './lua-state.js';

function integer(lua: LuaState, index: number, name: string): number {
  const type = lua.type(index);
  if (type !== LuaType.number && type !== LuaType.string) {
    const given = type === LuaType.none ? 'no value' : (typeNames[type] ?? 'value');
    throw new LuaError(`bad argument #${index} to '${name}' (number expected, got ${given})`);
  }
  const value = lua.toNumber(index);
  // As the library does: round to the nearest integer, then keep the low 32 bits.
  const rounded = Math.round(value);
  const even = Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
  return Number(BigInt.asIntN(32, BigInt(Number.isFinite(even) ? even : 0)));
}

const typeNames = ['nil', 'boolean', 'userdata', 'number', 'string', 'table', 'function', 'userdata', 'thread'];

const unary = (name: string, operate: (a: number) => number): [string, LuaFunction] => [
  name,
  (lua) => {
    lua.pushNumber(operate(integer(lua, 1, name)) | 0);
    return 1;
  },
];

const fold = (name: string, operate: (a: number, b: number) => number): [string, LuaFunction] => [
  name,
  (lua) => {
    let value = integer(lua, 1, name);
    for (let i = 2; i <= lua.top; i++) value = operate(value, integer(lua, i, name));
    lua.pushNumber(value | 0);
    return 1;
  },
];

const shift = (name: string, operate: (a: number, n: number) => number): [string, LuaFunction] => [
  name,
  (lua) => {
    lua.pushNumber(operate(integer(lua, 1, name), integer(lua, 2, name) & 31) | 0);
    return 1;
  },
];

function toHex(lua: LuaState): number {
  const value = integer(lua, 1, 'tohex') >>> 0;
  const digits = lua.type(2) === LuaType.none ? 8 : integer(lua, 2, 'tohex');
  const text = value
    .toString(16)
    .padStart(8, '0')
    .slice(8 - Math.min(8, Math.abs(digits)));
  lua.pushText(digits < 0 ? text.toUpperCase() : text);
  return 1;
}

export const bitLibrary: readonly (readonly [string, LuaFunction])[] = [
  unary('tobit', (a) => a),
  unary('bnot', (a) => ~a),
  unary('bswap', (a) => ((a >>> 24) & 255) | ((a >>> 8) & 0xff00) | ((a & 0xff00) << 8) | (a << 24)),
  fold('band', (a, b) => a & b),
  fold('bor', (a, b) => a | b),
  fold('bxor', (a, b) => a ^ b),
  shift('lshift', (a, n) => a << n),
  shift('rshift', (a, n) => a >>> n),
  shift('arshift', (a, n) => a >> n),
  shift('rol', (a, n) => (n === 0 ? a : (a << n) | (a >>> (32 - n)))),
  shift('ror', (a, n) => (n === 0 ? a : (a >>> n) | (a << (32 - n)))),
  ['tohex', toHex],
];
