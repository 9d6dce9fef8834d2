/**
 * Lua 5.1 in WebAssembly through its C API, bytes in and bytes out.
 *
 * The package `wasmoon-lua5.1` brings the interpreter; its own bindings decode strings as UTF-8 and are slow, so only the
 * raw functions are used here. Strings are byte strings. See the Lua 5.1 reference manual §3.
 */
import { Lua } from 'wasmoon-lua5.1';

export const LuaType = {
  none: -1,
  nil: 0,
  boolean: 1,
  lightUserdata: 2,
  number: 3,
  string: 4,
  table: 5,
  function: 6,
} as const;

const registryIndex = -10000;
export const globalsIndex = -10002;
const scratchBytes = 64 * 1024;
const hookEveryInstructions = 10_000;
const countMask = 8;
const lineMask = 4;

/** The functions of the module that are used; pointers and Lua indexes are numbers. */
interface LuaModule {
  readonly HEAPU8: Uint8Array;
  readonly HEAPU32: Uint32Array;
  _malloc(size: number): number;
  _free(pointer: number): void;
  addFunction(body: (...args: number[]) => number | undefined, signature: string): number;
  _lua_checkstack(state: number, extra: number): number;
  _lua_gettop(state: number): number;
  _lua_settop(state: number, index: number): void;
  _lua_pushvalue(state: number, index: number): void;
  _lua_insert(state: number, index: number): void;
  _lua_remove(state: number, index: number): void;
  _lua_type(state: number, index: number): number;
  _lua_tonumber(state: number, index: number): number;
  _lua_toboolean(state: number, index: number): number;
  _lua_tolstring(state: number, index: number, length: number): number;
  _lua_objlen(state: number, index: number): number;
  _lua_pushnil(state: number): void;
  _lua_pushnumber(state: number, value: number): void;
  _lua_pushboolean(state: number, value: number): void;
  _lua_pushlstring(state: number, pointer: number, length: number): void;
  _lua_pushcclosure(state: number, body: number, upvalues: number): void;
  _lua_pushlightuserdata(state: number, pointer: number): void;
  _lua_topointer(state: number, index: number): number;
  _lua_createtable(state: number, array: number, record: number): void;
  _lua_rawget(state: number, index: number): void;
  _lua_rawgeti(state: number, index: number, n: number): void;
  _lua_rawset(state: number, index: number): void;
  _lua_rawseti(state: number, index: number, n: number): void;
  _lua_next(state: number, index: number): number;
  _lua_pcall(state: number, args: number, results: number, handler: number): number;
  _lua_error(state: number): number;
  _lua_concat(state: number, count: number): void;
  _luaL_where(state: number, level: number): void;
  _lua_setfenv(state: number, index: number): number;
  _lua_gc(state: number, what: number, amount: number): number;
  _lua_sethook(state: number, hook: number, mask: number, count: number): number;
  _luaL_loadbuffer(state: number, bytes: number, length: number, name: number): number;
  _luaL_ref(state: number, table: number): number;
  _luaL_unref(state: number, table: number, reference: number): void;
}

/**
 * What a function offered to Lua throws to raise a Lua error: a text, which gets the position of the call in front as
 * `luaL_error` does it, or whatever the function has left on top of the stack.
 */
export class LuaError extends Error {
  constructor(
    text: string,
    /** The error value is on top of the stack already. */
    readonly onStack = false,
  ) {
    super(text);
  }
}

/** A function offered to Lua: arguments are 1 … `lua.top`; gives the number of results it has pushed. */
export type LuaFunction = (lua: LuaState) => number;

export class LuaState {
  private readonly lengthPointer: number;
  private scratch: number;
  private scratchSize = scratchBytes;
  private heap: Buffer;
  /** Called every so many instructions while a script runs; throws to stop it. */
  onInstructions: (() => void) | undefined;
  private readonly hook: number;
  /** What a function offered to Lua threw that is no Lua error; the outermost call throws it again. */
  private passing: { readonly thrown: unknown } | undefined;

