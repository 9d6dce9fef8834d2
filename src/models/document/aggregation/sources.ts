/** Between bytes and documents: what pipelines read from and what reads from them. */
import type { DocumentSource } from '../cursor.js';
import { DocumentError } from '../errors.js';
import { Doc, encodeDocument } from '../values.js';
import type { DocSource } from './stages/stage.js';

/** Views of the bytes. */
export function documentsOf(source: DocumentSource): DocSource {
  return {
    async next() {
      const batch = await source.next();
      return batch?.map((bytes) => Doc.fromBytes(bytes));
    },
    close: () => source.close(),
  };
}

const FAILED = 'PlanExecutor error during aggregation';

/** The documents as bytes; failures say that they happened while the pipeline ran. */
export function bytesOf(source: DocSource): DocumentSource {
  return {
    async next() {
      try {
        const batch = await source.next();
        return batch?.map(encodeDocument);
      } catch (thrown) {
        if (!(thrown instanceof DocumentError) || thrown.message.startsWith(FAILED)) throw thrown;
        throw new DocumentError(thrown.code, `${FAILED} :: caused by :: ${thrown.message}`, thrown.details);
      }
    },
    close: () => source.close(),
  };
}
