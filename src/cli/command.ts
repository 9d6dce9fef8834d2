/** One command of the `rosetta` program. */

import type { Arguments } from '../server/configuration-sources.js';
import type { OptionName } from '../server/options.js';

export interface CliCommand {
  readonly name: string;
  /** What follows the name, in the help. */
  readonly usage: string;
  /** One line, without a full stop. */
  readonly summary: string;
  /** Further paragraphs of `rosetta help NAME`. */
  readonly description?: string;
  readonly options: readonly OptionName[];
  /** How many words may follow that are no options. */
  readonly words: { readonly min: number; readonly max: number };
  /** Resolves to the exit code. */
  run(given: Arguments): Promise<number>;
}

/** Exit codes. */
export const Exit = {
  done: 0,
  /** Something went wrong; standard error says what. */
  failed: 1,
  /** The command line, a variable or the configuration file is wrong. */
  usage: 2,
} as const;