  private constructor(
    private readonly module: LuaModule,
    private readonly state: number,
  ) {
    this.lengthPointer = module._malloc(8);
    this.scratch = module._malloc(scratchBytes);
    this.heap = Buffer.from(module.HEAPU8.buffer);
    this.hook = module.addFunction((L) => this.runHook(L ?? 0), 'vii');
  }

  static async create(): Promise<LuaState> {
    const lua = await Lua.create();
    const { luaApi, address } = lua.global as unknown as { luaApi: { module: LuaModule }; address: number };
    return new LuaState(luaApi.module, address);
  }

  /** Memory may have grown, and the old buffer with it become useless. */
  private memory(): Buffer {
    if (this.heap.buffer !== this.module.HEAPU8.buffer) this.heap = Buffer.from(this.module.HEAPU8.buffer);
    return this.heap;
  }

  get top(): number {
    return this.module._lua_gettop(this.state);
  }

  setTop(index: number): void {
    this.module._lua_settop(this.state, index);
  }

  pop(count = 1): void {
    this.module._lua_settop(this.state, -count - 1);
  }

  /** Room for more values; throws a Lua error when there is none. */
  checkStack(extra: number): void {
    if (this.module._lua_checkstack(this.state, extra) === 0) throw new LuaError('stack overflow');
  }

  type(index: number): number {
    return this.module._lua_type(this.state, index);
  }

  toNumber(index: number): number {
    return this.module._lua_tonumber(this.state, index);
  }

  toBoolean(index: number): boolean {
    return this.module._lua_toboolean(this.state, index) !== 0;
  }

  /** The bytes of a string, or of a number converted to one in place. */
  toText(index: number): string {
    const pointer = this.module._lua_tolstring(this.state, index, this.lengthPointer);
    if (pointer === 0) return '';
    const length = this.module.HEAPU32[this.lengthPointer >> 2] ?? 0;
    return this.memory().latin1Slice(pointer, pointer + length);
  }

  length(index: number): number {
    return this.module._lua_objlen(this.state, index);
  }

  identity(index: number): number {
    return this.module._lua_topointer(this.state, index);
  }

  pushNil(): void {
    this.module._lua_pushnil(this.state);
  }

  pushNumber(value: number): void {
    this.module._lua_pushnumber(this.state, value);
  }

  pushBoolean(value: boolean): void {
    this.module._lua_pushboolean(this.state, value ? 1 : 0);
  }

  pushText(text: string): void {
    this.withBytes(text, (pointer) => this.module._lua_pushlstring(this.state, pointer, text.length));
  }

  pushBytes(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const pointer = this.reserve(length);
    this.memory().set(bytes.subarray(start, end), pointer);
    this.module._lua_pushlstring(this.state, pointer, length);
  }

  pushValue(index: number): void {
    this.module._lua_pushvalue(this.state, index);
  }

  pushNull(): void {
    this.module._lua_pushlightuserdata(this.state, 0);
  }

  insert(index: number): void {
    this.module._lua_insert(this.state, index);
  }

  remove(index: number): void {
    this.module._lua_remove(this.state, index);
  }

  newTable(array = 0, record = 0): void {
    this.module._lua_createtable(this.state, array, record);
  }

  rawGet(index: number): void {
    this.module._lua_rawget(this.state, index);
  }

  rawGetIndex(index: number, n: number): void {
    this.module._lua_rawgeti(this.state, index, n);
  }

  rawSet(index: number): void {
    this.module._lua_rawset(this.state, index);
  }

  rawSetIndex(index: number, n: number): void {
    this.module._lua_rawseti(this.state, index, n);
  }

  next(index: number): boolean {
    return this.module._lua_next(this.state, index) !== 0;
  }

  /** `table[name] = top of stack`, popped; `index` must not be relative to the top. */
  setField(index: number, name: string): void {
    this.pushText(name);
    this.insert(-2);
    this.rawSet(index);
  }

