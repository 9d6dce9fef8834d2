/** `$addFields` and `$set`: fields computed from the document as it was; nested and dotted ones merge, arrays are gone through. */
import { DocumentError } from '../../errors.js';
import { parseFieldPath } from '../../query/field-path.js';
import { type ArrayValue, Doc, formatDocument, isArrayValue, typeName, type Value } from '../../values.js';
import { compileExpression, type Evaluate } from '../expressions/expression.js';
import type { Environment, Scope } from '../scope.js';
import { type CompileStage, disjoint, transforming, withPrefix } from './stage.js';

type Node = Map<string, Node | Evaluate>;

export const addFields: CompileStage = (argument, { environment }, specification) => {
  const name = specification.nameAt(0) ?? '';
  if (!(argument instanceof Doc)) {
    throw new DocumentError(40272, `${name} specification stage must be an object, got ${typeName(argument)}`);
  }
  return withPrefix(`Invalid ${name}`, () => {
    const root: Node = new Map();
    const changed: string[] = [];
    for (const [path, value] of argument) {
      addPath(root, path, value, environment);
      changed.push(path);
    }
    return transforming(
      specification,
      (document, scope) => applyNode(root, document, scope),
      (paths) => disjoint(paths, changed),
    );
  });
};

function addPath(root: Node, path: string, value: Value, environment: Environment): void {
  const parts = parseFieldPath(path);
  let node = root;
  for (const [index, part] of parts.entries()) {
    const existing = node.get(part);
    if (index === parts.length - 1) {
      if (existing !== undefined) throw new DocumentError(31250, `Path collision at ${path}`);
      node.set(part, compileField(value, environment));
      return;
    }
    if (existing === undefined) {
      const next: Node = new Map();
      node.set(part, next);
      node = next;
    } else if (existing instanceof Map) node = existing;
    else {
      throw new DocumentError(31249, `Path collision at ${path} remaining portion ${parts.slice(index + 1).join('.')}`);
    }
  }
}

/** A document that is no operator describes fields further down. */
function compileField(value: Value, environment: Environment): Node | Evaluate {
  if (!(value instanceof Doc) || (value.nameAt(0) ?? '').startsWith('$')) {
    return compileExpression(value, environment).evaluate;
  }
  if (value.isEmpty) {
    throw new DocumentError(51270, 'An empty sub-projection is not a valid value. Found empty object at path');
  }
  const node: Node = new Map();
  for (const [name, field] of value) {
    if (name.includes('.')) {
      throw new DocumentError(
        40183,
        `FieldPath field names may not contain '.' in a nested object: found '${name}' in ${formatDocument(value)}`,
      );
    }
    addPath(node, name, field, environment);
  }
  return node;
}

function applyNode(node: Node, document: Doc, scope: Scope): Doc {
  const result = document.copy();
  for (const [name, child] of node) {
    const value = typeof child === 'function' ? child(scope) : applyInside(child, document.get(name), scope);
    if (value === undefined) result.delete(name);
    else result.set(name, value);
  }
  return result;
}

function applyInside(node: Node, value: Value | undefined, scope: Scope): Value {
  if (value instanceof Doc) return applyNode(node, value, scope);
  if (isArrayValue(value)) return (value as ArrayValue).map((element) => applyInside(node, element, scope));
  return applyNode(node, new Doc(), scope);
}
