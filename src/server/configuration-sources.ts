/** The places a setting can come from: flags, variables of the environment, a YAML file, an object given to `start`. */
import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { camelCased, dashed, isNamed, isOptionName, type OptionName, options, variable } from './options.js';

/** Something is wrong with a setting; the sentence names it and says where it was found. */
export class ConfigurationError extends Error {}

/** One value as a source gives it. */
export interface Given {
  readonly name: OptionName;
  /** For named options: `redis` of `--listen redis=…`; `*` when a bare value holds for all. */
  readonly key?: string;
  readonly value: unknown;
  /** For error messages: `--log-level`, `ROSETTA_LOG_LEVEL`, `log-level in rosetta.yaml`. */
  readonly origin: string;
}

/** Stands for every protocol. */
export const everyKey = '*';

// --- flags ------------------------------------------------------------------------------------------------------------

export interface Arguments {
  readonly given: readonly Given[];
  /** What is no flag, in order. */
  readonly positionals: readonly string[];
  /** `--config FILE`. */
  readonly config?: string;
  readonly help: boolean;
}

/** Splits `name=value`, or takes a bare value for every name. */
function namedValue(name: OptionName, text: string, origin: string): Given {
  const cut = text.indexOf('=');
  if (cut > 0) return { name, key: text.slice(0, cut).trim(), value: text.slice(cut + 1).trim(), origin };
  if (name === 'durability' && cut === -1) return { name, key: everyKey, value: text, origin };
  throw new ConfigurationError(`${origin}: expected ${options[name].argument ?? ''}, not "${text}"`);
}

/** Reads the arguments of a command that takes the options `allowed`. */
export function readArguments(argv: readonly string[], allowed: ReadonlySet<OptionName>): Arguments {
  const given: Given[] = [];
  const positionals: string[] = [];
  let config: string | undefined;
  let help = false;
  let onlyPositionals = false;
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? '';
    if (onlyPositionals || !argument.startsWith('-') || argument === '-') {
      positionals.push(argument);
      continue;
    }
    if (argument === '--') {
      onlyPositionals = true;
      continue;
    }
    const cut = argument.indexOf('=');
    const flag = cut === -1 ? argument : argument.slice(0, cut);
    const inline = cut === -1 ? undefined : argument.slice(cut + 1);
    const nextValue = (): string => {
      if (inline !== undefined) return inline;
      const next = argv[i + 1];
      if (next === undefined || next.startsWith('--')) throw new ConfigurationError(`${flag} needs a value`);
      i++;
      return next;
    };
    if (flag === '--help' || flag === '-h') {
      help = true;
      continue;
    }
    if (flag === '--config') {
      config = nextValue();
      continue;
    }
    const name = camelCased(flag.slice(2));
    if (!flag.startsWith('--') || !isOptionName(name) || flag !== `--${dashed(name)}` || !allowed.has(name)) {
      throw new ConfigurationError(`unknown option ${flag}${nearest(flag, allowed)}`);
    }
    if (isNamed(name)) given.push(namedValue(name, nextValue(), flag));
    else if (options[name].argument === undefined) given.push({ name, value: inline ?? true, origin: flag });
    else given.push({ name, value: nextValue(), origin: flag });
  }
  return { given, positionals, config, help };
}

