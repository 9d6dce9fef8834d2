/**
 * Function libraries: code that registers named functions, stored durably as key `settingsPrefix + 'function/' + library`
 * and compiled when the server starts or another server of the same store changes them.
 */

import { prefixEnd } from '../../../encoding/byte-strings.js';
import type { Awaitable, Transaction, View } from '../../../engine/engine.js';
import { settingsPrefix } from '../../../models/key-value/record.js';
import { RedisError } from '../errors.js';
import type { Interpreter } from './interpreter.js';
import { LuaError, type LuaState, LuaType } from './lua-state.js';
import { scriptFlags } from './scripts.js';

export interface LibraryFunction {
  readonly name: string;
  readonly description: string | undefined;
  readonly flags: ReadonlySet<string>;
  readonly reference: number;
  readonly library: string;
}

export interface Library {
  readonly name: string;
  readonly code: string;
  readonly functions: readonly LibraryFunction[];
}

const storedPrefix = `${settingsPrefix}function/`;
const validName = /^[A-Za-z0-9_]+$/;
const nameRule = 'can only contain letters, numbers, or underscores(_) and must be at least one character long';

export class FunctionLibraries {
  readonly libraries = new Map<string, Library>();
  private readonly byName = new Map<string, LibraryFunction>();

  constructor(private readonly interpreter: Interpreter) {}

  get functionCount(): number {
    return this.byName.size;
  }

  function(name: string): LibraryFunction | undefined {
    return this.byName.get(name);
  }

  /** Compiles a library without making it known. Throws the errors of FUNCTION LOAD. */
  compile(code: string): Library {
    const { name, body } = parseMetadata(code);
    const { interpreter } = this;
    let reference: number;
    try {
      reference = interpreter.compile(body, '@user_function');
    } catch (thrown) {
      if (!(thrown instanceof LuaError)) throw thrown;
      throw new RedisError(`ERR Error compiling function: ${thrown.message}`);
    }
    const functions: LibraryFunction[] = [];
    const error = interpreter.loadLibrary(reference, (lua) => {
      functions.push(registration(lua, name, functions));
      return 0;
    });
    interpreter.release(reference);
    if (error !== undefined) throw new RedisError(`ERR Error registering functions: ${error}`);
    if (functions.length === 0) throw new RedisError('ERR No functions registered');
    return { name, code, functions };
  }

  /** Throws when the library cannot be added beside those that stay: its name or a function's name is taken. */
  assertFits(library: Library, replace: boolean, among: ReadonlyMap<string, Library> = this.libraries): void {
    if (!replace && among.has(library.name)) throw new RedisError(`ERR Library '${library.name}' already exists`);
    for (const other of among.values()) {
      if (other.name === library.name) continue;
      for (const { name } of other.functions) {
        if (library.functions.some((own) => own.name === name))
          throw new RedisError(`ERR Function ${name} already exists`);
      }
    }
  }

  add(library: Library): void {
    this.remove(library.name);
    this.libraries.set(library.name, library);
    for (const registered of library.functions) this.byName.set(registered.name, registered);
  }

  remove(name: string): void {
    const library = this.libraries.get(name);
    if (library === undefined) return;
    for (const { name: functionName, reference } of library.functions) {
      this.byName.delete(functionName);
      this.interpreter.release(reference);
    }
    this.libraries.delete(name);
  }

  clear(): void {
    for (const name of [...this.libraries.keys()]) this.remove(name);
  }

  /** Replaces what is known by what is stored. */
  load(stored: readonly string[]): void {
    this.clear();
    for (const code of stored) this.add(this.compile(code));
  }
}

export function storeLibrary(tx: Transaction, library: Library): void {
  tx.put(storedPrefix + library.name, Buffer.from(library.code, 'latin1'));
}

export function dropLibrary(tx: Transaction, name: string): void {
  tx.delete(storedPrefix + name);
}

export function dropLibraries(tx: Transaction): void {
  tx.deleteRange({ start: storedPrefix, end: prefixEnd(storedPrefix) });
}

