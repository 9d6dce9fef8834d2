/**
 * The interpreter that scripts and functions share: sandbox, libraries, the `redis` table, compiled chunks, runs.
 *
 * A run happens inside one engine transaction, on the calling client's database. `redis.call` runs a command at once in
 * that transaction, into a writer of its own, and turns the reply's bytes into a Lua value.
 */
import { createHash } from 'node:crypto';
import { isEngineSignal } from '../../../engine/errors.js';
import type { Database } from '../../../models/key-value/database.js';
import type { Command, CommandContext, Wait } from '../command.js';
import { errorText, RedisError } from '../errors.js';
import { ReplyWriter } from '../reply.js';
import { Request } from '../request.js';
import { redisVersion, redisVersionNumber } from '../version.js';
import { bitLibrary } from './bit.js';
import { cjsonLibrary, formatG } from './cjson.js';
import { cmsgpackLibrary } from './cmsgpack.js';
import { LuaError, type LuaFunction, LuaState, LuaType } from './lua-state.js';
import { prelude } from './prelude.js';
import { Random48 } from './random48.js';
import { structLibrary } from './struct.js';
import { pushReply, writeLuaValue } from './values.js';

/** Bytes of Lua memory after which garbage is collected between runs. */
const collectAboveBytes = 64 * 1024 * 1024;

export interface RunOptions {
  /** Refuse commands that write: *_RO variants, scripts flagged no-writes. */
  readonly readOnly: boolean;
  /** What errors name: the script's sha or the function's name. */
  readonly name: string;
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** The context of the commands that a running script calls. */
class ScriptContext implements CommandContext {
  readonly canBlock = false;
  readonly inTransaction = true;
  readonly fromScript = true;
  readonly resumed = undefined;
  request = new Request();
  reply = new ReplyWriter(1024);
  private wait: Wait | undefined;

  constructor(private readonly caller: CommandContext) {}

  get server() {
    return this.caller.server;
  }
  get client() {
    return this.caller.client;
  }
  get db(): Database {
    return this.caller.db;
  }

  block(wait: Wait): void {
    this.wait = wait;
  }

  afterCommit(action: () => void): void {
    this.caller.afterCommit(action);
  }

  /** A command that wanted to wait is answered as at its timeout. */
  timeoutNow(): void {
    const { wait } = this;
    this.wait = undefined;
    wait?.onTimeout(this.reply);
  }
}

export class Interpreter {
  /** References into the interpreter's registry. */
  private globals = 0;
  private real = 0;
  private handler = 0;
  private protect = 0;
  private context: ScriptContext | undefined;
  private options: RunOptions | undefined;
  private readonly random = new Random48();
  /** What `redis.register_function` does; set only while a library is loading. */
  registering: LuaFunction | undefined;

  private constructor(readonly lua: LuaState) {}

  static async create(): Promise<Interpreter> {
    const interpreter = new Interpreter(await LuaState.create());
    interpreter.prepare();
    return interpreter;
  }

  get running(): boolean {
    return this.context !== undefined;
  }

  /** Compiles a script; gives a reference to its function. Throws the text of the syntax error. */
  compile(source: string, chunkName: string): number {
    const { lua } = this;
    if (source.charCodeAt(0) === 27 || !lua.load(source, chunkName)) {
      const text = source.charCodeAt(0) === 27 ? 'attempt to load chunk with wrong mode' : lua.toText(-1);
      lua.setTop(0);
      throw new LuaError(text);
    }
    this.pushGlobals();
    lua.setEnvironment(-2);
    return lua.reference();
  }

  release(reference: number): void {
    this.lua.release(reference);
  }

  /** Runs a compiled script and writes its result as `caller`'s reply. */
  runScript(reference: number, caller: CommandContext, options: RunOptions): void {
    const { lua } = this;
    this.inRun(caller, options, () => {
      lua.pushReference(this.handler);
      lua.pushReference(reference);
      this.pushGlobals();
      lua.setEnvironment(-2);
      this.setKeysAndArguments(options);
      return lua.call(0, 1, -2);
    });
  }

  /** Calls a registered function with its keys and arguments. */
  runFunction(reference: number, caller: CommandContext, options: RunOptions): void {
    const { lua } = this;
    this.inRun(caller, options, () => {
      lua.pushReference(this.handler);
      lua.pushReference(reference);
      this.pushTexts(options.keys);
      this.pushTexts(options.args);
      return lua.call(2, 1, -4);
    });
  }

  /** Runs a library's code, which may only register functions. Gives the error's text, if any. */
  loadLibrary(reference: number, register: LuaFunction): string | undefined {
    const { lua } = this;
    this.registering = register;
    try {
      lua.pushReference(this.handler);
      lua.pushReference(reference);
      const ok = lua.call(0, 0, -2);
      return ok ? undefined : this.errorOf(lua.top, undefined);
    } finally {
      this.registering = undefined;
      lua.setTop(0);
    }
  }

