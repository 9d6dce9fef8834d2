/** `$out`: the documents instead of what a collection holds, all at once. */
import type { Namespace } from '../../collections.js';
import { DocumentError } from '../../errors.js';
import { Doc, ObjectId, typeName, type Value } from '../../values.js';
import type { Replacement } from '../context.js';
import { inDatabase } from './lookup.js';
import { type CompileStage, stageOf } from './stage.js';

export const out: CompileStage = (argument, _, specification) => {
  const { target, timeSeries } = parseOut(argument);
  return stageOf(specification, {
    writes: true,
    open: (input, run) => ({
      async next() {
        const { writer } = run.context;
        if (writer === undefined)
          throw new DocumentError(
            263,
            'Operation not permitted in transaction :: caused by :: Aggregation stage $out cannot run within a multi-document transaction.',
          );
        const replacement: Replacement = await writer.replace(inDatabase(target, run), timeSeries);
        try {
          for (let batch = await input.next(); batch !== undefined; batch = await input.next()) {
            await replacement.insert(
              batch.map((document) =>
                document.has('_id') ? document : document.copy().prepend('_id', ObjectId.generate()),
              ),
            );
            const turn = run.context.breathe();
            if (turn !== undefined) await turn;
          }
          await replacement.commit();
        } catch (thrown) {
          await replacement.abort();
          throw thrown;
        }
        return undefined;
      },
      close: () => input.close(),
    }),
  });
};

function parseOut(argument: Value): { target: Namespace; timeSeries: Doc | undefined } {
  if (typeof argument === 'string') return { target: { database: '', name: argument }, timeSeries: undefined };
  if (!(argument instanceof Doc)) {
    throw new DocumentError(16990, `$out only supports a string or object argument, but found ${typeName(argument)}`);
  }
  for (const name of argument.keys()) {
    if (name !== 'db' && name !== 'coll' && name !== 'timeseries') {
      throw new DocumentError(40415, `BSON field '$out.${name}' is an unknown field.`);
    }
  }
  const [database, name, timeSeries] = [argument.get('db'), argument.get('coll'), argument.get('timeseries')];
  if (typeof name !== 'string')
    throw new DocumentError(40414, "BSON field '$out.coll' is missing but a required field");
  if (database === undefined) throw new DocumentError(40414, "BSON field '$out.db' is missing but a required field");
  return {
    target: { database: typeof database === 'string' ? database : '', name },
    timeSeries: timeSeries instanceof Doc ? timeSeries : undefined,
  };
}
