/** CLIENT PAUSE: holds the commands of all clients, or those that write, for a while. */
import type { Client } from './client.js';
import type { Command } from './command.js';

/** Held by a pause of writes although they are not flagged as writes. */
const heldWithWrites = new Set(['publish', 'spublish', 'pfcount', 'eval', 'evalsha', 'fcall']);

export class Pause {
  mode: 'off' | 'write' | 'all' = 'off';
  private untilMs = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly held = new Set<Client>();

  /** `changed` hears whether a pause is on. */
  constructor(private readonly changed: (on: boolean) => void) {}

  start(timeoutMs: number, mode: 'write' | 'all'): void {
    // A pause never makes one that is on shorter or weaker.
    this.mode = this.mode === 'all' ? 'all' : mode;
    this.untilMs = Math.max(this.untilMs, Date.now() + timeoutMs);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.end(), Math.min(2 ** 31 - 1, this.untilMs - Date.now()));
    this.timer.unref();
    this.changed(true);
  }

  end(): void {
    clearTimeout(this.timer);
    this.mode = 'off';
    this.untilMs = 0;
    this.changed(false);
    const held = [...this.held];
    this.held.clear();
    for (const client of held) client.resumeHeld();
  }

  holds(command: Command): boolean {
    if (this.mode === 'off' || command.name.startsWith('client|')) return false;
    if (this.mode === 'all') return true;
    return command.access === 'write' || command.flags.has('may_replicate') || heldWithWrites.has(command.name);
  }

  hold(client: Client): void {
    this.held.add(client);
  }

  leave(client: Client): void {
    this.held.delete(client);
  }
}
