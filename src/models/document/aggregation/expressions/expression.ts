/**
 * Expressions, compiled once into closures: `{$add: ["$a", 1]}` → a function of the scope. See operators.ts for the
 * operators; here are literals, objects, arrays, `$path` and `$$variable.path`.
 */
import { DocumentError } from '../../errors.js';
import { parseFieldPath } from '../../query/field-path.js';
import { Doc, formatDocument, isArrayValue, type Value } from '../../values.js';
import type { Environment, Scope } from '../scope.js';

export type Evaluate = (scope: Scope) => Value | undefined;

export interface Expression {
  /** The value for the scope's document; undefined is missing. */
  readonly evaluate: Evaluate;
  /** There when the value is the same whatever the document. */
  readonly constant?: { readonly value: Value | undefined };
  /** There for a field of the document: `a.b` of `"$a.b"`. */
  readonly path?: string;
}

export type CompileOperator = (argument: Value, environment: Environment, name: string) => Expression;

/** Set by operators.ts, which imports this file. */
const operators = new Map<string, CompileOperator>();

export function defineOperators(family: Readonly<Record<string, CompileOperator>>): void {
  for (const name of Object.keys(family)) {
    const operator = family[name];
    if (operator !== undefined) operators.set(name, operator);
  }
}

export function isOperator(name: string): boolean {
  return operators.has(name);
}

/** Throws a DocumentError for an expression that cannot be. */
export function compileExpression(value: Value, environment: Environment): Expression {
  if (typeof value === 'string') return value.startsWith('$') ? compilePath(value, environment) : constant(value);
  if (value instanceof Doc) return compileDocument(value, environment);
  return isArrayValue(value) ? compileArray(value, environment) : constant(value);
}

export function constant(value: Value | undefined): Expression {
  return { evaluate: () => value, constant: { value } };
}

/** An expression of others, evaluated now if they are all constant and it succeeds. */
export function derived(parts: readonly Expression[], evaluate: Evaluate, environment: Environment): Expression {
  if (parts.some((part) => part.constant === undefined)) return { evaluate };
  try {
    return constant(evaluate(environment.scope));
  } catch (thrown) {
    // It fails when a document comes, not before.
    if (thrown instanceof DocumentError) return { evaluate };
    throw thrown;
  }
}

function compileDocument(document: Doc, environment: Environment): Expression {
  const first = document.nameAt(0);
  if (first === undefined) return constant(document);
  if (first.startsWith('$')) {
    if (document.size !== 1) {
      throw new DocumentError(
        15983,
        `an expression specification must contain exactly one field, the name of the expression. Found ${document.size} fields in ${formatDocument(document)}`,
      );
    }
    const operator = operators.get(first);
    if (operator === undefined) throw new DocumentError(168, `Unrecognized expression '${first}'`);
    return operator(document.at(0) ?? null, environment, first);
  }
  return compileObject(document, environment);
}

function compileObject(document: Doc, environment: Environment): Expression {
  const names: string[] = [];
  const parts: Expression[] = [];
  for (const [name, value] of document) {
    if (name.includes('.')) {
      throw new DocumentError(
        16412,
        `FieldPath field names may not contain '.'. Consider using $getField or $setField.`,
      );
    }
    if (names.includes(name))
      throw new DocumentError(16406, `duplicate field name specified in object literal: ${formatDocument(document)}`);
    parseFieldPath(name);
    names.push(name);
    parts.push(compileExpression(value, environment));
  }
  const evaluate: Evaluate = (scope) => {
    const result = new Doc();
    for (let i = 0; i < parts.length; i++) {
      const value = parts[i]?.evaluate(scope);
      if (value !== undefined) result.append(names[i] ?? '', value);
    }
    return result;
  };
  return derived(parts, evaluate, environment);
}

function compileArray(elements: readonly Value[], environment: Environment): Expression {
  const parts = elements.map((element) => compileExpression(element, environment));
  return derived(parts, (scope) => parts.map((part) => part.evaluate(scope) ?? null), environment);
}

/** `$a.b`, `$$name` or `$$name.a.b`. */
function compilePath(text: string, environment: Environment): Expression {
  if (text === '$') throw new DocumentError(16872, "'$' by itself is not a valid FieldPath");
  if (!text.startsWith('$$')) return fieldOfCurrent(text.slice(1), environment);
  const dot = text.indexOf('.');
  const name = dot < 0 ? text.slice(2) : text.slice(2, dot);
  if (name === '') throw new DocumentError(9, 'empty variable names are not allowed');
  const path = dot < 0 ? undefined : text.slice(dot + 1);
  if (name === 'CURRENT') {
    if (path !== undefined) return fieldOfCurrent(path, environment);
    environment.dependencies.whole = true;
    return { evaluate: (scope) => scope.current };
  }
  if (name === 'ROOT') {
    if (path === undefined) {
      environment.dependencies.whole = true;
      return { evaluate: (scope) => scope.root };
    }
    const parts = parseFieldPath(path);
    environment.dependencies.paths.add(path);
    return { evaluate: (scope) => valueAtPath(scope.root, parts) };
  }
  return variable(name, path, environment);
}

function variable(name: string, path: string | undefined, environment: Environment): Expression {
  const slot = environment.slotOf(name);
  if (name === 'CLUSTER_TIME' && environment.scope.variables[slot] === undefined) {
    throw new DocumentError(51144, "Builtin variable '$$CLUSTER_TIME' is not available");
  }
  if (path === undefined) return { evaluate: (scope) => scope.variables[slot] };
  const parts = parseFieldPath(path);
  return { evaluate: (scope) => valueAtPath(scope.variables[slot], parts) };
}

function fieldOfCurrent(path: string, environment: Environment): Expression {
  const parts = parseFieldPath(path);
  environment.dependencies.paths.add(path);
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) {
    return {
      path,
      evaluate: ({ current }) => {
        if (current instanceof Doc) return current.get(only);
        return valueAtPath(current, parts);
      },
    };
  }
  return { path, evaluate: (scope) => valueAtPath(scope.current, parts) };
}

/** What a path reaches: documents by name, arrays of documents element by element; numbers are names. */
export function valueAtPath(start: Value | undefined, parts: readonly string[], from = 0): Value | undefined {
  let value = start;
  for (let i = from; i < parts.length; i++) {
    if (value instanceof Doc) value = value.get(parts[i] ?? '');
    else if (isArrayValue(value)) {
      const found: Value[] = [];
      for (const element of value) {
        if (!(element instanceof Doc)) continue;
        const reached = valueAtPath(element, parts, i);
        if (reached !== undefined) found.push(reached);
      }
      return found;
    } else return undefined;
  }
  return value;
}
