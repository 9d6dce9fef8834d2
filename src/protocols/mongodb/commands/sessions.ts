/** Commands on logical sessions. */
import { Doc } from '../../../models/document/bson/document.js';
import { Binary, isArrayValue, type Value } from '../../../models/document/bson/types.js';
import { type Command, type CommandContext, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { SESSION_TIMEOUT_MINUTES, type Session } from '../sessions.js';

/** Sessions of one command. */
const SESSIONS_MAX = 10_000;

function userOf(context: CommandContext): string | undefined {
  const { user } = context.client;
  return user === undefined ? undefined : `${user.database}.${user.name}`;
}

function listed(context: CommandContext): Doc[] {
  const value = context.body.at(0);
  if (!isArrayValue(value))
    throw failed(14, `BSON field '${context.envelope.name}' is the wrong type, expected type 'array'`);
  if (value.length > SESSIONS_MAX) throw failed(2, `Too many sessions: ${value.length}`);
  return value.filter((element): element is Doc => element instanceof Doc);
}

export const startSession = defineCommand({
  name: 'startSession',
  help: 'begins a logical session',
  subject: 'any',
  fields: {},
  lenient: true,
  run(context) {
    const session = context.server.sessions.create(userOf(context));
    return Doc.of({ id: Doc.of({ id: new Binary(session.id, 4) }), timeoutMinutes: SESSION_TIMEOUT_MINUTES });
  },
});

export const refreshSessions = defineCommand({
  name: 'refreshSessions',
  help: 'keeps sessions from expiring',
  subject: 'any',
  fields: {},
  lenient: true,
  apiVersion1: true,
  run(context) {
    for (const lsid of listed(context)) context.server.sessions.use(lsid, userOf(context));
    return new Doc();
  },
});

export const endSessions = defineCommand({
  name: 'endSessions',
  help: 'ends sessions that the client does not need any more, with their cursors and transactions',
  subject: 'any',
  fields: {},
  lenient: true,
  apiVersion1: true,
  run(context) {
    for (const lsid of listed(context)) {
      const session = context.server.sessions.find(lsid, userOf(context));
      if (session !== undefined) context.server.sessions.end(session);
    }
    return new Doc();
  },
});

export const killSessions = defineCommand({
  name: 'killSessions',
  help: 'ends sessions',
  subject: 'any',
  fields: {},
  lenient: true,
  run(context) {
    const lsids = listed(context);
    if (lsids.length === 0) endWhere(context, (session) => session.user === userOf(context));
    for (const lsid of lsids) {
      const session = context.server.sessions.find(lsid, userOf(context));
      if (session !== undefined) end(context, session);
    }
    return new Doc();
  },
});

export const killAllSessions = defineCommand({
  name: 'killAllSessions',
  help: 'ends all sessions, or those of the given users',
  subject: 'any',
  fields: {},
  lenient: true,
  run(context) {
    const users = listed(context).map((user) => `${text(user.get('db'))}.${text(user.get('user'))}`);
    endWhere(context, (session) => users.length === 0 || (session.user !== undefined && users.includes(session.user)));
    return new Doc();
  },
});

export const killAllSessionsByPattern = defineCommand({
  name: 'killAllSessionsByPattern',
  help: 'ends the sessions that a pattern describes',
  subject: 'any',
  fields: {},
  lenient: true,
  run(context) {
    const patterns = listed(context);
    if (patterns.length === 0) endWhere(context, () => true);
    for (const pattern of patterns) {
      const lsid = pattern.get('lsid');
      const session = lsid instanceof Doc ? context.server.sessions.find(lsid, userOf(context)) : undefined;
      if (session !== undefined) end(context, session);
      else if (lsid === undefined) endWhere(context, () => true);
    }
    return new Doc();
  },
});

function text(value: Value | undefined): string {
  return typeof value === 'string' ? value : '';
}

function endWhere(context: CommandContext, matches: (session: Session) => boolean): void {
  for (const session of [...context.server.sessions.all()]) if (matches(session)) end(context, session);
}

function end(context: CommandContext, session: Session): void {
  if (session !== context.session) context.server.sessions.end(session);
}

export const SESSION_COMMANDS: readonly Command[] = [
  startSession,
  refreshSessions,
  endSessions,
  killSessions,
  killAllSessions,
  killAllSessionsByPattern,
];
