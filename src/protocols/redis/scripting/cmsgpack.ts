/** The `cmsgpack` library (lua-cmsgpack 0.4.0): MessagePack to and from Lua values. */
import { LuaError, type LuaFunction, type LuaState, LuaType } from './lua-state.js';

/** Deeper tables are packed as nil, as the library does. */
const nestingMax = 16;

class Packer {
  private bytes = Buffer.allocUnsafe(256);
  private used = 0;

  constructor(private readonly lua: LuaState) {}

  text(): string {
    return this.bytes.latin1Slice(0, this.used);
  }

  pack(index: number, depth: number): void {
    const { lua } = this;
    switch (lua.type(index)) {
      case LuaType.string:
        this.string(lua.toText(index));
        break;
      case LuaType.boolean:
        this.byte(lua.toBoolean(index) ? 0xc3 : 0xc2);
        break;
      case LuaType.number:
        this.number(lua.toNumber(index));
        break;
      case LuaType.table:
        if (depth === nestingMax) this.byte(0xc0);
        else this.table(index, depth);
        break;
      default:
        this.byte(0xc0);
    }
  }

  private table(index: number, depth: number): void {
    const { lua } = this;
    lua.checkStack(4);
    let count = 0;
    let max = 0;
    let isArray = true;
    lua.pushNil();
    while (lua.next(index)) {
      lua.pop();
      const key = lua.type(-1) === LuaType.number ? lua.toNumber(-1) : 0;
      if (key < 1 || !Number.isInteger(key)) isArray = false;
      max = Math.max(max, key);
      count++;
    }
    if (isArray && max === count && count > 0) {
      this.header(count, 0x90, 15, 0xdc);
      for (let i = 1; i <= count; i++) {
        lua.rawGetIndex(index, i);
        this.pack(lua.top, depth + 1);
        lua.pop();
      }
      return;
    }
    if (count === 0) {
      this.byte(0x90);
      return;
    }
    this.header(count, 0x80, 15, 0xde);
    lua.pushNil();
    while (lua.next(index)) {
      this.pack(lua.top - 1, depth + 1);
      this.pack(lua.top, depth + 1);
      lua.pop();
    }
  }

  private header(count: number, fix: number, fixMax: number, wide: number): void {
    if (count <= fixMax) this.byte(fix | count);
    else if (count <= 0xffff) {
      this.byte(wide);
      this.reserve(2);
      this.used = this.bytes.writeUInt16BE(count, this.used);
    } else {
      this.byte(wide + 1);
      this.reserve(4);
      this.used = this.bytes.writeUInt32BE(count, this.used);
    }
  }

  private number(value: number): void {
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 63 && !Object.is(value, -0)) this.integer(value);
    else this.float(value);
  }

  private float(value: number): void {
    if (Math.fround(value) === value) {
      this.byte(0xca);
      this.reserve(4);
      this.used = this.bytes.writeFloatBE(value, this.used);
    } else {
      this.byte(0xcb);
      this.reserve(8);
      this.used = this.bytes.writeDoubleBE(value, this.used);
    }
  }

  private integer(value: number): void {
    this.reserve(9);
    const { bytes } = this;
    if (value >= 0) {
      if (value <= 127) this.byte(value);
      else if (value <= 0xff) this.tagged(0xcc, () => bytes.writeUInt8(value, this.used));
      else if (value <= 0xffff) this.tagged(0xcd, () => bytes.writeUInt16BE(value, this.used));
      else if (value <= 0xffffffff) this.tagged(0xce, () => bytes.writeUInt32BE(value, this.used));
      else this.tagged(0xcf, () => bytes.writeBigUInt64BE(BigInt(value), this.used));
    } else if (value >= -32) this.byte(value & 255);
    else if (value >= -128) this.tagged(0xd0, () => bytes.writeInt8(value, this.used));
    else if (value >= -32768) this.tagged(0xd1, () => bytes.writeInt16BE(value, this.used));
    else if (value >= -2147483648) this.tagged(0xd2, () => bytes.writeInt32BE(value, this.used));
    else this.tagged(0xd3, () => bytes.writeBigInt64BE(BigInt(value), this.used));
  }

  private tagged(tag: number, write: () => number): void {
    this.byte(tag);
    this.used = write();
  }

  private string(text: string): void {
    const { length } = text;
    if (length < 32) this.byte(0xa0 | length);
    else if (length <= 0xff) {
      this.byte(0xd9);
      this.byte(length);
    } else if (length <= 0xffff) {
      this.byte(0xda);
      this.reserve(2);
      this.used = this.bytes.writeUInt16BE(length, this.used);
    } else {
      this.byte(0xdb);
      this.reserve(4);
      this.used = this.bytes.writeUInt32BE(length, this.used);
    }
    this.reserve(length);
    this.used += this.bytes.latin1Write(text, this.used);
  }

  private byte(value: number): void {
    this.reserve(1);
    this.bytes[this.used++] = value;
  }

  private reserve(size: number): void {
    if (this.used + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.used + size));
    this.bytes.copy(grown, 0, 0, this.used);
    this.bytes = grown;
  }
}

class Unpacker {
  constructor(
    private readonly lua: LuaState,
    private readonly bytes: Buffer,
    public at: number,
  ) {}

