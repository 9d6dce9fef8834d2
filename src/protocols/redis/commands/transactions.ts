/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH. EXEC runs the queue as one transaction of the engine: all of it is committed,
 * logged and made durable together. As in Redis a failing command does not undo the others.
 */

import { isEngineSignal } from '../../../engine/errors.js';
import type { Database } from '../../../models/key-value/database.js';
import type { Client } from '../client.js';
import type { CommandContext, Commands } from '../command.js';
import { errorText, RedisError } from '../errors.js';
import type { WatchedKey } from '../transactions.js';

function multi(c: CommandContext): void {
  if (c.client.queue !== undefined) throw new RedisError('ERR MULTI calls can not be nested');
  c.client.queue = [];
  c.client.queueFailed = false;
  c.reply.ok();
}

function leaveMulti(client: Client): void {
  client.queue = undefined;
  client.queueFailed = false;
  client.watched = [];
}

function discard(c: CommandContext): void {
  if (c.client.queue === undefined) throw new RedisError('ERR DISCARD without MULTI');
  leaveMulti(c.client);
  c.reply.ok();
}

function look(db: Database, key: string): WatchedKey['seen'] {
  const record = db.find(key);
  return record === undefined ? undefined : { version: record.version, deadline: record.deadline };
}

function watch(c: CommandContext): void | Promise<void> {
  const { client, request, db, server, reply } = c;
  if (client.queue !== undefined) throw new RedisError('ERR WATCH inside MULTI is not allowed');
  const keys = request.texts(1);
  const seen = server.store.read(db, (database) =>
    keys.map((key): WatchedKey => ({ database: database.index, key, seen: look(database, key) })),
  );
  const note = (watched: readonly WatchedKey[]): void => {
    for (const entry of watched) {
      if (!client.watched.some((other) => other.key === entry.key && other.database === entry.database)) {
        client.watched.push(entry);
      }
    }
    reply.ok();
  };
  return seen instanceof Promise ? seen.then(note) : note(seen);
}

function unwatch(c: CommandContext): void {
  c.client.watched = [];
  c.reply.ok();
}

function unchanged(db: Database, watched: readonly WatchedKey[]): boolean {
  const index = db.index;
  for (const { database, key, seen } of watched) {
    db.select(database);
    const now = look(db, key);
    if (seen?.version !== now?.version || seen?.deadline !== now?.deadline) return false;
  }
  db.select(index);
  return true;
}

function exec(c: CommandContext): void | Promise<void> {
  const { client, server, db } = c;
  const { queue, queueFailed, watched } = client;
  if (queue === undefined) throw new RedisError('ERR EXEC without MULTI');
  leaveMulti(client);
  if (queueFailed) throw new RedisError('EXECABORT Transaction discarded because of previous errors.');
  for (const { command, request } of queue) {
    const refusal = server.refuseAtExec(client, command, request);
    if (refusal !== undefined) {
      throw new RedisError(`EXECABORT Transaction discarded because of: ${refusal.message.replace(/^ERR /, '')}`);
    }
  }
  const start = c.reply.length;
  const index = db.index;
  const ownRequest = client.request;
  client.inTransaction = true;
  let selected = index;
  const done = (): void => {
    client.inTransaction = false;
    client.request = ownRequest;
    db.index = selected;
  };
  const body = (database: Database): void => {
    c.reply.rewind(start);
    client.clearCommitActions();
    if (!unchanged(database, watched)) {
      c.reply.nullArray();
      selected = index;
      return;
    }
    c.reply.array(queue.length);
    for (const { command, request } of queue) {
      client.request = request;
      const mark = c.reply.length;
      const startedMs = performance.now();
      if (server.monitors !== 0) server.feedMonitors(client, request, command);
      try {
        void command.run(client);
        client.timeoutNow();
      } catch (thrown) {
        if (isEngineSignal(thrown)) throw thrown;
        const text = errorText(thrown);
        if (text === undefined) throw thrown;
        c.reply.rewind(mark);
        client.replyError(text);
        server.commandFailed(command);
      }
      server.executed(client, command, startedMs);
    }
    selected = database.index;
  };
  try {
    const result = queue.some(({ command }) => command.access === 'write')
      ? server.store.write(db, body)
      : server.store.read(db, body);
    if (result instanceof Promise) return result.finally(done);
  } catch (thrown) {
    done();
    throw thrown;
  }
  done();
}

export const transactionCommands: Commands = { multi, exec, discard, watch, unwatch };
