/** Logging in and out. */
import { Doc } from '../../../models/document/values.js';
import type { Authenticator } from '../authentication.js';
import { type Command, type CommandContext, defineCommand } from '../command.js';
import { failed } from '../errors.js';
import { any } from '../fields.js';

function authenticatorOf(context: CommandContext): Authenticator {
  const { authentication } = context.server.options;
  if (authentication === undefined) throw failed(334, 'Received authentication for a mechanism which is not enabled');
  return authentication;
}

export const AUTHENTICATION_COMMANDS: readonly Command[] = [
  defineCommand({
    name: 'saslStart',
    help: 'begins a login',
    subject: 'any',
    fields: { mechanism: any(), payload: any(), autoAuthorize: any(), options: any() },
    lenient: true,
    beforeLogin: true,
    run: (context) => authenticatorOf(context).saslStart(context.client, context.database, context.body),
  }),
  defineCommand({
    name: 'saslContinue',
    help: 'goes on with a login',
    subject: 'any',
    fields: { conversationId: any(), payload: any() },
    lenient: true,
    beforeLogin: true,
    run: (context) => authenticatorOf(context).saslContinue(context.client, context.body),
  }),
  defineCommand({
    name: 'authenticate',
    help: 'refused: X.509 logins are not enabled',
    subject: 'any',
    fields: {},
    lenient: true,
    beforeLogin: true,
    run: (): Doc => {
      throw failed(334, 'Received authentication for mechanism MONGODB-X509 which is not enabled');
    },
  }),
  defineCommand({
    name: 'logout',
    help: 'forgets who is logged in',
    subject: 'any',
    fields: {},
    lenient: true,
    beforeLogin: true,
    run: (context) => {
      context.client.user = undefined;
      return new Doc();
    },
  }),
];