  private inRun(caller: CommandContext, options: RunOptions, run: () => boolean): void {
    const { lua } = this;
    const { db, reply } = caller;
    const database = db.index;
    this.context = new ScriptContext(caller);
    this.options = options;
    try {
      const ok = run();
      if (ok) writeLuaValue(lua, lua.top, reply);
      else {
        const text = this.errorOf(lua.top, options.name);
        caller.server.countError(text);
        reply.error(text);
      }
    } finally {
      this.context = undefined;
      this.options = undefined;
      lua.setTop(0);
      if (db.index !== database) db.select(database);
    }
    if (lua.memoryBytes > collectAboveBytes) lua.collectGarbage();
  }

  /** The text of the error value at `index`, with the script and the line it came from. */
  private errorOf(index: number, name: string | undefined): string {
    const { lua } = this;
    if (lua.type(index) !== LuaType.table) {
      return lua.type(index) === LuaType.string ? `ERR ${lua.toText(index)}` : 'ERR unknown error';
    }
    const field = (key: string): string => {
      lua.getField(index, key);
      const text = lua.type(-1) === LuaType.nil ? '' : lua.toText(-1);
      lua.pop();
      return text;
    };
    const err = field('err');
    const text = err === '' ? 'ERR unknown error' : err.startsWith('-') ? err.slice(1) : err;
    const line = field('line');
    if (name === undefined || line === '') return text;
    return `${text} script: ${name}, on ${field('source')}:${line}.`;
  }

  private pushGlobals(): void {
    this.lua.pushReference(this.globals);
  }

  private setKeysAndArguments(options: RunOptions): void {
    const { lua } = this;
    lua.pushReference(this.real);
    const real = lua.top;
    this.pushTexts(options.keys);
    lua.setField(real, 'KEYS');
    this.pushTexts(options.args);
    lua.setField(real, 'ARGV');
    lua.pop();
  }

  private pushTexts(texts: readonly string[]): void {
    const { lua } = this;
    lua.newTable(texts.length, 0);
    const table = lua.top;
    for (let i = 0; i < texts.length; i++) {
      lua.pushText(texts[i] ?? '');
      lua.rawSetIndex(table, i + 1);
    }
  }

  // --- the sandbox ----------------------------------------------------------------------------------------------------

  private prepare(): void {
    const { lua } = this;
    lua.setTop(0);
    if (!lua.load(prelude, '@prelude') || !lua.call(0, 4)) throw new Error(`the Lua sandbox failed: ${lua.toText(-1)}`);
    this.protect = lua.reference();
    this.handler = lua.reference();
    this.real = lua.reference();
    this.globals = lua.reference();
    this.offer('bit', bitLibrary);
    this.offer('cjson', cjsonLibrary(), () => {
      lua.pushNull();
      lua.setField(lua.top - 1, 'null');
      lua.pushText('cjson');
      lua.setField(lua.top - 1, '_NAME');
      lua.pushText('2.1.0');
      lua.setField(lua.top - 1, '_VERSION');
    });
    this.offer('cmsgpack', cmsgpackLibrary, () => {
      lua.pushText('lua-cmsgpack 0.4.0');
      lua.setField(lua.top - 1, '_VERSION');
      lua.pushText('cmsgpack');
      lua.setField(lua.top - 1, '_NAME');
    });
    this.offer('struct', structLibrary);
    this.offer(
      'redis',
      this.redisFunctions(),
      () => {
        const constants: Readonly<Record<string, number>> = {
          LOG_DEBUG: 0,
          LOG_VERBOSE: 1,
          LOG_NOTICE: 2,
          LOG_WARNING: 3,
          REPL_NONE: 0,
          REPL_AOF: 1,
          REPL_SLAVE: 2,
          REPL_REPLICA: 2,
          REPL_ALL: 3,
          REDIS_VERSION_NUM: redisVersionNumber,
        };
        for (const [name, value] of Object.entries(constants)) {
          lua.pushNumber(value);
          lua.setField(lua.top - 1, name);
        }
        lua.pushText(redisVersion);
        lua.setField(lua.top - 1, 'REDIS_VERSION');
      },
      [['register_function', (state) => this.registerFunction(state)]],
    );
    this.replaceRandom();
    lua.setTop(0);
  }