/** The code of every stored library. */
export function storedLibraries(read: <T>(body: (view: View) => T) => Awaitable<T>): Awaitable<string[]> {
  return read((view) =>
    [...view.scan({ start: storedPrefix, end: prefixEnd(storedPrefix) })].map(({ value }) => value.latin1Slice()),
  );
}

/** `#!lua name=library` */
function parseMetadata(code: string): { name: string; body: string } {
  if (!code.startsWith('#!')) throw new RedisError('ERR Missing library metadata');
  const newline = code.indexOf('\n');
  if (newline < 0) throw new RedisError('ERR Invalid library metadata');
  const [engine = '', ...words] = code.slice(2, newline).trim().split(/\s+/);
  if (engine.toLowerCase() !== 'lua') throw new RedisError(`ERR Engine '${engine}' not found`);
  let name: string | undefined;
  for (const word of words) {
    if (!word.startsWith('name=')) throw new RedisError(`ERR Invalid metadata value given: ${word}`);
    if (name !== undefined) throw new RedisError('ERR Invalid metadata value, name argument was given multiple times');
    name = word.slice(5);
  }
  if (name === undefined) throw new RedisError('ERR Library name was not given');
  if (!validName.test(name)) throw new RedisError(`ERR Library names ${nameRule}`);
  return { name, body: code.slice(newline) };
}

/** One call of redis.register_function: (name, callback) or a table of named arguments. */
function registration(lua: LuaState, library: string, known: readonly LibraryFunction[]): LibraryFunction {
  const count = lua.top;
  if (count < 1 || count > 2) throw new LuaError('wrong number of arguments to redis.register_function');
  let name: string | undefined;
  let description: string | undefined;
  let reference: number | undefined;
  let flags: ReadonlySet<string> = new Set();
  if (count === 2) {
    if (lua.type(1) !== LuaType.string)
      throw new LuaError('first argument to redis.register_function must be a string');
    if (lua.type(2) !== LuaType.function)
      throw new LuaError('second argument to redis.register_function must be a function');
    name = lua.toText(1);
    reference = lua.reference();
  } else {
    if (lua.type(1) !== LuaType.table) {
      throw new LuaError(
        'calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).',
      );
    }
    lua.pushNil();
    while (lua.next(1)) {
      const key = lua.type(-2) === LuaType.string ? lua.toText(-2) : undefined;
      if (key === undefined) throw new LuaError('named argument key given to redis.register_function is not a string');
      if (key === 'function_name') {
        if (lua.type(-1) !== LuaType.string)
          throw new LuaError('function_name argument given to redis.register_function must be a string');
        name = lua.toText(-1);
      } else if (key === 'description') {
        if (lua.type(-1) !== LuaType.string)
          throw new LuaError('description argument given to redis.register_function must be a string');
        description = lua.toText(-1);
      } else if (key === 'callback') {
        if (lua.type(-1) !== LuaType.function)
          throw new LuaError('callback argument given to redis.register_function must be a function');
        lua.pushValue(-1);
        reference = lua.reference();
      } else if (key === 'flags') {
        if (lua.type(-1) !== LuaType.table)
          throw new LuaError('flags argument to redis.register_function must be a table representing function flags');
        flags = readFlags(lua);
      } else throw new LuaError('unknown argument given to redis.register_function');
      lua.pop();
    }
  }
  if (name === undefined) throw new LuaError('redis.register_function must get a function name argument');
  if (reference === undefined) throw new LuaError('redis.register_function must get a callback argument');
  if (!validName.test(name)) throw new LuaError(`Function names ${nameRule}`);
  if (known.some((other) => other.name === name)) throw new LuaError('Function already exists in the library');
  return { name, description, flags, reference, library };
}

function readFlags(lua: LuaState): ReadonlySet<string> {
  const flags = new Set<string>();
  const table = lua.top;
  for (let i = 1; ; i++) {
    lua.rawGetIndex(table, i);
    const type = lua.type(-1);
    if (type === LuaType.nil) {
      lua.pop();
      return flags;
    }
    const flag = type === LuaType.string ? lua.toText(-1) : '';
    if (!scriptFlags.has(flag)) throw new LuaError('unknown flag given');
    flags.add(flag);
    lua.pop();
  }
}
