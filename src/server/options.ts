/**
 * Every setting of a Rosetta server, once: its name gives the flag (`--data-dir`), the variable (`ROSETTA_DATA_DIR`) and
 * the key in a YAML file (`data-dir`); its schema accepts what each of them can hold. `configuration.ts` puts the
 * sources together.
 */
import { z } from 'zod';
import { type LogLevel, logLevels } from '../observability/logger.js';
import { type Endpoint, parseEndpoint } from './endpoint.js';

export interface Option<T> {
  readonly schema: z.ZodType<T>;
  /** What stands behind the flag in the help; a flag without an argument is a switch. */
  readonly argument?: string;
  readonly help: string;
  readonly initial: T;
}

/** An option with one value a name: `--listen redis=…`, `ROSETTA_LISTEN=redis=…`, `listen: { redis: … }`. */
export interface NamedOption<T> extends Omit<Option<T>, 'initial'> {
  readonly named: true;
  readonly argument: string;
  /** A flag that is repeated for one name adds to the earlier ones. */
  readonly adds?: boolean;
}

const option = <T>(spec: Option<T>): Option<T> => spec;
const named = <T>(spec: Omit<NamedOption<T>, 'named'>): NamedOption<T> => ({ ...spec, named: true });

/** A schema around a parser that throws an Error which says what it expected. */
function parsed<T>(parse: (given: unknown) => T): z.ZodType<T> {
  return z.unknown().transform((given, context): T => {
    try {
      return parse(given);
    } catch (thrown) {
      context.addIssue({ code: 'custom', message: thrown instanceof Error ? thrown.message : String(thrown) });
      return z.NEVER;
    }
  });
}

/** What YAML made of a text: `6379` became a number, `yes` did not become a boolean (YAML 1.2), `true` did. */
function textOf(given: unknown): string {
  if (typeof given === 'string') return given;
  if (typeof given === 'number') return String(given);
  if (typeof given === 'boolean') return given ? 'yes' : 'no';
  throw new Error('expected a text');
}

function text<T>(parse: (value: string) => T): z.ZodType<T> {
  return parsed((given) => parse(textOf(given)));
}

const yes = new Set(['true', 'yes', 'on', '1']);
const no = new Set(['false', 'no', 'off', '0']);

const toggle = text((value) => {
  const lower = value.toLowerCase();
  if (!yes.has(lower) && !no.has(lower)) throw new Error(`expected yes or no, not "${value}"`);
  return yes.has(lower);
});

const path = text((value) => {
  if (value === '' || value.includes('\0')) throw new Error('expected a path');
  return value;
});

function oneOf<const T extends string>(...choices: readonly T[]): z.ZodType<T> {
  return text((value) => {
    const choice = choices.find((candidate) => candidate === value.toLowerCase());
    if (choice === undefined) throw new Error(`expected one of ${choices.join(', ')}, not "${value}"`);
    return choice;
  });
}

function wholeNumber(min: number, max: number): z.ZodType<number> {
  return text((value) => {
    const parsed = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (!(parsed >= min && parsed <= max)) {
      throw new Error(`expected a whole number from ${min} to ${max}, not "${value}"`);
    }
    return parsed;
  });
}

const sizeUnits: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Bytes: `1048576`, `64mb`. */
export function parseSize(value: string): number {
  const match = /^(\d{1,15})\s*([a-z]*)$/i.exec(value);
  const unit = sizeUnits[(match?.[2] ?? '').toLowerCase()];
  const bytes = match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit;
  if (!Number.isSafeInteger(bytes)) throw new Error(`expected a size such as 512kb, 64mb or 2gb, not "${value}"`);
  return bytes;
}

