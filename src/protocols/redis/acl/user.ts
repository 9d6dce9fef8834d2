/** A Redis user: whether it may log in, with what, and what its selectors allow. */
import { createHash } from 'node:crypto';
import type { Command } from '../command.js';
import { RedisError } from '../errors.js';
import type { CommandRegistry } from '../registry.js';
import type { Request } from '../request.js';
import { AclSyntaxError, type Denial, Selector } from './selector.js';

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex');
}

const hashPattern = /^[0-9a-f]{64}$/;
const badHash = 'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters';
const noSuchPassword = 'The password you are trying to remove from the user does not exist';

export class AclUser {
  enabled = false;
  nopass = false;
  sanitize = true;
  /** SHA-256 of the passwords, hexadecimal. */
  passwords: string[] = [];
  /** Clear-text passwords given by the rules since the user was read: for credentials of other protocols. */
  readonly given: string[] = [];
  root: Selector;
  selectors: Selector[] = [];

  constructor(
    readonly name: string,
    private readonly registry: CommandRegistry,
    private readonly newChannels: boolean,
  ) {
    this.root = new Selector(registry, newChannels);
  }

  copy(): AclUser {
    const copy = new AclUser(this.name, this.registry, this.newChannels);
    copy.enabled = this.enabled;
    copy.nopass = this.nopass;
    copy.sanitize = this.sanitize;
    copy.passwords = [...this.passwords];
    copy.root = this.root.copy();
    copy.selectors = this.selectors.map((selector) => selector.copy());
    return copy;
  }

  get unrestricted(): boolean {
    return this.root.unrestricted;
  }

  verify(password: string): boolean {
    return this.enabled && (this.nopass || this.passwords.includes(sha256Hex(password)));
  }

  /** Applies rules from left to right. Throws the error of ACL SETUSER; the user is then half changed: use a copy. */
  applyAll(rules: readonly string[]): void {
    for (const rule of mergeSelectors(rules)) {
      try {
        this.apply(rule);
      } catch (thrown) {
        if (!(thrown instanceof AclSyntaxError)) throw thrown;
        throw new RedisError(`ERR Error in ACL SETUSER modifier '${rule}': ${thrown.message}`);
      }
    }
  }

  private apply(rule: string): void {
    switch (rule.toLowerCase()) {
      case 'on':
        this.enabled = true;
        return;
      case 'off':
        this.enabled = false;
        return;
      case 'nopass':
        this.nopass = true;
        this.passwords = [];
        return;
      case 'resetpass':
        this.nopass = false;
        this.passwords = [];
        return;
      case 'sanitize-payload':
        this.sanitize = true;
        return;
      case 'skip-sanitize-payload':
        this.sanitize = false;
        return;
      case 'clearselectors':
        this.selectors = [];
        return;
      case 'reset':
        this.enabled = false;
        this.nopass = false;
        this.sanitize = true;
        this.passwords = [];
        this.root = new Selector(this.registry, this.newChannels);
        this.selectors = [];
        return;
    }
    if (rule.startsWith('>') || rule.startsWith('#')) this.addPassword(rule);
    else if (rule.startsWith('<') || rule.startsWith('!')) this.removePassword(rule);
    else if (rule.startsWith('(')) this.addSelector(rule);
    else this.root.apply(rule);
  }

  private addPassword(rule: string): void {
    const text = rule.slice(1);
    if (rule.startsWith('#') && !hashPattern.test(text)) throw new AclSyntaxError(badHash);
    const hash = rule.startsWith('>') ? sha256Hex(text) : text;
    if (rule.startsWith('>')) this.given.push(text);
    if (!this.passwords.includes(hash)) this.passwords.push(hash);
    this.nopass = false;
  }

  private removePassword(rule: string): void {
    const text = rule.slice(1);
    if (rule.startsWith('!') && !hashPattern.test(text)) throw new AclSyntaxError(badHash);
    const hash = rule.startsWith('<') ? sha256Hex(text) : text;
    if (!this.passwords.includes(hash)) throw new AclSyntaxError(noSuchPassword);
    this.passwords = this.passwords.filter((other) => other !== hash);
  }

  private addSelector(rule: string): void {
    const selector = new Selector(this.registry, this.newChannels);
    for (const word of rule.slice(1, -1).split(/\s+/)) if (word !== '') selector.apply(word);
    this.selectors.push(selector);
  }

  /** Why the command may not run: the denial of the selector that came closest, as Redis reports it. */
  denial(command: Command, request: Request): Denial | undefined {
    if (this.root.unrestricted) return undefined;
    let closest: Denial | undefined;
    for (const selector of [this.root, ...this.selectors]) {
      const denial = selector.denial(command, request);
      if (denial === undefined) return undefined;
      if (closest === undefined || rank[denial.reason] > rank[closest.reason]) closest = denial;
    }
    return closest;
  }

  flags(): string[] {
    const flags = [this.enabled ? 'on' : 'off'];
    if (this.nopass) flags.push('nopass');
    flags.push(this.sanitize ? 'sanitize-payload' : 'skip-sanitize-payload');
    return flags;
  }

  /** The rules that make this user, as ACL LIST prints them after `user NAME`. */
  describe(): string {
    const parts = this.flags();
    parts.push(...this.passwords.map((hash) => `#${hash}`));
    parts.push(this.root.describe());
    parts.push(...this.selectors.map((selector) => `(${selector.describe()})`));
    return parts.join(' ');
  }
}

const rank = { command: 0, key: 1, channel: 2 } as const;

/** Puts the words of a parenthesised selector together again: `(+get`, `~k)` → `(+get ~k)`. */
function mergeSelectors(rules: readonly string[]): string[] {
  const merged: string[] = [];
  let open: string | undefined;
  for (const rule of rules) {
    if (open === undefined && rule.startsWith('(') && !rule.endsWith(')')) open = rule;
    else if (open !== undefined) {
      open = `${open} ${rule}`;
      if (rule.endsWith(')')) {
        merged.push(open);
        open = undefined;
      }
    } else merged.push(rule);
  }
  if (open !== undefined) throw new RedisError(`ERR Unmatched parenthesis in acl selector starting at '${open}'.`);
  return merged;
}
