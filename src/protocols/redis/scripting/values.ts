/** Replies to Lua values and Lua values to replies: the two conversions of Redis' scripting, in RESP2 and RESP3. */

import type { ReplyWriter } from '../reply.js';
import { type LuaState, LuaType } from './lua-state.js';

const nestingMax = 100;

/** Pushes the reply that begins at `at` in `bytes` as a Lua value; gives where it ends. */
export function pushReply(lua: LuaState, bytes: Buffer, at: number): number {
  lua.checkStack(5);
  const kind = bytes[at];
  const lineEnd = bytes.indexOf(13, at);
  const after = lineEnd + 2;
  switch (kind) {
    case 58: // :
      lua.pushNumber(Number(bytes.latin1Slice(at + 1, lineEnd)));
      return after;
    case 36: {
      const length = Number(bytes.latin1Slice(at + 1, lineEnd));
      if (length < 0) {
        lua.pushBoolean(false);
        return after;
      }
      lua.pushBytes(bytes, after, after + length);
      return after + length + 2;
    }
    case 43: // +
      lua.newTable(0, 1);
      lua.pushBytes(bytes, at + 1, lineEnd);
      lua.setField(lua.top - 1, 'ok');
      return after;
    case 45: // -
      lua.newTable(0, 1);
      lua.pushBytes(bytes, at + 1, lineEnd);
      lua.setField(lua.top - 1, 'err');
      return after;
    case 42: // *
    case 62: {
      const count = Number(bytes.latin1Slice(at + 1, lineEnd));
      if (count < 0) {
        lua.pushBoolean(false);
        return after;
      }
      return pushArray(lua, bytes, after, count);
    }
    case 95: // _
      lua.pushNil();
      return after;
    case 35: // #
      lua.pushBoolean(bytes[at + 1] === 116);
      return after;
    case 44: // ,
      lua.newTable(0, 1);
      lua.pushNumber(parseDouble(bytes.latin1Slice(at + 1, lineEnd)));
      lua.setField(lua.top - 1, 'double');
      return after;
    case 40: // (
      lua.newTable(0, 1);
      lua.pushBytes(bytes, at + 1, lineEnd);
      lua.setField(lua.top - 1, 'big_number');
      return after;
    case 37: // %
      return pushPairs(lua, bytes, after, Number(bytes.latin1Slice(at + 1, lineEnd)), 'map');
    case 126: // ~
      return pushPairs(lua, bytes, after, Number(bytes.latin1Slice(at + 1, lineEnd)), 'set');
    case 61: {
      const length = Number(bytes.latin1Slice(at + 1, lineEnd));
      lua.newTable(0, 1);
      lua.newTable(0, 2);
      lua.pushBytes(bytes, after, after + 3);
      lua.setField(lua.top - 1, 'format');
      lua.pushBytes(bytes, after + 4, after + length);
      lua.setField(lua.top - 1, 'string');
      lua.setField(lua.top - 1, 'verbatim_string');
      return after + length + 2;
    }
    default:
      lua.pushNil();
      return after;
  }
}

function pushArray(lua: LuaState, bytes: Buffer, start: number, count: number): number {
  lua.newTable(count, 0);
  const table = lua.top;
  let at = start;
  for (let i = 1; i <= count; i++) {
    at = pushReply(lua, bytes, at);
    lua.rawSetIndex(table, i);
  }
  return at;
}

function pushPairs(lua: LuaState, bytes: Buffer, start: number, count: number, kind: 'map' | 'set'): number {
  lua.newTable(0, 1);
  const outer = lua.top;
  lua.newTable(0, count);
  const table = lua.top;
  let at = start;
  for (let i = 0; i < count; i++) {
    at = pushReply(lua, bytes, at);
    if (kind === 'map') at = pushReply(lua, bytes, at);
    else lua.pushBoolean(true);
    lua.rawSet(table);
  }
  lua.setField(outer, kind);
  return at;
}