  /** A read-only table of our functions among the globals; `hidden` ones are found by name but not listed. */
  private offer(
    name: string,
    functions: readonly (readonly [string, LuaFunction])[],
    more: () => void = () => {},
    hidden: readonly (readonly [string, LuaFunction])[] = [],
  ): void {
    const { lua } = this;
    lua.pushReference(this.real);
    const real = lua.top;
    lua.pushReference(this.protect);
    lua.newTable();
    const table = lua.top;
    for (const [functionName, body] of functions) {
      lua.pushFunction(body);
      lua.setField(table, functionName);
    }
    more();
    lua.newTable();
    for (const [functionName, body] of hidden) {
      lua.pushFunction(body);
      lua.setField(lua.top - 1, functionName);
    }
    if (!lua.call(2, 1)) throw new Error(`the Lua library ${name} failed: ${lua.toText(-1)}`);
    lua.setField(real, name);
    lua.pop();
  }

  /** math.random and math.randomseed with Redis' own generator, which begins every script from the same seed. */
  private replaceRandom(): void {
    const { lua, random } = this;
    lua.getField(-10002, 'math');
    const math = lua.top;
    lua.pushFunction(() => {
      const r = random.next();
      const count = lua.top;
      if (count === 0) {
        lua.pushNumber(r);
        return 1;
      }
      const low = count === 1 ? 1 : Math.trunc(lua.toNumber(1));
      const high = Math.trunc(lua.toNumber(count === 1 ? 1 : 2));
      if (count > 2) throw new LuaError('wrong number of arguments');
      if (low > high) throw new LuaError(`bad argument #${count === 1 ? 1 : 2} to 'random' (interval is empty)`);
      lua.pushNumber(Math.floor(r * (high - low + 1)) + low);
      return 1;
    });
    lua.setField(math, 'random');
    lua.pushFunction(() => {
      random.seed(Math.trunc(lua.toNumber(1)));
      return 0;
    });
    lua.setField(math, 'randomseed');
    lua.pop();
  }

  // --- the redis table ------------------------------------------------------------------------------------------------

  private redisFunctions(): readonly (readonly [string, LuaFunction])[] {
    return [
      ['call', () => this.call(true)],
      ['pcall', () => this.call(false)],
      ['sha1hex', (lua) => this.sha1hex(lua)],
      ['error_reply', (lua) => this.oneField(lua, 'err')],
      ['status_reply', (lua) => this.oneField(lua, 'ok')],
      ['log', (lua) => this.log(lua)],
      ['setresp', (lua) => this.setResp(lua)],
      [
        'set_repl',
        (lua) => {
          this.notWhileLoading();
          if (lua.top !== 1) throw this.failure('ERR redis.set_repl() requires one argument.');
          const flags = lua.toNumber(1);
          if (flags < 0 || flags > 3) {
            throw this.failure(
              'ERR Invalid replication flags. Please use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.',
            );
          }
          return 0;
        },
      ],
      [
        'replicate_commands',
        (lua) => {
          lua.pushBoolean(true);
          return 1;
        },
      ],
      [
        'breakpoint',
        (lua) => {
          lua.pushBoolean(false);
          return 1;
        },
      ],
      ['debug', () => 0],
      ['acl_check_cmd', (lua) => this.aclCheck(lua)],
    ];
  }

  private registerFunction(lua: LuaState): number {
    if (this.registering === undefined) {
      throw this.failure('ERR redis.register_function can only be called on FUNCTION LOAD command');
    }
    try {
      return this.registering(lua);
    } catch (thrown) {
      if (thrown instanceof LuaError && !thrown.onStack) throw this.failure(`ERR ${thrown.message}`);
      throw thrown;
    }
  }

  private notWhileLoading(): void {
    if (this.registering !== undefined)
      throw new LuaError('attempted to access a function that is not available while a library is loading');
  }

  /** The words of redis.call: strings as they are, numbers as `%.17g`. */
  private words(lua: LuaState): Request {
    const count = lua.top;
    if (count === 0) throw this.failure('ERR Please specify at least one argument for this redis lib call');
    const words: string[] = [];
    for (let i = 1; i <= count; i++) {
      const type = lua.type(i);
      if (type === LuaType.string) words.push(lua.toText(i));
      else if (type === LuaType.number) words.push(numberText(lua.toNumber(i)));
      else throw this.failure('ERR Lua redis lib command arguments must be strings or integers');
    }
    return Request.of(words);
  }

  /** An error as redis.call raises it: a table whose `err` is the text. */
  private failure(text: string): LuaError {
    const { lua } = this;
    lua.newTable(0, 1);
    lua.pushText(text);
    lua.setField(lua.top - 1, 'err');
    return new LuaError(text, true);
  }

  private call(raise: boolean): number {
    const { lua } = this;
    const { context } = this;
    if (context === undefined) {
      throw new LuaError("Script attempted to access nonexistent global variable 'call'");
    }
    try {
      this.runCommand(context, this.words(lua));
    } catch (thrown) {
      if (!(thrown instanceof LuaError)) throw thrown;
      if (raise) throw thrown;
      return 1; // the error table is on top
    }
    lua.setTop(0);
    const bytes = context.reply.peek();
    const failed = bytes[0] === 45;
    if (failed && raise) {
      const text = bytes.latin1Slice(1, bytes.indexOf(13));
      context.reply.rewind(0);
      throw this.failure(text);
    }
    pushReply(lua, bytes, 0);
    context.reply.rewind(0);
    return 1;
  }

