/** The `cjson` library (lua-cjson 2.1.0): JSON to and from Lua values, with its limits and its error texts. */
import { LuaError, type LuaFunction, type LuaState, LuaType } from './lua-state.js';

const depthMaxDefault = 1000;

interface Options {
  sparseConvert: boolean;
  sparseRatio: number;
  sparseSafe: number;
  encodeMaxDepth: number;
  decodeMaxDepth: number;
  numberPrecision: number;
  keepBuffer: boolean;
  encodeInvalid: boolean | 'null';
  decodeInvalid: boolean;
  decodeArrayMetatable: boolean;
}

/** A number as C's `%.{precision}g` prints it. */
export function formatG(value: number, precision: number): string {
  if (Number.isNaN(value)) return Object.is(value, -Number.NaN) ? '-nan' : 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa = '', exponentText = '0'] = value.toExponential(precision - 1).split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= precision) {
    const head = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
    return `${head}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const fixed = value.toFixed(Math.max(0, precision - 1 - exponent));
  return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
}

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x7f': '\\u007f',
};

function quote(text: string): string {
  return `"${text.replace(/["\\/\x00-\x1f\x7f]/g, (char) => escapes[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
}

class Encoder {
  private readonly parts: string[] = [];

  constructor(
    private readonly lua: LuaState,
    private readonly options: Options,
  ) {}

  encode(): string {
    this.value(1, 0);
    return this.parts.join('');
  }

  private value(index: number, depth: number): void {
    const { lua, parts } = this;
    switch (lua.type(index)) {
      case LuaType.string:
        parts.push(quote(lua.toText(index)));
        break;
      case LuaType.number:
        this.number(lua.toNumber(index));
        break;
      case LuaType.boolean:
        parts.push(lua.toBoolean(index) ? 'true' : 'false');
        break;
      case LuaType.table:
        this.table(index, depth + 1);
        break;
      case LuaType.nil:
        parts.push('null');
        break;
      case LuaType.lightUserdata:
        parts.push('null');
        break;
      default:
        throw new LuaError(`Cannot serialise ${typeNames[lua.type(index)] ?? 'value'}: type not supported`);
    }
  }

  private number(value: number): void {
    if (!Number.isFinite(value)) {
      if (this.options.encodeInvalid === 'null') this.parts.push('null');
      else if (!this.options.encodeInvalid) throw new LuaError('Cannot serialise number: must not be NaN or Inf');
      else this.parts.push(formatG(value, this.options.numberPrecision));
    } else this.parts.push(formatG(value, this.options.numberPrecision));
  }

  private table(index: number, depth: number): void {
    const { lua, parts } = this;
    if (depth > this.options.encodeMaxDepth) {
      throw new LuaError(`Cannot serialise, excessive depth (${depth})`);
    }
    lua.checkStack(4);
    const size = this.arraySize(index);
    if (size > 0) {
      parts.push('[');
      for (let i = 1; i <= size; i++) {
        if (i > 1) parts.push(',');
        lua.rawGetIndex(index, i);
        this.value(lua.top, depth);
        lua.pop();
      }
      parts.push(']');
      return;
    }
    parts.push('{');
    let first = true;
    lua.pushNil();
    while (lua.next(index)) {
      if (!first) parts.push(',');
      first = false;
      const key = lua.top - 1;
      const type = lua.type(key);
      if (type === LuaType.number) parts.push(`"${formatG(lua.toNumber(key), this.options.numberPrecision)}":`);
      else if (type === LuaType.string) parts.push(quote(lua.toText(key)), ':');
      else throw new LuaError('Cannot serialise table: table key must be a number or string');
      this.value(lua.top, depth);
      lua.pop();
    }
    parts.push('}');
  }

  /** The length of a table that is an array, or -1 for an object (and for an empty table). */
  private arraySize(index: number): number {
    const { lua } = this;
    let max = 0;
    let items = 0;
    lua.pushNil();
    while (lua.next(index)) {
      const key = lua.top - 1;
      const value = lua.type(key) === LuaType.number ? lua.toNumber(key) : 0;
      if (value < 1 || !Number.isInteger(value)) {
        lua.pop(2);
        return -1;
      }
      max = Math.max(max, value);
      items++;
      lua.pop();
    }
    const { sparseRatio, sparseSafe, sparseConvert } = this.options;
    if (sparseRatio > 0 && max > items * sparseRatio && max > sparseSafe) {
      if (!sparseConvert) throw new LuaError('Cannot serialise table: excessively sparse array');
      return -1;
    }
    return max === 0 ? -1 : max;
  }
}

const typeNames = ['nil', 'boolean', 'userdata', 'number', 'string', 'table', 'function', 'userdata', 'thread'];

class Decoder {
  private at = 0;

  constructor(
    private readonly lua: LuaState,
    private readonly text: string,
    private readonly options: Options,
  ) {}

  decode(): void {
    this.value(0);
    this.skipBlanks();
    if (this.at < this.text.length) this.fail('the end');
  }

