/**
 * Redis users on the server's one list of users: their rules, who may run what, and the log of refusals. Users are kept
 * in memory, parsed, and follow the list as it changes.
 */
import type { Client } from '../client.js';
import type { Command } from '../command.js';
import { describeClient } from '../commands/client.js';
import { RedisError } from '../errors.js';
import type { Request } from '../request.js';
import type { Logins, RedisServer } from '../server.js';
import { AclUser, sha256Hex } from './user.js';

/** Where users are kept durably: the list that all protocols share. */
export interface UserStorage {
  /** Name and ACL rules of every user that Redis clients may be. */
  all(): readonly { readonly name: string; readonly rules: string }[];
  /** Stores a user; `passwords` are new ones in clear text, for the credentials of other protocols. */
  save(name: string, rules: string, hashes: readonly string[], passwords: readonly string[]): Promise<void>;
  remove(name: string): Promise<void>;
  /** The list has changed, here or on another server. */
  onChange(listener: () => void): () => void;
}

export interface LogEntry {
  readonly id: number;
  count: number;
  readonly reason: 'auth' | 'command' | 'key' | 'channel';
  readonly context: 'toplevel' | 'multi' | 'lua';
  readonly object: string;
  readonly username: string;
  readonly clientInfo: string;
  readonly createdMs: number;
  updatedMs: number;
}

/** Refusals alike within this time are one entry of the log. */
const logMergeMs = 60_000;

export class AccessControl implements Logins {
  readonly users = new Map<string, AclUser>();
  log: LogEntry[] = [];
  private nextLogId = 0;
  private readonly stop: () => void;

  constructor(
    private readonly server: RedisServer,
    private readonly storage: UserStorage | undefined,
  ) {
    this.reload();
    this.stop = storage?.onChange(() => this.reload()) ?? (() => {});
    server.settings.onChange('requirepass', (password) => this.setDefaultPassword(password));
    server.gates.push((client, command, request) => this.gate(client, command, request, 'toplevel'));
  }

  close(): void {
    this.stop();
  }

  // --- logins ---------------------------------------------------------------------------------------------------------

  get passwordless(): boolean {
    return this.default.nopass && this.default.enabled;
  }

  initial(): string | undefined {
    return this.passwordless ? 'default' : undefined;
  }

  verify(name: string, password: string): boolean {
    return this.users.get(name)?.verify(password) === true;
  }

  exists(name: string): boolean {
    return this.users.has(name);
  }

  private get default(): AclUser {
    let user = this.users.get('default');
    if (user === undefined) {
      user = this.freshDefault();
      this.users.set('default', user);
    }
    return user;
  }

  private freshDefault(): AclUser {
    const user = new AclUser('default', this.server.registry, true);
    const { requirepass } = this.server.settings;
    user.applyAll(['on', requirepass === '' ? 'nopass' : `#${sha256Hex(requirepass)}`, '~*', '&*', '+@all']);
    return user;
  }

  private setDefaultPassword(password: string): void {
    const user = this.default;
    if (password === '') user.applyAll(['nopass']);
    else {
      user.applyAll(['resetpass', `>${password}`]);
      user.given.length = 0;
    }
  }

  private reload(): void {
    const stored = this.storage?.all() ?? [];
    const names = new Set(stored.map(({ name }) => name));
    for (const name of this.users.keys()) if (!names.has(name) && name !== 'default') this.users.delete(name);
    for (const { name, rules } of stored) {
      const user = this.blank(name);
      try {
        user.applyAll(rules.split(' ').filter((rule) => rule !== ''));
      } catch (err) {
        this.server.logger.error({ err, user: name }, 'the rules of a user cannot be read: it may do nothing');
        continue;
      }
      this.users.set(name, user);
    }
    void this.default;
  }

  private blank(name: string): AclUser {
    const allChannels = this.server.settings.get('acl-pubsub-default') === 'allchannels';
    return new AclUser(name, this.server.registry, allChannels);
  }

  // --- changes --------------------------------------------------------------------------------------------------------

