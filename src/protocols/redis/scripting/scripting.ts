/** Scripts and functions of one server: an interpreter, the script cache, the function libraries. */
import type { Engine } from '../../../engine/engine.js';
import { FunctionLibraries, storedLibraries } from './functions.js';
import { Interpreter } from './interpreter.js';
import { ScriptCache } from './scripts.js';

/** Other servers of the same store hear that the libraries have changed. */
export const functionsTopic = 'redis/functions';

interface Loaded {
  readonly interpreter: Interpreter;
  readonly scripts: ScriptCache;
  readonly functions: FunctionLibraries;
}

export class Scripting {
  /** Resolves when scripts can run: the interpreter is a WebAssembly module, compiled in the background. */
  readonly ready: Promise<void>;
  private loaded: Loaded | undefined;
  private readonly stop: () => void;

  constructor(private readonly engine: Engine) {
    this.ready = this.load();
    this.stop =
      engine.statistics().kind === 'postgres' ? engine.subscribe(functionsTopic, () => void this.reload()) : () => {};
  }

  get interpreter(): Interpreter {
    return this.parts.interpreter;
  }
  get scripts(): ScriptCache {
    return this.parts.scripts;
  }
  get functions(): FunctionLibraries {
    return this.parts.functions;
  }

  figures(): { scripts: number; functions: number; libraries: number } {
    const { loaded } = this;
    if (loaded === undefined) return { scripts: 0, functions: 0, libraries: 0 };
    return {
      scripts: loaded.scripts.count,
      functions: loaded.functions.functionCount,
      libraries: loaded.functions.libraries.size,
    };
  }

  close(): void {
    this.stop();
  }

  private get parts(): Loaded {
    if (this.loaded === undefined) throw new Error('scripts were used before the interpreter was ready');
    return this.loaded;
  }

  private async load(): Promise<void> {
    const interpreter = await Interpreter.create();
    const functions = new FunctionLibraries(interpreter);
    functions.load(await storedLibraries((body) => this.engine.read(body)));
    this.loaded = { interpreter, scripts: new ScriptCache(interpreter), functions };
  }

  private async reload(): Promise<void> {
    await this.ready;
    this.functions.load(await storedLibraries((body) => this.engine.read(body)));
  }
}
