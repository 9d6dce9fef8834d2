/** A replica set of one: what its only member, the primary, says of it. */
import { type Plain, plainDocument } from '../../../models/document/plain.js';
import { Doc, double, ObjectId, Timestamp } from '../../../models/document/values.js';
import { type Command, type CommandContext, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { SET_NAME } from '../server-state.js';

const status = defineCommand({
  name: 'replSetGetStatus',
  help: 'the set and its one member',
  subject: 'any',
  fields: {},
  lenient: true,
  adminOnly: true,
  actions: ['replSetGetStatus'],
  run(context) {
    const { server, client } = context;
    const { seconds, increment } = server.store.clock.now;
    const opTime: Plain = { ts: new Timestamp(seconds, increment), t: 1n };
    const date = new Date(seconds * 1000);
    const started = new Date(server.startedAtMs);
    const uptime = Math.floor((Date.now() - server.startedAtMs) / 1000);
    return plainDocument({
      set: SET_NAME,
      date: new Date(),
      myState: 1,
      term: 1n,
      syncSourceHost: '',
      syncSourceId: -1,
      heartbeatIntervalMillis: 2000n,
      majorityVoteCount: 1,
      writeMajorityCount: 1,
      votingMembersCount: 1,
      writableVotingMembersCount: 1,
      optimes: {
        lastCommittedOpTime: opTime,
        lastCommittedWallTime: date,
        readConcernMajorityOpTime: opTime,
        appliedOpTime: opTime,
        durableOpTime: opTime,
        lastAppliedWallTime: date,
        lastDurableWallTime: date,
      },
      electionCandidateMetrics: {
        lastElectionReason: 'electionTimeout',
        lastElectionDate: started,
        electionTerm: 1n,
        numVotesNeeded: 1,
        priorityAtElection: double(1),
        electionTimeoutMillis: 10_000n,
      },
      members: [
        {
          _id: 0,
          name: server.hostFor(client),
          health: double(1),
          state: 1,
          stateStr: 'PRIMARY',
          uptime,
          optime: opTime,
          optimeDate: date,
          lastAppliedWallTime: date,
          lastDurableWallTime: date,
          syncSourceHost: '',
          syncSourceId: -1,
          infoMessage: '',
          electionTime: new Timestamp(Math.floor(server.startedAtMs / 1000), 1),
          electionDate: started,
          configVersion: 1,
          configTerm: 1,
          self: true,
          lastHeartbeatMessage: '',
        },
      ],
    });
  },
});

const SET_ID = new ObjectId(Buffer.from('726f736574746172733000', 'hex').latin1Slice().padEnd(12, '\0').slice(0, 12));

const config = defineCommand({
  name: 'replSetGetConfig',
  help: "the set's configuration",
  subject: 'any',
  fields: {},
  lenient: true,
  adminOnly: true,
  actions: ['replSetGetConfig'],
  run: ({ server, client }) =>
    plainDocument({
      config: {
        _id: SET_NAME,
        version: 1,
        term: 1,
        members: [
          {
            _id: 0,
            host: server.hostFor(client),
            arbiterOnly: false,
            buildIndexes: true,
            hidden: false,
            priority: 1,
            tags: {},
            secondaryDelaySecs: 0n,
            votes: 1,
          },
        ],
        protocolVersion: 1n,
        writeConcernMajorityJournalDefault: true,
        settings: {
          chainingAllowed: true,
          heartbeatIntervalMillis: 2000,
          heartbeatTimeoutSecs: 10,
          electionTimeoutMillis: 10_000,
          catchUpTimeoutMillis: -1,
          catchUpTakeoverDelayMillis: 30_000,
          getLastErrorModes: {},
          getLastErrorDefaults: { w: 1, wtimeout: 0 },
          replicaSetId: SET_ID,
        },
      },
    }),
});

function refused(name: string, help: string, code: number, message: string): Command {
  return defineCommand({
    name,
    help,
    subject: 'any',
    fields: {},
    lenient: true,
    adminOnly: true,
    run(): Doc {
      throw failed(code, message);
    },
  });
}

const accepted = (name: string, help: string): Command =>
  defineCommand({
    name,
    help,
    subject: 'any',
    fields: {},
    lenient: true,
    adminOnly: true,
    run: (_: CommandContext) => new Doc(),
  });

export const REPLICATION_COMMANDS: readonly Command[] = [
  status,
  config,
  refused('replSetInitiate', 'refused: the set is there already', 23, 'already initialized'),
  refused('replSetStepDown', 'refused: nobody else could be primary', 262, 'No electable secondaries caught up'),
  accepted('replSetReconfig', 'accepts a configuration, which changes nothing'),
  accepted('replSetFreeze', 'there is nobody to elect'),
  accepted('replSetResizeOplog', "the oplog's size is not limited"),
];
