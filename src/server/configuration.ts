/** Puts the sources of settings together: a flag wins over a variable, that over a file, and that over the default. */
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { ConfigurationError, everyKey, type Given, readMapping } from './configuration-sources.js';
import { type Configuration, isNamed, isOptionName, type OptionName, options } from './options.js';

/** The names after `--listen` and `--durability`. */
export interface ListenerNames {
  /** What this version can open. */
  readonly known: readonly string[];
  /** Names that may be turned off although this version has no such listener. */
  readonly reserved: readonly string[];
}

interface Resolved {
  value: unknown;
  origin: string;
  rank: number;
}

/** `sources` in order of precedence, the strongest first. Throws {@link ConfigurationError}. */
export function resolveConfiguration(sources: readonly (readonly Given[])[], listeners: ListenerNames): Configuration {
  const single = new Map<OptionName, Resolved>();
  const named = new Map<OptionName, Map<string, Resolved>>();
  sources.forEach((given, index) => {
    const rank = sources.length - index;
    for (const { name, key, value, origin } of given) {
      const parsed = parseValue(name, value, key === undefined || key === everyKey ? origin : `${origin} (${key})`);
      if (key === undefined) keep(single, name, { value: parsed, origin, rank });
      else {
        checkKey(name, key, value, origin, listeners);
        const values = named.get(name) ?? new Map<string, Resolved>();
        named.set(name, values);
        keep(values, key, { value: parsed, origin, rank }, addsUp(name));
      }
    }
  });
  checkCombinations(single);
  const configuration: Record<string, unknown> = {};
  for (const name of Object.keys(options).filter(isOptionName)) {
    if (isNamed(name)) {
      configuration[name] = new Map([...(named.get(name) ?? [])].map(([key, { value }]) => [key, value]));
    } else {
      const spec = options[name];
      configuration[name] = single.has(name) ? single.get(name)?.value : 'initial' in spec ? spec.initial : undefined;
    }
  }
  const password = passwordFrom(single);
  if (password !== undefined) configuration.password = password;
  // The table of options is what gives both the entries above and the type.
  return configuration as unknown as Configuration;
}

/** For `start({…})`: the options as an object, with camelCase names. */
export function readStartOptions(given: Readonly<Record<string, unknown>>): Given[] {
  return readMapping(given, (name) => name, ' given to start()');
}

function addsUp(name: OptionName): boolean {
  const spec = options[name];
  return 'adds' in spec && spec.adds === true;
}

/** A stronger source replaces; within one source a later value replaces, or is added where the option says so. */
function keep<K>(values: Map<K, Resolved>, key: K, next: Resolved, adds = false): void {
  const present = values.get(key);
  if (present === undefined || next.rank > present.rank) values.set(key, next);
  else if (next.rank === present.rank) {
    const both = adds && Array.isArray(present.value) && Array.isArray(next.value) && next.value.length > 0;
    values.set(key, both ? { ...next, value: [...(present.value as unknown[]), ...(next.value as unknown[])] } : next);
  }
}

function parseValue(name: OptionName, value: unknown, origin: string): unknown {
  const schema: z.ZodType<unknown> = options[name].schema;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ConfigurationError(`${origin}: ${result.error.issues[0]?.message ?? 'not a valid value'}`);
}

function checkKey(
  name: OptionName,
  key: string,
  value: unknown,
  origin: string,
  { known, reserved }: ListenerNames,
): void {
  const protocol = name === 'settings' ? (key.split('.')[0] ?? '') : key;
  if (name === 'settings' && !/^[^.]+\.[^.]+$/.test(key)) {
    throw new ConfigurationError(`${origin}: expected PROTOCOL.NAME=VALUE, not "${key}"`);
  }
  if (known.includes(protocol) || (name === 'durability' && key === everyKey)) return;
  if (reserved.includes(protocol)) {
    if (name === 'listen' && (value === 'off' || value === false)) return;
    throw new ConfigurationError(`${origin}: this version does not speak ${protocol}, only ${known.join(', ')}`);
  }
  throw new ConfigurationError(`${origin}: there is no protocol "${protocol}"; there are ${known.join(', ')}`);
}

function checkCombinations(single: ReadonlyMap<OptionName, Resolved>): void {
  const given = (name: OptionName): Resolved | undefined => single.get(name);
  const [cert, key, ca] = [given('tlsCert'), given('tlsKey'), given('tlsCa')];
  if (cert !== undefined && key === undefined) throw new ConfigurationError(`${cert.origin} needs --tls-key too`);
  if (key !== undefined && cert === undefined) throw new ConfigurationError(`${key.origin} needs --tls-cert too`);
  if (ca !== undefined && cert === undefined)
    throw new ConfigurationError(`${ca.origin} needs --tls-cert and --tls-key`);
  const [ephemeral, dataDir] = [given('ephemeral'), given('dataDir')];
  if (ephemeral?.value === true && dataDir !== undefined && ephemeral.rank === dataDir.rank) {
    throw new ConfigurationError(`${ephemeral.origin} and ${dataDir.origin} exclude each other`);
  }
}

function passwordFrom(single: ReadonlyMap<OptionName, Resolved>): string | undefined {
  const [file, direct] = [single.get('passwordFile'), single.get('password')];
  if (file === undefined || (direct !== undefined && direct.rank > file.rank)) return undefined;
  if (direct?.rank === file.rank)
    throw new ConfigurationError(`${direct.origin} and ${file.origin} exclude each other`);
  let text: string;
  try {
    text = readFileSync(String(file.value), 'utf8');
  } catch (cause) {
    throw new ConfigurationError(`${file.origin}: ${String(file.value)} cannot be read`, { cause });
  }
  const [line = ''] = text.split(/\r?\n/);
  if (line === '') throw new ConfigurationError(`${file.origin}: the first line of ${String(file.value)} is empty`);
  return line;
}
