/** The few commands that drivers still send as OP_QUERY on `db.$cmd`, before they know that OP_MSG is spoken. */
import { Doc } from '../../models/document/bson/document.js';
import type { QueryRequest } from './codec.js';
import { errorReply } from './dispatch.js';
import { failed, type MongoError } from './errors.js';

const ALLOWED = new Set([
  'hello',
  'isMaster',
  'ismaster',
  'buildInfo',
  'buildinfo',
  'saslStart',
  'saslContinue',
  'authenticate',
]);

/** Throws 352 for other commands, 5739101 for queries proper. */
export function legacyCommand(request: QueryRequest): { body: Doc; database: string } {
  const dot = request.namespace.indexOf('.');
  const database = dot < 0 ? request.namespace : request.namespace.slice(0, dot);
  if (request.namespace.slice(dot + 1) !== '$cmd') {
    throw failed(
      5739101,
      'OP_QUERY is no longer supported. The client driver may require an upgrade. For more details see https://dochub.mongodb.org/core/legacy-opcode-removal',
    );
  }
  if (request.numberToReturn !== 1 && request.numberToReturn !== -1) {
    throw failed(16979, `Bad numberToReturn (${request.numberToReturn}) for $cmd type ns - can only be 1 or -1`);
  }
  let body = Doc.fromBytes(request.query);
  const wrapped = body.get('$query') ?? body.get('query');
  if (wrapped instanceof Doc && body.nameAt(0) !== undefined && /^\$?query$/.test(body.nameAt(0) ?? '')) body = wrapped;
  const name = body.nameAt(0) ?? '';
  if (!ALLOWED.has(name)) {
    throw failed(
      352,
      `Unsupported OP_QUERY command: ${name}. The client driver may require an upgrade. For more details see https://dochub.mongodb.org/core/legacy-opcode-removal`,
    );
  }
  return { body, database };
}

/** Queries proper are answered with `$err`. */
export function describeRefusal(error: MongoError): Doc {
  if (error.code !== 5739101) return errorReply(error);
  return Doc.of({ $err: error.message, code: error.code, ok: 0 });
}
