/** The settings of a command: its flags, the environment, the configuration file. */
import { resolveConfiguration } from '../server/configuration.js';
import { type Arguments, readEnvironment, readYamlFile } from '../server/configuration-sources.js';
import type { Configuration } from '../server/options.js';
import { listenerNames } from '../server/protocols.js';

export interface Settings {
  readonly configuration: Configuration;
  /** `ROSETTA_…` variables that mean nothing here. */
  readonly unknownVariables: readonly string[];
}

export function readSettings(given: Arguments): Settings {
  const environment = readEnvironment(process.env);
  const file = given.config ?? environment.config;
  const configuration = resolveConfiguration(
    [given.given, environment.given, file === undefined ? [] : readYamlFile(file)],
    listenerNames,
  );
  return { configuration, unknownVariables: environment.unknown };
}