  private runCommand(context: ScriptContext, request: Request): void {
    const { server } = context;
    context.request = request;
    context.reply.rewind(0);
    let command: Command;
    try {
      command = server.registry.resolve(request);
    } catch (thrown) {
      const text = errorText(thrown);
      if (text === undefined) throw thrown;
      if (text.startsWith('ERR wrong number')) {
        throw this.failure('ERR Wrong number of args calling Redis command from script');
      }
      throw this.failure(
        text.startsWith('ERR unknown subcommand') ? text : 'ERR Unknown Redis command called from script',
      );
    }
    if (command.flags.has('noscript')) throw this.failure('ERR This Redis command is not allowed from script');
    if (this.options?.readOnly === true && command.access === 'write') {
      throw this.failure('ERR Write commands are not allowed from read-only scripts.');
    }
    const refusal = server.refuseInScript(context.client, command, request);
    if (refusal !== undefined) throw this.failure(refusal.message);
    if (server.monitors !== 0) server.feedMonitors(context.client, request, command, 'lua');
    const startedMs = performance.now();
    try {
      void command.run(context);
      context.timeoutNow();
    } catch (thrown) {
      if (isEngineSignal(thrown)) throw thrown;
      const text = errorText(thrown);
      if (text === undefined) throw thrown;
      context.reply.rewind(0);
      context.reply.error(text);
      server.countError(text);
      server.commandFailed(command);
    }
    if (server.tracking.active) server.tracking.end(context.client, command, request);
    server.statistics.commands++;
    server.statistics.figures(command).record((performance.now() - startedMs) * 1000);
  }

  private sha1hex(lua: LuaState): number {
    if (lua.top !== 1) throw this.failure('ERR wrong number of arguments');
    lua.pushText(createHash('sha1').update(lua.toText(1), 'latin1').digest('hex'));
    return 1;
  }

  /** redis.error_reply and redis.status_reply: a table with one field. */
  private oneField(lua: LuaState, field: 'err' | 'ok'): number {
    if (lua.top !== 1 || lua.type(1) !== LuaType.string) throw this.failure('ERR wrong number or type of arguments');
    const text = lua.toText(1);
    lua.newTable(0, 1);
    if (field === 'ok') lua.pushText(text);
    else if (text.startsWith('-'))
      lua.pushText(text.slice(1).includes(' ') || text.length < 2 ? text.slice(1) : `ERR ${text.slice(1)}`);
    else lua.pushText(`ERR ${text}`);
    lua.setField(lua.top - 1, field);
    return 1;
  }

  private log(lua: LuaState): number {
    if (lua.top < 2) throw this.failure('ERR redis.log() requires two arguments or more.');
    if (lua.type(1) !== LuaType.number) throw this.failure('ERR First argument must be a number (log level).');
    const level = lua.toNumber(1);
    if (level < 0 || level > 3) throw this.failure('ERR Invalid log level.');
    const words: string[] = [];
    for (let i = 2; i <= lua.top; i++) words.push(lua.toText(i));
    const logger = this.context?.server.logger;
    const text = Buffer.from(words.join(' '), 'latin1').toString('utf8');
    if (level === 3) logger?.warn({ script: true }, text);
    else if (level === 2) logger?.info({ script: true }, text);
    else logger?.debug({ script: true }, text);
    return 0;
  }

  private setResp(lua: LuaState): number {
    this.notWhileLoading();
    if (lua.top !== 1) throw this.failure('ERR redis.setresp() requires one argument.');
    const version = lua.toNumber(1);
    if (version !== 2 && version !== 3) throw this.failure('ERR RESP version must be 2 or 3.');
    if (this.context !== undefined) this.context.reply.protocol = version;
    return 0;
  }

  private aclCheck(lua: LuaState): number {
    const request = this.words(lua);
    const { context } = this;
    if (context === undefined)
      throw new LuaError("Script attempted to access nonexistent global variable 'acl_check_cmd'");
    let allowed: boolean;
    try {
      const command = context.server.registry.resolve(request);
      allowed = context.server.refuseInScript(context.client, command, request) === undefined;
    } catch (thrown) {
      if (!(thrown instanceof RedisError)) throw thrown;
      throw this.failure('ERR Invalid command passed to redis.acl_check_cmd()');
    }
    lua.pushBoolean(allowed);
    return 1;
  }
}

function numberText(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : formatG(value, 17);
}
