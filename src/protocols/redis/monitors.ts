/** MONITOR: clients that see every command before it runs. */
import type { Client } from './client.js';
import type { Command } from './command.js';
import { peerOf } from './peer.js';
import type { Request } from './request.js';

export class Monitors {
  private readonly clients = new Set<Client>();

  get count(): number {
    return this.clients.size;
  }

  join(client: Client): void {
    client.monitoring = true;
    this.clients.add(client);
  }

  leave(client: Client): void {
    client.monitoring = false;
    this.clients.delete(client);
  }

  feed(client: Client, request: Request, command: Command, source?: 'lua'): void {
    if (command.flags.has('skip_monitor') || command.flags.has('admin')) return;
    const peer = source ?? peerOf(client);
    const time = (performance.timeOrigin + performance.now()) / 1000;
    let line = `+${time.toFixed(6)} [${client.db.index} ${peer}]`;
    for (let i = 0; i < request.count; i++) line += ` "${escapeForMonitor(request.text(i))}"`;
    const bytes = Buffer.from(`${line}\r\n`, 'latin1');
    for (const monitor of this.clients) monitor.send(Buffer.from(bytes));
  }
}

/** Text as `sdscatrepr` prints it, without the quotes around. */
export function escapeForMonitor(text: string): string {
  return text.replace(/[\\"\n\r\t\x07\b]|[^\x20-\x7e]/g, (char) => {
    const known = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\x07': '\\a', '\b': '\\b' }[char];
    return known ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
