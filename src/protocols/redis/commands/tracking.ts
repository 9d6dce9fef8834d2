/** CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO. */
import type { CommandContext, Commands } from '../command.js';
import { RedisError, syntaxError } from '../errors.js';
import { parseIntegerText } from '../numbers.js';

function tracking(c: CommandContext): void {
  const { request, server, client } = c;
  let redirect = 0;
  let broadcast = false;
  let optIn = false;
  let optOut = false;
  let noLoop = false;
  const prefixes: string[] = [];
  for (let i = 3; i < request.count; i++) {
    const more = request.count - 1 - i;
    const option = request.lower(i);
    if (option === 'redirect' && more >= 1) {
      if (redirect !== 0) throw new RedisError('ERR A client can only redirect to a single other client');
      const id = parseIntegerText(request.text(++i));
      if (id === undefined) throw new RedisError('ERR Invalid client ID');
      redirect = Number(id);
      if (!server.clients.has(redirect)) throw new RedisError('ERR The client ID you want redirect to does not exist');
    } else if (option === 'bcast') broadcast = true;
    else if (option === 'optin') optIn = true;
    else if (option === 'optout') optOut = true;
    else if (option === 'noloop') noLoop = true;
    else if (option === 'prefix' && more >= 1) prefixes.push(request.text(++i));
    else throw syntaxError();
  }
  if (request.is(2, 'off')) {
    server.tracking.off(client);
    c.reply.ok();
    return;
  }
  if (!request.is(2, 'on')) throw syntaxError();
  const before = server.tracking.state(client);
  if (!broadcast && prefixes.length > 0) throw new RedisError('ERR PREFIX option requires BCAST mode to be enabled');
  if (before !== undefined && before.broadcast !== broadcast) {
    throw new RedisError(
      "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
    );
  }
  if (broadcast && (optIn || optOut)) throw new RedisError('ERR OPTIN and OPTOUT are not compatible with BCAST');
  if (optIn && optOut) throw new RedisError("ERR You can't specify both OPTIN mode and OPTOUT mode");
  if (before !== undefined && ((optIn && before.optOut) || (optOut && before.optIn))) {
    throw new RedisError(
      "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
    );
  }
  checkOverlaps(prefixes, before?.prefixes ?? []);
  server.tracking.on(client, { redirect, broadcast, optIn, optOut, noLoop, prefixes });
  c.reply.ok();
}

function checkOverlaps(given: readonly string[], existing: readonly string[]): void {
  const overlap = (a: string, b: string): boolean => a.startsWith(b) || b.startsWith(a);
  given.forEach((prefix, i) => {
    const old = existing.find((other) => other !== prefix && overlap(prefix, other));
    if (old !== undefined) {
      throw new RedisError(
        `ERR Prefix '${prefix}' overlaps with an existing prefix '${old}'. Prefixes for a single client must not overlap.`,
      );
    }
    const other = given.slice(i + 1).find((later) => overlap(prefix, later));
    if (other !== undefined) {
      throw new RedisError(
        `ERR Prefix '${prefix}' overlaps with another provided prefix '${other}'. Prefixes for a single client must not overlap.`,
      );
    }
  });
}

function caching(c: CommandContext): void {
  const state = c.server.tracking.state(c.client);
  if (state === undefined) {
    throw new RedisError(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    );
  }
  if (c.request.is(2, 'yes')) {
    if (!state.optIn)
      throw new RedisError('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.');
    state.caching = 'yes';
  } else if (c.request.is(2, 'no')) {
    if (!state.optOut)
      throw new RedisError('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.');
    state.caching = 'no';
  } else throw syntaxError();
  c.reply.ok();
}

function trackingInfo(c: CommandContext): void {
  const { reply } = c;
  const state = c.server.tracking.state(c.client);
  const flags: string[] = [];
  if (state === undefined) flags.push('off');
  else {
    flags.push('on');
    if (state.broadcast) flags.push('bcast');
    if (state.optIn) {
      flags.push('optin');
      if (state.caching === 'yes') flags.push('caching-yes');
    }
    if (state.optOut) {
      flags.push('optout');
      if (state.caching === 'no') flags.push('caching-no');
    }
    if (state.noLoop) flags.push('noloop');
    if (state.broken) flags.push('broken_redirect');
  }
  reply.map(3);
  reply.bulkText('flags');
  reply.set(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.bulkText('redirect');
  reply.integer(state?.redirect ?? -1);
  reply.bulkText('prefixes');
  const prefixes = state?.prefixes ?? [];
  reply.array(prefixes.length);
  for (const prefix of prefixes) reply.bulkText(prefix);
}

export const trackingCommands: Commands = {
  'client|tracking': tracking,
  'client|caching': caching,
  'client|trackinginfo': trackingInfo,
  'client|getredir': (c) => c.reply.integer(c.server.tracking.state(c.client)?.redirect ?? -1),
};
