/** Figures for INFO, by command and in all. */
import type { Client } from './client.js';
import type { Command } from './command.js';

export class CommandFigures {
  calls = 0;
  microseconds = 0;
  rejected = 0;
  failed = 0;
}

export class ServerStatistics {
  connections = 0;
  commands = 0;
  errors = 0;
  /** By command id. */
  readonly byCommand: CommandFigures[] = [];
  /** By the first word of the error. */
  readonly byError = new Map<string, number>();

  executed(_client: Client, command: Command, startedMs: number): void {
    this.commands++;
    const figures = this.figures(command);
    figures.calls++;
    figures.microseconds += (performance.now() - startedMs) * 1000;
  }

  failed(command: Command): void {
    this.figures(command).failed++;
  }

  error(text: string): void {
    this.errors++;
    const code = text.slice(0, Math.max(0, text.indexOf(' '))) || text;
    this.byError.set(code, (this.byError.get(code) ?? 0) + 1);
  }

  private figures(command: Command): CommandFigures {
    let figures = this.byCommand[command.id];
    if (figures === undefined) {
      figures = new CommandFigures();
      this.byCommand[command.id] = figures;
    }
    return figures;
  }
}
