/** The script cache: compiled scripts by the SHA-1 of their text; it ends with the process. */
import { createHash } from 'node:crypto';
import { RedisError } from '../errors.js';
import type { Interpreter } from './interpreter.js';
import { LuaError } from './lua-state.js';

export interface Script {
  readonly sha: string;
  readonly source: string;
  /** Of the compiled function in the interpreter. */
  readonly reference: number;
  /** From the shebang line; `undefined` without one. */
  readonly flags: ReadonlySet<string> | undefined;
}

export const scriptFlags = new Set(['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys']);

/** EVAL keeps the script of the last texts it saw, so that hot scripts are not hashed again. */
const recentTextsMax = 64;

export class ScriptCache {
  private readonly bySha = new Map<string, Script>();
  private readonly recent = new Map<string, Script>();

  constructor(private readonly interpreter: Interpreter) {}

  get count(): number {
    return this.bySha.size;
  }

  get(sha: string): Script | undefined {
    return this.bySha.get(sha.toLowerCase());
  }

  /** Compiles and keeps a script; throws `Error compiling script …` and the errors of shebang lines. */
  add(source: string): Script {
    const known = this.recent.get(source);
    if (known !== undefined) return known;
    const sha = createHash('sha1').update(source, 'latin1').digest('hex');
    let script = this.bySha.get(sha);
    if (script === undefined) {
      const { flags, body } = parseShebang(source);
      let reference: number;
      try {
        reference = this.interpreter.compile(body, '@user_script');
      } catch (thrown) {
        if (!(thrown instanceof LuaError)) throw thrown;
        throw new RedisError(`ERR Error compiling script (new function): ${thrown.message}`);
      }
      script = { sha, source, reference, flags };
      this.bySha.set(sha, script);
    }
    if (this.recent.size >= recentTextsMax) this.recent.clear();
    this.recent.set(source, script);
    return script;
  }

  flush(): void {
    for (const { reference } of this.bySha.values()) this.interpreter.release(reference);
    this.bySha.clear();
    this.recent.clear();
  }
}

/** The flags of `#!lua flags=…`, and the source with that line emptied so that line numbers stay. */
function parseShebang(source: string): { flags: ReadonlySet<string> | undefined; body: string } {
  if (!source.startsWith('#!')) return { flags: undefined, body: source };
  const end = source.indexOf('\n');
  if (end < 0) throw new RedisError('ERR Invalid script shebang');
  const [engine = '', ...words] = source
    .slice(2, end)
    .split(' ')
    .filter((word) => word !== '');
  if (engine !== 'lua') throw new RedisError(`ERR Unexpected engine in script shebang: ${engine}`);
  let flags: ReadonlySet<string> = new Set();
  for (const word of words) {
    if (!word.startsWith('flags=')) throw new RedisError(`ERR Unknown lua shebang option: ${word}`);
    const names = word
      .slice(6)
      .split(',')
      .filter((name) => name !== '');
    for (const name of names)
      if (!scriptFlags.has(name)) throw new RedisError(`ERR Unexpected flag in script shebang: ${name}`);
    flags = new Set(names);
  }
  return { flags, body: source.slice(end) };
}
