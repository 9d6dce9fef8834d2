/** What the keywords of one schema share while it is compiled. */
import { BsonType, Doc, NUMBER_TYPES, type Value } from '../../values.js';

/** One keyword of a schema. */
export interface Rule {
  readonly keyword: string;
  /** `{minLength: 4}`; undefined where MongoDB does not repeat it. */
  readonly specifiedAs?: Doc;
  /** Types the rule is about; undefined for rules about every value. */
  readonly types?: TypeSet;
  /** Fails on values of other types too, because the schema states the type. */
  readonly strict?: boolean;
  /** What the report on a value of another type says it should be; nothing is reported without. */
  readonly expected?: readonly string[];
  /** A value of another type is reported on as one of the right type. */
  readonly explainsAnyType?: boolean;
  accepts(value: Value): boolean;
  /** Why a value of the right type fails; fields after `operatorName` and `specifiedAs`. */
  explain(value: Value): Record<string, Value | undefined>;
}

export type TypeSet = ReadonlySet<number>;

export const STRINGS: TypeSet = new Set([BsonType.string]);
export const ARRAYS: TypeSet = new Set([BsonType.array]);
export const OBJECTS: TypeSet = new Set([BsonType.object]);
export const NUMBERS: TypeSet = new Set(NUMBER_TYPES);

/** A compiled schema, as the keywords that nest schemas see it. */
export interface Compiled {
  accepts(value: Value): boolean;
  explain(value: Value): Value[];
  readonly annotations: { readonly title: Value | undefined; readonly description: Value | undefined };
}

export class SchemaContext {
  readonly rules: Rule[] = [];
  /** Types that the schema states, once its `type` or `bsonType` has been read. */
  stated: TypeSet | undefined;

  constructor(
    private readonly schema: Doc,
    /** The schema of whole documents, where keywords about other values do nothing. */
    readonly root: boolean,
    readonly compile: (schema: Doc, root: boolean) => Compiled,
  ) {}

  get(keyword: string): Value | undefined {
    return this.schema.get(keyword);
  }

  /** The keywords as they were written. */
  specified(...keywords: string[]): Doc {
    const fields = new Doc();
    for (const keyword of keywords) {
      const value = this.get(keyword);
      if (value !== undefined) fields.append(keyword, value);
    }
    return fields;
  }

  add(rule: Rule): void {
    this.rules.push(rule);
  }

  /** Adds a rule about values of `types`. */
  restrict(types: TypeSet, rule: Rule): void {
    if (this.root && types !== OBJECTS) return;
    const { stated } = this;
    if (stated !== undefined && (stated.size === 1 || sameTypes(stated, NUMBERS))) {
      const [type] = stated;
      if (type === undefined || !types.has(type)) return;
      this.add({ ...rule, types, strict: !this.root });
      return;
    }
    this.add({ ...rule, types });
  }
}

function sameTypes(a: TypeSet, b: TypeSet): boolean {
  return a.size === b.size && [...a].every((type) => b.has(type));
}
