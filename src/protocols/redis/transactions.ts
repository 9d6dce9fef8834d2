/** MULTI, EXEC and WATCH: queued commands run as one transaction of the engine. */
import type { Command } from './command.js';
import type { Request } from './request.js';

export interface QueuedCommand {
  readonly command: Command;
  readonly request: Request;
}

/** A key as WATCH saw it: EXEC runs only while it still is so. */
export interface WatchedKey {
  readonly database: number;
  readonly key: string;
  /** Version and deadline of the record; `undefined`: the key was missing. */
  readonly seen: { readonly version: number; readonly deadline: number } | undefined;
}