  /** ACL SETUSER: all rules or none. Takes effect at once; the promise says when it is stored. */
  setUser(name: string, rules: readonly string[]): Promise<void> {
    if (/[\s\0]/.test(name)) throw new RedisError("ERR Usernames can't contain spaces or null characters");
    const user = this.users.get(name)?.copy() ?? this.blank(name);
    user.applyAll(rules);
    const given = [...user.given];
    user.given.length = 0;
    this.users.set(name, user);
    this.dropSubscriptions(name);
    return this.storage?.save(name, user.describe(), user.passwords, given) ?? Promise.resolve();
  }

  /** ACL DELUSER: disconnects whoever acts as the user; false when there is none. */
  removeUser(name: string): Promise<void> | undefined {
    if (name === 'default') throw new RedisError("ERR The 'default' user cannot be removed");
    if (!this.users.delete(name)) return undefined;
    for (const client of this.server.clients.values()) if (client.user === name) client.closeAfterReply = true;
    for (const client of [...this.server.clients.values()]) {
      if (client.user === name) client.connection.end();
    }
    return this.storage?.remove(name) ?? Promise.resolve();
  }

  /** Clients that follow a channel their user may no longer read are disconnected. */
  private dropSubscriptions(name: string): void {
    const user = this.users.get(name);
    if (user === undefined || user.unrestricted) return;
    for (const client of [...this.server.clients.values()]) {
      if (client.user !== name || client.subscriptions + client.shardChannels.size === 0) continue;
      const allowed =
        [...client.channels].every((channel) => this.mayFollow(user, 'subscribe', channel)) &&
        [...client.patterns].every((pattern) => this.mayFollow(user, 'psubscribe', pattern)) &&
        [...client.shardChannels].every((channel) => this.mayFollow(user, 'ssubscribe', channel));
      if (!allowed) client.connection.destroy();
    }
  }

  private mayFollow(user: AclUser, commandName: string, channel: string): boolean {
    const command = this.server.registry.named(commandName);
    if (command === undefined) return true;
    return user.denial(command, this.server.requestOf([commandName, channel]))?.reason !== 'channel';
  }

  // --- questions ------------------------------------------------------------------------------------------------------

  /** The refusal of a command, logged; `undefined` when it may run. */
  gate(
    client: Client,
    command: Command,
    request: Request,
    context: 'toplevel' | 'multi' | 'lua',
  ): RedisError | undefined {
    const { user: name } = client;
    if (name === undefined) return undefined;
    const user = this.users.get(name);
    if (user === undefined || user.unrestricted) return undefined;
    const denial = user.denial(command, request);
    if (denial === undefined) return undefined;
    this.server.accessDenied[denial.reason]++;
    const object = denial.reason === 'command' ? command.name : denial.object;
    this.note(client, denial.reason, client.inTransaction ? 'multi' : context, object, name);
    if (denial.reason === 'command') {
      return new RedisError(`NOPERM User ${name} has no permissions to run the '${command.name}' command`);
    }
    return new RedisError(`NOPERM No permissions to access a ${denial.reason}`);
  }

  failedLogin(client: Client, username: string): void {
    this.note(client, 'auth', 'toplevel', 'AUTH', username);
  }

  private note(
    client: Client,
    reason: LogEntry['reason'],
    context: LogEntry['context'],
    object: string,
    username: string,
  ): void {
    const now = Date.now();
    const known = this.log.find(
      (entry) =>
        entry.reason === reason &&
        entry.context === context &&
        entry.object === object &&
        entry.username === username &&
        now - entry.updatedMs < logMergeMs,
    );
    if (known !== undefined) {
      known.count++;
      known.updatedMs = now;
      this.log = [known, ...this.log.filter((entry) => entry !== known)];
      return;
    }
    this.log.unshift({
      id: this.nextLogId++,
      count: 1,
      reason,
      context,
      object,
      username,
      clientInfo: describeClient(client),
      createdMs: now,
      updatedMs: now,
    });
    const max = this.server.settings.number('acllog-max-len');
    if (this.log.length > max) this.log.length = max;
  }
}