  private fail(expected: string, at = this.at): never {
    throw new LuaError(`Expected ${expected} but found ${this.tokenAt(at)} at character ${at + 1}`);
  }

  private tokenAt(at: number): string {
    const char = this.text[at];
    if (char === undefined) return 'T_END';
    const names: Readonly<Record<string, string>> = {
      '{': 'T_OBJ_BEGIN',
      '}': 'T_OBJ_END',
      '[': 'T_ARR_BEGIN',
      ']': 'T_ARR_END',
      ',': 'T_COMMA',
      ':': 'T_COLON',
    };
    if (names[char] !== undefined) return names[char];
    if (char === '"') return 'T_STRING';
    if (/[-0-9]/.test(char)) return 'T_NUMBER';
    if (this.text.startsWith('true', at) || this.text.startsWith('false', at)) return 'T_BOOLEAN';
    if (this.text.startsWith('null', at)) return 'T_NULL';
    return 'invalid token';
  }

  private skipBlanks(): void {
    while (/[ \t\r\n]/.test(this.text[this.at] ?? '')) this.at++;
  }

  private value(depth: number): void {
    this.skipBlanks();
    const char = this.text[this.at];
    this.lua.checkStack(3);
    if (char === '"') this.lua.pushText(this.string());
    else if (char === '{') this.object(depth + 1);
    else if (char === '[') this.array(depth + 1);
    else if (this.word('true')) this.lua.pushBoolean(true);
    else if (this.word('false')) this.lua.pushBoolean(false);
    else if (this.word('null')) this.lua.pushNull();
    else this.number();
  }

  private word(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  private descend(depth: number): void {
    if (depth > this.options.decodeMaxDepth) {
      throw new LuaError(`Found too many nested data structures (${depth}) at character ${this.at}`);
    }
  }

  private object(depth: number): void {
    this.at++;
    this.descend(depth);
    this.lua.newTable();
    const table = this.lua.top;
    this.skipBlanks();
    if (this.text[this.at] === '}') {
      this.at++;
      return;
    }
    for (;;) {
      this.skipBlanks();
      if (this.text[this.at] !== '"') this.fail('object key string');
      this.lua.pushText(this.string());
      this.skipBlanks();
      if (this.text[this.at] !== ':') this.fail('colon');
      this.at++;
      this.value(depth);
      this.lua.rawSet(table);
      this.skipBlanks();
      const char = this.text[this.at];
      if (char === '}') {
        this.at++;
        return;
      }
      if (char !== ',') this.fail('comma or object end');
      this.at++;
    }
  }

  private array(depth: number): void {
    this.at++;
    this.descend(depth);
    this.lua.newTable();
    const table = this.lua.top;
    this.skipBlanks();
    if (this.text[this.at] === ']') {
      this.at++;
      return;
    }
    for (let i = 1; ; i++) {
      this.value(depth);
      this.lua.rawSetIndex(table, i);
      this.skipBlanks();
      const char = this.text[this.at];
      if (char === ']') {
        this.at++;
        return;
      }
      if (char !== ',') this.fail('comma or array end');
      this.at++;
    }
  }

  private number(): void {
    const rest = this.text.slice(this.at, this.at + 400);
    const match = /^-?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|inf(?:inity)?|nan)/i.exec(rest);
    if (match === null) this.fail('value');
    const text = match[0];
    const plain = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/.test(text);
    if (!plain && !this.options.decodeInvalid) this.fail('value');
    this.at += text.length;
    if (/inf/i.test(text)) this.lua.pushNumber(text.startsWith('-') ? -Infinity : Infinity);
    else if (/nan/i.test(text)) this.lua.pushNumber(Number.NaN);
    else this.lua.pushNumber(text.startsWith('-') ? -Number(text.slice(1)) : Number(text));
  }

  private string(): string {
    const start = this.at;
    this.at++;
    let text = '';
    for (;;) {
      const char = this.text[this.at];
      if (char === undefined) {
        throw new LuaError(`Expected value but found unexpected end of string at character ${this.at + 1}`);
      }
      if (char === '"') {
        this.at++;
        return text;
      }
      if (char === '\\') text += this.escape(start);
      else {
        text += char;
        this.at++;
      }
    }
  }

  private escape(start: number): string {
    const char = this.text[this.at + 1] ?? '';
    const known = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', '/': '/' }[char];
    if (known !== undefined) {
      this.at += 2;
      return known;
    }
    const unit = this.unicode(this.at);
    if (char !== 'u' || unit === undefined) {
      throw new LuaError(
        `Expected value but found invalid ${char === 'u' ? 'unicode escape code' : 'escape code'} at character ${(char === 'u' ? this.at : start + (this.at - start)) + 1}`,
      );
    }
    let code = unit;
    this.at += 6;
    if (code >= 0xd800 && code < 0xdc00) {
      const low = this.unicode(this.at);
      if (low === undefined || low < 0xdc00 || low > 0xdfff) {
        throw new LuaError(`Expected value but found invalid unicode escape code at character ${this.at - 5}`);
      }
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      this.at += 6;
    } else if (code >= 0xdc00 && code <= 0xdfff) {
      throw new LuaError(`Expected value but found invalid unicode escape code at character ${this.at - 5}`);
    }
    return Buffer.from(String.fromCodePoint(code), 'utf8').latin1Slice();
  }