const timeUnits: Readonly<Record<string, number>> = { ms: 1, '': 1000, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds: `500ms`, `30s`, `5m`; a bare number counts seconds. */
export function parseDuration(value: string): number {
  const match = /^(\d{1,12})\s*([a-z]*)$/i.exec(value);
  const unit = timeUnits[(match?.[2] ?? '').toLowerCase()];
  if (match === null || unit === undefined) {
    throw new Error(`expected a duration such as 500ms, 30s, 5m or 1h, not "${value}"`);
  }
  return Number(match[1]) * unit;
}

export type EngineUrl =
  | { readonly kind: 'embedded' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'postgres'; readonly url: string };

export function parseEngineUrl(value: string): EngineUrl {
  if (value === 'embedded' || value === 'memory') return { kind: value };
  if (/^postgres(ql)?:\/\//.test(value)) return { kind: 'postgres', url: value };
  throw new Error(`expected embedded, memory or postgres://…, not "${value.replace(/\/\/[^/]*@/, '//…@')}"`);
}

/** Endpoints of one protocol, separated by commas; none: `off`. */
function parseEndpoints(value: string): readonly Endpoint[] {
  if (value === 'off') return [];
  const parts = value.split(',').map((part) => part.trim());
  if (parts.includes('off') && parts.length > 1) throw new Error('off cannot stand beside an address');
  return parts.map(parseEndpoint);
}

const endpoints = parsed((given): readonly Endpoint[] => {
  if (given === false) return [];
  return parseEndpoints(Array.isArray(given) ? given.map(textOf).join(',') : textOf(given));
});

const anyText = text((value) => value);
const optionalPath = path as z.ZodType<string | undefined>;
const kibi = 1024;
const mebi = 1024 ** 2;

function sizeFrom(min: number, minText: string): z.ZodType<number> {
  return text((value) => {
    const bytes = parseSize(value);
    if (bytes < min) throw new Error(`expected at least ${minText}, not "${value}"`);
    return bytes;
  });
}

export const options = {
  dataDir: option({
    schema: path,
    argument: 'DIR',
    initial: './rosetta-data',
    help: 'where everything is stored',
  }),
  ephemeral: option({
    schema: toggle,
    initial: false,
    help: 'keep everything in a temporary directory that is removed at exit',
  }),
  engine: option<EngineUrl>({
    schema: text(parseEngineUrl),
    argument: 'URL',
    initial: { kind: 'embedded' },
    help: 'embedded, memory (nothing is kept), or postgres://USER@HOST/DATABASE',
  }),
  listen: named({
    schema: endpoints,
    argument: 'PROTOCOL=HOST:PORT',
    adds: true,
    help: 'where a protocol listens; port 0 picks a free one, unix:PATH a unix socket, PROTOCOL=off turns it off',
  }),
  readyFile: option({
    schema: optionalPath,
    argument: 'FILE',
    initial: undefined,
    help: 'receives JSON with the addresses once every listener accepts connections',
  }),
  logLevel: option<LogLevel>({
    schema: oneOf(...logLevels),
    argument: 'LEVEL',
    initial: 'info',
    help: 'debug, info, warn, error or silent; the log goes to standard error',
  }),
  allowOpenBind: option({
    schema: toggle,
    initial: false,
    help: 'allow listening beyond this machine although no password is set',
  }),
  password: option({
    schema: text((value) => {
      if (value === '') throw new Error('the password is empty');
      return value;
    }) as z.ZodType<string | undefined>,
    argument: 'TEXT',
    initial: undefined,
    help: 'sets the password of the user "default"; other users of the machine see flags, so prefer the variable',
  }),
  passwordFile: option({
    schema: optionalPath,
    argument: 'FILE',
    initial: undefined,
    help: 'a file whose first line is that password',
  }),
  durability: named({
    schema: oneOf('always', 'everysec'),
    argument: 'PROTOCOL=WHEN',
    help: 'what an answer promises: always (on disk) or everysec (handed to the operating system, on disk in a second)',
  }),
  tlsCert: option({
    schema: optionalPath,
    argument: 'FILE',
    initial: undefined,
    help: 'certificate (PEM): listeners speak TLS unless their address begins with plain://',
  }),
  tlsKey: option({ schema: optionalPath, argument: 'FILE', initial: undefined, help: 'private key (PEM)' }),
  tlsCa: option({
    schema: optionalPath,
    argument: 'FILE',
    initial: undefined,
    help: 'authorities (PEM); clients must show a certificate that one of them signed',
  }),
  maxConnections: option({
    schema: wholeNumber(1, 1_000_000),
    argument: 'N',
    initial: 10_000,
    help: 'open connections of one protocol',
  }),
  maxUnsent: option({
    schema: sizeFrom(64 * kibi, '64kb'),
    argument: 'SIZE',
    initial: kibi ** 3,
    help: 'replies a client may leave unread before it is disconnected',
  }),
  idleTimeout: option({
    schema: text(parseDuration),
    argument: 'TIME',
    initial: 0,
    help: 'close connections that are silent for this long; 0: never',
  }),
  memtableSize: option({
    schema: sizeFrom(mebi, '1mb'),
    argument: 'SIZE',
    initial: 64 * mebi,
    help: 'memory for writes that are not yet merged into the store; twice as much while a merge runs',
  }),
  logSize: option({
    schema: sizeFrom(16 * mebi, '16mb'),
    argument: 'SIZE',
    initial: 256 * mebi,
    help: 'write-ahead log after which a merge starts, however small the memtable is',
  }),
  settings: named({
    schema: anyText,
    argument: 'PROTOCOL.NAME=VALUE',
    help: "a setting of one protocol under that system's own name, such as redis.maxmemory=100mb",
  }),
};

export type Options = typeof options;
export type OptionName = keyof Options;

type ValueOf<O> = O extends { readonly named: true; readonly schema: z.ZodType<infer T> }
  ? ReadonlyMap<string, T>
  : O extends { readonly schema: z.ZodType<infer T> }
    ? T
    : never;

/** The value of every option; named options have those names that a source mentions. */
export type Configuration = { readonly [Name in OptionName]: ValueOf<Options[Name]> };

/** `dataDir` → `data-dir`. */
export function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `data-dir` → `dataDir`. */
export function camelCased(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** `dataDir` → `ROSETTA_DATA_DIR`. */
export function variable(name: string): string {
  return `ROSETTA_${dashed(name).replaceAll('-', '_').toUpperCase()}`;
}

export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

export function isNamed(name: OptionName): boolean {
  return 'named' in options[name];
}