/** `; did you mean --x?` for a flag that is nearly one of ours. */
function nearest(flag: string, allowed: ReadonlySet<OptionName>): string {
  const wanted = flag.replace(/^-+/, '').toLowerCase();
  const candidates = ['config', ...[...allowed].map(dashed)];
  const close = candidates
    .map((candidate) => ({ candidate, distance: editDistance(wanted, candidate) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return close !== undefined && close.distance <= 2 ? `; did you mean --${close.candidate}?` : '';
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

// --- environment ------------------------------------------------------------------------------------------------------

/** Variables that container platforms set for a service that happens to be called rosetta. */
const foreignVariable = /^ROSETTA_(PORT|SERVICE)(_|$)/;

export interface Environment {
  readonly given: readonly Given[];
  readonly config?: string;
  /** `ROSETTA_…` variables that mean nothing. */
  readonly unknown: readonly string[];
}

/** `ROSETTA_LISTEN=redis=…,memcached=off` and `ROSETTA_LISTEN_REDIS=…` say the same. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  const given: Given[] = [];
  const unknown: string[] = [];
  const names = Object.keys(options).filter(isOptionName);
  for (const [origin, value] of Object.entries(env)) {
    if (!origin.startsWith('ROSETTA_') || origin === variable('config') || value === undefined) continue;
    const name = names.find((candidate) => variable(candidate) === origin);
    if (name !== undefined && !isNamed(name)) given.push({ name, value, origin });
    else if (name !== undefined) given.push(...namedList(name, value, origin));
    else {
      const owner = names.find((candidate) => isNamed(candidate) && origin.startsWith(`${variable(candidate)}_`));
      if (owner !== undefined) {
        const rest = origin.slice(variable(owner).length + 1).toLowerCase();
        // Settings have two parts, the protocol and a name in which Redis writes dashes.
        const key = owner === 'settings' ? rest.replace('_', '.').replaceAll('_', '-') : rest;
        given.push({ name: owner, key, value, origin });
      } else if (!foreignVariable.test(origin)) unknown.push(origin);
    }
  }
  return { given, config: env[variable('config')], unknown };
}

/** `a=1,b=2`; a part without a name belongs to the value before it (`redis=127.0.0.1:1,127.0.0.1:2`). */
function namedList(name: OptionName, text: string, origin: string): Given[] {
  const parts: string[] = [];
  for (const part of text.split(',')) {
    const last = parts.length - 1;
    if (part.includes('=') || last < 0) parts.push(part);
    else parts[last] = `${parts[last] ?? ''},${part}`;
  }
  return parts.map((part) => namedValue(name, part, origin));
}

// --- objects and files ------------------------------------------------------------------------------------------------

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Settings by name, as a YAML file or `start({…})` gives them. */
export function readMapping(
  mapping: Readonly<Record<string, unknown>>,
  spelled: (name: string) => string,
  place: string,
): Given[] {
  const given: Given[] = [];
  for (const [written, value] of Object.entries(mapping)) {
    const name = camelCased(written);
    const origin = `${written}${place}`;
    if (!isOptionName(name) || written !== spelled(name)) throw new ConfigurationError(`unknown option ${origin}`);
    if (value === undefined || value === null) continue;
    if (!isNamed(name)) given.push({ name, value, origin });
    else if (isMapping(value)) given.push(...namedMapping(name, value, written, place));
    else if (name === 'durability') given.push({ name, key: everyKey, value, origin });
    else throw new ConfigurationError(`${origin}: expected one value for each protocol`);
  }
  return given;
}

function namedMapping(
  name: OptionName,
  mapping: Readonly<Record<string, unknown>>,
  path: string,
  place: string,
  prefix = '',
): Given[] {
  return Object.entries(mapping).flatMap(([key, value]) => {
    if (value === undefined || value === null) return [];
    if (isMapping(value)) return namedMapping(name, value, `${path}.${key}`, place, `${prefix}${key}.`);
    return [{ name, key: prefix + key, value, origin: `${path}.${key}${place}` }];
  });
}

export function readYamlFile(file: string): Given[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(cause);
    throw new ConfigurationError(`the configuration file ${file} cannot be read: ${reason}`, { cause });
  }
  let parsed: unknown;
  try {
    parsed = parseYaml(text);
  } catch (cause) {
    const [line] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    throw new ConfigurationError(`the configuration file ${file} is not valid YAML: ${line ?? ''}`, { cause });
  }
  if (parsed === null || parsed === undefined) return [];
  if (!isMapping(parsed)) throw new ConfigurationError(`the configuration file ${file} must hold options by name`);
  return readMapping(parsed, dashed, ` in ${file}`);
}
