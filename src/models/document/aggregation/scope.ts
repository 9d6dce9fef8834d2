/**
 * What expressions see. One pipeline has one {@link Scope}, whose documents and variables change as it runs; expressions
 * are evaluated to the end before anybody else's turn, so all stages of a pipeline share it.
 *
 * An {@link Environment} is the same while compiling: it knows variables by name and gives each a slot of its own, so that
 * a binding never has to be saved and put back.
 */
import { DocumentError, failedToParse } from '../errors.js';
import type { FilterHooks } from '../query/filter.js';
import type { Metadata } from '../query/projection.js';
import { type Collation, DateTime, Doc, isArrayValue, type Timestamp, type Value } from '../values.js';

/** JavaScript of `$function` and `$accumulator`, run by whoever has a sandbox. */
export interface JavaScript {
  /** Makes a callable of a function's source. Arguments that are missing are passed as undefined. */
  compile(source: string): (args: readonly (Value | undefined)[], self?: Value) => Value | undefined;
}

/** What stays the same for a whole command. */
export interface AggregationSettings {
  /** `$$NOW`; the time of compiling by default. */
  readonly now?: DateTime;
  /** `$$CLUSTER_TIME`. */
  readonly clusterTime?: Timestamp | undefined;
  /** `$$USER_ROLES`: documents `{_id, role, db}`. */
  readonly userRoles?: readonly Value[];
  /** The command's `let`: name to expression, which may not read documents. */
  readonly variables?: Doc | undefined;
  readonly collation?: Collation | undefined;
  readonly javascript?: JavaScript | undefined;
  /** Hooks of the query language other than `$expr`. */
  readonly filterHooks?: FilterHooks;
  /** `$rand` and `$sample`: a number in [0, 1). */
  readonly random?: () => number;
}

export class Scope {
  /** `$$ROOT`. */
  root: Doc = EMPTY;
  /** `$$CURRENT`: where `$a` begins. */
  current: Value | undefined = EMPTY;
  readonly variables: (Value | undefined)[] = [];
  /** `$meta` of the document. */
  metadata: Metadata | undefined;

  /** Makes a document the one that expressions are about. */
  enter(document: Doc): this {
    this.root = document;
    this.current = document;
    return this;
  }
}

const EMPTY = new Doc();

/** Which fields of its input something reads. */
export interface Dependencies {
  /** Dotted paths. */
  readonly paths: Set<string>;
  /** The whole document is needed. */
  whole: boolean;
  /** Kinds of `$meta`. */
  readonly metadata: Set<string>;
}

export function newDependencies(): Dependencies {
  return { paths: new Set(), whole: false, metadata: new Set() };
}

export class Environment {
  private constructor(
    readonly settings: AggregationSettings,
    readonly scope: Scope,
    private readonly slots: ReadonlyMap<string, number>,
    readonly dependencies: Dependencies,
  ) {}

  static create(settings: AggregationSettings = {}): Environment {
    const environment = new Environment(settings, new Scope(), new Map(), newDependencies());
    const { userRoles } = settings;
    return environment
      .withConstant('NOW', settings.now ?? new DateTime(Date.now()))
      .withConstant('CLUSTER_TIME', settings.clusterTime)
      .withConstant('REMOVE', undefined)
      .withConstant('SEARCH_META', undefined)
      .withConstant('USER_ROLES', userRoles === undefined || !isArrayValue(userRoles) ? [] : userRoles);
  }

  get collation(): Collation | undefined {
    return this.settings.collation;
  }

  random(): number {
    return (this.settings.random ?? Math.random)();
  }

  /** Slot of a variable. Throws 17276 when there is none of that name. */
  slotOf(name: string): number {
    const slot = this.slots.get(name);
    if (slot === undefined) {
      if (name === 'CLUSTER_TIME') throw new DocumentError(51144, "Builtin variable '$$CLUSTER_TIME' is not available");
      throw new DocumentError(17276, `Use of undefined variable: ${name}`);
    }
    return slot;
  }

  /** The same with one more variable, in a new slot. */
  withVariable(name: string): { readonly environment: Environment; readonly slot: number } {
    const slot = this.scope.variables.push(undefined) - 1;
    const slots = new Map(this.slots).set(name, slot);
    return { environment: new Environment(this.settings, this.scope, slots, this.dependencies), slot };
  }

  withConstant(name: string, value: Value | undefined): Environment {
    const { environment, slot } = this.withVariable(name);
    this.scope.variables[slot] = value;
    return environment;
  }

  /** The same, noting elsewhere what is read: for each stage its own. */
  withDependencies(dependencies: Dependencies): Environment {
    return new Environment(this.settings, this.scope, this.slots, dependencies);
  }

  /** The same with another collation, for sub-pipelines on other collections. */
  withCollation(collation: Collation | undefined): Environment {
    return new Environment({ ...this.settings, collation }, this.scope, this.slots, this.dependencies);
  }
}

/** Throws code 9 for a name that users may not give to a variable. */
export function checkVariableName(name: string): void {
  if (name === '') throw failedToParse('empty variable names are not allowed');
  if (name === 'CURRENT') return;
  if (!/^[a-z\u0080-\uffff]/.test(name)) {
    throw failedToParse(`'${name}' starts with an invalid character for a user variable name`);
  }
  const invalid = /[^A-Za-z0-9_\u0080-\uffff]/.exec(name);
  if (invalid !== null) {
    throw failedToParse(`'${name}' contains an invalid character for a variable name: '${invalid[0]}'`);
  }
}
