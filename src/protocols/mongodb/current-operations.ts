/** What is running, for currentOp and `$currentOp`. */
import { plainDocument } from '../../models/document/plain.js';
import { Doc } from '../../models/document/values.js';
import { remoteName } from './client.js';
import type { MongodbServer } from './server-state.js';

export function currentOperations(server: MongodbServer): Doc[] {
  return [...server.operations.values()].map((operation) => {
    const client = server.clients.get(operation.client);
    const running = Date.now() - operation.startedAtMs;
    const application = client?.metadata?.get('application');
    return plainDocument({
      type: 'op',
      host: client === undefined ? '' : server.hostFor(client),
      desc: `conn${operation.client}`,
      connectionId: operation.client,
      client: client === undefined ? '' : remoteName(client),
      ...(application instanceof Doc ? { appName: application.get('name') } : {}),
      ...(client?.metadata === undefined ? {} : { clientMetadata: client.metadata }),
      active: true,
      currentOpTime: new Date().toISOString(),
      effectiveUsers: client?.user === undefined ? undefined : [{ user: client.user.name, db: client.user.database }],
      opid: operation.id,
      secs_running: BigInt(Math.floor(running / 1000)),
      microsecs_running: BigInt(running * 1000),
      op: 'command',
      ns: operation.namespace,
      command: operation.command === undefined ? {} : Doc.fromBytes(operation.command),
      numYields: 0,
      locks: {},
      waitingForLock: false,
      lockStats: {},
      waitingForFlowControl: false,
      killPending: operation.interrupted,
    });
  });
}