  private unicode(at: number): number | undefined {
    const match = /^\\u([0-9a-fA-F]{4})/.exec(this.text.slice(at, at + 6));
    return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 16);
  }
}

function optionalInteger(lua: LuaState, index: number, min: number, max: number, name: string): number | undefined {
  const type = lua.type(index);
  if (type === LuaType.none || type === LuaType.nil) return undefined;
  const value = lua.toNumber(index);
  if (type !== LuaType.number || !Number.isInteger(value) || value < min || value > max) {
    throw new LuaError(`bad argument #${index} to '${name}' (expected integer between ${min} and ${max})`);
  }
  return value;
}

function optionalFlag(lua: LuaState, index: number): boolean | undefined {
  const type = lua.type(index);
  if (type === LuaType.none || type === LuaType.nil) return undefined;
  if (type === LuaType.string) return lua.toText(index) === 'on';
  return lua.toBoolean(index);
}

/** The functions of one `cjson` table, with settings of their own. */
export function cjsonLibrary(): readonly (readonly [string, LuaFunction])[] {
  const options: Options = {
    sparseConvert: false,
    sparseRatio: 2,
    sparseSafe: 10,
    encodeMaxDepth: depthMaxDefault,
    decodeMaxDepth: depthMaxDefault,
    numberPrecision: 14,
    keepBuffer: true,
    encodeInvalid: false,
    decodeInvalid: true,
    decodeArrayMetatable: false,
  };
  const oneArgument = (lua: LuaState, name: string): void => {
    if (lua.top !== 1) throw new LuaError(`bad argument #1 to '${name}' (expected 1 argument)`);
  };
  const depthSetting = (name: string, field: 'encodeMaxDepth' | 'decodeMaxDepth'): [string, LuaFunction] => [
    name,
    (lua) => {
      options[field] = optionalInteger(lua, 1, 1, 2 ** 31 - 1, name) ?? options[field];
      lua.pushNumber(options[field]);
      return 1;
    },
  ];
  return [
    [
      'encode',
      (lua) => {
        oneArgument(lua, 'encode');
        lua.pushText(new Encoder(lua, options).encode());
        return 1;
      },
    ],
    [
      'decode',
      (lua) => {
        oneArgument(lua, 'decode');
        const text = lua.toText(1);
        if (text.length >= 2 && (text[0] === '\0' || text[1] === '\0')) {
          throw new LuaError('JSON parser does not support UTF-16 or UTF-32');
        }
        new Decoder(lua, text, options).decode();
        return 1;
      },
    ],
    [
      'encode_sparse_array',
      (lua) => {
        options.sparseConvert = optionalFlag(lua, 1) ?? options.sparseConvert;
        options.sparseRatio = optionalInteger(lua, 2, 0, 2 ** 31 - 1, 'encode_sparse_array') ?? options.sparseRatio;
        options.sparseSafe = optionalInteger(lua, 3, 0, 2 ** 31 - 1, 'encode_sparse_array') ?? options.sparseSafe;
        lua.pushBoolean(options.sparseConvert);
        lua.pushNumber(options.sparseRatio);
        lua.pushNumber(options.sparseSafe);
        return 3;
      },
    ],
    depthSetting('encode_max_depth', 'encodeMaxDepth'),
    depthSetting('decode_max_depth', 'decodeMaxDepth'),
    [
      'encode_number_precision',
      (lua) => {
        options.numberPrecision = optionalInteger(lua, 1, 1, 16, 'encode_number_precision') ?? options.numberPrecision;
        lua.pushNumber(options.numberPrecision);
        return 1;
      },
    ],
    [
      'encode_keep_buffer',
      (lua) => {
        options.keepBuffer = optionalFlag(lua, 1) ?? options.keepBuffer;
        lua.pushBoolean(options.keepBuffer);
        return 1;
      },
    ],
    [
      'encode_invalid_numbers',
      (lua) => {
        if (lua.type(1) === LuaType.string && lua.toText(1) === 'null') options.encodeInvalid = 'null';
        else options.encodeInvalid = optionalFlag(lua, 1) ?? options.encodeInvalid;
        if (options.encodeInvalid === 'null') lua.pushText('null');
        else lua.pushBoolean(options.encodeInvalid);
        return 1;
      },
    ],
    [
      'decode_invalid_numbers',
      (lua) => {
        options.decodeInvalid = optionalFlag(lua, 1) ?? options.decodeInvalid;
        lua.pushBoolean(options.decodeInvalid);
        return 1;
      },
    ],
  ];
}
