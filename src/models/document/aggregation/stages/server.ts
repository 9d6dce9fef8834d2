/** First stages whose documents the server makes: `$collStats`, `$indexStats`, `$currentOp` and others. */
import { DocumentError } from '../../errors.js';
import { documentsOf } from '../sources.js';
import { type CompileStage, type DocSource, stageOf } from './stage.js';

export const serverStage: CompileStage = (argument, _, specification) => {
  const name = specification.nameAt(0) ?? '';
  return stageOf(specification, {
    source: true,
    open: (input, run) => {
      let opened: DocSource | undefined;
      return {
        async next() {
          if (opened === undefined) {
            const { collection, database } = run.context;
            const namespace = collection === undefined ? undefined : { database, name: collection };
            const source = await run.context.serverStage?.(name, argument, namespace);
            if (source === undefined) throw new DocumentError(40324, `Unrecognized pipeline stage name: '${name}'`);
            opened = documentsOf(source);
          }
          return opened.next();
        },
        close() {
          opened?.close();
          input.close();
        },
      };
    },
  });
};