  get finished(): boolean {
    return this.at >= this.bytes.length;
  }

  /** Pushes one value. */
  unpack(): void {
    const { lua } = this;
    lua.checkStack(4);
    const tag = this.take(1)[0] ?? 0;
    if (tag <= 0x7f) lua.pushNumber(tag);
    else if (tag >= 0xe0) lua.pushNumber(tag - 256);
    else if (tag >= 0xa0 && tag <= 0xbf) this.string(tag & 31);
    else if (tag >= 0x90 && tag <= 0x9f) this.array(tag & 15);
    else if (tag >= 0x80 && tag <= 0x8f) this.map(tag & 15);
    else this.wide(tag);
  }

  private wide(tag: number): void {
    const { lua } = this;
    switch (tag) {
      case 0xc0:
        lua.pushNil();
        return;
      case 0xc2:
        lua.pushBoolean(false);
        return;
      case 0xc3:
        lua.pushBoolean(true);
        return;
      case 0xca:
        lua.pushNumber(this.take(4).readFloatBE(0));
        return;
      case 0xcb:
        lua.pushNumber(this.take(8).readDoubleBE(0));
        return;
      case 0xcc:
        lua.pushNumber(this.take(1).readUInt8(0));
        return;
      case 0xcd:
        lua.pushNumber(this.take(2).readUInt16BE(0));
        return;
      case 0xce:
        lua.pushNumber(this.take(4).readUInt32BE(0));
        return;
      case 0xcf:
        lua.pushNumber(Number(this.take(8).readBigUInt64BE(0)));
        return;
      case 0xd0:
        lua.pushNumber(this.take(1).readInt8(0));
        return;
      case 0xd1:
        lua.pushNumber(this.take(2).readInt16BE(0));
        return;
      case 0xd2:
        lua.pushNumber(this.take(4).readInt32BE(0));
        return;
      case 0xd3:
        lua.pushNumber(Number(this.take(8).readBigInt64BE(0)));
        return;
      case 0xc4:
      case 0xd9:
        this.string(this.take(1).readUInt8(0));
        return;
      case 0xc5:
      case 0xda:
        this.string(this.take(2).readUInt16BE(0));
        return;
      case 0xc6:
      case 0xdb:
        this.string(this.take(4).readUInt32BE(0));
        return;
      case 0xdc:
        this.array(this.take(2).readUInt16BE(0));
        return;
      case 0xdd:
        this.array(this.take(4).readUInt32BE(0));
        return;
      case 0xde:
        this.map(this.take(2).readUInt16BE(0));
        return;
      case 0xdf:
        this.map(this.take(4).readUInt32BE(0));
        return;
      default:
        throw new LuaError('Bad data format in input.');
    }
  }

  private string(length: number): void {
    const bytes = this.take(length);
    this.lua.pushBytes(bytes, 0, length);
  }

  private array(count: number): void {
    this.lua.newTable();
    const table = this.lua.top;
    for (let i = 1; i <= count; i++) {
      this.unpack();
      this.lua.rawSetIndex(table, i);
    }
  }

  private map(count: number): void {
    this.lua.newTable();
    const table = this.lua.top;
    for (let i = 0; i < count; i++) {
      this.unpack();
      if (this.lua.type(-1) === LuaType.nil) throw new LuaError('Bad data format in input.');
      this.unpack();
      this.lua.rawSet(table);
    }
  }

  private take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new LuaError('Missing bytes in input.');
    const taken = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return taken;
  }
}

function pack(lua: LuaState): number {
  const { top } = lua;
  if (top === 0) throw new LuaError("bad argument #0 to 'pack' (MessagePack pack needs input.)");
  let text = '';
  for (let i = 1; i <= top; i++) {
    const packer = new Packer(lua);
    packer.pack(i, 0);
    text += packer.text();
  }
  lua.pushText(text);
  return 1;
}

function unpackSome(lua: LuaState, limit: number, offset: number, withOffset: boolean): number {
  const bytes = Buffer.from(lua.toText(1), 'latin1');
  if (offset < 0 || limit < 0) {
    throw new LuaError(`Invalid request to unpack with offset of ${offset} and limit of ${limit}.`);
  }
  if (offset > bytes.length) {
    throw new LuaError(`Start offset ${offset} greater than input length ${bytes.length}.`);
  }
  const unpacker = new Unpacker(lua, bytes, offset);
  if (withOffset) lua.pushNumber(0);
  const first = lua.top;
  let count = 0;
  while (!unpacker.finished && (limit === 0 || count < limit)) {
    unpacker.unpack();
    count++;
  }
  if (withOffset) {
    lua.pushNumber(unpacker.finished ? -1 : unpacker.at);
    lua.insert(first);
    lua.remove(first + 1);
    return count + 1;
  }
  return count;
}

export const cmsgpackLibrary: readonly (readonly [string, LuaFunction])[] = [
  ['pack', pack],
  ['unpack', (lua) => unpackSome(lua, 0, 0, false)],
  ['unpack_one', (lua) => unpackSome(lua, 1, lua.type(2) === LuaType.number ? lua.toNumber(2) : 0, true)],
  [
    'unpack_limit',
    (lua) => unpackSome(lua, lua.toNumber(2), lua.type(3) === LuaType.number ? lua.toNumber(3) : 0, true),
  ],
];