  /** Pushes `table[name]` without metamethods. */
  getField(index: number, name: string): void {
    this.pushText(name);
    this.rawGet(index < 0 && index > registryIndex ? index - 1 : index);
  }

  setEnvironment(index: number): void {
    this.module._lua_setfenv(this.state, index);
  }

  /** Keeps the value on top of the stack, which is popped, under a reference. */
  reference(): number {
    return this.module._luaL_ref(this.state, registryIndex);
  }

  pushReference(reference: number): void {
    this.module._lua_rawgeti(this.state, registryIndex, reference);
  }

  release(reference: number): void {
    this.module._luaL_unref(this.state, registryIndex, reference);
  }

  /** Compiles source text; the function, or the error's text, is pushed. */
  load(source: string, chunkName: string): boolean {
    const name = this.module._malloc(chunkName.length + 1);
    this.memory().latin1Write(`${chunkName}\0`, name);
    const status = this.withBytes(source, (pointer) =>
      this.module._luaL_loadbuffer(this.state, pointer, source.length, name),
    );
    this.module._free(name);
    return status === 0;
  }

  /** Calls the function below `args` arguments; true, or false with the error value pushed. `handler`: a stack index or 0. */
  call(args: number, results: number, handler = 0): boolean {
    const status = this.module._lua_pcall(this.state, args, results, handler);
    const { passing } = this;
    if (passing !== undefined) {
      this.passing = undefined;
      this.setHook(false);
      throw passing.thrown;
    }
    return status === 0;
  }

  /** Pushes a function of ours. */
  pushFunction(body: LuaFunction): void {
    this.module._lua_pushcclosure(
      this.state,
      this.module.addFunction(() => this.run(body), 'ii'),
      0,
    );
  }

  /** Whether `onInstructions` is asked while scripts run. */
  setHook(on: boolean): void {
    this.module._lua_sethook(this.state, this.hook, on ? countMask : 0, on ? hookEveryInstructions : 0);
  }

  /** Bytes the interpreter has allocated. */
  get memoryBytes(): number {
    return this.module._lua_gc(this.state, 3, 0) * 1024 + this.module._lua_gc(this.state, 4, 0);
  }

  collectGarbage(): void {
    this.module._lua_gc(this.state, 2, 0);
  }

  private run(body: LuaFunction): number {
    try {
      return body(this);
    } catch (thrown) {
      if (!(thrown instanceof LuaError)) {
        // Not for the script to catch: leave the interpreter, however many pcalls are in the way, and throw it outside.
        this.passing ??= { thrown };
        this.stopAtEveryLine();
        this.pushText('the script was stopped');
      } else if (!thrown.onStack) {
        this.module._luaL_where(this.state, 1);
        this.pushText(thrown.message);
        this.module._lua_concat(this.state, 2);
      }
    }
    return this.module._lua_error(this.state);
  }

  private runHook(state: number): undefined {
    if (this.passing === undefined) {
      try {
        this.onInstructions?.();
        return undefined;
      } catch (thrown) {
        this.passing = { thrown };
        this.stopAtEveryLine();
      }
    }
    this.module._lua_checkstack(state, 1);
    this.withBytes('the script was stopped', (pointer) => this.module._lua_pushlstring(state, pointer, 22));
    this.module._lua_error(state);
    return undefined;
  }

  private stopAtEveryLine(): void {
    this.module._lua_sethook(this.state, this.hook, countMask | lineMask, 1);
  }

  private reserve(size: number): number {
    if (size > this.scratchSize) {
      this.module._free(this.scratch);
      this.scratchSize = size * 2;
      this.scratch = this.module._malloc(this.scratchSize);
      if (this.scratch === 0) {
        this.scratch = this.module._malloc(scratchBytes);
        this.scratchSize = scratchBytes;
        throw new LuaError('not enough memory');
      }
    }
    return this.scratch;
  }

  private withBytes<T>(text: string, body: (pointer: number) => T): T {
    const pointer = this.reserve(text.length);
    this.memory().latin1Write(text, pointer);
    return body(pointer);
  }
}