function parseDouble(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

/** Writes the Lua value at `index` as a reply; `resp` is what the script chose with redis.setresp. */
export function writeLuaValue(lua: LuaState, index: number, reply: ReplyWriter, depth = 0): void {
  if (depth > nestingMax) {
    reply.error('ERR reached lua stack limit');
    return;
  }
  lua.checkStack(4);
  switch (lua.type(index)) {
    case LuaType.string:
      reply.bulkText(lua.toText(index));
      break;
    case LuaType.boolean:
      if (reply.protocol === 3) reply.boolean(lua.toBoolean(index));
      else if (lua.toBoolean(index)) reply.integer(1);
      else reply.null();
      break;
    case LuaType.number:
      writeInteger(reply, lua.toNumber(index));
      break;
    case LuaType.table:
      writeTable(lua, index, reply, depth);
      break;
    default:
      reply.null();
  }
}

/** Truncated, as C's cast to a 64-bit integer does it. */
function writeInteger(reply: ReplyWriter, value: number): void {
  const truncated = Math.trunc(value);
  if (Number.isSafeInteger(truncated)) reply.integer(truncated === 0 ? 0 : truncated);
  else if (Number.isFinite(truncated) && Math.abs(truncated) < 2 ** 63) reply.integer(BigInt(truncated));
  else reply.integer(-(2n ** 63n));
}

function writeTable(lua: LuaState, index: number, reply: ReplyWriter, depth: number): void {
  const field = (name: string): number => {
    lua.getField(index, name);
    return lua.type(-1);
  };
  if (field('err') === LuaType.string) {
    const text = lua.toText(-1);
    lua.pop();
    reply.error(text.startsWith('-') ? text.slice(1) : text);
    return;
  }
  lua.pop();
  if (field('ok') === LuaType.string) {
    const text = lua.toText(-1).replace(/[\r\n]/g, ' ');
    lua.pop();
    reply.simple(text);
    return;
  }
  lua.pop();
  if (field('double') === LuaType.number) {
    const value = lua.toNumber(-1);
    lua.pop();
    reply.double(value);
    return;
  }
  lua.pop();
  if (field('map') === LuaType.table) {
    writePairs(lua, lua.top, reply, depth, true);
    lua.pop();
    return;
  }
  lua.pop();
  if (field('set') === LuaType.table) {
    writePairs(lua, lua.top, reply, depth, false);
    lua.pop();
    return;
  }
  lua.pop();
  if (field('big_number') === LuaType.string) {
    const digits = lua.toText(-1).replace(/[\r\n]/g, ' ');
    lua.pop();
    reply.bigNumber(digits);
    return;
  }
  lua.pop();
  if (field('verbatim_string') === LuaType.table) {
    writeVerbatim(lua, lua.top, reply);
    lua.pop();
    return;
  }
  lua.pop();
  let count = 0;
  for (;;) {
    lua.rawGetIndex(index, count + 1);
    const isNil = lua.type(-1) === LuaType.nil;
    lua.pop();
    if (isNil) break;
    count++;
  }
  reply.array(count);
  for (let i = 1; i <= count; i++) {
    lua.rawGetIndex(index, i);
    writeLuaValue(lua, lua.top, reply, depth + 1);
    lua.pop();
  }
}

function writePairs(lua: LuaState, index: number, reply: ReplyWriter, depth: number, map: boolean): void {
  let count = 0;
  lua.pushNil();
  while (lua.next(index)) {
    count++;
    lua.pop();
  }
  if (map) reply.map(count);
  else reply.set(count);
  lua.pushNil();
  while (lua.next(index)) {
    writeLuaValue(lua, lua.top - 1, reply, depth + 1);
    if (map) writeLuaValue(lua, lua.top, reply, depth + 1);
    lua.pop();
  }
}

function writeVerbatim(lua: LuaState, index: number, reply: ReplyWriter): void {
  lua.getField(index, 'string');
  const text = lua.toText(-1);
  lua.pop();
  lua.getField(index, 'format');
  const format = lua.toText(-1).slice(0, 3).padEnd(3);
  lua.pop();
  reply.verbatim(text, format === 'mkd' ? 'mkd' : 'txt');
}
