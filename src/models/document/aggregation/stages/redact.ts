/** `$redact`: keeps, drops or looks into each document and the documents in it. */
import { DocumentError } from '../../errors.js';
import { type ArrayValue, Doc, isArrayValue, type Value } from '../../values.js';
import { compileExpression, type Evaluate } from '../expressions/expression.js';
import type { Scope } from '../scope.js';
import { type CompileStage, enter, keepMetadata, mapBatches, stageOf } from './stage.js';

export const redact: CompileStage = (argument, { environment }, specification) => {
  const inner = environment
    .withConstant('KEEP', 'keep')
    .withConstant('PRUNE', 'prune')
    .withConstant('DESCEND', 'descend');
  environment.dependencies.whole = true;
  const { evaluate } = compileExpression(argument, inner);
  return stageOf(specification, {
    open: (input, run) =>
      mapBatches(input, (batch) =>
        batch.flatMap((document) => {
          const result = redacted(document, evaluate, enter(run, document));
          if (result === undefined) return [];
          keepMetadata(run, document, result);
          return [result];
        }),
      ),
  });
};

function redacted(document: Doc, evaluate: Evaluate, scope: Scope): Doc | undefined {
  scope.current = document;
  const decision = evaluate(scope);
  if (decision === 'keep') return document;
  if (decision === 'prune') return undefined;
  if (decision !== 'descend') {
    throw new DocumentError(
      17053,
      '$redact must evaluate to one of "keep", "prune", or "descend" variables. e.g. $$KEEP',
    );
  }
  const result = new Doc();
  for (const [name, value] of document) {
    const kept = inside(value, evaluate, scope);
    if (kept !== undefined) result.append(name, kept);
  }
  return result;
}

function inside(value: Value, evaluate: Evaluate, scope: Scope): Value | undefined {
  if (value instanceof Doc) return redacted(value, evaluate, scope);
  if (!isArrayValue(value)) return value;
  return (value as ArrayValue).flatMap((element): Value[] => {
    const kept = inside(element, evaluate, scope);
    return kept === undefined ? [] : [kept];
  });
}
